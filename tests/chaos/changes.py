"""Holds what was asked and answered about a group's membership against the `system` entries of its conversation."""
import bisect
import collections

import membership

NOTHING = "none"  # 200 or 204 without a seq: nothing had to change
AGAIN = {"lost", "429", "503"}
# What a change may be refused with, and what the user it names then was: a member or not.
REFUSALS = {("removed", "not_found"): False, ("role", "not_found"): False, ("left", "not_member"): False}
# Whether a change that had nothing to do found a member.
FINDS_MEMBER = {"added": True, "removed": False, "left": False, "role": True}


class Change:
    def __init__(self, at, conversation, event, actor, uids):
        self.at, self.conversation, self.event, self.actor, self.uids = at, conversation, event, actor, uids
        self.floor = 0  # the highest seq that was answered before it was asked for


class Known:
    """The highest seq of a conversation that was answered before a time."""

    def __init__(self):
        self.answers = []  # (at, seq), in any order
        self.at, self.highest = [], []

    def settle(self):
        for at, seq in sorted(self.answers):
            if not self.highest or seq > self.highest[-1]:
                self.at.append(at)
                self.highest.append(seq)

    def before(self, at):
        place = bisect.bisect_left(self.at, at)
        return self.highest[place - 1] if place else 0


class Changes:
    """`find` is told each violation, like Checker.find(). `figures` are the checker's."""

    def __init__(self, run, find, figures):
        self.run, self.find, self.figures = run, find, figures
        self.asked = {}  # key: Change
        self.tries = collections.Counter()  # (conversation, event, actor, uid): how often it was asked for
        self.claimed = {}  # (conversation, seq): the key that was answered with it
        self.known = collections.defaultdict(Known)  # by conversation
        self.answers = []  # (at, name, key, code, seq): looked at in the end, when all that was known is there

    def on_answered_seq(self, at, conversation, seq):
        self.known[conversation].answers.append((at, seq))

    def on_ask(self, at, name, key, conversation, event, *uids):
        actor = name.split("/")[0]
        self.figures.changes_asked += 1
        self.asked[key] = Change(at, conversation, event, actor, uids)
        for uid in uids:
            self.tries[conversation, event, actor, uid] += 1

    def on_answer(self, at, name, key, code, seq):
        self.figures.changes_answered += code in ("ok", NOTHING)
        self.answers.append((at, name, key, code, int(seq)))
        if code == "ok":
            self.on_answered_seq(at, self.asked[key].conversation, int(seq))

    def check_answers(self):
        for known in self.known.values():
            known.settle()
        for change in self.asked.values():
            change.floor = self.known[change.conversation].before(change.at)
        for answer in self.answers:
            self._check_answer(*answer)

    def _check_answer(self, at, name, key, code, seq):
        change = self.asked[key]
        if code == "ok":
            self._check_entry(at, name, key, change, seq)
        elif code == NOTHING:
            self._check_state(at, name, key, change, FINDS_MEMBER[change.event], "had nothing to do")
        elif (change.event, code) in REFUSALS:
            self._check_state(at, name, key, change, REFUSALS[change.event, code], f"was refused with {code}")
        elif code == "not_member":
            self._check_uids(at, name, key, change, [change.actor], False, "was refused with not_member")
        elif code not in AGAIN:
            self.find("refused", f"{change.event} ({key}) of {', '.join(change.uids)} was answered {code}", at,
                      change.conversation, 0, name)

    def _check_entry(self, at, name, key, change, seq):
        stored = self.run.table.get((change.conversation, seq))
        event = stored.event if stored else None
        if not event or event["event"] != change.event or stored.sender != change.actor or event["actor"] != change.actor or \
                not set(membership.uids_of(event)) <= set(change.uids):
            self.find("change", f"{change.event} ({key}) was answered 200, and its entry is {event}", at, change.conversation,
                      seq, name)
        elif seq <= change.floor:
            self.find("change", f"{change.event} ({key}) was answered with an entry from before it; {change.floor} was known",
                      at, change.conversation, seq, name)
        other = self.claimed.setdefault((change.conversation, seq), key)
        if other != key:
            self.find("change", f"is the answer to {other} and to {key}", at, change.conversation, seq, name)

    def _check_state(self, at, name, key, change, is_member, what):
        self._check_uids(at, name, key, change, change.uids, is_member, what)

    def _check_uids(self, at, name, key, change, uids, is_member, what):
        """An answer without an entry is only right if these users were members, or were none, since it was asked for."""
        group = self.run.churning[change.conversation]
        for uid in uids:
            if not group.was_ever(uid, change.floor, is_member):
                self.find("change", f"{change.event} ({key}) {what}, and {uid} was {'no' if is_member else 'a'} member "
                          f"at and after {change.floor}", at, change.conversation, change.floor, name)

    def on_members(self, at, name, conversation, *members):
        """The list of members as it is given out at the end: uid=role."""
        group = self.run.churning[conversation]
        listed = dict(member.split("=") for member in members)
        if len(listed) != len(members):
            self.find("members", "are listed more than once", at, conversation, 0, name)
        for uid in sorted(set(listed) ^ group.members()):
            self.find("members", f"{'hold' if uid in listed else 'lack'} {uid}; the entries say otherwise", at, conversation, 0,
                      name)
        for uid, role in listed.items():
            if role != "owner" and uid in group.members() and role != group.roles.get(uid, "member"):
                self.find("members", f"say that {uid} is {role}; the entries say {group.roles.get(uid, 'member')}", at,
                          conversation, 0, name)

    def check_entries(self):
        """Each entry was asked for, and changed something. Each message is from a member."""
        left = self.tries.copy()
        for (conversation, seq), stored in sorted(self.run.table.items()):
            group = self.run.churning.get(conversation)
            if not group:
                continue
            if stored.event:
                self.figures.changes_made += 1
                for uid in membership.uids_of(stored.event):
                    place = conversation, stored.event["event"], stored.sender, uid
                    left[place] -= 1
                    if left[place] < 0:
                        self.find("change", f"{place[1]} of {uid} by {place[2]} was asked for {self.tries[place]} times, and has "
                                  "one entry more", 0, conversation, seq)
            elif not group.was(stored.sender, seq):
                self.find("outsider", f"is from {stored.sender}, who is no member as of it", 0, conversation, seq)
        for conversation, group in self.run.churning.items():
            for seq, text in group.faults:
                self.find("change", text, 0, conversation, seq)
