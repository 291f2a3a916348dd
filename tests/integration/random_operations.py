"""The operations of the random tests, in one table: how often each is chosen and with what, and what it does.

Most are a call that the model answers (`Model.do_NAME`); `request` makes it: method, path, body. The others are what a `World` does: they
wait, compare, or break something.
"""
import dataclasses
import typing
import urllib.parse

from random_model import CONTENT, USERS

EMOJIS = ["👍", "❤️", "a/b"]
GROUPS_MAX = 3
JOINS = ["invite", "approval", "open"]
FAULTS = ["kill", "drain", "postgres", "flush", "redis"]


class Pick:
    """What an operation is chosen from: mostly what is possible, with numbers around what exists."""

    def __init__(self, rng, model):
        self.rng, self.model, self.user = rng, model, rng.randrange(USERS)
        self.ref = self.place()
        self.seq = self.seq_in(self.ref)
        self.other = rng.randrange(USERS)
        self.stranger = (self.user + rng.randrange(1, USERS)) % USERS
        self.others = tuple(rng.sample(range(USERS), rng.randrange(1, 3)))
        self.emoji = rng.choice(EMOJIS)
        self.key = f"k{rng.randrange(10 ** 6)}"

    def is_so(self, probability):
        return self.rng.random() < probability

    def likely(self, these, other):
        """Mostly one of these, if there are any."""
        these = list(these)
        return self.rng.choice(these) if these and self.is_so(0.7) else other

    def place(self):
        """A conversation, seldom a group that does not exist."""
        if self.model.groups and self.is_so(0.6):
            return self.rng.randrange(len(self.model.groups) + self.is_so(0.02))
        pairs = [(self.user, other) for other in range(USERS)]
        return self.likely([pair for pair in pairs if self.model.find(pair).entries], self.rng.choice(pairs))

    def seq_in(self, ref):
        """One of the last, mostly of a message."""
        entries = conversation.entries if (conversation := self.model.find(ref)) else []
        messages = [entry.seq for entry in entries if entry.type in CONTENT]
        back = min(int(self.rng.expovariate(0.3)), 30)
        return max(1, self.likely(messages[-1 - back:][:1], len(entries) - back + self.is_so(0.05)))

    def asker(self):
        """Who has asked the user to become a friend."""
        return self.likely((sender for (sender, recipient), status in self.model.requested.items()
                            if recipient == self.user and status == "pending"), self.stranger)

    def friend(self):
        return self.likely(sorted(friend for user, friend in self.model.friends if user == self.user), self.stranger)

    def manager(self):
        """Who may change the group."""
        group = self.model.find(self.ref)
        return self.likely([user for user, mine in group.mine.items() if mine.role] if group else [], self.user)

    def applicant(self):
        """Who wants to join the group."""
        group = self.model.find(self.ref)
        return self.likely(sorted(group.requests) if group else [], self.other)

    def mentions(self):
        return tuple(self.rng.sample([*range(USERS), "*"], self.rng.randrange(1, 3))) if isinstance(self.ref, int) and self.is_so(0.3) else ()

    def again(self):
        """A send under a key that was used, with its payload or another one."""
        if not self.model.keys:
            return None
        _, (name, user, ref, key, *payload) = self.rng.choice(list(self.model.keys.values()))
        if name == "send" and self.is_so(0.3):
            payload[0] = "other"
        return name, user, ref, key, *payload


@dataclasses.dataclass
class Operation:
    weight: float  # of the operations of its kind
    choose: typing.Callable  # Pick -> what stands behind the name; None: not now
    request: typing.Callable | None = None  # (World, user, ...) -> method, path, body
    is_of_group: bool = False


def message(world, user, ref, key, **fields):
    return "POST", "/v1/messages", {"client_msg_id": key, "to": world.to(user, ref), **fields}


def reaction(world, ref, seq, emoji, is_add):
    path = f"{world.conversation(ref)}/messages/{seq}/reactions"
    return ("POST", path, {"emoji": emoji}) if is_add else ("DELETE", f"{path}/{urllib.parse.quote(emoji, safe='')}", None)


def role(world, ref, other, number):
    if number == 2:
        return "PUT", f"{world.group(ref)}/owner", {"uid": world.uids[other]}
    return "PUT", f"{world.group(ref)}/members/{world.uids[other]}/role", {"role": "admin" if number else "member"}


def put_or_delete(is_put, path):
    return "PUT" if is_put else "DELETE", path, None


OPERATIONS = {
    # ---- messages ----
    "send": Operation(
        30, lambda p: (p.user, p.ref, p.key, f"text {p.rng.randrange(10)}", p.mentions(), p.rng.choice([0] * 8 + [1, 2])),
        lambda w, user, ref, key, text, mentions, expire_s: message(
            w, user, ref, key, type="text", body={"text": text}, mentions=[w.uids[one] if one != "*" else one for one in mentions],
            **({"expire_s": expire_s} if expire_s else {}))),
    "forward": Operation(
        5, lambda p: (p.user, p.place(), p.key, p.ref, tuple(p.seq_in(p.ref) for _ in range(p.rng.randrange(1, 3)))),
        lambda w, user, ref, key, source, seqs: message(
            w, user, ref, key, type="forward", forward={"conversation_id": w.id_of(source), "seqs": seqs})),
    "recall": Operation(8, lambda p: (p.user, p.ref, p.seq),
                        lambda w, user, ref, seq: ("POST", f"{w.conversation(ref)}/messages/{seq}/recall", None)),
    "edit": Operation(8, lambda p: (p.user, p.ref, p.seq, f"edited {p.rng.randrange(10)}"),
                      lambda w, user, ref, seq, text: ("POST", f"{w.conversation(ref)}/messages/{seq}/edit", {"body": {"text": text}})),
    "react": Operation(8, lambda p: (p.user, p.ref, p.seq, p.emoji, p.is_so(0.7)), lambda w, user, *rest: reaction(w, *rest)),
    "pin": Operation(6, lambda p: (p.user, p.ref, p.seq, p.is_so(0.7)),
                     lambda w, user, ref, seq, is_pin: put_or_delete(is_pin, f"{w.conversation(ref)}/pins/{seq}")),
    # ---- what a user does to a conversation for itself ----
    "read": Operation(8, lambda p: (p.user, p.ref, p.seq), lambda w, user, ref, seq: ("PUT", f"{w.conversation(ref)}/read", {"seq": seq})),
    "clear": Operation(3, lambda p: (p.user, p.ref, p.rng.choice([0, p.seq, p.seq])),
                       lambda w, user, ref, seq: ("DELETE", f"{w.conversation(ref)}/messages" + (f"?up_to_seq={seq}" if seq else ""), None)),
    "choose": Operation(4, lambda p: (p.user, p.ref, p.is_so(0.5), p.is_so(0.5)),
                        lambda w, user, ref, pinned, muted: ("PATCH", w.conversation(ref), {"pinned": pinned, "muted": muted})),
    "hide": Operation(3, lambda p: (p.user, p.ref), lambda w, user, ref: ("DELETE", w.conversation(ref), None)),
    # ---- contacts ----
    "block": Operation(2, lambda p: (p.user, p.stranger, p.is_so(0.4)),
                       lambda w, user, other, is_block: put_or_delete(is_block, f"/v1/blocks/{w.uids[other]}")),
    "privacy": Operation(1, lambda p: (p.user, p.is_so(0.4)), lambda w, user, is_for_friends: (
        "PATCH", "/v1/users/me", {"settings": {"messages_from": "friends" if is_for_friends else "everyone"}})),
    "befriend": Operation(4, lambda p: (p.user, p.stranger),
                          lambda w, user, other: ("POST", "/v1/friends/requests", {"to": w.uids[other]})),
    "answer": Operation(6, lambda p: (p.user, p.asker(), p.is_so(0.7)), lambda w, user, other, is_accept: (
        "POST", f"/v1/friends/requests/{w.request_id(other, user)}/{'accept' if is_accept else 'reject'}", None)),
    "unfriend": Operation(1, lambda p: (p.user, p.friend()), lambda w, user, other: ("DELETE", f"/v1/friends/{w.uids[other]}", None)),
    # ---- groups ----
    "create": Operation(
        4, lambda p: (p.user, p.others, p.rng.choice(["all", "since_join"]), p.rng.choice(JOINS), p.key) if len(p.model.groups) < GROUPS_MAX
        else None, lambda w, user, members, history, join, key: (
            "POST", "/v1/groups", {"name": "Team", "members": [w.uids[one] for one in members], "history": history, "join": join,
                                   "client_group_id": key})),
    "add": Operation(8, lambda p: (p.user, p.ref, p.others), lambda w, user, ref, others: (
        "POST", f"{w.group(ref)}/members", {"uids": [w.uids[one] for one in others]}), True),
    "join": Operation(6, lambda p: (p.user, p.ref), lambda w, user, ref: ("POST", f"{w.group(ref)}/join", None), True),
    "decide": Operation(6, lambda p: (p.manager(), p.ref, p.applicant(), p.is_so(0.7)), lambda w, user, ref, other, is_accept: (
        "POST", f"{w.group(ref)}/requests/{w.uids[other]}/{'accept' if is_accept else 'reject'}", None), True),
    "remove": Operation(6, lambda p: (p.manager(), p.ref, p.other),
                        lambda w, user, ref, other: ("DELETE", f"{w.group(ref)}/members/{w.uids[other]}", None), True),
    "role": Operation(4, lambda p: (p.manager(), p.ref, p.other, p.rng.choice([0, 1, 1, 2])), lambda w, user, *rest: role(w, *rest), True),
    "mute": Operation(3, lambda p: (p.manager(), p.ref, p.other, p.is_so(0.6)), lambda w, user, ref, other, is_silenced: (
        "PUT", f"{w.group(ref)}/members/{w.uids[other]}/mute", {"until": 2 ** 41 if is_silenced else 0}), True),
    "profile": Operation(
        4, lambda p: (p.manager(), p.ref, *p.rng.choice([("muted_all", p.is_so(0.4)), ("join", p.rng.choice(JOINS))])),
        lambda w, user, ref, field, value: ("PATCH", w.group(ref), {field: value}), True),
    "dissolve": Operation(0.5, lambda p: (p.user, p.ref), lambda w, user, ref: ("DELETE", w.group(ref), None), True),
    # ---- what a World does: `wait` until a message has expired, and comparisons ----
    "wait": Operation(1, lambda p: ()),
    "history": Operation(25, lambda p: (p.user, p.ref, p.rng.choice([3, 50]))),
    "list": Operation(25, lambda p: (p.user, p.rng.choice([2, 50]))),
    "sync": Operation(12, lambda p: (p.user, p.is_so(0.3), p.rng.choice([3, 500]))),
}
FAULT = Operation(16, lambda p: (p.rng.choice(FAULTS), p.rng.randrange(2), p.rng.randrange(30)))

REST = Operation(40, lambda p: ())


def choose(rng, model, has_faults):
    pick = Pick(rng, model)
    if pick.is_so(0.02) and (again := pick.again()):
        return again
    table = {**OPERATIONS, **({"fault": FAULT} if has_faults else {"rest": REST})}
    names = [name for name, operation in table.items() if isinstance(pick.ref, int) or not operation.is_of_group]
    while True:
        name = rng.choices(names, [table[name].weight for name in names])[0]
        if (arguments := table[name].choose(pick)) is not None:
            return name, *arguments
