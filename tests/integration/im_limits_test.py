"""Limits over two im: of rates, which share a Redis (exact ones: wrong passwords; reported ones: sends, calls), and of what can be counted, also
when many who are let in at the same moment would exceed them. And inputs that somebody may have forgotten."""
import http.client
import itertools
import pathlib
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import PATIENCE_S, Client, Im, Servers, await_that, run_im

PASSWORD = "correct horse"
# Buckets that a test empties do not fill up again while it runs, and the others are far from empty.
OPTIONS = {"limits__login_interval": "10m", "limits__login_address_interval": "10m", "limits__register_interval": "10m",
           "limits__send_rate": 5, "limits__send_burst": 160, "limits__conversation_rate": 5, "limits__conversation_burst": 240,
           "limits__call_rate": 1, "limits__call_burst": 64, "limits__address_rate": 1, "limits__address_burst": 60,
           "limits__friend_request_interval": "10m", "limits__friend_request_burst": 3,
           "limits__group_interval": "10m", "limits__group_burst": 4}
COUNTS = {"limits__groups": 4, "limits__group_members": 6, "limits__group_admins": 2, "limits__group_requests": 2, "limits__friends": 3,
          "limits__friend_requests": 4, "limits__friend_requests_got": 5, "limits__blocks": 3, "limits__pins": 3,
          "limits__pinned_conversations": 2}
PORTIONS = 16  # of a burst: what one im may give out before it has told Redis


def setUpModule():
    ImTest.servers = Servers()
    code, output = run_im(ImTest.servers, "--migrate")
    assert code == 0, output
    ImTest.im = Im(ImTest.servers, "im-1", **OPTIONS)
    Rates.other = Im(ImTest.servers, "im-2", **OPTIONS)


def tearDownModule():
    Rates.other.stop()
    ImTest.stop_im()


class Rates(ImTest):
    other, addresses = None, 0

    def address(self):
        Rates.addresses += 1
        return f"127.0.2.{Rates.addresses}"

    def ask(self, im, address, method, path, body=None, bearer=None):
        client = Client(im.http, bearer)
        client.connection = http.client.HTTPConnection("127.0.0.1", im.http, timeout=PATIENCE_S, source_address=(address, 0))
        try:
            return client.call(method, path, body)
        finally:
            client.connection.close()

    def register(self, im, address, uid):
        return self.ask(im, address, "POST", "/v1/users", {"uid": uid, "name": "A", "password": PASSWORD})

    def login(self, im, address, uid, password=PASSWORD):
        return self.ask(im, address, "POST", "/v1/auth/login", {"uid": uid, "password": password})

    def clients(self, uid):
        """The user at both im, in turn."""
        both = [im.client(uid) for im in (self.im, self.other)]
        self.addCleanup(lambda: [client.connection.close() for client in both])
        return itertools.cycle(both)

    # ---- exact limits ----

    def test_wrong_passwords_at_two_im_count_together(self):
        uid, home = self.alice + "-r", self.address()
        self.check(self.register(self.im, home, uid), 201)
        for i in range(10):
            self.check(self.login((self.im, self.other)[i % 2], self.address(), uid, f"guess {i}"), 401)
        for im in self.im, self.other, self.other, self.im:
            answer = self.login(im, self.address(), uid)
            self.check(answer, 429, "rate_limited")
            self.assertIn(int(answer.headers["Retry-After"]), range(500, 602))

    def test_right_passwords_are_put_back_at_both_im(self):
        uid, home = self.alice + "-r", self.address()
        self.check(self.register(self.im, home, uid), 201)
        for i in range(8):
            self.check(self.login((self.im, self.other)[i % 2], self.address(), uid, f"guess {i}"), 401)
        for i in range(6):
            self.check(self.login((self.im, self.other)[i % 2], self.address(), uid), 200)

    def test_an_address_that_guesses_at_two_im_is_locked_at_both(self):
        away = self.address()
        for i in range(30):
            self.check(self.login((self.im, self.other)[i % 2], away, f"{self.alice}-{i}", "guess"), 401)
        for im in self.im, self.other:
            self.check(self.login(im, away, f"{self.alice}-x", "guess"), 429, "rate_limited")

    def test_registrations_at_two_im_count_together(self):
        away = self.address()
        for i in range(20):
            self.check(self.register((self.im, self.other)[i % 2], away, f"{self.alice}-r{i}"), 201)
        for im in self.im, self.other:
            self.check(self.register(im, away, self.alice + "-x"), 429, "rate_limited")

    # ---- reported limits ----

    def flood(self, act, most):
        """Calls until both im refuse: how many were accepted, and the last refusal. Redis has time to answer what it is told."""
        accepted = refused = 0
        for number in range(most):
            answer = act(number)
            if number % 2:
                for im in self.im, self.other:
                    await_that(lambda im=im: im.metric("skein_im_rate_reports_waiting") == 0, "Redis has answered")
            if answer.status == 429:
                refused += 1
            else:
                self.check(answer, 200 if answer.status == 200 else 401)
                accepted, refused = accepted + 1, 0
            if refused == 4:
                self.check(answer, 429, "rate_limited")
                return accepted, answer
        raise AssertionError(f"{most} calls, and no limit")

    def assert_bound(self, accepted, burst, rate, since):
        """Nobody is refused early; what the two im had not told Redis yet, and what came back meanwhile, is over the burst."""
        self.assertGreaterEqual(accepted, burst - 1)
        self.assertLessEqual(accepted, burst + 2 * (burst / PORTIONS + 4) + rate * (time.monotonic() - since))

    def test_sends_of_one_user_at_two_im_count_together(self):
        clients, since = self.clients(self.alice), time.monotonic()
        accepted, answer = self.flood(lambda n: next(clients).send(f"{n}", f"user:{self.bob if n % 2 else self.carol}"), 400)
        self.assert_bound(accepted, 160, 5, since)
        self.assertIn("accepted in", answer.json["detail"])
        self.check(self.b.send("1", f"user:{self.alice}"), 200)
        self.assertGreaterEqual(self.im.metric('skein_im_rate_limited_total{class="send"}'), 1)

    def test_a_duplicate_and_a_bad_message_count_for_the_sender(self):
        since = time.monotonic()
        self.check(self.a.send("same", f"user:{self.bob}"), 200)
        for n in range(300):
            answer = self.a.send("same", f"user:{self.bob}") if n % 2 else self.a.send("bad", f"user:{self.bob}", type="dance")
            if answer.status == 429:
                self.check(answer, 429, "rate_limited")
                self.assert_bound(n + 1, 160, 5, since)
                return
            self.check(answer, 200 if n % 2 else 400)
        self.fail("no limit")

    def test_a_conversation_has_a_limit_for_all_its_senders(self):
        group = self.group(members=[self.bob, self.carol])
        senders, since = [self.clients(uid) for uid in (self.alice, self.bob, self.carol)], time.monotonic()
        accepted, answer = self.flood(lambda n: next(senders[n % 3]).send(f"{n}", f"group:{group}"), 450)
        self.assert_bound(accepted, 240, 5, since)
        self.assertIn("conversation", answer.json["detail"])
        self.check(self.a.send("other", f"user:{self.bob}"), 200)

    def test_all_calls_of_a_user_have_a_limit_and_sends_are_not_among_them(self):
        clients, since = self.clients(self.alice), time.monotonic()
        accepted, _ = self.flood(lambda _: next(clients).get("/v1/friends"), 200)
        self.assert_bound(accepted + 1, 64, 1, since)  # setUp() has called once
        self.check(self.a.send("1", f"user:{self.bob}"), 200)
        self.check(self.b.get("/v1/friends"), 200)

    def test_bad_tokens_of_an_address_have_a_limit_and_good_ones_pass(self):
        away, since = self.address(), time.monotonic()
        accepted, _ = self.flood(lambda n: self.ask((self.im, self.other)[n % 2], away, "GET", "/v1/friends", bearer="x.y.z"), 200)
        self.assert_bound(accepted, 60, 1, since)
        self.check(self.ask(self.im, away, "GET", "/v1/friends", bearer=self.a.bearer), 200)
        self.check(self.ask(self.im, self.address(), "GET", "/v1/friends"), 401)

    def test_friend_requests_and_new_groups_have_limits(self):
        for uid in "xyzw":
            self.im.client(self.alice + uid).post("/v1/auth/refresh")
        for i, uid in enumerate("xyz"):
            self.check((self.a, next(self.clients(self.alice)))[i % 2].post("/v1/friends/requests", {"to": self.alice + uid}), 201)
        self.check(self.a.post("/v1/friends/requests", {"to": self.alice + "w"}), 429, "rate_limited")
        for _ in range(4):
            self.group()
        self.check(self.a.post("/v1/groups", {"name": "Team"}), 429, "rate_limited")

    # ---- without Redis, without limits ----

    def test_while_redis_is_away_each_im_limits_for_itself_and_refuses_nobody_for_that(self):
        uid, home = self.alice + "-r", self.address()
        self.check(self.register(self.im, home, uid), 201)
        self.servers.kill("redis")
        try:
            away = 'skein_im_rate_redis_total{outcome="away"}'
            before = self.im.metric(away)
            for i in range(10):
                for im in self.im, self.other:
                    self.check(self.login(im, self.address(), uid, f"guess {i}"), 401)
            for im in self.im, self.other:
                self.check(self.login(im, self.address(), uid), 429, "rate_limited")
            for n in range(100):
                self.check(self.a.send(f"{n}", f"user:{self.bob}"), 200)
            self.assertGreater(self.im.metric(away), before)
        finally:
            self.servers.start_missing()
        await_that(lambda: self.im.is_ready() and self.other.is_ready(), "both im have found Redis again")

    def test_limits_that_are_switched_off_hold_nobody_back(self):
        free = Im(self.servers, "im-free", **{**OPTIONS, "limits__enabled": "off"})
        try:
            client = free.client(self.alice)
            for n in range(250):
                self.check(client.send(f"{n}", f"user:{self.bob}"), 200)
                self.check(client.get("/v1/friends"), 200)
            client.connection.close()
        finally:
            free.stop()


class Counts(ImTest):
    """Each limit is reached by one who asks in turn, and by many who ask two im at once."""
    pair = ()

    @classmethod
    def setUpClass(cls):
        cls.pair = tuple(Im(cls.servers, f"im-counts-{i}", **COUNTS) for i in range(2))
        cls.rates, ImTest.im = ImTest.im, cls.pair[0]

    @classmethod
    def tearDownClass(cls):
        ImTest.im = cls.rates
        for im in cls.pair:
            im.stop()

    def users(self, count):
        uids = [f"{self.alice}-{i}" for i in range(count)]
        self.servers.sql(f"insert into account (uid, name) select u, u from unnest('{{{','.join(uids)}}}'::text[]) u")
        return uids

    def at_once(self, calls):
        """(uid, method, path, body) each by a thread at one of the two im; the answers."""
        answers, barrier = [], threading.Barrier(len(calls))

        def run(number, uid, method, path, body):
            client = self.pair[number % 2].client(uid)
            barrier.wait()
            answers.append(client.call(method, path, body))
            client.connection.close()
        threads = [threading.Thread(target=run, args=(i, *call)) for i, call in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def check_race(self, calls, let_in, status):
        answers = self.at_once(calls)
        refused = [a for a in answers if a.status != status]
        self.assertEqual(len(answers) - len(refused), let_in, answers)
        for answer in refused:
            self.check(answer, 409, "failed_precondition")

    def test_groups_of_a_user(self):
        mine = [self.group(members=[]) for _ in range(4)]
        answer = self.a.post("/v1/groups", {"name": "Fifth", "client_group_id": "k"})
        self.check(answer, 409, "failed_precondition")
        self.assertEqual(answer.json["detail"], f"{self.alice} is in 4 groups, and nobody may be in more")
        of_bob = self.check(self.b.post("/v1/groups", {"name": "B", "join": "open"}), 201)["group_id"]
        for call in (lambda: self.a.post(f"/v1/groups/{of_bob}/join"),
                     lambda: self.b.post(f"/v1/groups/{of_bob}/members", {"uids": [self.carol, self.alice]}),
                     lambda: self.b.post("/v1/groups", {"name": "B", "members": [self.alice]})):
            answer = call()
            self.check(answer, 409, "failed_precondition")
            self.assertIn(self.alice, answer.json["detail"])
        self.check(self.c.get(f"/v1/groups/{of_bob}"), 403, "not_member") # nobody was added
        self.check(self.b.call("PATCH", f"/v1/groups/{of_bob}", {"join": "approval"}), 200)
        self.check(self.a.post(f"/v1/groups/{of_bob}/join"), 202)
        self.check(self.b.post(f"/v1/groups/{of_bob}/requests/{self.alice}/accept"), 409, "failed_precondition")
        self.check(self.a.call("DELETE", f"/v1/groups/{mine[0]}"), 204) # a dissolved group does not count
        self.check(self.b.post(f"/v1/groups/{of_bob}/requests/{self.alice}/accept"), 204)
        self.check(self.a.post(f"/v1/groups/{of_bob}/leave"), 204)
        self.check(self.a.post("/v1/groups", {"name": "Fifth", "client_group_id": "k"}), 201) # the key was not used up

    def test_many_ways_into_groups_at_once(self):
        owners = self.users(8)
        groups = [self.check(self.im.client(uid).post("/v1/groups", {"name": "G", "join": "open"}), 201)["group_id"] for uid in owners]
        calls = [(self.alice, "POST", f"/v1/groups/{gid}/join", None) for gid in groups[:4]]
        calls += [(uid, "POST", f"/v1/groups/{gid}/members", {"uids": [self.alice]}) for uid, gid in zip(owners[4:], groups[4:], strict=True)]
        calls += [(self.bob, "POST", "/v1/groups", {"name": "G", "members": [self.alice]})] * 2
        answers = self.at_once(calls)
        self.assertEqual(sorted(a.status for a in answers if a.status == 409), [409] * 6, answers)
        self.assertEqual(self.servers.sql(f"select count(*) from group_member where uid = '{self.alice}'"), [["4"]])

    def test_members_of_a_group(self):
        uids, group = self.users(9), self.group()
        self.check_race([(self.alice, "POST", f"/v1/groups/{group}/members", {"uids": [uid]}) for uid in uids], 4, 204)

    def test_admins_of_a_group(self):
        uids = self.users(4)
        group = self.group(members=[self.bob, *uids])
        self.check_race([(self.alice, "PUT", f"/v1/groups/{group}/members/{uid}/role", {"role": "admin"}) for uid in uids], 2, 204)
        members = self.check(self.a.get(f"/v1/groups/{group}/members"), 200)["members"]
        admins = [m["uid"] for m in members if m["role"] == "admin"]
        self.check(self.a.call("PUT", f"/v1/groups/{group}/members/{admins[0]}/role", {"role": "admin"}), 204) # it is one
        answer = self.a.call("PUT", f"/v1/groups/{group}/owner", {"uid": self.bob})
        self.check(answer, 409, "failed_precondition")
        self.assertEqual(answer.json["detail"], "a group has at most 2 admins")
        self.check(self.a.call("PUT", f"/v1/groups/{group}/owner", {"uid": admins[0]}), 204)
        # The last admins leave: the group has its owner.
        for uid in self.alice, admins[1]:
            self.check(self.im.client(uid).post(f"/v1/groups/{group}/leave"), 204)
        self.check(self.b.send("1", f"group:{group}"), 200)
        self.check(self.im.client(admins[0]).post(f"/v1/groups/{group}/leave"), 409, "failed_precondition")

    def test_requests_to_join_a_group(self):
        group = self.group(join="approval")
        self.check_race([(uid, "POST", f"/v1/groups/{group}/join", None) for uid in self.users(6)], 2, 202)

    def test_requests_to_become_a_friend(self):
        uids = self.users(8)
        self.check_race([(self.alice, "POST", "/v1/friends/requests", {"to": uid}) for uid in uids], 4, 201)
        self.check_race([(uid, "POST", "/v1/friends/requests", {"to": self.bob}) for uid in uids], 5, 201)
        answer = self.c.post("/v1/friends/requests", {"to": self.bob})
        self.check(answer, 409, "failed_precondition")
        self.assertEqual(answer.json["detail"], "too many requests wait for this user")

    def test_friends(self):
        uids = self.users(5)
        asked = [self.check(self.im.client(uid).post("/v1/friends/requests", {"to": self.alice}), 201)["request_id"] for uid in uids]
        self.check_race([(self.alice, "POST", f"/v1/friends/requests/{number}/accept", None) for number in asked], 3, 200)
        self.assertEqual(len(self.check(self.a.get("/v1/friends"), 200)["friends"]), 3)

    def test_blocks(self):
        self.check_race([(self.alice, "PUT", f"/v1/blocks/{uid}", None) for uid in self.users(8)], 3, 204)

    def test_pinned_messages(self):
        for i in range(8):
            self.check(self.a.send(f"{i}", f"user:{self.bob}"), 200)
        calls = [((self.alice, self.bob)[i % 2], "PUT", f"/v1/conversations/{self.direct()}/pins/{i + 1}", None) for i in range(8)]
        self.check_race(calls, 3, 200)

    def test_pinned_conversations(self):
        conversations = [f"g:{self.group()}", f"g:{self.group()}"]
        for uid in self.users(4):
            conversations.append(self.check(self.a.send("1", f"user:{uid}"), 200)["conversation_id"])
        self.check_race([(self.alice, "PATCH", f"/v1/conversations/{c}", {"pinned": True}) for c in conversations], 2, 204)
        listed = self.check(self.a.get("/v1/conversations"), 200)["conversations"]
        pinned = [c["id"] for c in listed if c["pinned"]]
        other = next(c["id"] for c in listed if not c["pinned"])
        self.check(self.a.call("PATCH", f"/v1/conversations/{pinned[0]}", {"pinned": True}), 204) # it is
        self.check(self.a.call("PATCH", f"/v1/conversations/{other}", {"pinned": True, "muted": True}), 409, "failed_precondition", "pinned")
        self.assertFalse(next(c for c in self.a.get("/v1/conversations").json["conversations"] if c["id"] == other)["muted"])
        self.check(self.a.call("PATCH", f"/v1/conversations/{pinned[0]}", {"pinned": False}), 204)
        self.check(self.a.call("PATCH", f"/v1/conversations/{other}", {"pinned": True}), 204)


class Inputs(ImTest):
    """What a careless or hostile client may send, and two who act at the same moment."""

    def test_uids_that_differ_by_case_are_two_users(self):
        lower, upper = "twin-" + self.alice, "Twin-" + self.alice
        self.servers.sql(f"insert into account (uid, name) values ('{lower}', 'l'), ('{upper}', 'u')")
        sent = self.check(self.a.send("1", f"user:{lower}"), 200)
        self.assertNotEqual(self.check(self.a.send("1", f"user:{upper}"), 200)["conversation_id"], sent["conversation_id"])
        self.check(self.im.client(upper).get(f"/v1/conversations/{sent['conversation_id']}/messages"), 403, "not_member")
        group = self.group(members=[lower])
        self.check(self.im.client(upper).send("1", f"group:{group}"), 403, "not_member")
        self.check(self.a.call("DELETE", f"/v1/groups/{group}/members/{upper}"), 404, "not_found")
        self.check(self.a.call("PUT", f"/v1/blocks/{upper}"), 204)
        self.check(self.im.client(lower).send("2", f"user:{self.alice}"), 200)
        self.check(self.im.client(upper).send("2", f"user:{self.alice}"), 403, "blocked")
        self.check(self.a.get(f"/v1/groups/{group.upper() if group != group.upper() else group.lower()}"), 404, "not_found")

    def test_a_seq_of_the_future_is_refused_by_every_call(self):
        here = f"/v1/conversations/{self.direct()}"
        self.check(self.a.send("1", f"user:{self.bob}"), 200)
        for seq in 2, 1 << 40, (1 << 53) - 1:
            with self.subTest(seq=seq):
                self.check(self.a.send("2", f"user:{self.bob}", reply_to=seq), 400, "invalid_argument", "reply_to")
                self.check(self.a.call("PUT", f"{here}/read", {"seq": seq}), 400, "invalid_argument", "seq")
                self.check(self.a.call("DELETE", f"{here}/messages?up_to_seq={seq}"), 400, "invalid_argument")
                self.check(self.a.post(f"{here}/messages/{seq}/recall"), 404, "not_found")
                self.check(self.a.post(f"{here}/messages/{seq}/edit", {"body": {"text": "x"}}), 404, "not_found")
                self.check(self.a.post(f"{here}/messages/{seq}/reactions", {"emoji": "\N{THUMBS UP SIGN}"}), 404, "not_found")
                self.check(self.a.call("PUT", f"{here}/pins/{seq}"), 404, "not_found")
                self.check(self.a.call("DELETE", f"{here}/pins/{seq}"), 404, "not_found")
                self.check(self.a.get(f"{here}/messages/{seq}/readers"), 409, "failed_precondition")
                self.assertEqual(self.check(self.a.get(f"{here}/messages?after_seq={seq}"), 200)["messages"], [])
        messages = self.check(self.b.get(f"{here}/messages"), 200)["messages"]
        self.assertEqual([m["seq"] for m in messages], [1])

    def test_a_mention_of_somebody_who_is_no_member_is_kept_and_does_nothing(self):
        group = self.group()
        sent = self.check(self.a.send("1", f"group:{group}", mentions=[self.carol, "nobody-at-all"]), 200)
        message, = self.check(self.b.get(f"/v1/conversations/g:{group}/messages?after_seq={sent['seq'] - 1}"), 200)["messages"]
        self.assertEqual(message["mentions"], [self.carol, "nobody-at-all"])
        self.assertEqual(self.check(self.c.get("/v1/conversations"), 200)["conversations"], [])
        self.check(self.c.get(f"/v1/conversations/g:{group}/messages"), 403, "not_member")

    def test_an_edit_that_races_a_recall_never_shows_a_body(self):
        for turn in range(10):
            sent = self.check(self.a.send(f"k{turn}", f"user:{self.bob}"), 200)
            path, answers = f"/v1/conversations/{self.direct()}/messages/{sent['seq']}", {}

            def change(verb, body, im, path=path, answers=answers):
                client = im.client(self.alice)
                answers[verb] = client.post(f"{path}/{verb}", body)
                client.connection.close()
            threads = [threading.Thread(target=change, args=("recall", None, self.im)),
                       threading.Thread(target=change, args=("edit", {"body": {"text": "new"}}, Rates.other))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.check(answers["recall"], 200)
            if answers["edit"].status != 200:
                self.check(answers["edit"], 409, "failed_precondition")
            after = self.check(self.b.get(f"/v1/conversations/{self.direct()}/messages?after_seq={sent['seq'] - 1}"), 200)["messages"]
            self.assertTrue(after[0]["recalled"])
            self.assertEqual([m for m in after if "body" in m], [], "the edit's entry has none either")

    def test_ids_of_others_are_as_if_they_were_not_there(self):
        asked = self.check(self.a.post("/v1/friends/requests", {"to": self.bob}), 201)["request_id"]
        for verb in "accept", "reject":
            self.check(self.c.post(f"/v1/friends/requests/{asked}/{verb}"), 404, "not_found")
        group, sent = self.group(), self.check(self.a.send("1", f"user:{self.bob}"), 200)
        self.check(self.c.post(f"/v1/conversations/{self.direct()}/messages/{sent['seq']}/recall"), 403, "not_member")
        for method, path, body in [("PUT", f"/v1/conversations/g:{group}/read", {"seq": 1}), ("PATCH", f"/v1/conversations/g:{group}", {"muted": True}),
                                   ("DELETE", f"/v1/conversations/g:{group}", None), ("GET", f"/v1/conversations/g:{group}/pins", None),
                                   ("PUT", f"/v1/groups/{group}/owner", {"uid": self.carol}), ("GET", f"/v1/groups/{group}/requests", None)]:
            with self.subTest(method=method, path=path):
                self.check(self.c.call(method, path, body), 403, "not_member")
        self.check(self.b.post(f"/v1/friends/requests/{asked}/accept"), 200)


if __name__ == "__main__":
    unittest.main()
