"""Logout: a revoked token is refused by every im, and router, played here, is asked to close its connections."""
import concurrent.futures
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Client, Im, Servers, await_that, proto_module, run_im, token, token_id
from im_router_fixture import Router

SERVERS = ROUTER = None
PROMISED_S = 2


def setUpModule():
    global SERVERS, ROUTER
    SERVERS = Servers()
    code, output = run_im(SERVERS, "--migrate")
    assert code == 0, output
    ROUTER = Router(SERVERS)


def tearDownModule():
    ROUTER.server.stop(0)
    SERVERS.close()


def await_refused(im, bearer, within_s=PROMISED_S):
    await_that(lambda: Client(im.http, bearer).get("/v1/endpoints").status == 401, "the token is refused", within_s)


class LogoutTest(unittest.TestCase):
    def setUp(self):
        self.uid = self.id().rsplit(".", 1)[-1][:60]
        self.ims = [self.make("im-1"), self.make("im-2")]

    def make(self, name):
        return Im(SERVERS, name, router__targets=ROUTER.address)

    def tearDown(self):
        try:
            for im in self.ims:
                if im.process.poll() is None:
                    self.assertEqual(im.stop(), 0)
        finally:
            SERVERS.start_missing()

    def works(self, bearer, im=None):
        """Not refused; what it asks for needs no gateway to live."""
        for one in [im] if im else self.ims:
            self.assertEqual(Client(one.http, bearer).post("/v1/auth/refresh").status, 200)

    def log_out(self, bearer, im=0):
        answer = Client(self.ims[im].http, bearer).post("/v1/auth/logout")
        self.assertEqual((answer.status, answer.text), (204, b""))

    def admit(self, im, bearer):
        types = proto_module(SERVERS, "im")
        with grpc.insecure_channel(f"127.0.0.1:{im.http + 2}") as channel:
            call = channel.unary_unary("/skein.v1.Im/Admit", types.AdmitRequest.SerializeToString,
                                       types.AdmitResponse.FromString)
            try:
                call(types.AdmitRequest(uid=self.uid, token_id=bearer if isinstance(bearer, bytes) else token_id(bearer)),
                     timeout=10)
                return grpc.StatusCode.OK
            except grpc.RpcError as error:
                return error.code()

    def test_a_logout_refuses_the_whole_family_everywhere_and_no_other_token(self):
        old, other = token(self.uid, jti="old"), token(self.uid, jti="other")
        refreshed = Client(self.ims[1].http, old).post("/v1/auth/refresh").json["token"]
        last = Client(self.ims[1].http, refreshed).post("/v1/auth/refresh").json["token"]
        self.assertEqual({token_id(one) for one in (old, refreshed, last)}, {token_id(old)})
        self.works(old)
        self.log_out(refreshed)
        answer = Client(self.ims[0].http, old).post("/v1/auth/logout")
        self.assertEqual((answer.status, answer.json["code"]), (401, "unauthenticated"))
        await_refused(self.ims[1], old)
        self.assertEqual(Client(self.ims[1].http, old).post("/v1/auth/logout").status, 401)
        for one in refreshed, last:
            for im in self.ims:
                await_refused(im, one)
        self.works(other)
        self.assertEqual(Client(self.ims[0].http).post("/v1/auth/logout").status, 401)

    def test_of_two_logouts_at_once_at_two_ims_one_is_refused(self):
        for number in range(10):
            bearer = token(self.uid, jti=str(number))
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                statuses = pool.map(lambda im, bearer=bearer: Client(im.http, bearer).post("/v1/auth/logout").status, self.ims)
            self.assertEqual(sorted(statuses), [204, 401])

    def test_who_is_logged_out_is_not_admitted_from_that_moment_on(self):
        bearer, other = token(self.uid, jti="1"), token(self.uid, jti="2")
        self.assertEqual(self.admit(self.ims[1], bearer), grpc.StatusCode.OK)
        self.log_out(bearer)
        for im in self.ims:  # the other one has not heard of it yet
            self.assertEqual(self.admit(im, bearer), grpc.StatusCode.UNAUTHENTICATED)
            self.assertEqual(self.admit(im, other), grpc.StatusCode.OK)
            self.assertEqual(self.admit(im, b""), grpc.StatusCode.OK)
            self.assertEqual(self.admit(im, b"x"), grpc.StatusCode.INVALID_ARGUMENT)

    def test_router_is_asked_to_close_its_connections_until_it_has_and_once_more(self):
        bearer = token(self.uid)
        ROUTER.failures = 3
        start = time.monotonic()
        self.log_out(bearer)
        await_that(lambda: len(ROUTER.of(self.uid)) >= 4, "router is asked again")
        at, kick = ROUTER.of(self.uid)[0]
        self.assertLess(at - start, PROMISED_S)
        self.assertEqual((kick.uid, kick.device, kick.token_id, kick.code, kick.reason),
                         (self.uid, "", token_id(bearer), 4002, "logged out"))
        # Longer than a gateway leaves a connection to be bound: one that slipped through is met then.
        await_that(lambda: ROUTER.of(self.uid)[-1][0] > start + 8, "and once more")

    def test_an_im_that_dies_after_the_commit_leaves_the_kick_to_the_others(self):
        bearer = token(self.uid)
        # As an im of an older version does, which knows the table by its former name.
        SERVERS.sql("insert into revoked_token (token_id, uid, expires_at) values"
                    f" ('\\x{token_id(bearer).hex()}', '{self.uid}', fn.now_ms() + 3600000)")
        await_that(lambda: ROUTER.of(self.uid), "router is asked", PROMISED_S)
        for im in self.ims:
            await_refused(im, bearer)

    def test_a_transaction_that_commits_late_is_not_missed(self):
        late, early = token(self.uid, jti="late"), token(self.uid, jti="early")
        self.works(late)
        slow = subprocess.Popen(
            ["psql", "-Xq", SERVERS.pg, "-c", "begin", "-c",
             "insert into change_feed (id, uid, expires_at) values"
             f" ('\\x{token_id(late).hex()}', '{self.uid}', fn.now_ms() + 3600000)", "-c", "select pg_sleep(3)", "-c", "commit"],
            stdout=subprocess.DEVNULL)
        await_that(lambda: SERVERS.sql("select 1 from pg_stat_activity where query like 'select pg_sleep%'"
                                       " and pid <> pg_backend_pid()"), "it has stored it")
        self.log_out(early)
        await_refused(self.ims[1], early)
        self.works(late)
        self.assertEqual(slow.wait(timeout=30), 0)
        for im in self.ims:
            await_refused(im, late)

    def test_an_im_that_starts_knows_all_of_them_before_it_is_ready(self):
        bearer = token(self.uid)
        self.log_out(bearer)
        SERVERS.sql("insert into change_feed (id, uid, expires_at, changed_at)"
                    f" select decode(md5(n::text), 'hex'), '{self.uid}-old', fn.now_ms() + 3600000, fn.now_ms() - 60000"
                    " from generate_series(1, 3500) n")
        self.ims.append(self.make("im-3"))
        self.assertEqual(Client(self.ims[-1].http, bearer).get("/v1/endpoints").status, 401)
        self.assertGreaterEqual(self.ims[-1].metric("skein_im_revoked_tokens"), 3501)
        self.assertEqual(ROUTER.of(f"{self.uid}-old"), [])  # who lived then has asked

    def test_without_postgresql_what_is_known_stands_and_another_server_is_read_anew(self):
        bearer, later, good = token(self.uid, jti="1"), token(self.uid, jti="2"), token(self.uid, jti="3")
        self.works(good)
        self.log_out(bearer)
        await_refused(self.ims[1], bearer)
        SERVERS.kill("postgres")
        for im in self.ims:
            await_that(lambda im=im: not im.is_ready(), "im has noticed")
            self.assertEqual(Client(im.http, bearer).post("/v1/auth/refresh").status, 401)
            self.works(good, im)
        answer = Client(self.ims[0].http, good).post("/v1/auth/logout")
        self.assertEqual((answer.status, answer.json["code"]), (503, "unavailable"))
        for im in self.ims:
            im.process.send_signal(signal.SIGSTOP)
        SERVERS.start_missing()
        # As if its transactions had begun anew, far below those that were seen: a dump that was restored.
        SERVERS.sql("insert into change_feed (id, uid, expires_at, tx) values"
                    f" ('\\x{token_id(later).hex()}', '{self.uid}', fn.now_ms() + 3600000, '3')")
        for im in self.ims:
            im.process.send_signal(signal.SIGCONT)
        for im in self.ims:
            await_that(im.is_ready, "im is ready again")
            await_refused(im, later, 10)
            await_refused(im, bearer)
            self.works(good, im)

    def test_what_expired_is_not_read(self):
        before = self.ims[0].metric("skein_im_revoked_tokens")
        SERVERS.sql("insert into change_feed (id, uid, expires_at)"
                    f" select decode(md5('x' || n), 'hex'), '{self.uid}', fn.now_ms() - 61000 from generate_series(1, 10) n")
        bearer = token(self.uid)
        self.log_out(bearer, 1)
        await_refused(self.ims[0], bearer)
        self.assertEqual(self.ims[0].metric("skein_im_revoked_tokens"), before + 1)

    def test_who_logs_out_too_often_is_told_when_to_come_back(self):
        statuses = [Client(self.ims[0].http, token(self.uid, jti=str(n))).post("/v1/auth/logout").status for n in range(52)]
        self.assertEqual(statuses[:50], [204] * 50)
        self.assertEqual(statuses[51], 429)


if __name__ == "__main__":
    unittest.main()
