"""The inboxes as sync gives them at the end: what they hold, and what they must hold."""
import collections

import bounds

ANSWERED_LATE_MS = 20000  # the answer may come this long after the message was stored


class Inbox:
    """The entries of one user, oldest first."""

    def __init__(self, epoch, head):
        self.epoch, self.head = epoch, head
        self.first = self.offset = None
        self.last = {}  # conversation: the highest seq
        self.places = []  # (conversation, seq)

    def is_trimmed(self):
        """An inbox that was never trimmed has the entry with offset 1."""
        return self.first is not None and self.first > 1


class Inboxes:
    """`checker` says who was a member when, and what was sent and answered when."""

    def __init__(self, checker):
        self.checker, self.run, self.find = checker, checker.run, checker.find
        self.of = {}
        self.forgot_ms = max((fault.healed_ms() for fault in self.run.faults if fault.kind in bounds.FORGETS), default=None)

    def on_inbox(self, _at, name, epoch, head):
        self.of[name] = Inbox(epoch, int(head))

    def on_entry(self, at, name, offset, conversation, seq, msg_id, hash_):
        inbox, offset, seq = self.of[name], int(offset), int(seq)
        stored = self.run.table.get((conversation, seq))
        if inbox.offset is not None and offset != inbox.offset + 1:
            self.find("sync", f"has offset {offset} after {inbox.offset}", at, conversation, seq, name)
        if stored is None or (stored.msg_id, stored.hash) != (msg_id, hash_):
            self.find("sync", "is not what is stored", at, conversation, seq, name)
        self.checker.check_member(at, name, conversation, seq, "is in the inbox of")
        last = inbox.last.get(conversation)
        owed = seq if last is None else self.checker.next_owed(name.split("/")[0], conversation, last)
        if owed is not None and owed < seq:
            self.find("sync", f"follows {last} in the inbox, without {owed}", at, conversation, seq, name)
        inbox.first = offset if inbox.first is None else inbox.first
        inbox.offset = offset
        inbox.last[conversation] = max(seq, last or 0)
        inbox.places.append((conversation, seq))

    # -- the end --

    def check(self, last, of_user):
        """`last`: {conversation: its last seq}; `of_user`: {uid: conversations}."""
        stored = self._stored_since()
        for name, inbox in self.of.items():
            uid = name.split("/")[0]
            for conversation, seq in inbox.last.items():
                owed = self.checker.next_owed(uid, conversation, seq)
                if owed is not None and owed <= last.get(conversation, 0):
                    self.find("sync", f"is the last in the inbox; {owed} and up to {last[conversation]} is stored", 0, conversation,
                              seq, name)
            if (inbox.offset or 0) < inbox.head:
                self.find("sync", f"the inbox ends at offset {inbox.offset or 0}, and its head is {inbox.head}", device=name)
            if inbox.is_trimmed() and len(inbox.places) < self.run.inbox_entries:
                self.find("sync", f"the inbox begins at offset {inbox.first} and has {len(inbox.places)} entries; "
                          f"one that is trimmed keeps {self.run.inbox_entries}", device=name)
            since, has = self._owed_since(inbox), set(inbox.places)
            for conversation in of_user[uid]:
                # seq is in the order of storing: what follows an owed message is owed as well. on_entry() finds holes in that.
                first = 1 if since is None else next((seq for seq, at in stored[conversation] if at > since), None)
                owed = first and self.checker.next_owed(uid, conversation, first - 1)
                if owed and owed <= last.get(conversation, 0) and (conversation, owed) not in has:
                    self.find("sync", "is not in the inbox, and was stored after " +
                              ("the start" if self.forgot_ms is None else "the last loss of Redis"), 0, conversation, owed, name)

    def _stored_since(self):
        """{conversation: [(seq, a time before which the message was not stored)]}, of all answered messages, in order."""
        found = collections.defaultdict(list)
        for (conversation, seq), answered in self.checker.answered_ms.items():
            message = self.run.table.get((conversation, seq))
            if message:
                sent = self.checker.sent_ms.get((message.sender, message.key))
                found[conversation].append((seq, answered - ANSWERED_LATE_MS if sent is None else sent))
        for places in found.values():
            places.sort()
        return found

    def _owed_since(self, inbox):
        """
        The inbox must have what was stored after this time, or everything (None). An entry that was lost with Redis is not owed,
        nor one that was appended before the first entry that is left of a trimmed inbox. No entry is appended later than
        `late_ms` after its answer: a device would have it late.
        """
        since = self.forgot_ms
        if inbox.is_trimmed():
            answered = self.checker.answered_ms
            first = next((answered[place] for place in inbox.places if place in answered), None)
            if first is None:
                return float("inf")
            since = max(since or 0, first + self.run.late_ms)
        return since
