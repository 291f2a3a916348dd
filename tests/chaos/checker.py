"""Checks the contract from the clients' own records, and lists violations. README.md has the format of a history.

`check(Run)` is a pure function of the histories and of the messages that PostgreSQL has at the end. Each device is compared
with the table: in each life, every conversation goes on right after the messages that the stored state had taken, each message
once, in order of seq, without a hole, to the end. In a group whose members come and go, a user gets the messages of its
membership and no others (membership.py, changes.py). Each answer is compared with the table too. wire.py has the rules for the
frames of an observer, inboxes.py those for the inboxes at the end, activity.py what a run must have done at least, bounds.py which
fault explains what.
"""
import bisect
import collections
import dataclasses

import activity
import bounds
import changes
import inboxes
import told
import wire

FNV_BASIS, FNV_PRIME, MASK = 14695981039346656037, 1099511628211, (1 << 64) - 1
EXCUSED = {"none", "429", "503"}  # codes that a plain send may get: try again
STEADY = "0"  # habits of device.h
OBSERVES = "9"
HISTORY = "/history"  # a device that only reads history, at the end. In a group it sees the messages since the latest join
PROMPT = {STEADY, "1", "3", OBSERVES}
MAX_OF_A_RULE = 200  # more violations of one kind are only counted


def text_hash(sender, kind, text):
    """As hash_message() of device.c."""
    value = FNV_BASIS
    for byte in (sender + kind + text).encode():
        value = ((value ^ byte) * FNV_PRIME) & MASK
    return f"{(value ^ value >> 32) & 0xffffffff:08x}"


@dataclasses.dataclass
class Message:
    msg_id: str
    sender: str
    key: str
    hash: str
    event: dict = None  # the body of a `system` entry


@dataclasses.dataclass
class Violation:
    rule: str
    text: str
    at_ms: int = 0
    conversation: str = ""
    seq: int = 0
    device: str = ""


@dataclasses.dataclass
class Run:
    members: dict  # conversation: uids
    devices: dict  # "uid/device": uid, of all devices that must have everything at the end
    table: dict  # (conversation, seq): Message
    histories: list  # of iterables of lines
    faults: list = dataclasses.field(default_factory=list)  # the fields of bounds.Happened
    late_ms: int = 60000  # a connected device must get an answered message within this time
    churning: dict = dataclasses.field(default_factory=dict)  # conversation: Membership; instead of `members`
    least: activity.Least = dataclasses.field(default_factory=activity.Least)
    inbox_entries: int = bounds.INBOX_ENTRIES
    passenger: str = ""  # the user that goes through these conversations: told.py
    shuttles: tuple = ()

    def __post_init__(self):
        self.faults = [bounds.Happened(*fault) for fault in self.faults]


@dataclasses.dataclass
class Figures:
    """Figures of a run, for its summary."""
    sent: int = 0
    answered: int = 0
    duplicates: int = 0
    wanted_answered: int = 0  # of the sends of devices, without repeated answers
    repeats: int = 0  # answers to messages that were sent again after their answer
    lies: int = 0  # acks of the future that were answered
    stalls: int = 0
    flaps: int = 0  # connections of a client that comes and goes at once
    plain_answered: int = 0  # of the plain sends, without repeated answers
    handed: int = 0
    device_handed: int = 0  # of these, to devices of clients.c
    lives: int = 0
    frames: int = 0
    late_repeats: int = 0  # of messages that came over an earlier connection, or by sync
    sync_mores: int = 0
    events: int = 0  # about the passenger
    resyncs: int = 0
    same_epoch_resyncs: int = 0  # that no new epoch explains
    unexplained_ms: int = 0  # the longest that an observer waited for an answered message, without what a fault explains
    changes_asked: int = 0  # of memberships; a repeated one counts again
    changes_answered: int = 0
    changes_made: int = 0  # entries
    refused_outsiders: int = 0
    slowest_ms: int = 0
    slowest: tuple = ()
    recovery_ms: dict = dataclasses.field(default_factory=dict)  # kind of fault: the longest a message waited


# After a loss of Redis a device learns of its new inbox with the resync that follows the binding of its route.
LEARNS_LATE_MS = 1000 * (bounds.BOUNDS["flush"].healed + bounds.PROMPT_S)


class Life:
    __slots__ = ("base", "handed", "state_ms")

    def __init__(self, base, state_ms=None):
        self.base, self.handed = base, []  # handed: (conversation, seq, when)
        self.state_ms = state_ms  # when the state that it began with was stored; None: it had none

    def after(self, taken):
        """What a stored state knows: the messages of its life up to this count were taken."""
        last = dict(self.base)
        for conversation, seq, _ in self.handed[:taken]:
            last[conversation] = max(last.get(conversation, 0), seq)
        return last

    def stored_ms(self, taken):
        """When the state after so many messages was stored."""
        return self.handed[min(taken, len(self.handed)) - 1][2] if taken and self.handed else self.state_ms


class Device:
    def __init__(self, uid):
        self.uid = uid
        self.lives = {0: Life({})}
        self.life, self.last, self.habit, self.up_ms = None, {}, "", None
        self.reset_ms = 0  # when it last came up with a state of an inbox that was lost: sync answered it with a reset


class Checker:
    def __init__(self, run):
        self.run = run
        self.starts = [fault.start_ms for fault in run.faults]
        self.forgot_ms = max((fault.lost_ms() for fault in run.faults if fault.kind in bounds.FORGETS), default=None)
        self.violations, self.counts = [], collections.Counter()
        self.figures = Figures()
        self.devices = {}
        self.wanted = {}  # (uid, conversation, key): when the message was given to a device that must get an answer
        self.hashes, self.sent_ms = {}, {}  # (uid, key): the hash of the message, and when it was first sent
        self.answers = {}  # (uid, conversation, key): (seq, msg_id)
        # (uid, key): has an answer; has one that is no duplicate; was sent after its answer
        self.known, self.firsts, self.repeated = set(), set(), set()
        self.answered_ms = {}  # (conversation, seq)
        self.gaps = []  # holes in the messages that were handed over; checked at the end, when all answers are known
        self.early = []  # what came of plain sends: their answers are in another history, which is read later
        self.ended_ms = 0  # of the last event
        self.changes = changes.Changes(run, self.find, self.figures)
        self.wires = wire.Wires(run, self.find, self.figures)
        self.told = told.Told(run, self.find, self.figures)
        self.inboxes = inboxes.Inboxes(self)

    def find(self, rule, text, at_ms=0, conversation="", seq=0, device=""):
        self.counts[rule] += 1
        if self.counts[rule] <= MAX_OF_A_RULE:
            self.violations.append(Violation(rule, text, at_ms, conversation, seq, device))

    # -- which messages a user gets --

    def was_member(self, uid, conversation, seq):
        group = self.run.churning.get(conversation)
        return group.was(uid, seq) if group else uid in self.run.members.get(conversation, ())

    def next_owed(self, uid, conversation, seq):
        """The first message after this seq that the user must get, or None."""
        group = self.run.churning.get(conversation)
        return group.next_after(uid, seq) if group else seq + 1

    def first_missed(self, name, conversation, after, before):
        """The first message between the two seqs that the device had to get, or None."""
        uid = name.split("/")[0]
        seq = self.next_owed(uid, conversation, after)
        while seq is not None and seq < before and self.is_forgiven(name, uid, conversation, seq):
            seq = self.next_owed(uid, conversation, seq)
        return seq if seq is not None and seq < before else None

    def is_forgiven(self, name, uid, conversation, seq):
        """Whether its inbox was lost and the user was removed: a reset does not list the group any more (contract 3)."""
        group = self.run.churning.get(conversation)
        if group is None or not group.is_closed(uid, seq):
            return False
        return name.endswith(HISTORY) or (self.forgot_ms is not None and \
            self.answered_ms.get((conversation, seq), 0) <= \
            max(self.forgot_ms, self.device(name).reset_ms) + inboxes.ANSWERED_LATE_MS)

    def check_member(self, at, name, conversation, seq, what):
        uid = name.split("/")[0]
        if not self.was_member(uid, conversation, seq):
            self.find("leak", f"{what} somebody who is no member as of it", at, conversation, seq, name)
        elif name.endswith(HISTORY) and conversation in self.run.churning and \
                self.run.churning[conversation].is_closed(uid, seq):
            self.find("leak", "was read from the history by somebody who was removed after it", at, conversation, seq, name)

    # -- events: the fields of the line after time, device and letter --

    def device(self, name):
        device = self.devices.get(name)
        if device is None:
            device = self.devices[name] = Device(name.split("/")[0])
        return device

    def on_life(self, at, name, life, origin, taken, habit):
        device = self.device(name)
        before, taken = device.lives[int(origin)], int(taken)
        device.last = before.after(taken)
        device.life = device.lives[int(life)] = Life(dict(device.last), before.stored_ms(taken))
        device.habit, device.up_ms = habit, None
        self.figures.lives += 1

    def on_message(self, at, name, conversation, seq, msg_id, hash_, _key):
        device, seq = self.device(name), int(seq)
        self.figures.handed += 1
        self.figures.device_handed += device.habit != OBSERVES
        stored = self.run.table.get((conversation, seq))
        if stored is None:
            self.find("phantom", "was handed over, and is not stored", at, conversation, seq, name)
        elif stored.msg_id != msg_id or stored.hash != hash_:
            self.find("altered", f"was handed over as {msg_id} {hash_}, and is stored as {stored.msg_id} {stored.hash}", at,
                      conversation, seq, name)
        self.check_member(at, name, conversation, seq, "was handed over to")
        last = device.last.get(conversation, 0)
        if seq <= last:
            self.find("repeat", f"was handed over again; {last} was the last", at, conversation, seq, name)
        else:
            owed = self.next_owed(device.uid, conversation, last)
            if owed is not None and owed < seq:
                self.gaps.append((at, name, conversation, last, seq))
        device.last[conversation] = max(last, seq)
        device.life.handed.append((conversation, seq, at))
        if device.habit == OBSERVES:
            self.wires.on_message(at, name, conversation, seq)
        if device.habit in PROMPT:
            came = at, name, conversation, seq, device.habit, device.up_ms
            if (conversation, seq) in self.answered_ms:
                self.check_wait(*came)
            elif stored and stored.key and (stored.sender, stored.key) not in self.sent_ms:
                self.early.append(came)

    def check_wait(self, at, name, conversation, seq, habit, up_ms):
        answered = self.answered_ms.get((conversation, seq), at)
        if answered >= at:
            return
        if habit == STEADY:
            self.time(conversation, seq, at, name, at - answered)
        if up_ms is not None and at - max(answered, up_ms) > self.run.late_ms:
            self.find("late", f"was answered {(at - answered) / 1000:.1f} s before, and the device was connected for "
                      f"{(at - up_ms) / 1000:.1f} s", at, conversation, seq, name)

    def time(self, conversation, seq, at, name, waited):
        if waited > self.figures.slowest_ms:
            self.figures.slowest_ms, self.figures.slowest = waited, (conversation, seq, name, at)
        kind = self.blamed(at - waited, at)
        if waited > self.figures.recovery_ms.get(kind, 0):
            self.figures.recovery_ms[kind] = waited

    def blamed(self, since, until):
        """The fault during which, counted up to the next fault, most of the wait passed."""
        kind, longest = "none", 0
        at = max(0, bisect.bisect_right(self.starts, since) - 1)
        while at < len(self.starts) and self.starts[at] < until:
            end = self.starts[at + 1] if at + 1 < len(self.starts) else until
            part = min(end, until) - max(self.starts[at], since)
            if part > longest:
                kind, longest = self.run.faults[at].kind, part
            at += 1
        return kind

    def on_status(self, at, name, status, _reason):
        device = self.device(name)
        device.up_ms = at if status == "up" else None
        if device.up_ms and self.forgot_ms is not None and device.life and device.life.state_ms is not None and \
                device.life.state_ms <= self.forgot_ms + LEARNS_LATE_MS and not device.life.handed:
            device.reset_ms = at

    def on_wanted(self, at, name, key, conversation):
        uid = self.device(name).uid
        self.wanted[uid, conversation, key] = at, name
        self.figures.sent += 1

    def on_send(self, at, name, key, hash_):
        place = self.device(name).uid, key
        self.hashes[place] = hash_
        if place in self.known:
            self.repeated.add(place)
        self.sent_ms.setdefault(place, at)

    def on_answer(self, at, name, key, code, conversation, seq, msg_id, is_duplicate):
        uid, seq = self.device(name).uid, int(seq)
        place = uid, conversation, key
        if code != "ok":
            group = self.run.churning.get(conversation)
            is_removed = code == "not_member" and group is not None and group.was_ever(uid, False, 0)
            self.figures.refused_outsiders += is_removed
            if code not in EXCUSED and not is_removed:
                self.find("refused", f"{key} of {uid} was answered {code}", at, conversation, 0, name)
                for wanted in [wanted for wanted in self.wanted if wanted[0] == uid and wanted[2] == key]:
                    del self.wanted[wanted]
            return
        self.figures.answered += 1
        self.figures.duplicates += int(is_duplicate)
        self.figures.wanted_answered += self.wanted.pop(place, None) is not None
        self.figures.plain_answered += key.startswith("plain-") and place not in self.answers
        first = self.answers.setdefault(place, (seq, msg_id))
        if first != (seq, msg_id):
            self.find("two answers", f"{key} of {uid} was answered {seq} {msg_id}, and before {first[0]} {first[1]}", at,
                      conversation, seq, name)
        self.check_duplicate(at, name, (uid, key), conversation, seq, is_duplicate == "1")
        stored = self.run.table.get((conversation, seq))
        if stored is None:
            self.find("lost", f"{key} of {uid} was answered 200, and is not stored", at, conversation, seq, name)
        elif (stored.msg_id, stored.sender, stored.key) != (msg_id, uid, key):
            self.find("lost", f"{key} of {uid} was answered {msg_id}, and stored is {stored.msg_id} of {stored.sender}", at,
                      conversation, seq, name)
        elif self.hashes.get((uid, key), stored.hash) != stored.hash:
            self.find("altered", f"{key} of {uid} is stored as something else", at, conversation, seq, name)
        self.answered_ms.setdefault((conversation, seq), at)
        if conversation in self.run.churning:
            self.changes.on_sent(self.sent_ms.get((uid, key)), at, conversation, seq)

    def check_duplicate(self, at, name, place, conversation, seq, is_duplicate):
        """One answer at the most says that it is the first. None does after the message was sent once more."""
        self.figures.repeats += place in self.repeated
        if not is_duplicate and (place in self.firsts or place in self.repeated):
            self.find("duplicate", f"{place[1]} of {place[0]} was answered before, and is not called a duplicate", at, conversation,
                      seq, name)
        self.known.add(place)
        if not is_duplicate:
            self.firsts.add(place)

    # -- observers --

    def on_connect(self, at, name, connection, epoch, offset):
        self.device(name).up_ms = None
        self.wires.on_connect(at, name, connection, epoch, offset)

    def on_hello(self, at, name, connection, epoch, head):
        self.device(name).up_ms = at
        self.wires.on_hello(at, name, connection, epoch, head)

    def on_frame(self, at, name, connection, offset, conversation, seq):
        self.figures.frames += 1
        self.check_member(at, name, conversation, int(seq), "was sent live to")
        self.wires.on_frame(at, name, connection, offset, conversation, int(seq))

    # -- the end --

    def check_table(self):
        seqs, ids, keys = collections.defaultdict(list), {}, {}
        for (conversation, seq), message in self.run.table.items():
            seqs[conversation].append(seq)
            other = ids.setdefault(message.msg_id, (conversation, seq))
            if other != (conversation, seq):
                self.find("table", f"has the msg_id of {other[0]} {other[1]}", 0, conversation, seq)
            if message.key:
                other = keys.setdefault((conversation, message.sender, message.key), seq)
                if other != seq:
                    self.find("twice", f"{message.key} of {message.sender} is stored as {other} as well", 0, conversation, seq)
        for conversation, found in seqs.items():
            found.sort()
            if found != list(range(1, len(found) + 1)):
                missing = sorted(set(range(1, found[-1] + 1)) - set(found))
                self.find("table", f"seqs are missing: {missing[:5]}", 0, conversation, missing[0] if missing else 0)
        return {conversation: found[-1] for conversation, found in seqs.items()}

    def check_end(self, name, conversation, last):
        missed = self.first_missed(name, conversation, self.devices[name].last.get(conversation, 0), last + 1)
        if missed is not None:
            self.find("missing", f"never came; {last} is the last that is stored", self.answered_ms.get((conversation, missed), 0),
                      conversation, missed, name)

    def check_ends(self, last):
        for at, name, conversation, after, seq in self.gaps:
            missed = self.first_missed(name, conversation, after, seq)
            if missed is not None:
                self.find("hole", f"was handed over after {after}, without {missed}", at, conversation, seq, name)
        of_user = collections.defaultdict(list)
        for conversation, uids in self.run.members.items():
            for uid in uids:
                of_user[uid].append(conversation)
        for conversation, group in self.run.churning.items():
            for uid in group.spans:
                of_user[uid].append(conversation)
        for name, uid in self.run.devices.items():
            if name not in self.devices:
                self.find("missing", "never ran", 0, "", 0, name)
                continue
            for conversation in of_user[uid]:
                self.check_end(name, conversation, last.get(conversation, 0))
        for came in self.early:
            self.check_wait(*came)
        self.inboxes.check(last, of_user)
        self.wires.check(self.answered_ms, self.ended_ms)
        self.changes.check_answers()
        self.changes.check_entries()
        for (uid, conversation, key), (at, name) in self.wanted.items():
            self.find("unanswered", f"{key} of {uid} was never answered", at, conversation, 0, name)
        activity.check(self.run, self.figures, self.find)

    def check(self):
        handlers = {"L": self.on_life, "M": self.on_message, "W": self.on_wanted, "S": self.on_send, "A": self.on_answer,
                    "C": self.on_connect, "H": self.on_hello, "F": self.on_frame, "Y": self.wires.on_sync_more,
                    "R": self.wires.on_resync, "D": self.wires.on_end, "U": self.on_status, "I": self.inboxes.on_inbox,
                    "J": self.inboxes.on_entry, "G": self.changes.on_ask, "V": self.changes.on_answer,
                    "B": self.changes.on_members, "T": self.told.on_event, "K": self.wires.on_lie, "E": self.wires.on_error,
                    "Z": self.wires.on_stall}
        last = self.check_table()
        for history in self.run.histories:
            for number, line in enumerate(history, 1):
                fields = line.split()
                try:
                    handler = handlers.get(fields[2])
                    if handler:
                        handler(int(fields[0]), fields[1], *fields[3:])
                    self.ended_ms = max(self.ended_ms, int(fields[0]))
                except (IndexError, ValueError, TypeError, KeyError) as error:
                    raise ValueError(f"line {number} of a history is none: {line[:200]!r} ({error!r})") from error
        self.check_ends(last)
        return self.violations


def check(run):
    """(violations, figures)"""
    checker = Checker(run)
    return checker.check(), checker.figures
