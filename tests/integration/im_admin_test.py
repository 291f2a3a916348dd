"""What admins do, on two im and a played router: users made, disabled and logged out, messages in their name, kicks, the audit."""
import concurrent.futures
import pathlib
import sys
import time
import unittest

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Client, Im, Servers, await_that, claims_of, proto_module, run_im, token
from im_router_fixture import Router

SERVERS = ROUTER = None
IMS = []
PROMISED_S = 2
ADMIN = "/v1/admin"


def setUpModule():
    global SERVERS, ROUTER
    SERVERS = Servers()
    code, output = run_im(SERVERS, "--migrate")
    assert code == 0, output
    ROUTER = Router(SERVERS)
    for name in "im-1", "im-2":
        IMS.append(Im(SERVERS, name, router__targets=ROUTER.address, limits__send_rate=50, limits__send_burst=300))


def tearDownModule():
    for im in IMS:
        assert im.stop() == 0
    ROUTER.server.stop(0)
    SERVERS.close()


class AdminCase(unittest.TestCase):
    def setUp(self):
        self.prefix = self.id().rsplit(".", 1)[-1][5:45]
        self.uid = f"{self.prefix}-u"
        self.ops = f"{self.prefix}-ops"
        self.admin = Client(IMS[0].http, token(self.ops, scope="chat admin"))

    def check(self, answer, status, code=None, field=None):
        self.assertEqual(answer.status, status, answer)
        if code:
            self.assertEqual(answer.json["code"], code, answer)
        if field:
            self.assertEqual(answer.json.get("field"), field, answer)
        return answer.json

    def create(self, uid=None, status=201, **fields):
        return self.check(self.admin.post(f"{ADMIN}/users", {"uid": uid or self.uid, "name": "U", **fields}), status)

    def change(self, **fields):
        return self.admin.call("PATCH", f"{ADMIN}/users/{self.uid}", fields)

    def status(self, bearer, im):
        return Client(im.http, bearer).get("/v1/blocks").status

    def becomes(self, bearer, status):
        for im in IMS:
            await_that(lambda im=im: self.status(bearer, im) == status, f"{im.name} answers {status}", PROMISED_S)

    def login(self, password, im=None):
        return Client((im or IMS[1]).http).post("/v1/auth/login", {"uid": self.uid, "password": password})

    def admit(self, im, bearer, **fields):
        types = proto_module(SERVERS, "im")
        with grpc.insecure_channel(f"127.0.0.1:{im.http + 2}") as channel:
            call = channel.unary_unary("/skein.v1.Im/Admit", types.AdmitRequest.SerializeToString, types.AdmitResponse.FromString)
            try:
                call(types.AdmitRequest(uid=self.uid, **fields), timeout=10)
                return "ok"
            except grpc.RpcError as error:
                return error.code().name

    def audit(self, **query):
        text = "&".join(f"{name}={value}" for name, value in {"actor": self.ops, **query}.items())
        return self.check(self.admin.get(f"{ADMIN}/audit?{text}"), 200)

    def actions(self):
        return [(entry["action"], entry.get("target")) for entry in self.audit()["audit"]]


class UsersTest(AdminCase):
    def test_a_user_is_made_once_and_shown_with_all_fields(self):
        before = int(time.time() * 1000) - 1000
        user = self.create(password="secret1")
        self.assertEqual({**user, "created_at": 0},
                         {"uid": self.uid, "name": "U", "created_at": 0, "disabled": False, "bot": False})
        self.assertGreater(user["created_at"], before)
        self.check(self.admin.post(f"{ADMIN}/users", {"uid": self.uid, "name": "V"}), 409, "already_exists", "uid")
        self.check(self.login("secret1"), 200)
        self.assertEqual(self.actions(), [("user.create", self.uid)])
        # A user who came with a token of the integrator's exists, too.
        Client(IMS[0].http, token(f"{self.uid}2")).get("/v1/blocks")
        self.create(f"{self.uid}2", status=409)

    def test_a_user_without_a_password_cannot_log_in_until_it_gets_one(self):
        self.create()
        self.check(self.login("secret1"), 401)
        self.assertEqual(self.check(self.change(password="secret1"), 200)["uid"], self.uid)
        self.check(self.login("secret1"), 200)
        self.check(self.change(password="secret2"), 200)
        self.check(self.login("secret1"), 401)
        self.check(self.login("secret2"), 200)
        self.assertEqual([entry["details"] for entry in self.audit()["audit"][:2]], [{"password": True}] * 2)

    def test_each_field_is_checked(self):
        good = {"uid": self.uid, "name": "U"}
        for field, wrong in (("uid", "a b"), ("uid", 5), ("uid", None), ("uid", "x" * 65), ("name", ""), ("name", 5), ("name", None),
                             ("name", "n" * 129), ("password", "short"), ("password", "p" * 129), ("password", 5), ("bot", "yes"), ("bot", 1)):
            self.check(self.admin.post(f"{ADMIN}/users", {**good, field: wrong}), 400, "invalid_argument", field)
        self.create()
        for field, wrong in (("disabled", "yes"), ("disabled", 1), ("password", "short"), ("password", ["x"])):
            self.check(self.change(**{field: wrong}), 400, "invalid_argument", field)
        self.check(self.change(), 200)
        self.check(self.change(disabled=None, password=None), 200)
        self.assertEqual(self.actions(), [("user.create", self.uid)])  # nothing was changed
        for path in "/users/nobody-here", "/users/nobody-here/logout":
            method = "PATCH" if path.endswith("here") else "POST"
            self.check(self.admin.call(method, ADMIN + path, {"disabled": True}), 404, "not_found", "uid")
        for path in "/users/a%20b", "/users/a%20b/logout":
            method = "PATCH" if path.endswith("b") else "POST"
            self.check(self.admin.call(method, ADMIN + path, {"disabled": True}), 400, "invalid_argument", "uid")

    def test_a_disabled_user_is_refused_everywhere_and_let_in_again(self):
        self.create(password="secret1")
        old, untold = token(self.uid, jti="1"), token(self.uid, iat=None)
        logged_in = self.check(self.login("secret1"), 200)["token"]
        self.becomes(old, 200)
        start = time.monotonic()
        self.assertTrue(self.check(self.change(disabled=True), 200)["disabled"])
        self.assertEqual(self.status(old, IMS[0]), 401)  # the one that was asked knows it at once
        for bearer in old, untold, logged_in:
            self.becomes(bearer, 401)
        self.check(self.login("secret1"), 401)
        self.check(Client(IMS[1].http, old).post("/v1/auth/refresh"), 401)
        for im in IMS:
            self.assertEqual(self.admit(im, old), "UNAUTHENTICATED")
        await_that(lambda: len({id(k) for k in ROUTER.of(self.uid)}) >= 2, "both im ask router to close its connections", PROMISED_S)
        at, kick = ROUTER.of(self.uid)[0]
        self.assertLess(at - start, PROMISED_S)
        self.assertEqual((kick.code, kick.device, kick.token_id, kick.issued_until_ms), (4002, "", b"", 0))
        self.assertFalse(self.check(self.change(disabled=False), 200)["disabled"])
        for bearer in old, untold, logged_in:
            self.becomes(bearer, 200)
        self.check(self.login("secret1"), 200)
        self.assertEqual(self.admit(IMS[1], old), "ok")
        self.assertEqual(self.actions(), [("user.change", self.uid)] * 2 + [("user.create", self.uid)])
        # The kick that would have followed 9 s later is given up, on both im.
        self.assertLessEqual(len(ROUTER.of(self.uid)), 2)

    def test_an_admin_who_is_disabled_is_no_caller_any_more(self):
        other = Client(IMS[1].http, token(f"{self.ops}2", scope="admin"))
        self.check(other.get(f"{ADMIN}/users?limit=1"), 200)
        self.uid = f"{self.ops}2"
        self.check(self.change(disabled=True), 200)
        await_that(lambda: other.get(f"{ADMIN}/users?limit=1").status == 401, "refused", PROMISED_S)

    def test_others_go_on_writing_to_a_disabled_user(self):
        self.create()
        sender = Client(IMS[1].http, token(f"{self.prefix}-s"))
        self.check(sender.send("1", f"user:{self.uid}"), 200)
        self.check(self.change(disabled=True), 200)
        self.check(sender.send("2", f"user:{self.uid}"), 200)

    def test_users_are_listed_in_pages(self):
        uids = [f"{self.prefix}-{n}" for n in range(5)]
        for uid in reversed(uids):
            self.create(uid, bot=uid.endswith("3"))
        self.uid = uids[1]
        self.check(self.change(disabled=True), 200)
        found, cursor, pages = {}, "", 0
        while cursor is not None:
            page = self.check(self.admin.get(f"{ADMIN}/users?limit=2{cursor and '&cursor=' + cursor}"), 200)
            found.update({user["uid"]: user for user in page["users"]})
            cursor, pages = page.get("next_cursor"), pages + 1
        self.assertEqual([uid for uid in found if uid in uids], uids)
        self.assertEqual(list(found), sorted(found))
        self.assertGreaterEqual(pages, 3)
        self.assertEqual([(found[uid]["disabled"], found[uid]["bot"]) for uid in uids],
                         [(False, False), (True, False), (False, False), (False, True), (False, False)])
        for query in "limit=0", "limit=201", "limit=x", "cursor=!":
            self.check(self.admin.get(f"{ADMIN}/users?{query}"), 400, "invalid_argument", query.split("=")[0])


class BotsTest(AdminCase):
    def test_a_bots_token_is_valid_until_it_is_logged_out_and_is_not_refreshed(self):
        bot = self.create(bot=True)
        self.assertTrue(bot["bot"])
        bearer = bot["token"]
        self.becomes(bearer, 200)
        for im in IMS:
            client = Client(im.http, bearer)
            self.check(client.post("/v1/auth/refresh"), 400, "invalid_argument")
            self.assertTrue(self.check(client.get("/v1/users/me"), 200)["bot"])
            self.assertNotIn("token", self.check(client.get("/v1/users/me"), 200))
        claims = claims_of(bearer)
        self.assertEqual(claims["sub"], self.uid)
        self.assertNotIn("scope", claims)
        self.assertGreater(claims["exp"], time.time() + 50 * 365 * 86400)
        self.assertEqual(Client(IMS[0].http, bearer).post("/v1/auth/logout").status, 204)
        self.becomes(bearer, 401)

    def test_a_user_who_is_no_bot_has_no_token_in_the_answer(self):
        self.assertNotIn("token", self.create(bot=False))
        self.assertNotIn("bot", self.check(self.admin.get(f"/v1/users/{self.uid}"), 200))


class LogoutTest(AdminCase):
    def test_all_tokens_up_to_this_second_and_those_that_do_not_say_are_ended(self):
        self.create(password="secret1")
        now = int(time.time())
        old = [token(self.uid, iat=None), token(self.uid, iat=now - 1000, jti="1"), token(self.uid, iat=now)]
        old.append(self.check(self.login("secret1"), 200)["token"])
        old.append(self.check(Client(IMS[0].http, old[1]).post("/v1/auth/refresh"), 200)["token"])
        # One whose family is older than the logout, though it says that it was issued later.
        old.append(token(self.uid, iat=now + 60, sid="1", sid_iat=now - 1000))
        self.becomes(old[0], 200)
        answer = self.admin.post(f"{ADMIN}/users/{self.uid}/logout")
        self.assertEqual((answer.status, answer.text), (204, b""))
        in_time = self.check(self.login("secret1"), 200)["token"]  # in the same second, mostly
        for bearer in old:
            self.becomes(bearer, 401)
            self.assertEqual(self.status(bearer, IMS[0]), 401)
        later = token(self.uid, iat=now + 60, jti="later")
        for bearer in in_time, later:
            self.becomes(bearer, 200)
        refreshed = self.check(Client(IMS[0].http, in_time).post("/v1/auth/refresh"), 200)["token"]
        self.becomes(refreshed, 200)
        self.assertEqual(self.admit(IMS[1], None, token_id=b"x" * 16, issued_ms=now * 1000), "UNAUTHENTICATED")
        self.assertEqual(self.admit(IMS[1], None, token_id=b"x" * 16), "UNAUTHENTICATED")
        self.assertEqual(self.admit(IMS[1], None, token_id=b"x" * 16, issued_ms=(now + 60) * 1000), "ok")
        kick = await_that(lambda: ROUTER.of(self.uid), "router is asked", PROMISED_S)[0][1]
        self.assertEqual((kick.code, kick.reason, kick.token_id), (4002, "logged out", b""))
        self.assertLess(abs(kick.issued_until_ms - now * 1000), 5000)
        self.assertEqual(self.actions(), [("user.logout", self.uid), ("user.create", self.uid)])

    def test_an_im_that_starts_later_refuses_them_too(self):
        self.create()
        bearer = token(self.uid)
        self.check(self.admin.post(f"{ADMIN}/users/{self.uid}/logout"), 204)
        IMS[1].stop()
        IMS[1].__init__(SERVERS, "im-2", router__targets=ROUTER.address)
        self.assertEqual(self.status(bearer, IMS[1]), 401)


class ActsTest(AdminCase):
    def test_a_message_as_any_user_is_one_of_that_user(self):
        self.create()
        peer = f"{self.prefix}-p"
        self.create(peer)
        message = {"from": self.uid, "client_msg_id": "1", "to": {"user": peer}, "type": "text", "body": {"text": "hi"}}
        sent = self.check(self.admin.post(f"{ADMIN}/messages", message), 200)
        self.assertFalse(sent["duplicate"])
        again = self.check(self.admin.post(f"{ADMIN}/messages", message), 200)
        self.assertEqual({**again, "duplicate": False}, sent)
        own = self.check(Client(IMS[1].http, token(self.uid)).post("/v1/messages", message), 200)
        self.assertEqual(own, again)  # the key is the sender's
        self.check(self.admin.post(f"{ADMIN}/messages", {**message, "body": {"text": "no"}}), 409, "idempotency_conflict", "client_msg_id")
        page = self.check(Client(IMS[1].http, token(peer)).get(f"/v1/conversations/{sent['conversation_id']}/messages"), 200)
        self.assertEqual([one["from"] for one in page["messages"]], [self.uid])
        self.assertEqual(self.audit()["audit"][0]["details"], {"to": {"user": peer}, "client_msg_id": "1"})

    def test_it_is_checked_as_if_the_user_sent_it(self):
        self.create()
        peer = f"{self.prefix}-p"
        self.create(peer)
        message = {"from": self.uid, "client_msg_id": "1", "to": {"user": peer}, "type": "text", "body": {"text": "hi"}}
        self.check(Client(IMS[0].http, token(peer)).call("PUT", f"/v1/blocks/{self.uid}"), 204)
        self.check(self.admin.post(f"{ADMIN}/messages", message), 403, "blocked")
        group = self.check(Client(IMS[0].http, token(peer)).post("/v1/groups", {"name": "G"}), 201)["group_id"]
        self.check(self.admin.post(f"{ADMIN}/messages", {**message, "to": {"group": group}}), 403, "not_member")
        self.check(self.admin.post(f"{ADMIN}/messages", {**message, "to": {"user": "nobody-here"}}), 404, "not_found", "to.user")
        self.check(self.admin.post(f"{ADMIN}/messages", {**message, "from": "nobody-here"}), 404, "not_found", "from")
        for field, wrong in (("from", None), ("from", 5), ("from", "a b"), ("client_msg_id", ""), ("type", "x"), ("body", 5), ("to", {})):
            self.check(self.admin.post(f"{ADMIN}/messages", {**message, field: wrong}), 400, "invalid_argument")
        self.check(self.change(disabled=True), 200)
        self.check(self.admin.post(f"{ADMIN}/messages", {**message, "to": {"user": self.ops}}), 409, "failed_precondition", "from")

    def test_a_kick_is_routers_and_is_answered_when_it_is_done(self):
        self.create()
        kicks = len(ROUTER.kicks)
        self.check(self.admin.post(f"{ADMIN}/kick", {"uid": self.uid}), 204)
        self.check(self.admin.post(f"{ADMIN}/kick", {"uid": self.uid, "device": "phone"}), 204)
        self.assertEqual([(kick.uid, kick.device, kick.code, kick.token_id, kick.issued_until_ms) for _, kick in ROUTER.of(self.uid)],
                         [(self.uid, "", 4001, b"", 0), (self.uid, "phone", 4001, b"", 0)])
        kicks = len(ROUTER.of(self.uid))
        self.check(self.admin.post(f"{ADMIN}/kick", {"uid": "nobody-here"}), 404, "not_found", "uid")
        for field, wrong in ("uid", "a b"), ("uid", None), ("uid", 5), ("device", "a b"), ("device", 5):
            self.check(self.admin.post(f"{ADMIN}/kick", {"uid": self.uid, field: wrong}), 400, "invalid_argument", field)
        self.assertEqual(len(ROUTER.of(self.uid)), kicks)
        ROUTER.failures = 1
        answer = self.admin.post(f"{ADMIN}/kick", {"uid": self.uid})
        self.check(answer, 503, "unavailable")
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)


class AuditTest(AdminCase):
    def test_the_audit_is_read_in_pages_newest_first(self):
        for n in range(5):
            self.create(f"{self.prefix}-{n}")
        found, cursor = [], ""
        while cursor is not None:
            page = self.audit(limit=2, **({"cursor": cursor} if cursor else {}))
            found += page["audit"]
            cursor = page.get("next_cursor")
        self.assertEqual([entry["target"] for entry in found], [f"{self.prefix}-{n}" for n in reversed(range(5))])
        self.assertEqual(sorted(found, key=lambda entry: -int(entry["id"])), found)
        for entry in found:
            self.assertEqual((entry["actor"], entry["action"], entry["address"]), (self.ops, "user.create", "127.0.0.1"))
            self.assertLess(abs(entry["time"] - time.time() * 1000), 60000)
        everybody = self.check(self.admin.get(f"{ADMIN}/audit?limit=200"), 200)["audit"]
        self.assertEqual([entry for entry in everybody if entry["actor"] == self.ops], found)
        self.assertEqual(self.audit(actor="nobody-here")["audit"], [])
        for query in "limit=0", "limit=201", "actor=a%20b", "cursor=YQ", "cursor=!":
            self.check(self.admin.get(f"{ADMIN}/audit?{query}"), 400, "invalid_argument", query.split("=")[0])

    def test_a_refused_call_leaves_no_entry(self):
        self.create()
        self.create(status=409)
        self.check(self.admin.post(f"{ADMIN}/users/nobody-here/logout"), 404)
        self.assertEqual(len(self.audit()["audit"]), 1)
        self.check(Client(IMS[0].http, token(self.ops)).post(f"{ADMIN}/users", {"uid": "x", "name": "X"}), 403, "permission_denied")
        self.assertEqual(len(self.audit()["audit"]), 1)

    def test_old_entries_are_deleted(self):
        SERVERS.sql(f"insert into audit (id, at, actor, action) overriding system value"
                    f" select -n, fn.now_ms() - 366 * 86400000::bigint, '{self.ops}', 'user.create' from generate_series(1, 1500) n")
        self.create()
        im = Im(SERVERS, "im-3", router__targets=ROUTER.address)  # begins when it starts
        await_that(lambda: SERVERS.sql(f"select count(*) from audit where actor = '{self.ops}'") == [["1"]], "only the young one is left")
        self.assertEqual(im.stop(), 0)

    def test_the_figures_are_those_of_the_tables_about(self):
        self.create()
        users = int(SERVERS.sql("select count(*) from account")[0][0])

        def counted():
            stats = self.check(self.admin.get(f"{ADMIN}/stats"), 200)
            return abs(stats["users"] - users) < 20 and stats
        stats = await_that(counted, "PostgreSQL's statistics have arrived: a session hands its own in when it rests")
        self.assertEqual((stats["gateways"], stats["connections"]), (0, 0))
        self.assertEqual(stats["estimates"], ["users", "conversations", "groups", "messages"])


class RacesTest(AdminCase):
    def test_of_many_creations_at_once_one_succeeds(self):
        def create(n):
            return Client(IMS[n % 2].http, token(self.ops, scope="admin")).post(f"{ADMIN}/users", {"uid": self.uid, "name": str(n)}).status
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(sorted(pool.map(create, range(8))), [201] + [409] * 7)

    def test_disabling_while_the_user_is_looked_up_is_not_lost(self):
        """Requests of a user whom no im knows, at the moment it is disabled: none of them makes an im believe that it is not."""
        for n in range(5):
            self.uid = f"{self.prefix}-{n}"
            self.create()
            bearer = token(self.uid)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                asked = [pool.submit(self.status, bearer, IMS[i % 2]) for i in range(12)]
                self.check(self.change(disabled=True), 200)
                self.assertLessEqual({one.result() for one in asked}, {200, 401})
            self.becomes(bearer, 401)


if __name__ == "__main__":
    unittest.main()
