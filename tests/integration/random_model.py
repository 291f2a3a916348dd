"""A small model of the contract's conversations: what each operation answers, and what each user then sees.

An operation is a tuple (name, user, ...) of small numbers: users by index, groups by the order of their creation, entries by seq. It means
something in every state, so that any part of a sequence is a sequence, too. `Model.apply()` answers "ok", or the code of the refusal.
"""
import dataclasses

CONTENT, SYSTEM = "text", "system"
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
    recalled_by: int = 0  # the seq of the recall
    edits: list = dataclasses.field(default_factory=list)
    reactions: list = dataclasses.field(default_factory=list)  # (seq, emoji, user), those that stand


@dataclasses.dataclass
class Mine:
    """What a conversation is for one of its users."""
    role: int = 0
    since: int = 0  # the last entry before the join
    read: int = 0
    cleared: int = 0
    hidden: int = -1
    pinned: bool = False
    muted: bool = False
    is_silenced: bool = False  # may not send to the group


@dataclasses.dataclass
class Conversation:
    mine: dict  # user -> Mine
    is_group: bool = False
    history: str = "all"
    muted_all: bool = False
    dissolved: bool = False
    entries: list = dataclasses.field(default_factory=list)
    moved: int = 0  # when an entry moved it for the last time
    moved_seq: int = 0
    pins: list = dataclasses.field(default_factory=list)  # (seq of the pin, target)
    cleared_by_former: dict = dataclasses.field(default_factory=dict)  # user -> Mine.cleared, for when it comes back

    def first(self, user):
        """What this user sees begins behind it."""
        mine = self.mine[user]
        return max(mine.cleared, mine.since if self.history == "since_join" else 0)

    def entry(self, user, seq):
        return self.entries[seq - 1] if self.first(user) < seq <= len(self.entries) else None


class Model:
    def __init__(self):
        self.conversations = {(a, b): Conversation({a: Mine(), b: Mine()}) for a in range(USERS) for b in range(a, USERS)}
        self.groups, self.blocks, self.keys, self.now = [], set(), {}, 0
        self.entry_of_last = None  # the seq that the last operation answers, if it answers one

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

    def append(self, conversation, sender, kind, text="", target=0, mentions=()):
        self.now += 1
        entry = Entry(len(conversation.entries) + 1, sender, kind, text, target, mentions)
        conversation.entries.append(entry)
        if kind in (CONTENT, SYSTEM):
            conversation.moved, conversation.moved_seq = self.now, entry.seq
        self.entry_of_last = entry.seq
        return entry

    def apply(self, operation):
        self.entry_of_last = None
        return getattr(self, "do_" + operation[0])(*operation[1:])

    def blocked(self, user, ref):
        other = ref[0] if ref[1] == user else ref[1]
        return (other, user) in self.blocks

    # ---- messages ----

    def do_send(self, user, ref, text, mentions, key):
        conversation = self.find(ref)
        if isinstance(ref, int):
            if (verdict := self.access(user, conversation)) != "ok":
                return verdict
            if conversation.mine[user].role == 0 and (conversation.muted_all or conversation.mine[user].is_silenced):
                return "muted"
            if "*" in mentions and conversation.mine[user].role == 0:
                return "permission_denied"
        elif self.blocked(user, ref):
            return "blocked"
        name = (user, ref, key)
        if name in self.keys:
            seq, payload = self.keys[name]
            self.entry_of_last = seq
            return "ok" if payload == (text, mentions) else "idempotency_conflict"
        entry = self.append(conversation, user, CONTENT, text, mentions=mentions)
        conversation.mine[user].read = entry.seq
        self.keys[name] = entry.seq, (text, mentions)
        return "ok"

    def target(self, user, ref, seq):
        conversation = self.find(ref)
        if (verdict := self.access(user, conversation, needs_entry=False)) != "ok":
            return conversation, None, verdict
        entry = conversation.entry(user, seq)
        if entry is None:
            return conversation, None, "not_found"
        return conversation, entry, "ok" if entry.type == CONTENT else "failed_precondition"

    def do_recall(self, user, ref, seq):
        conversation, entry, verdict = self.target(user, ref, seq)
        if verdict != "ok":
            return verdict
        if entry.sender != user and not (conversation.is_group and conversation.mine[user].role > 0):
            return "permission_denied"
        if entry.recalled_by:
            self.entry_of_last = entry.recalled_by
        else:
            entry.recalled_by = self.append(conversation, user, "recall", target=seq).seq
        return "ok"

    def do_edit(self, user, ref, seq, text):
        conversation, entry, verdict = self.target(user, ref, seq)
        if verdict != "ok":
            return verdict
        if entry.sender != user:
            return "permission_denied"
        if not isinstance(ref, int) and self.blocked(user, ref):
            return "blocked"
        if entry.recalled_by:
            return "failed_precondition"
        entry.edits.append(self.append(conversation, user, "edit", text, target=seq))
        return "ok"

    def do_react(self, user, ref, seq, emoji, is_add):
        conversation, entry, verdict = self.target(user, ref, seq)
        if verdict != "ok":
            return verdict
        if is_add and not isinstance(ref, int) and self.blocked(user, ref):
            return "blocked"
        standing = [one for one in entry.reactions if one[1:] == (emoji, user)]
        if not is_add and not standing:
            return "not_found"
        if entry.recalled_by:
            return "failed_precondition"
        if is_add and standing:
            self.entry_of_last = standing[0][0]
        else:
            change = self.append(conversation, user, "reaction", f"{'add' if is_add else 'remove'} {emoji}", target=seq)
            entry.reactions = [*entry.reactions, (change.seq, emoji, user)] if is_add else [one for one in entry.reactions if one not in standing]
        return "ok"

    def do_pin(self, user, ref, seq, is_pin):
        conversation, entry, verdict = self.target(user, ref, seq)
        if verdict != "ok":
            return verdict
        if conversation.is_group and conversation.mine[user].role == 0:
            return "permission_denied"
        is_pinned = seq in [target for _, target in conversation.pins]
        if is_pin and is_pinned:
            return "ok"
        if not is_pin and not is_pinned:
            return "not_found"
        if is_pin and (entry.recalled_by or len(conversation.pins) >= PINS_MAX):
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

    def do_block(self, user, other, is_block):
        if is_block:
            self.blocks.add((user, other))
        elif (user, other) in self.blocks:
            self.blocks.remove((user, other))
        else:
            return "not_found"
        return "ok"

    # ---- groups ----

    def do_create(self, user, members, history):
        self.now += 1
        everybody = {member: Mine() for member in {*members, user}}
        everybody[user].role = 2
        self.groups.append(Conversation(everybody, is_group=True, history=history, moved=self.now))
        return "ok"

    def do_add(self, user, ref, others):
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        new = [other for other in others if other not in group.mine]
        if new:
            seq = self.append(group, user, SYSTEM, "added").seq
            for other in new:
                group.mine[other] = Mine(since=seq - 1, read=seq - 1, cleared=group.cleared_by_former.get(other, 0))
        return "ok"

    def do_remove(self, user, ref, other):
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        role = group.mine[user].role
        if other == user:
            if role == 2:
                return "failed_precondition"
        elif role == 0:
            return "permission_denied"
        elif other not in group.mine:
            return "not_found"
        elif role <= group.mine[other].role:
            return "permission_denied"
        self.append(group, user, SYSTEM, "left" if other == user else "removed")
        group.cleared_by_former[other] = group.mine.pop(other).cleared
        return "ok"

    def do_role(self, user, ref, other, role):
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        if group.mine[user].role < 2:
            return "permission_denied"
        if other not in group.mine:
            return "not_found"
        if other == user:
            return "failed_precondition"
        if role == 2:
            group.mine[user].role, group.mine[other].role = 1, 2
            self.append(group, user, SYSTEM, "owner")
        elif group.mine[other].role != role:
            group.mine[other].role = role
            self.append(group, user, SYSTEM, "role")
        return "ok"

    def do_mute(self, user, ref, other, is_silenced):
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        if group.mine[user].role == 0:
            return "permission_denied"
        if other not in group.mine:
            return "not_found"
        if group.mine[user].role <= group.mine[other].role:
            return "permission_denied"
        if group.mine[other].is_silenced != is_silenced:
            group.mine[other].is_silenced = is_silenced
            self.append(group, user, SYSTEM, "muted" if is_silenced else "unmuted")
        return "ok"

    def do_mute_all(self, user, ref, muted):
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        if group.mine[user].role == 0:
            return "permission_denied"
        if group.muted_all != muted:
            group.muted_all = muted
            self.append(group, user, SYSTEM, "profile")
        return "ok"

    def do_dissolve(self, user, ref):
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        if group.mine[user].role < 2:
            return "permission_denied"
        self.append(group, user, SYSTEM, "dissolved")
        group.dissolved = True
        return "ok"

    # ---- what is seen ----

    def shown(self, conversation, user, entry):
        """A message as this user sees it: (seq, sender, type, text, target, flags, reactions)."""
        text, flags, reactions = entry.text, "", []
        if entry.type == CONTENT and entry.recalled_by:
            text, flags = None, "recalled"
        elif entry.type == CONTENT and entry.edits:
            text, flags = entry.edits[-1].text, "edited"
        elif entry.type == "edit" and conversation.entries[entry.target - 1].recalled_by:
            text = None
        elif entry.type == "recall":
            text = None
        if entry.type == CONTENT and not entry.recalled_by:
            emojis = list(dict.fromkeys(emoji for _, emoji, _ in sorted(entry.reactions)))
            reactions = [(emoji, sum(one[1] == emoji for one in entry.reactions), (emoji, user) in [one[1:] for one in entry.reactions])
                         for emoji in emojis]
        return entry.seq, entry.sender, entry.type, text, entry.target, flags, reactions

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
            unread = [entry for entry in conversation.entries[after:] if entry.type == CONTENT and not entry.recalled_by]
            last = conversation.moved_seq if conversation.moved_seq > mine.cleared else 0
            found.append(((mine.pinned, conversation.moved), (
                ref, last and self.shown(conversation, user, conversation.entries[last - 1])[:6], len(conversation.entries), mine.read, len(unread),
                any(user in entry.mentions or "*" in entry.mentions for entry in unread), mine.pinned, mine.muted)))
        return [item for _, item in sorted(found, key=lambda one: one[0], reverse=True)]
