"""A small model of the contract's conversations: what each operation answers, and what each user then sees.

An operation is a tuple (name, user, ...) of small numbers: users by index, groups by the order of their creation, entries by seq. It means
something in every state, so that any part of a sequence is a sequence, too. `Model.apply()` answers "ok", or the code of the refusal. What
users are to each other and to groups is in random_people.py.
"""
import dataclasses

from random_people import Conversation, Mine, People

CONTENT, SYSTEM = ("text", "forward"), "system"
USERS = 4
PINS_MAX = 20


@dataclasses.dataclass
class Entry:
    seq: int
    sender: int
    type: str
    text: str = ""  # of a text or an edit; the event of a system entry; op and emoji of a reaction
    target: int = 0
    mentions: tuple = ()
    expire_s: int = 0
    expires_at: int = 0  # as the answer's time says
    recipients: tuple = ()  # those in whose inboxes it is
    recalled_by: int = 0  # the seq of the recall
    edits: list = dataclasses.field(default_factory=list)
    reactions: list = dataclasses.field(default_factory=list)  # the entries of those that stand


class Model(People):
    def __init__(self):
        super().__init__()
        self.conversations = {(a, b): Conversation({a: Mine(), b: Mine()}) for a in range(USERS) for b in range(a, USERS)}
        self.groups, self.keys, self.now = [], {}, 0
        self.clock = 0  # in milliseconds, as of which messages have expired
        self.operation, self.appended = None, []  # the last one, and its entries with their conversations
        self.answered = None  # the entry whose seq it answers, if it answers one

    def find(self, ref):
        """The conversation of (a, b), or of a group's number; None: there is none."""
        if isinstance(ref, int):
            return self.groups[ref] if ref < len(self.groups) else None
        return self.conversations[tuple(sorted(ref))]

    def access(self, user, conversation, *, needs_entry=True):
        if conversation is None or conversation.dissolved:
            return "not_found"
        if user not in conversation.mine:
            return "not_member"
        return "not_found" if needs_entry and not conversation.is_group and not conversation.entries else "ok"

    def append(self, conversation, sender, kind, text="", **fields):
        self.now += 1
        entry = Entry(len(conversation.entries) + 1, sender, kind, text, **fields)
        conversation.entries.append(entry)
        if kind in (*CONTENT, SYSTEM):
            conversation.moved, conversation.moved_seq = self.now, entry.seq
        self.appended.append((conversation, entry))
        return entry

    def apply(self, operation):
        self.operation, self.appended, self.answered = operation, [], None
        verdict = getattr(self, "do_" + operation[0])(*operation[1:])
        for conversation, entry in self.appended:
            entry.recipients = tuple(conversation.mine)
        return verdict

    def is_expired(self, entry):
        return 0 < entry.expires_at <= self.clock

    def expiries(self):
        """The times at which messages expire, those that were included."""
        return [entry.expires_at for conversation in [*self.conversations.values(), *self.groups] for entry in conversation.entries
                if entry.expires_at]

    # ---- messages ----

    def may_send(self, user, ref, mentions=()):
        if not isinstance(ref, int):
            return self.may_write(user, ref)
        conversation = self.find(ref)
        if (verdict := self.access(user, conversation)) != "ok":
            return verdict
        mine = conversation.mine[user]
        if mine.role < 2 and (mine.is_silenced or (conversation.muted_all and mine.role == 0)):
            return "muted"
        return "permission_denied" if "*" in mentions and mine.role == 0 else "ok"

    def store(self, user, ref, key, kind, text, **fields):
        """A repeat gets its first answer, also when the sender may send no more."""
        first, operation = self.keys.get((user, ref, key), (None, None))
        if operation == self.operation:
            self.answered = first
            return "ok"
        if (verdict := self.may_send(user, ref, fields.get("mentions", ()))) != "ok":
            return verdict
        if operation:
            return "idempotency_conflict"
        conversation = self.find(ref)
        self.answered = self.append(conversation, user, kind, text, **fields)
        conversation.mine[user].read = self.answered.seq
        self.keys[user, ref, key] = self.answered, self.operation
        return "ok"

    def do_send(self, user, ref, key, text, mentions, expire_s):
        return self.store(user, ref, key, "text", text, mentions=mentions, expire_s=expire_s)

    def do_forward(self, user, ref, key, source, seqs):
        conversation = self.find(source)
        verdict = self.access(user, conversation, needs_entry=False)
        entries = [conversation.entry(user, seq) for seq in seqs] if verdict == "ok" else []
        texts = [shown[3] for shown in (self.shown(conversation, user, entry) for entry in entries if entry) if shown[3] is not None]
        if None in entries:
            verdict = "not_found"
        elif verdict == "ok" and (not texts or any(entry.type not in CONTENT for entry in entries)):
            verdict = "invalid_argument"
        if verdict != "ok" and (user, ref, key) not in self.keys:
            return verdict
        return self.store(user, ref, key, "forward", " ".join(texts))

    def target(self, user, ref, seq):
        conversation = self.find(ref)
        if (verdict := self.access(user, conversation, needs_entry=False)) != "ok":
            return conversation, None, verdict
        entry = conversation.entry(user, seq)
        if entry is None:
            return conversation, None, "not_found"
        return conversation, entry, "ok" if entry.type in CONTENT else "failed_precondition"

    def do_recall(self, user, ref, seq):
        conversation, entry, verdict = self.target(user, ref, seq)
        if verdict != "ok":
            return verdict
        if entry.sender != user and not (conversation.is_group and conversation.mine[user].role > 0):
            return "permission_denied"
        if not entry.recalled_by:
            entry.recalled_by = self.append(conversation, user, "recall", target=seq).seq
        self.answered = conversation.entries[entry.recalled_by - 1]
        return "ok"

    def do_edit(self, user, ref, seq, text):
        conversation, entry, verdict = self.target(user, ref, seq)
        if verdict != "ok":
            return verdict
        if entry.sender != user:
            return "permission_denied"
        if (verdict := self.may_write(user, ref)) != "ok":
            return verdict
        if entry.recalled_by or self.is_expired(entry):
            return "failed_precondition"
        if entry.type != "text":
            return "invalid_argument"
        self.answered = self.append(conversation, user, "edit", text, target=seq)
        entry.edits.append(self.answered)
        return "ok"

    def do_react(self, user, ref, seq, emoji, is_add):
        conversation, entry, verdict = self.target(user, ref, seq)
        if verdict != "ok":
            return verdict
        if is_add and (verdict := self.may_write(user, ref)) != "ok":
            return verdict
        standing = next((one for one in entry.reactions if (one.text, one.sender) == (f"add {emoji}", user)), None)
        if not is_add and not standing:
            return "not_found"
        if entry.recalled_by or self.is_expired(entry):
            return "failed_precondition"
        if is_add and standing:
            self.answered = standing
        else:
            self.answered = self.append(conversation, user, "reaction", f"{'add' if is_add else 'remove'} {emoji}", target=seq)
            entry.reactions = [*entry.reactions, self.answered] if is_add else [one for one in entry.reactions if one is not standing]
        return "ok"

    def do_pin(self, user, ref, seq, is_pin):
        conversation = self.find(ref)
        if self.access(user, conversation, needs_entry=False) == "ok" and conversation.is_group and conversation.mine[user].role == 0:
            return "permission_denied"
        conversation, entry, verdict = self.target(user, ref, seq)
        if verdict != "ok" or (verdict := self.may_write(user, ref)) != "ok":
            return verdict
        is_pinned = seq in [target for _, target in conversation.pins]
        if is_pin and is_pinned:
            return "ok"
        if not is_pin and not is_pinned:
            return "not_found"
        if is_pin and (entry.recalled_by or self.is_expired(entry) or len(conversation.pins) >= PINS_MAX):
            return "failed_precondition"
        system = self.append(conversation, user, SYSTEM, "pinned" if is_pin else "unpinned")
        conversation.pins = [one for one in conversation.pins if one[1] != seq]
        if is_pin:
            conversation.pins.append((system.seq, seq))
        return "ok"

    # ---- what a user does to a conversation for itself ----

    def do_read(self, user, ref, seq):
        conversation = self.find(ref)
        if (verdict := self.access(user, conversation)) != "ok":
            return verdict
        if seq > len(conversation.entries):
            return "invalid_argument"
        conversation.mine[user].read = max(conversation.mine[user].read, seq)
        return "ok"

    def do_clear(self, user, ref, seq):
        """Up to seq; 0: everything."""
        conversation = self.find(ref)
        if (verdict := self.access(user, conversation)) != "ok":
            return verdict
        if seq > len(conversation.entries):
            return "invalid_argument"
        conversation.mine[user].cleared = max(conversation.mine[user].cleared, seq or len(conversation.entries))
        return "ok"

    def do_choose(self, user, ref, pinned, muted):
        conversation = self.find(ref)
        if (verdict := self.access(user, conversation)) == "ok":
            conversation.mine[user].pinned, conversation.mine[user].muted = pinned, muted
        return verdict

    def do_hide(self, user, ref):
        conversation = self.find(ref)
        if (verdict := self.access(user, conversation)) == "ok":
            conversation.mine[user].hidden = len(conversation.entries)
        return verdict

    # ---- what is seen ----

    def shown(self, conversation, user, entry):
        """A message as this user sees it: (seq, sender, type, text, target, flags, reactions)."""
        message = conversation.entries[entry.target - 1] if entry.type == "edit" else entry
        text, flags, reactions = entry.text, [], []
        if entry.type in CONTENT:
            edits = [edit for edit in entry.edits if conversation.shows(user, edit)]
            flags = [name for name, holds in (("recalled", entry.recalled_by), ("edited", edits and not entry.recalled_by),
                                              ("expired", self.is_expired(entry))) if holds]
            text = edits[-1].text if edits else text
            reactions = [] if entry.recalled_by or self.is_expired(entry) else self.reactions(conversation, user, entry)
        if entry.type == "recall" or message.recalled_by or self.is_expired(message):
            text = None
        return entry.seq, entry.sender, entry.type, text, entry.target, " ".join(flags), reactions

    def reactions(self, conversation, user, entry):
        """(emoji, count, is one the user's), in the order of the first ones that stand."""
        counts = dict.fromkeys((one.text.removeprefix("add ") for one in entry.reactions), 0)
        for one in entry.reactions:
            counts[one.text.removeprefix("add ")] += conversation.shows(user, one)
        mine = {one.text.removeprefix("add ") for one in entry.reactions if one.sender == user}
        return [(emoji, count, emoji in mine) for emoji, count in counts.items() if count]

    def history(self, user, ref):
        """The verdict, and all that the user may read."""
        conversation = self.find(ref)
        verdict = self.access(user, conversation, needs_entry=False)
        seen = [] if verdict != "ok" else [self.shown(conversation, user, entry) for entry in conversation.entries[conversation.first(user):]]
        return verdict, seen

    def pins(self, user, ref):
        conversation = self.find(ref)
        verdict = self.access(user, conversation, needs_entry=False)
        return verdict, [] if verdict != "ok" else [target for _, target in sorted(conversation.pins, reverse=True)
                                                    if target > conversation.first(user)]

    def list(self, user):
        """(place, conversation, last message, last_seq, read_seq, unread, mentioned, pinned, muted), in the order of the list."""
        found = []
        for ref, conversation in [*self.conversations.items(), *enumerate(self.groups)]:
            mine = conversation.mine.get(user)
            if mine is None or conversation.dissolved or conversation.moved == 0 or conversation.moved_seq <= mine.hidden:
                continue
            after = max(mine.read, mine.cleared)
            unread = [entry for entry in conversation.entries[after:] if entry.type in CONTENT and not entry.recalled_by
                      and not self.is_expired(entry)]
            last = conversation.moved_seq if conversation.moved_seq > mine.cleared else 0
            found.append(((mine.pinned, conversation.moved), (
                ref, last and self.shown(conversation, user, conversation.entries[last - 1])[:6], len(conversation.entries), mine.read, len(unread),
                any(user in entry.mentions or "*" in entry.mentions for entry in unread), mine.pinned, mine.muted)))
        return [item for _, item in sorted(found, key=lambda one: one[0], reverse=True)]

    def positions(self, user):
        """(conversation, last_seq, read_seq), as a reset of sync lists them."""
        return [(ref, len(conversation.entries), conversation.mine[user].read)
                for ref, conversation in [*self.conversations.items(), *enumerate(self.groups)]
                if user in conversation.mine and not conversation.dissolved and (conversation.is_group or conversation.entries)]

    def inbox(self, user):
        """{(conversation, seq): the message as it is shown}, in the order of each conversation."""
        return {(ref, entry.seq): self.shown(conversation, user, entry)
                for ref, conversation in [*self.conversations.items(), *enumerate(self.groups)]
                for entry in conversation.entries if user in entry.recipients}
