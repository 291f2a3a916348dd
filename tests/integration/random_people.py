"""The part of the model that says what users are to each other, and to groups: a base of `Model`, which has the conversations."""
import dataclasses


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
    join: str = "invite"
    requests: set = dataclasses.field(default_factory=set)  # of users who want to join
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

    def shows(self, user, change):
        """Whether the user may know of an edit or a reaction to a message that it has got."""
        return (user in self.mine and (not self.is_group or self.history == "all")) or user in change.recipients

    def entry(self, user, seq):
        return self.entries[seq - 1] if self.first(user) < seq <= len(self.entries) else None


class People:
    def __init__(self):
        self.blocks, self.friends = set(), set()  # (who, whom); a friendship is there in both directions
        self.requested = {}  # (sender, recipient) -> "pending", "accepted" or "rejected"
        self.is_for_friends = set()  # of users to whom only friends may write
        self.creations = set()  # (user, key)

    # ---- contacts ----

    def may_write(self, user, ref):
        """A message, an edit, a reaction or a pin; in a group that is not asked."""
        if isinstance(ref, int):
            return "ok"
        other = ref[0] if ref[1] == user else ref[1]
        if (other, user) in self.blocks:
            return "blocked"
        is_stranger = other != user and (other, user) not in self.friends
        return "not_friend" if other in self.is_for_friends and is_stranger else "ok"

    def do_block(self, user, other, is_block):
        if is_block:
            self.blocks.add((user, other))
        elif (user, other) in self.blocks:
            self.blocks.remove((user, other))
        else:
            return "not_found"
        return "ok"

    def do_privacy(self, user, is_for_friends):
        self.is_for_friends = self.is_for_friends | {user} if is_for_friends else self.is_for_friends - {user}
        return "ok"

    def do_befriend(self, user, other):
        if (other, user) in self.blocks:
            return "blocked"
        if (user, other) in self.friends:
            return "already_exists"
        self.requested[user, other] = "pending"
        return "ok"

    def do_answer(self, user, other, is_accept):
        """The last request of the other one."""
        wanted, status = "accepted" if is_accept else "rejected", self.requested.get((other, user))
        if status is None:
            return "not_found"
        if status == wanted:
            return "ok"
        if status != "pending":
            return "failed_precondition"
        if is_accept and (other, user) in self.blocks:
            return "blocked"
        self.requested[other, user] = wanted
        if is_accept:
            self.friends |= {(user, other), (other, user)}
            if (user, other) in self.requested:
                self.requested[user, other] = "accepted"
        return "ok"

    def do_unfriend(self, user, other):
        if (user, other) not in self.friends:
            return "not_found"
        self.friends -= {(user, other), (other, user)}
        return "ok"

    def contacts(self, user):
        """Friends, blocks, and the requests that the user has made or got."""
        return (sorted(friend for one, friend in self.friends if one == user), sorted(other for one, other in self.blocks if one == user),
                sorted((*pair, status) for pair, status in self.requested.items() if user in pair))

    # ---- groups ----

    def do_create(self, user, members, history, join, key):
        if (user, key) in self.creations:
            return "ok"
        self.creations.add((user, key))
        self.now += 1
        everybody = {member: Mine() for member in {*members, user}}
        everybody[user].role = 2
        self.groups.append(Conversation(everybody, is_group=True, history=history, join=join, moved=self.now))
        return "ok"

    def let_in(self, group, sender, event, users):
        seq = self.append(group, sender, "system", event).seq
        for user in users:
            group.mine[user] = Mine(since=seq - 1, read=seq - 1, cleared=group.cleared_by_former.get(user, 0))
        group.requests -= set(users)

    def do_add(self, user, ref, others):
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        if group.mine[user].role == 0 and group.join == "approval":
            return "permission_denied"
        if new := [other for other in others if other not in group.mine]:
            self.let_in(group, user, "added", new)
        return "ok"

    def do_join(self, user, ref):
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "not_member":
            return "already_exists" if verdict == "ok" else verdict
        if group.join == "invite":
            return "permission_denied"
        if group.join == "approval":
            group.requests.add(user)
        else:
            self.let_in(group, user, "joined", [user])
        return "ok"

    def do_decide(self, user, ref, other, is_accept):
        """A request to join."""
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        if group.mine[user].role == 0:
            return "permission_denied"
        if other not in group.requests:
            return "not_found"
        group.requests.remove(other)
        if is_accept:
            self.let_in(group, user, "added", [other])
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
        self.append(group, user, "system", "left" if other == user else "removed")
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
            self.append(group, user, "system", "owner")
        elif group.mine[other].role != role:
            group.mine[other].role = role
            self.append(group, user, "system", "role")
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
            self.append(group, user, "system", "muted" if is_silenced else "unmuted")
        return "ok"

    def do_profile(self, user, ref, field, value):
        """`muted_all` or `join`."""
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        if group.mine[user].role == 0:
            return "permission_denied"
        if getattr(group, field) != value:
            setattr(group, field, value)
            self.append(group, user, "system", "profile")
        return "ok"

    def do_dissolve(self, user, ref):
        group = self.find(ref)
        if (verdict := self.access(user, group)) != "ok":
            return verdict
        if group.mine[user].role < 2:
            return "permission_denied"
        self.append(group, user, "system", "dissolved")
        group.dissolved = True
        group.requests.clear()
        return "ok"

    def members(self, user, ref):
        """The verdict, and (user, role, is muted) of each."""
        group = self.find(ref)
        verdict = self.access(user, group)
        return verdict, [] if verdict != "ok" else [(one, mine.role, mine.is_silenced) for one, mine in sorted(group.mine.items())]

    def group_requests(self, user, ref):
        """The verdict, and who wants to join."""
        group = self.find(ref)
        verdict = self.access(user, group)
        if verdict == "ok" and group.mine[user].role == 0:
            verdict = "permission_denied"
        return verdict, sorted(group.requests) if verdict == "ok" else []
