"""Limits of wrong passwords and registrations, by user and by address; the clients come from addresses of 127.0.0.0/8."""
import http.client
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import PATIENCE_S, Client, Im, Servers, run_im

PASSWORD = "correct horse"
OF_USER, OF_ADDRESS, REGISTRATIONS = 10, 30, 20  # the defaults
# Long enough that no bucket fills up again while a test runs.
OPTIONS = {"limits__login_interval": "10m", "limits__login_address_interval": "10m", "limits__register_interval": "10m"}


def setUpModule():
    ImTest.servers = Servers()
    code, output = run_im(ImTest.servers, "--migrate")
    assert code == 0, output
    ImTest.im = Im(ImTest.servers, **OPTIONS)


def tearDownModule():
    ImTest.stop_im()


class LoginLimits(ImTest):
    addresses = 0

    def setUp(self):
        super().setUp()
        self.uid = self.alice[:50] + "-r"
        self.home, self.away, self.other = self.address(), self.address(), self.address()
        self.check(self.register(self.home, self.uid), 201)

    def address(self):
        LoginLimits.addresses += 1
        return f"127.0.1.{LoginLimits.addresses}"

    def post(self, address, path, body):
        client = Client(self.im.http)
        client.connection = http.client.HTTPConnection("127.0.0.1", self.im.http, timeout=PATIENCE_S,
                                                       source_address=(address, 0))
        try:
            return client.post(path, body)
        finally:
            client.connection.close()

    def register(self, address, uid):
        return self.post(address, "/v1/users", {"uid": uid, "name": "A", "password": PASSWORD})

    def login(self, address, password=PASSWORD, uid=None):
        return self.post(address, "/v1/auth/login", {"uid": uid or self.uid, "password": password})

    def guess(self, address, count, uid=None):
        for i in range(count):
            self.check(self.login(address, f"guess {i}", uid), 401)

    def test_wrong_passwords_lock_a_user_everywhere_but_where_it_has_logged_in(self):
        self.check(self.login(self.home), 200)
        self.guess(self.away, OF_USER)
        for address in (self.away, self.other):
            answer = self.login(address)
            self.check(answer, 429, "rate_limited")
            self.assertIn(int(answer.headers["Retry-After"]), range(500, 602))
        self.check(self.login(self.home), 200)

    def test_a_known_address_has_the_limit_of_the_user_for_itself_alone(self):
        self.check(self.login(self.home), 200)
        self.guess(self.home, OF_USER)
        self.check(self.login(self.home), 429, "rate_limited")
        self.check(self.login(self.away), 200)

    def test_an_address_that_guesses_for_many_users_is_locked(self):
        for i in range(OF_ADDRESS):
            self.guess(self.away, 1, f"{self.uid}{i}")
        self.check(self.login(self.away), 429, "rate_limited")
        self.check(self.login(self.other), 200)
        self.assertGreaterEqual(self.im.metric('skein_im_rate_limited_total{class="login_address"}'), 1)

    def test_an_attempt_on_a_locked_user_does_not_count_for_the_address(self):
        self.guess(self.away, OF_USER)
        for _ in range(OF_ADDRESS):
            self.check(self.login(self.other), 429, "rate_limited")
        self.guess(self.other, 1, self.uid + "x")

    def test_right_passwords_do_not_count(self):
        for _i in range(OF_USER + 2):
            self.check(self.login(self.address()), 200)
        for _i in range(OF_USER + 2):
            self.check(self.login(self.home), 200)

    def test_the_memory_of_an_address_outlives_the_process_and_ends_after_30_days(self):
        self.check(self.login(self.home), 200)
        second = Im(self.servers, "im-second", **OPTIONS)
        first, ImTest.im = ImTest.im, second
        try:
            self.guess(self.away, OF_USER)
            self.check(self.login(self.home), 200)
            self.servers.sql(f"update login_address set logged_in_at = logged_in_at - 30 * 86400000::bigint where uid = '{self.uid}'")
            self.check(self.login(self.home), 429)
        finally:
            ImTest.im = first
            second.stop()

    def test_the_latest_addresses_of_a_user_are_kept(self):
        for i in range(25):
            self.servers.sql(f"select fn.login_remember('{self.uid}', '192.0.2.{i}')")
        rows = self.servers.sql(f"select address from login_address where uid = '{self.uid}'")
        self.assertEqual({row[0] for row in rows}, {f"192.0.2.{i}" for i in range(5, 25)})

    def test_an_address_registers_so_many_users_and_no_more(self):
        for i in range(REGISTRATIONS):
            self.check(self.register(self.away, f"{self.uid}{i}"), 201)
        self.check(self.register(self.away, self.uid + "x"), 429, "rate_limited")
        self.check(self.register(self.other, self.uid + "x"), 201)

    def test_a_taken_uid_costs_no_hash(self):
        name = 'skein_im_passwords_total{class="register"}'
        before = self.im.metric(name)
        self.check(self.register(self.home, self.uid), 409, "already_exists", "uid")
        self.assertEqual(self.im.metric(name), before)
        self.check(self.register(self.home, self.uid + "x"), 201)
        self.assertEqual(self.im.metric(name), before + 1)

    def test_the_uid_of_the_system_user_is_a_taken_one_before_any_broadcast(self):
        self.assertEqual(self.servers.sql("select count(*) from account where uid = 'system'"), [["0"]])
        taken = self.check(self.register(self.away, self.uid), 409, "already_exists", "uid")
        name = 'skein_im_passwords_total{class="register"}'
        before = self.im.metric(name)
        for _ in range(REGISTRATIONS - 1):
            answer = self.check(self.register(self.away, "system"), 409, "already_exists", "uid")
            self.assertEqual({**answer, "instance": ""}, {**taken, "instance": ""})
        self.assertEqual(self.im.metric(name), before)
        self.check(self.register(self.away, self.uid + "x"), 429, "rate_limited")


if __name__ == "__main__":
    unittest.main()
