"""Random operations of four users, at two im processes by turns, compared with the model of random_model.py after each step. Their one-to-one
conversations are at rest now and then, as those of a user with thousands of them would be.

SEED=N repeats a run, SEED=N/W its round W alone; SECONDS=N makes it longer than 12 s. What failed is made shorter before it is shown: steps are
left out as long as it fails.
"""
import itertools
import os
import pathlib
import random
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "chaos"))
from im_cluster import ROOT, Im, Servers, run_im
from random_model import USERS, Model
from seed import seed_of

SECONDS = float(os.environ.get("SECONDS", "12"))
STEPS = 80  # of a round, which has users of its own
SHRINKING_S = 60
EMOJIS = ["👍", "❤️", "a/b"]
SERVERS = None
IMS = []


def setUpModule():
    global SERVERS
    SERVERS = Servers()
    code, output = run_im(SERVERS, "--migrate")
    assert code == 0, output
    IMS.extend(Im(SERVERS, name=name, limits__send_rate=10000, limits__send_burst=10000, limits__call_rate=10000, limits__call_burst=10000)
               for name in ("im-1", "im-2"))


def tearDownModule():
    for im in IMS:
        im.stop()
    SERVERS.close()


# ---- choosing ----


def choose(rng, model):
    """The next operation: mostly one that is possible, with numbers around what exists."""
    user = rng.randrange(USERS)
    ref = rng.randrange(len(model.groups) + (rng.random() < 0.02)) if model.groups and rng.random() < 0.6 else (user, rng.randrange(USERS))
    conversation = model.find(ref)
    seq = max(1, (len(conversation.entries) if conversation else 1) - min(int(rng.expovariate(0.3)), 30) + (rng.random() < 0.05))
    others = tuple(rng.sample(range(USERS), rng.randrange(1, 3)))
    mentions = tuple(rng.sample([*range(USERS), "*"], rng.randrange(1, 3))) if isinstance(ref, int) and rng.random() < 0.3 else ()
    emoji = rng.choice(EMOJIS)
    kinds = [
        (30, lambda: ("send", user, ref, f"text {rng.randrange(10)}", mentions, f"k{rng.randrange(10 ** 6)}")),
        (2, lambda: again(rng, model) or ("create", user, others, "all")),
        (8, lambda: ("recall", user, ref, seq)), (8, lambda: ("edit", user, ref, seq, f"edited {rng.randrange(10)}")),
        (8, lambda: ("react", user, ref, seq, emoji, rng.random() < 0.7)), (6, lambda: ("pin", user, ref, seq, rng.random() < 0.7)),
        (8, lambda: ("read", user, ref, seq)), (3, lambda: ("clear", user, ref, rng.choice([0, seq, seq]))),
        (4, lambda: ("choose", user, ref, rng.random() < 0.5, rng.random() < 0.5)), (3, lambda: ("hide", user, ref)),
        (2, lambda: ("block", user, (user + rng.randrange(1, USERS)) % USERS, rng.random() < 0.4)),
        (4 if len(model.groups) < 3 else 0, lambda: ("create", user, others, rng.choice(["all", "since_join"]))),
    ]
    if isinstance(ref, int):
        other = rng.randrange(USERS)
        kinds += [(8, lambda: ("add", user, ref, others)), (6, lambda: ("remove", user, ref, other)),
                  (4, lambda: ("role", user, ref, other, rng.choice([0, 1, 1, 2]))), (2, lambda: ("mute_all", user, ref, rng.random() < 0.4)),
                  (3, lambda: ("mute", user, ref, other, rng.random() < 0.6)),
                  (0.5, lambda: ("dissolve", user, ref))]
    return rng.choices([make for _, make in kinds], [weight for weight, _ in kinds])[0]()


def again(rng, model):
    """A send under a key that was used, with its payload or another one."""
    if not model.keys:
        return None
    (user, ref, key), (_, (text, mentions)) = rng.choice(list(model.keys.items()))
    return "send", user, ref, text if rng.random() < 0.7 else "other", mentions, key


# ---- doing ----


class Fault(AssertionError):
    pass


def await_next_millisecond():
    """Messages that two processes store in the same millisecond are ordered by the numbers of the processes (base/msgid.h)."""
    now = time.time_ns() // 10 ** 6
    while time.time_ns() // 10 ** 6 == now:
        pass


class World:
    """The users of one round, and their clients at both im."""
    numbers = itertools.count()

    def __init__(self):
        prefix = f"w{os.getpid()}-{next(self.numbers)}"
        self.uids = [f"{prefix}-{user}" for user in range(USERS)]
        SERVERS.sql("insert into account (uid, name) values " + ", ".join(f"('{uid}', '{uid}')" for uid in self.uids))
        self.clients = [[im.client(uid) for im in IMS] for uid in self.uids]
        self.model, self.gids, self.turn, self.session = Model(), [], 0, SERVERS.session()

    def close(self):
        self.session.__exit__()
        for client in itertools.chain(*self.clients):
            client.connection.close()

    def call(self, user, method, path, body=None):
        self.turn += 1
        return self.clients[user][self.turn % len(IMS)].call(method, path, body)

    def id_of(self, ref):
        if isinstance(ref, int):
            return f"g:{self.gid(ref)}"
        first, second = sorted(self.uids[user] for user in ref)
        return f"u:{first}:{second}"

    def gid(self, ref):
        return self.gids[ref] if ref < len(self.gids) else "nothing"

    def request(self, name, user, *rest):
        """The HTTP call of an operation: method, path, body."""
        ref = rest[0]
        base = f"/v1/conversations/{self.id_of(ref)}" if name not in ("create", "block") else ""
        group = f"/v1/groups/{self.gid(ref)}" if isinstance(ref, int) else ""
        if name == "send":
            to = {"group": self.gid(ref)} if group else {"user": self.uids[ref[0] if ref[1] == user else ref[1]]}
            return "POST", "/v1/messages", {"client_msg_id": rest[3], "to": to, "type": "text", "body": {"text": rest[1]},
                                            "mentions": [self.uids[one] if one != "*" else one for one in rest[2]]}
        if name == "create":
            return "POST", "/v1/groups", {"name": "Team", "members": [self.uids[one] for one in rest[0]], "history": rest[1]}
        if name == "react":
            path = f"{base}/messages/{rest[1]}/reactions"
            return ("POST", path, {"emoji": rest[2]}) if rest[3] else ("DELETE", f"{path}/{urllib.parse.quote(rest[2], safe='')}", None)
        if name == "role":
            return ("PUT", f"{group}/owner", {"uid": self.uids[rest[1]]}) if rest[2] == 2 else (
                "PUT", f"{group}/members/{self.uids[rest[1]]}/role", {"role": "admin" if rest[2] else "member"})
        return {
            "recall": lambda: ("POST", f"{base}/messages/{rest[1]}/recall", None),
            "edit": lambda: ("POST", f"{base}/messages/{rest[1]}/edit", {"body": {"text": rest[2]}}),
            "pin": lambda: ("PUT" if rest[2] else "DELETE", f"{base}/pins/{rest[1]}", None),
            "read": lambda: ("PUT", f"{base}/read", {"seq": rest[1]}),
            "clear": lambda: ("DELETE", f"{base}/messages" + (f"?up_to_seq={rest[1]}" if rest[1] else ""), None),
            "choose": lambda: ("PATCH", base, {"pinned": rest[1], "muted": rest[2]}),
            "hide": lambda: ("DELETE", base, None),
            "block": lambda: ("PUT" if rest[1] else "DELETE", f"/v1/blocks/{self.uids[rest[0]]}", None),
            "add": lambda: ("POST", f"{group}/members", {"uids": [self.uids[one] for one in rest[1]]}),
            "remove": lambda: ("DELETE", f"{group}/members/{self.uids[rest[1]]}", None),
            "mute": lambda: ("PUT", f"{group}/members/{self.uids[rest[1]]}/mute", {"until": 2 ** 41 if rest[2] else 0}),
            "mute_all": lambda: ("PATCH", group, {"muted_all": rest[1]}),
            "dissolve": lambda: ("DELETE", group, None),
        }[name]()

    def do(self, operation):
        expected = self.model.apply(operation)
        await_next_millisecond()
        method, path, body = self.request(*operation)
        answer = self.call(operation[1], method, path, body)
        found = "ok" if answer.status < 300 else answer.json["code"]
        if found != expected:
            raise Fault(f"{operation}: {method} {path} answers {answer}, not {expected}")
        if operation[0] == "create":
            self.gids.append(answer.json["group_id"])
        if self.turn % 3 == 0:
            self.session.run("do $$ begin perform fn.direct_rests_begin(u, 0, 100, -1000) from unnest(string_to_array("
                             f"'{' '.join(self.uids)}', ' ')) u; end $$;")
        seq = self.model.entry_of_last
        if expected == "ok" and operation[0] in ("send", "recall", "edit", "react") and answer.json["seq"] != seq:
            raise Fault(f"{operation}: {answer}, not seq {seq}")

    # ---- comparing ----

    def shown(self, message):
        """A message in the model's words."""
        kind, body = message["type"], message.get("body")
        text = "" if body is None else body.get("text", body.get("event"))
        if kind == "reaction":
            text = f"{message['op']} {message['emoji']}"
        elif body is None:
            text = None
        flags = "recalled" if message.get("recalled") else "edited" if message.get("edited") else ""
        return message["seq"], self.uids.index(message["from"]), kind, text, message.get("target_seq", 0), flags

    def same(self, what, found, expected):
        if found != expected:
            difference = next(((a, b) for a, b in itertools.zip_longest(found, expected) if a != b), None)
            raise Fault(f"{what}: {difference[0]}, and in the model {difference[1]}")

    def compare_history(self, user, ref, limit):
        verdict, expected = self.model.history(user, ref)
        seen, after = [], 0
        while True:
            answer = self.call(user, "GET", f"/v1/conversations/{self.id_of(ref)}/messages?after_seq={after}&limit={limit}")
            self.same(f"history of {ref} for {user}", [answer.json.get("code", "ok")], [verdict])
            page = answer.json.get("messages", [])
            seen += [(*self.shown(one), [(mark["emoji"], mark["count"], mark["mine"]) for mark in one.get("reactions", [])]) for one in page]
            if len(page) < limit:
                break
            after = page[-1]["seq"]
        self.same(f"history of {ref} for {user}", seen, expected)

    def compare_pins(self, user, ref):
        answer = self.call(user, "GET", f"/v1/conversations/{self.id_of(ref)}/pins")
        verdict, expected = self.model.pins(user, ref)
        self.same(f"pins of {ref} for {user}", [answer.json.get("code", "ok"), *(one["seq"] for one in answer.json.get("messages", []))],
                  [verdict, *expected])

    def compare_list(self, user, limit):
        refs = {self.id_of(ref): ref for ref in [*self.model.conversations, *range(len(self.gids))]}
        found, cursor = [], ""
        while cursor is not None:
            page = self.call(user, "GET", f"/v1/conversations?limit={limit}{cursor and '&cursor=' + cursor}").json
            cursor = page.get("next_cursor")
            found += [(refs[one["id"]], one["last"] and self.shown(one["last"]) if "last" in one else 0, one["last_seq"], one["read_seq"],
                       one["unread"], one["mentioned"], one["pinned"], one["muted"]) for one in page["conversations"]]
        self.same(f"list of {user}", found, self.model.list(user))

    def compare_all(self):
        for user in range(USERS):
            self.compare_list(user, 3)
            for ref in [*(ref for ref in self.model.conversations if user in ref), *range(len(self.gids))]:
                self.compare_history(user, ref, 200)
                self.compare_pins(user, ref)


def run_round(seed):
    """Chooses and does. What was done, and the fault or None."""
    rng, world, done = random.Random(seed), World(), []
    try:
        for _ in range(STEPS):
            done.append(choose(rng, world.model))
            world.do(done[-1])
            user, ref = done[-1][1], done[-1][2]
            if rng.random() < 0.2 and done[-1][0] not in ("create", "block"):
                world.compare_history(user, ref, rng.choice([3, 50]))
            if rng.random() < 0.2:
                world.compare_list(rng.randrange(USERS), rng.choice([2, 50]))
        world.compare_all()
    except Fault as fault:
        return done, fault
    finally:
        world.close()
    return done, None


def fault_of(operations):
    """The fault of these operations, with everything compared at the end; None: there is none."""
    world = World()
    try:
        for operation in operations:
            world.do(operation)
        world.compare_all()
    except Fault as fault:
        return fault
    finally:
        world.close()
    return None


def shrunk(operations, fault):
    """Delta debugging: leaves out ever smaller parts, as long as there is a fault, for a minute at most."""
    deadline, size = time.monotonic() + SHRINKING_S, len(operations) // 2
    while size and time.monotonic() < deadline:
        for start in range(0, len(operations), size):
            fewer = operations[:start] + operations[start + size:]
            if time.monotonic() < deadline and (other := fault_of(fewer)):
                operations, fault = fewer, other
                break
        else:
            size //= 2
    return operations, fault


class Random(unittest.TestCase):
    def test_what_users_see_is_what_the_model_says(self):
        given = os.environ.get("SEED") or str(seed_of(ROOT)[0])
        seeds = [given] if "/" in given else (f"{given}/{number}" for number in itertools.count())
        deadline, steps = time.monotonic() + SECONDS, 0
        for seed in seeds:
            done, fault = run_round(seed)
            steps += len(done)
            if fault:
                fewer, last = shrunk(done, fault)
                self.fail(f"SEED={seed} after {steps} steps: {fault}\n" + "\n".join(["fails with:", *map(str, fewer), str(last)]))
            if time.monotonic() > deadline:
                break
        print(f"SEED={given}: {steps} steps")


if __name__ == "__main__":
    unittest.main()
