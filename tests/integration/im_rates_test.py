"""Limits of rates over two im that share a Redis: exact ones (wrong passwords), reported ones (sends, calls), and those of one class each."""
import http.client
import itertools
import pathlib
import sys
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


if __name__ == "__main__":
    unittest.main()
