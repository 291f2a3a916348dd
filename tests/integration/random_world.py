"""The users of one round of random operations, and their clients: they do the operations, and compare what they see with the model."""
import copy
import http.client
import itertools
import os
import time

from im_cluster import PATIENCE_S
from random_model import USERS, Model
from random_operations import OPERATIONS

POLL_S = 0.02
NO_REQUEST = 10 ** 15
ROLES = ["member", "admin", "owner"]


class Fault(AssertionError):
    pass


def now_ms():
    return time.time_ns() // 10 ** 6


def await_next_millisecond():
    """Messages that two processes store in the same millisecond are ordered by the numbers of the processes (base/msgid.h)."""
    now = now_ms()
    while now_ms() == now:
        pass


def same(what, found, expected):
    if found != expected:
        difference = next(((a, b) for a, b in itertools.zip_longest(found, expected) if a != b), None)
        raise Fault(f"{what}: {difference[0]}, and in the model {difference[1]}")


def text_of(kind, body):
    """A body in the model's words."""
    if kind == "forward":
        return " ".join(text_of(item["type"], item["body"]) for item in body["items"])
    return body.get("text", body.get("event"))


class Device:
    """It remembers up to where it has read its user's inbox."""

    def __init__(self):
        self.position = ""
        self.has = set()  # (conversation, seq)


class World:
    """`faults` breaks things (random_faults.py); None: nothing is broken, and every call is answered at once."""
    numbers = itertools.count()

    def __init__(self, servers, ims, faults=None):
        prefix = f"w{os.getpid()}-{next(self.numbers)}"
        self.uids = [f"{prefix}-{user}" for user in range(USERS)]
        self.servers, self.faults = servers, faults
        servers.sql("insert into account (uid, name) values " + ", ".join(f"('{uid}', '{uid}')" for uid in self.uids))
        self.clients = [[im.client(uid) for im in ims] for uid in self.uids]
        self.devices = [Device() for _ in self.uids]
        self.lost, self.is_forgetting = [set() for _ in self.uids], False  # what each inbox may have lost, with Redis
        self.model, self.gids, self.requests, self.turn = Model(), [], {}, 0

    def close(self):
        for client in itertools.chain(*self.clients):
            client.connection.close()

    # ---- calls ----

    def attempt(self, user, method, path, body):
        """At the ims by turns. None: no answer, or one that says nothing."""
        self.turn += 1
        clients = self.clients[user]
        try:
            answer = clients[self.turn % len(clients)].call(method, path, body)
        except (http.client.HTTPException, OSError):
            return None
        return None if answer.status == 503 else answer

    def ask(self, user, method, path, body=None):
        """The answer, and how many attempts had none. A send is repeated at once, a change when nothing can come of the attempt any more."""
        deadline, unanswered = time.monotonic() + 2 * PATIENCE_S, 0
        while not (answer := self.attempt(user, method, path, body)):
            unanswered += 1
            if self.faults is None or time.monotonic() > deadline:
                raise Fault(f"{method} {path} of {user} has no answer")
            if method != "GET" and path != "/v1/messages":
                self.faults.await_rest()
            time.sleep(POLL_S)
        return answer, unanswered

    def get(self, user, path):
        return self.ask(user, "GET", path)[0]

    # ---- names ----

    def id_of(self, ref):
        if isinstance(ref, int):
            return f"g:{self.gids[ref] if ref < len(self.gids) else 'nothing'}"
        first, second = sorted(self.uids[user] for user in ref)
        return f"u:{first}:{second}"

    def conversation(self, ref):
        return f"/v1/conversations/{self.id_of(ref)}"

    def group(self, ref):
        return f"/v1/groups/{self.id_of(ref)[2:]}"

    def to(self, user, ref):
        return {"group": self.id_of(ref)[2:]} if isinstance(ref, int) else {"user": self.uids[ref[0] if ref[1] == user else ref[1]]}

    def request_id(self, sender, recipient):
        return self.requests.get((sender, recipient), NO_REQUEST)

    def refs(self):
        return {self.id_of(ref): ref for ref in [*self.model.conversations, *range(len(self.gids))]}

    # ---- operations ----

    def do(self, operation):
        name, *arguments = operation
        self.forget()
        if OPERATIONS.get(name) and OPERATIONS[name].request:
            self.change(operation)
        else:
            getattr(self, "do_" + name)(*arguments)

    def change(self, operation):
        name, user, *rest = operation
        method, path, body = OPERATIONS[name].request(self, user, *rest)
        await_next_millisecond()
        begin = now_ms()
        answer, unanswered = self.ask(user, method, path, body)
        outcomes = self.outcomes(operation, begin, unanswered)
        fitting = [model for model, expected in outcomes if self.fits(answer, expected, model)]
        if not fitting:
            raise Fault(f"{operation}: {method} {path} answers {answer} after {unanswered} attempts, not {[expected for _, expected in outcomes]}")
        # Those of any other operation that have the same answer are the same.
        self.model = self.the_one_that_holds(fitting, user, rest[0]) if name == "forward" else fitting[0]
        self.learn(name, user, rest, answer)

    def outcomes(self, operation, begin, unanswered):
        """Models and verdicts: each attempt without an answer may have been done or not; a message may have expired on the way."""
        clocks = [begin, now_ms()] if self.expiries(begin, now_ms()) else [begin]
        found = []
        for times, clock in itertools.product(range(1, min(unanswered, 2) + 2), clocks):
            model = copy.deepcopy(self.model) if unanswered or len(clocks) > 1 else self.model
            model.clock = clock
            found.append((model, [model.apply(operation) for _ in range(times)][-1]))
        return found

    def fits(self, answer, expected, model):
        return expected == ("ok" if answer.status < 300 else answer.json["code"]) and (
            model.answered is None or model.answered.seq == answer.json["seq"])

    def the_one_that_holds(self, models, user, ref):
        """A forward leaves out what has expired."""
        for self.model in models[:-1]:
            try:
                self.do_history(user, ref, 200)
            except Fault:
                continue
            return self.model
        return models[-1]

    def learn(self, name, user, rest, answer):
        """What only an answer tells."""
        if self.model.answered and self.model.answered.expire_s:
            self.model.answered.expires_at = answer.json["time"] + self.model.answered.expire_s * 1000
        if name == "create" and len(self.model.groups) > len(self.gids):
            self.gids.append(answer.json["group_id"])
        if name == "befriend" and answer.status < 300:
            self.requests[user, rest[0]] = answer.json["request_id"]

    def do_wait(self):
        """Until the next message expires."""
        if later := self.expiries(now_ms(), float("inf")):
            time.sleep(max(0, min(later) - now_ms()) / 1000)

    def do_rest(self):
        """Puts the one-to-one conversations at rest, as those of a user with thousands of them would be."""
        self.servers.sql("do $$ begin perform fn.direct_rests_begin(u, 0, 100, -1000) from unnest(string_to_array("
                         f"'{' '.join(self.uids)}', ' ')) u; end $$")

    def do_fault(self, kind, which, delay_ms):
        self.faults.begin(kind, which, delay_ms)
        self.is_forgetting = kind in ("flush", "redis")

    def forget(self):
        """What stands in an inbox while Redis loses it may be gone. A device that has a position is told so, by a reset."""
        if self.is_forgetting:
            self.is_forgetting = self.faults.is_going_on()
            for user, lost in enumerate(self.lost):
                lost.update(self.model.inbox(user))

    # ---- comparing ----

    def expiries(self, begin, end):
        """The times between these two at which messages expire."""
        return [time for time in self.model.expiries() if begin < time <= end]

    def compare(self, function, *arguments):
        """Once more where a message has expired meanwhile."""
        while True:
            self.model.clock = begin = now_ms()
            try:
                return function(*arguments)
            except Fault:
                if not self.expiries(begin, now_ms()):
                    raise

    def shown(self, message):
        """A message in the model's words."""
        kind = message["type"]
        text = text_of(kind, message["body"]) if "body" in message else f"{message['op']} {message['emoji']}" if kind == "reaction" else None
        flags = " ".join(flag for flag in ("recalled", "edited", "expired") if message.get(flag))
        marks = [(mark["emoji"], mark["count"], mark["mine"]) for mark in message.get("reactions", [])]
        return message["seq"], self.uids.index(message["from"]), kind, text, message.get("target_seq", 0), flags, marks

    def do_history(self, user, ref, limit):
        self.compare(self.compare_history, user, ref, limit)

    def compare_history(self, user, ref, limit):
        verdict, expected = self.model.history(user, ref)
        seen, after, more = [], 0, True
        while more:
            answer = self.get(user, f"{self.conversation(ref)}/messages?after_seq={after}&limit={limit}")
            same(f"history of {ref} for {user}", [answer.json.get("code", "ok")], [verdict])
            page = answer.json.get("messages", [])
            seen += map(self.shown, page)
            more = len(page) == limit
            after = page[-1]["seq"] if page else 0
        same(f"history of {ref} for {user}", seen, expected)

    def compare_pins(self, user, ref):
        answer = self.get(user, f"{self.conversation(ref)}/pins")
        verdict, expected = self.model.pins(user, ref)
        same(f"pins of {ref} for {user}", [answer.json.get("code", "ok"), *(one["seq"] for one in answer.json.get("messages", []))],
             [verdict, *expected])

    def do_list(self, user, limit):
        self.compare(self.compare_list, user, limit)

    def compare_list(self, user, limit):
        refs, found, cursor = self.refs(), [], ""
        while cursor is not None:
            page = self.get(user, f"/v1/conversations?limit={limit}{cursor and '&cursor=' + cursor}").json
            cursor = page.get("next_cursor")
            found += [(refs[one["id"]], one["last"] and self.shown(one["last"])[:6] if "last" in one else 0, one["last_seq"], one["read_seq"],
                       one["unread"], one["mentioned"], one["pinned"], one["muted"]) for one in page["conversations"]]
        same(f"list of {user}", found, self.model.list(user))

    def compare_group(self, user, ref):
        members, requests = (self.get(user, f"{self.group(ref)}/{what}").json for what in ("members", "requests"))
        verdict, expected = self.model.members(user, ref)
        same(f"members of {ref} for {user}", [members.get("code", "ok"), *(
            (self.uids.index(one["uid"]), ROLES.index(one["role"]), "muted_until" in one) for one in members.get("members", []))],
            [verdict, *expected])
        verdict, expected = self.model.group_requests(user, ref)
        same(f"requests of {ref} for {user}", [requests.get("code", "ok"), *(self.uids.index(one["uid"]) for one in requests.get("requests", []))],
             [verdict, *expected])

    def compare_contacts(self, user):
        friends, blocks, requests = (self.get(user, path).json for path in ("/v1/friends", "/v1/blocks", "/v1/friends/requests"))
        index = self.uids.index
        same(f"contacts of {user}", (
            sorted(index(one["uid"]) for one in friends["friends"]), sorted(index(one["uid"]) for one in blocks["blocks"]),
            sorted((index(one["from"]), index(one["to"]), one["status"]) for one in requests["requests"])), self.model.contacts(user))

    # ---- sync ----

    def do_sync(self, user, is_new, limit):
        """A device, from its position or a new one from none, has everything of its user's inbox within PATIENCE_S."""
        device = Device() if is_new else self.devices[user]
        if not device.position:
            device.has |= self.lost[user]
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.read_pages(user, device, limit)
            missing = [at for at in self.model.inbox(user) if at not in device.has]
            if not missing:
                return
            if time.monotonic() > deadline:
                raise Fault(f"sync of {user}: {missing[0]} does not come")
            time.sleep(POLL_S)

    def read_pages(self, user, device, limit):
        while self.compare(self.read_page, user, device, limit):
            pass

    def read_page(self, user, device, limit):
        """Whether there are more."""
        page = self.get(user, f"/v1/sync?limit={limit}{device.position}").json
        refs, inbox = self.refs(), self.model.inbox(user)
        if page["reset"]:
            found = [(refs[one["conversation_id"]], one["last_seq"], one["read_seq"]) for one in page["conversations"]]
            same(f"conversations of a reset of {user}", sorted(found, key=str), sorted(self.model.positions(user), key=str))
            device.has |= set(inbox)  # it pulls by seq
        for message in (one["message"] for one in page["messages"]):
            at = refs[message["conversation_id"]], message["seq"]
            same(f"sync of {user}: {at}", [self.shown(message)], [inbox.get(at)])
            last = max((seq for ref, seq in device.has if ref == at[0]), default=0)
            if at not in device.has and at[1] < last:
                raise Fault(f"sync of {user}: {at} comes after {last}")
            device.has.add(at)
        device.position = f"&epoch={page['epoch']}&offset={page['next_offset']}"
        return page["more"]

    # ---- the end of a round ----

    def compare_all(self):
        if self.faults:
            self.faults.await_rest()
        for _ in self.expiries(now_ms(), float("inf")):
            self.do_wait()
        for user in range(USERS):
            self.compare(self.compare_list, user, 3)
            self.compare(self.compare_contacts, user)
            for ref in [*(ref for ref in self.model.conversations if user in ref), *range(len(self.gids))]:
                self.compare(self.compare_history, user, ref, 200)
                self.compare(self.compare_pins, user, ref)
                if isinstance(ref, int):
                    self.compare(self.compare_group, user, ref)
        self.forget()
        for user, is_new in itertools.product(range(USERS), (False, True)):
            self.do_sync(user, is_new, 200)
