"""im as a client sees it (contract sections 1, 3 and 5), on real servers: good requests, and every field wrong."""
import base64
import concurrent.futures
import pathlib
import subprocess
import sys
import time
import unittest

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import Client, await_that, proto_module, token


def setUpModule():
    ImTest.start_im()


def tearDownModule():
    ImTest.stop_im()


class Authentication(ImTest):
    def test_no_route_works_without_a_valid_token(self):
        good = token(self.alice)
        head, claims, _ = good.split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        bad = {
            "nothing": None, "not a token": "x", "another key": token(self.alice, secret="x" * 32),
            "expired": token(self.alice, exp=int(time.time()) - 1), "no expiry": token(self.alice, exp=None),
            "not yet valid": token(self.alice, nbf=int(time.time()) + 600), "no user": token(None),
            "a user that is none": token("a b"), "alg none": f"{none}.{claims}.",
            "another algorithm": token(self.alice, header={"alg": "HS512"}), "cut": good[:-4],
            "signature of another": f"{head}.{claims}.{token(self.bob).split('.')[2]}",
            "huge": token(self.alice, junk="x" * 5000),
        }
        for what, bearer in bad.items():
            client = Client(self.im.http, bearer)
            for method, path in (("POST", "/v1/messages"), ("POST", "/v1/messages/batch"), ("POST", "/v1/groups"),
                                 ("GET", "/v1/conversations/u:a:b/messages"), ("GET", "/v1/endpoints"), ("GET", "/v1/sync"),
                                 ("POST", "/v1/auth/refresh")):
                with self.subTest(what=what, path=path):
                    answer = client.call(method, path, "{}" if method == "POST" else None)
                    self.check(answer, 401, "unauthenticated")
                    self.assertEqual(answer.json["detail"], "a valid bearer token is required")
            client.connection.close()

    def test_a_valid_token_makes_its_user_exist(self):
        stranger = self.alice + "-new"
        self.check(self.a.send("1", f"user:{stranger}"), 404, "not_found", "to.user")
        self.check(self.im.client(stranger).get("/v1/conversations/u:x:y/messages"), 403)
        self.check(self.a.send("1", f"user:{stranger}"), 200)

    def test_a_disabled_user_is_not_let_in(self):
        uid = self.alice + "-off"
        self.servers.sql(f"insert into account (uid, name, is_disabled) values ('{uid}', 'x', true)")
        self.check(self.im.client(uid).post("/v1/auth/refresh"), 401, "unauthenticated")

    def test_refresh_gives_another_token_and_the_old_one_stays(self):
        new = self.check(self.a.post("/v1/auth/refresh"), 200)
        self.assertNotEqual(new["token"], self.a.bearer)
        self.assertAlmostEqual(new["expires_at"] / 1000, time.time() + 3600, delta=60)  # as long as its predecessor
        self.check(Client(self.im.http, new["token"]).post("/v1/auth/refresh"), 200)
        self.check(self.a.post("/v1/auth/refresh"), 200)


class Accounts(ImTest):
    def setUp(self):
        super().setUp()
        self.anybody = Client(self.im.http)
        self.uid = self.alice + "-reg"

    def register(self, **fields):
        body = {"uid": self.uid, "name": "Älice", "password": "correct horse", **fields}
        return self.anybody.post("/v1/users", {key: value for key, value in body.items() if value != "absent"})

    def test_a_registered_user_logs_in_and_sends(self):
        made = self.check(self.register(), 201)
        self.assertEqual((made["uid"], made["name"]), (self.uid, "Älice"))
        self.assertAlmostEqual(made["created_at"] / 1000, time.time(), delta=60)
        self.check(self.register(), 409, "already_exists", "uid")
        answer = self.check(self.anybody.post("/v1/auth/login", {"uid": self.uid, "password": "correct horse"}), 200)
        self.check(Client(self.im.http, answer["token"]).send("1", f"user:{self.alice}"), 200)
        stored = self.servers.sql(f"select password from account where uid = '{self.uid}'")[0][0]
        self.assertTrue(stored.startswith("scrypt$"))

    def test_a_wrong_password_and_an_unknown_user_look_the_same(self):
        self.check(self.register(), 201)
        answers = [self.anybody.post("/v1/auth/login", {"uid": uid, "password": "wrong horse"})
                   for uid in (self.uid, self.uid + "-none", self.alice)]
        for answer in answers:
            self.check(answer, 401, "unauthenticated")
        self.assertEqual(len({answer.json["detail"] for answer in answers}), 1)

    def test_guessing_passwords_is_slowed_down(self):
        statuses = [self.anybody.post("/v1/auth/login", {"uid": self.uid, "password": f"guess {i}"}).status
                    for i in range(12)]
        self.assertEqual(statuses[:10], [401] * 10)
        answer = self.anybody.post("/v1/auth/login", {"uid": self.uid, "password": "guess"})
        self.check(answer, 429, "rate_limited")
        self.check(self.anybody.post("/v1/auth/login", {"uid": self.uid + "2", "password": "guess"}), 401)

    def test_each_wrong_field_is_named(self):
        wrong = {
            "uid": ["absent", None, 1, True, [], "", "a b", "a:b", "x" * 65, "ä"],
            "name": ["absent", None, 1, {}, "", "x" * 129, "a\nb", "a\u007f", "\u0085"],
            "password": ["absent", None, 123456, "short", "x" * 129],
        }
        for field, values in wrong.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    self.check(self.register(**{field: value}), 400, "invalid_argument", field)
        self.assertEqual(self.servers.sql(f"select count(*) from account where uid like '{self.uid}%'")[0][0], "0")
        for field in ("uid", "password"):
            body = {"uid": self.uid, "password": "x"}
            del body[field]
            self.check(self.anybody.post("/v1/auth/login", body), 400, "invalid_argument", field)

    def test_registration_can_be_switched_off_while_running(self):
        with self.im.conf.open("a") as conf:
            conf.write("auth.registration = off\n")
        self.im.process.send_signal(1)
        await_that(lambda: self.register(name="").status == 403, "registration is off")
        self.check(self.register(), 403, "permission_denied")
        self.im.conf.write_text(self.im.conf.read_text().replace("auth.registration = off\n", ""))
        self.im.process.send_signal(1)
        await_that(lambda: self.register(name="").status == 400, "registration is on")


class Groups(ImTest):
    def test_a_group_is_made_with_its_members(self):
        answer = self.a.post("/v1/groups", {"name": "Die Gruppe", "members": [self.bob, self.carol, self.bob, self.alice]})
        made = self.check(answer, 201)
        self.assertEqual(made["conversation_id"], "g:" + made["group_id"])
        self.assertEqual(made, {**made, "name": "Die Gruppe", "owner": self.alice, "join": "invite", "history": "all",
                                "member_count": 3})
        for client in (self.a, self.b, self.c):
            self.check(client.send("1", f"group:{made['group_id']}"), 200)

    def test_a_group_of_one_with_other_rules(self):
        made = self.check(self.a.post("/v1/groups", {"name": "x", "join": "open", "history": "since_join"}), 201)
        self.assertEqual((made["join"], made["history"], made["member_count"]), ("open", "since_join", 1))

    def test_each_wrong_field_is_named_and_nothing_is_made(self):
        wrong = {
            "name": [None, 1, "", "x" * 129, "a\tb"], "join": [1, "", "anybody"], "history": [False, "none"],
            "members": ["x", {}, [1], [None], ["a b"], [""], [[]], ["u" + str(i) for i in range(1001)]],
        }
        before = self.servers.sql("select count(*) from chat_group")
        for field, values in wrong.items():
            for value in values:
                with self.subTest(field=field, value=str(value)[:40]):
                    answer = self.a.post("/v1/groups", {"name": "x", field: value})
                    self.check(answer, 400, "invalid_argument", field)
        unknown = self.a.post("/v1/groups", {"name": "x", "members": [self.bob, self.alice + "-none"]})
        self.check(unknown, 404, "not_found", "members")
        self.assertIn(self.alice + "-none", unknown.json["detail"])
        self.assertEqual(self.servers.sql("select count(*) from chat_group"), before)


class GroupKeys(ImTest):
    """client_group_id, the key of a creation."""

    def make(self, client=None, **fields):
        return (client or self.a).post("/v1/groups", {"client_group_id": "k-1", "name": "x", "members": [self.bob], **fields})

    def groups(self):
        return int(self.servers.sql(f"select count(*) from chat_group where owner in ('{self.alice}', '{self.bob}')")[0][0])

    def test_a_creation_that_is_asked_for_again_answers_the_first_group(self):
        first = self.check(self.make(members=[self.bob, self.carol]), 201)
        self.check(self.c.post(f"/v1/groups/{first['group_id']}/leave"), 204)
        for fields in ({}, {"members": [self.carol, self.bob, self.bob, self.alice]}, {"join": "invite", "history": None}):
            self.assertEqual(self.check(self.make(**{"members": [self.bob, self.carol], **fields}), 200), first)
        self.assertEqual(self.groups(), 1)

    def test_with_another_payload_it_is_a_conflict(self):
        self.check(self.make(), 201)
        for fields in ({"name": "y"}, {"members": [self.carol]}, {"members": []}, {"join": "open"}, {"history": "since_join"}):
            self.check(self.make(**fields), 409, "idempotency_conflict", "client_group_id")
        self.assertEqual(self.groups(), 1)

    def test_a_key_is_of_one_creator_and_one_creation(self):
        ids = {self.check(self.make(**fields), 201)["group_id"]
               for fields in ({}, {"client": self.b}, {"client_group_id": "k-2"}, {"client_group_id": None}, {"client_group_id": None})}
        self.assertEqual(len(ids), 5)

    def test_a_refused_creation_does_not_use_its_key_up(self):
        self.check(self.make(members=[self.alice + "-none"]), 404, "not_found", "members")
        self.check(self.make(), 201)

    def test_of_creations_at_once_one_makes_the_group(self):
        clients = [self.im.client(self.alice) for _ in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(self.make, clients))
        for client in clients:
            client.connection.close()
        self.assertEqual(sorted(answer.status for answer in answers), [200] * 7 + [201])
        self.assertEqual(len({answer.json["group_id"] for answer in answers}), 1)
        self.assertEqual(self.groups(), 1)

    def test_a_key_has_the_form_of_a_client_msg_id(self):
        for key in ("", "a b", "x" * 65, "ä", 1, []):
            with self.subTest(key=key):
                self.check(self.make(client_group_id=key), 400, "invalid_argument", "client_group_id")


class Endpoints(ImTest):
    def redis(self, *arguments):
        port = self.servers.redis.split(":")[-1].split("/")[0]
        subprocess.run(["redis-cli", "-p", port, *arguments], check=True, capture_output=True)

    def test_without_a_gateway_it_is_unavailable(self):
        self.check(self.a.get("/v1/endpoints"), 503, "unavailable")
        self.check(self.a.get("/v1/endpoints?room=a%20b"), 400, "invalid_argument", "room")

    def test_living_gateways_come_best_first(self):
        now = int(time.time() * 1000)
        for name, connections, draining in (("full", 900, 0), ("leaving", 0, 1), ("empty", 3, 0)):
            self.redis("hset", f"im:node:{{{name}}}", "epoch", "1", "grpc", "127.0.0.1:1", "ws", f"ws://{name}/ws", "cell", "",
                       "draining", str(draining), "connections", str(connections), "queue_bytes", "0", "lag_ms", "0")
            self.redis("hset", "im:nodes", name, f"1|{now}")
        def both():  # the list may be read between two writes
            gateways = self.a.get("/v1/endpoints").json.get("gateways", [])
            return gateways if len(gateways) == 2 else None
        self.assertEqual(await_that(both, "gateways are seen"), [{"url": "ws://empty/ws", "node": "empty"}, {"url": "ws://full/ws", "node": "full"}])
        retry = self.check(self.a.get("/v1/endpoints?room=lobby"), 200)["retry"]
        self.assertLess(0, retry["min_ms"])
        self.assertLess(retry["min_ms"], retry["max_ms"])
        self.redis("flushall")
        await_that(lambda: self.a.get("/v1/endpoints").status == 503, "the gateways are forgotten")


class Admin(ImTest):
    def test_nodes_are_for_admins(self):
        self.check(self.a.get("/v1/admin/nodes"), 403, "permission_denied")
        admin = self.im.client(self.alice, scope="admin")
        self.assertEqual(self.check(admin.get("/v1/admin/nodes"), 200), {"nodes": []})


class Grpc(ImTest):
    """What gateways ask."""

    def setUp(self):
        super().setUp()
        self.types = proto_module(self.servers, "im")
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.im.http + 2}", options=[("grpc.enable_http_proxy", 0)])

    def tearDown(self):
        self.channel.close()
        super().tearDown()

    def ask(self, method, request, response_type, **metadata):
        """The response, or (status, code of the public error)."""
        call = self.channel.unary_unary(f"/skein.v1.Im/{method}", request_serializer=type(request).SerializeToString,
                                        response_deserializer=response_type.FromString)
        try:
            return call(request, timeout=10, metadata=tuple(metadata.items()))
        except grpc.RpcError as error:
            return error.code(), error.details()

    def send(self, **fields):
        request = self.types.SendRequest(client_msg_id="1", to_user=self.bob, type="text", body='{"text": "hi"}')
        for name, value in {"from_": self.alice, **fields}.items():
            setattr(request, name.rstrip("_"), value)
        return self.ask("Send", request, self.types.SendResponse)

    def test_a_send_is_the_same_as_over_http(self):
        sent = self.send()
        self.assertEqual((sent.conversation_id, sent.seq, sent.duplicate), (self.direct(), 1, False))
        again = self.check(self.a.send("1", f"user:{self.bob}"), 200)
        self.assertEqual(again, {"msg_id": str(sent.msg_id), "conversation_id": self.direct(), "seq": 1, "time": sent.time,
                                 "duplicate": True})

    def test_wrong_fields_are_refused(self):
        for field, value in (("from_", "a b"), ("client_msg_id", ""), ("to_user", "a b"), ("to_user", ""), ("to_group", "g"),
                             ("type", "system"), ("body", ""), ("body", "[]"), ("body", "{}"), ("body", '{"text": 1}'),
                             ("reply_to", 2**63)):
            with self.subTest(field=field, value=value):
                self.assertEqual(self.send(**{field: value})[0], grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(self.send(to_user=self.bob + "-none")[0], grpc.StatusCode.NOT_FOUND)
        self.assertEqual(self.send(body='{"text": "' + "x" * 70000 + '"}')[0], grpc.StatusCode.OUT_OF_RANGE)
        raw = self.channel.unary_unary("/skein.v1.Im/Send")
        with self.assertRaises(grpc.RpcError) as caught:
            raw(b"\xff\xff\xff", timeout=10)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_a_user_is_admitted_unless_disabled(self):
        uid = self.alice + "-ws"

        def admit(name):
            return self.ask("Admit", self.types.AdmitRequest(uid=name), self.types.AdmitResponse)
        self.assertEqual(admit(uid), self.types.AdmitResponse())
        self.assertEqual(admit("a b")[0], grpc.StatusCode.INVALID_ARGUMENT)
        self.check(self.a.send("1", f"user:{uid}"), 200)
        self.servers.sql(f"update account set is_disabled = true where uid = '{uid}'")
        self.assertEqual(admit(uid)[0], grpc.StatusCode.UNAUTHENTICATED)


if __name__ == "__main__":
    unittest.main()
