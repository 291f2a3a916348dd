"""im as a client sees it (contract sections 1, 3 and 5), on real servers: good requests, and every field wrong."""
import base64
import json
import subprocess
import sys
import threading
import time
import unittest

import grpc

import pathlib
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import (Client, Im, KafkaReader, ROOT, SECRET, Servers, await_that, proto_module, run_im,
                        token) # noqa: E402

SERVERS = IM = None


def setUpModule():
    global SERVERS, IM
    SERVERS = Servers()
    code, output = run_im(SERVERS, "--migrate")
    assert code == 0, output
    IM = Im(SERVERS, limits__send_rate=50, limits__send_burst=300)


def tearDownModule():
    IM.stop()
    SERVERS.close()


class ImTest(unittest.TestCase):
    """Each test has users of its own."""

    def setUp(self):
        prefix = self.id().rsplit(".", 1)[-1][:40]
        self.alice, self.bob, self.carol = (f"{prefix}-{name}" for name in "abc")
        self.a, self.b, self.c = (IM.client(uid) for uid in (self.alice, self.bob, self.carol))
        for client in (self.a, self.b, self.c):
            client.post("/v1/auth/refresh")

    def tearDown(self):
        for client in (self.a, self.b, self.c):
            client.connection.close()

    def check(self, answer, status, code=None, field=None):
        self.assertEqual(answer.status, status, answer)
        if code:
            self.assertEqual(answer.json["code"], code, answer)
            self.assertEqual(answer.json["status"], status)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        if field:
            self.assertEqual(answer.json.get("field"), field, answer)
        if status in (429, 503):
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        return answer.json

    def direct(self):
        return f"u:{self.alice}:{self.bob}"

    def history(self, client, conversation, query=""):
        return client.get(f"/v1/conversations/{conversation}/messages{query}")

    def group(self, **fields):
        made = self.a.post("/v1/groups", {"name": "Team", "members": [self.bob], **fields})
        return self.check(made, 201)["group_id"]


class Authentication(ImTest):
    def test_no_route_works_without_a_valid_token(self):
        good = token(self.alice)
        head, claims, signature = good.split(".")
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
            client = Client(IM.http, bearer)
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
        self.check(IM.client(stranger).get("/v1/conversations/u:x:y/messages"), 403)
        self.check(self.a.send("1", f"user:{stranger}"), 200)

    def test_a_disabled_user_is_not_let_in(self):
        uid = self.alice + "-off"
        SERVERS.sql(f"insert into account (uid, name, is_disabled) values ('{uid}', 'x', true)")
        self.check(IM.client(uid).post("/v1/auth/refresh"), 401, "unauthenticated")

    def test_refresh_gives_another_token_and_the_old_one_stays(self):
        new = self.check(self.a.post("/v1/auth/refresh"), 200)
        self.assertNotEqual(new["token"], self.a.bearer)
        self.assertAlmostEqual(new["expires_at"] / 1000, time.time() + 24 * 3600, delta=60)
        self.check(Client(IM.http, new["token"]).post("/v1/auth/refresh"), 200)
        self.check(self.a.post("/v1/auth/refresh"), 200)


class Accounts(ImTest):
    def setUp(self):
        super().setUp()
        self.anybody = Client(IM.http)
        self.uid = self.alice + "-reg"

    def register(self, **fields):
        body = {"uid": self.uid, "name": "Älice", "password": "correct horse", **fields}
        return self.anybody.post("/v1/users", {key: value for key, value in body.items() if value != "absent"})

    def test_register_login_and_send(self):
        made = self.check(self.register(), 201)
        self.assertEqual((made["uid"], made["name"]), (self.uid, "Älice"))
        self.assertAlmostEqual(made["created_at"] / 1000, time.time(), delta=60)
        self.check(self.register(), 409, "already_exists", "uid")
        answer = self.check(self.anybody.post("/v1/auth/login", {"uid": self.uid, "password": "correct horse"}), 200)
        self.check(Client(IM.http, answer["token"]).send("1", f"user:{self.alice}"), 200)
        stored = SERVERS.sql(f"select password from account where uid = '{self.uid}'")[0][0]
        self.assertTrue(stored.startswith("scrypt$"))

    def test_a_wrong_password_and_an_unknown_user_look_the_same(self):
        self.check(self.register(), 201)
        answers = [self.anybody.post("/v1/auth/login", {"uid": uid, "password": "wrong horse"})
                   for uid in (self.uid, self.uid + "-none", self.alice)]
        for answer in answers:
            self.check(answer, 401, "unauthenticated")
        self.assertEqual(len({answer.json["detail"] for answer in answers}), 1)

    def test_who_guesses_passwords_is_slowed_down(self):
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
        self.assertEqual(SERVERS.sql(f"select count(*) from account where uid like '{self.uid}%'")[0][0], "0")
        for field in ("uid", "password"):
            body = {"uid": self.uid, "password": "x"}
            del body[field]
            self.check(self.anybody.post("/v1/auth/login", body), 400, "invalid_argument", field)

    def test_registration_can_be_switched_off_while_running(self):
        with IM.conf.open("a") as conf:
            conf.write("auth.registration = false\n")
        IM.process.send_signal(1)
        await_that(lambda: self.register(name="").status == 403, "registration is off")
        self.check(self.register(), 403, "permission_denied")
        IM.conf.write_text(IM.conf.read_text().replace("auth.registration = false\n", ""))
        IM.process.send_signal(1)
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
        before = SERVERS.sql("select count(*) from chat_group")
        for field, values in wrong.items():
            for value in values:
                with self.subTest(field=field, value=str(value)[:40]):
                    answer = self.a.post("/v1/groups", {"name": "x", field: value})
                    self.check(answer, 400, "invalid_argument", field)
        unknown = self.a.post("/v1/groups", {"name": "x", "members": [self.bob, self.alice + "-none"]})
        self.check(unknown, 404, "not_found", "members")
        self.assertIn(self.alice + "-none", unknown.json["detail"])
        self.assertEqual(SERVERS.sql("select count(*) from chat_group"), before)


class Sending(ImTest):
    def test_a_message_is_stored_and_read_by_both(self):
        sent = self.check(self.a.send("1", f"user:{self.bob}", "hällo"), 200)
        self.assertEqual(sent, {**sent, "conversation_id": self.direct(), "seq": 1, "duplicate": False})
        self.assertTrue(sent["msg_id"].isdigit())
        self.assertAlmostEqual(sent["time"] / 1000, time.time(), delta=60)
        message = {"conversation_id": self.direct(), "seq": 1, "msg_id": sent["msg_id"], "from": self.alice, "type": "text",
                   "body": {"text": "hällo"}, "time": sent["time"]}
        self.assertEqual(self.check(self.history(self.a, self.direct()), 200),
                         {"messages": [{**message, "client_msg_id": "1"}]})
        self.assertEqual(self.check(self.history(self.b, self.direct()), 200), {"messages": [message]})

    def test_the_same_key_again(self):
        first = self.check(self.a.send("1", f"user:{self.bob}"), 200)
        self.assertEqual(self.check(self.a.send("1", f"user:{self.bob}"), 200), {**first, "duplicate": True})
        self.assertEqual(self.check(self.a.send("1", f"user:{self.bob}", mentions=[]), 200), {**first, "duplicate": True})
        self.check(self.a.send("1", f"user:{self.bob}", "other"), 409, "idempotency_conflict")
        self.assertEqual(self.check(self.a.send("2", f"user:{self.bob}"), 200)["seq"], 2)
        self.assertEqual(self.check(self.b.send("1", f"user:{self.alice}"), 200)["seq"], 3)

    def test_the_same_key_from_many_at_once_is_stored_once(self):
        answers = []
        def send():
            client = IM.client(self.alice)
            answers.append(client.send("race", f"user:{self.bob}"))
            client.connection.close()
        threads = [threading.Thread(target=send) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertEqual(len({answer.json["msg_id"] for answer in answers}), 1)
        self.assertEqual(sorted(answer.json["duplicate"] for answer in answers), [False] + [True] * 15)

    def test_replies_and_mentions(self):
        group = self.group()
        first = self.check(self.a.send("1", f"group:{group}", mentions=[self.bob, "*"]), 200)
        self.check(self.b.send("1", f"group:{group}", reply_to=first["seq"], mentions=[self.alice]), 200)
        messages = self.check(self.history(self.b, f"g:{group}"), 200)["messages"]
        self.assertEqual(messages[0]["mentions"], [self.bob, "*"])
        self.assertNotIn("reply_to", messages[0])
        self.assertEqual((messages[1]["reply_to"], messages[1]["mentions"]), (1, [self.alice]))

    def test_what_is_refused_and_why(self):
        group = self.group()
        self.check(self.a.send("1", f"user:{self.alice}-none"), 404, "not_found", "to.user")
        self.check(self.a.send("1", "group:none"), 404, "not_found", "to.group")
        self.check(self.c.send("1", f"group:{group}"), 403, "not_member")
        self.check(self.b.send("1", f"group:{group}", mentions=["*"]), 403, "permission_denied", "mentions")
        self.check(self.a.send("1", f"user:{self.bob}", reply_to=1), 400, "invalid_argument", "reply_to")
        self.check(self.a.send("1", f"group:{group}", reply_to=2**53), 400, "invalid_argument", "reply_to")
        self.assertEqual(self.check(self.b.send("1", f"group:{group}"), 200)["seq"], 1) # its key is not used up
        self.assertEqual(SERVERS.sql(f"select count(*) from message where sender in ('{self.alice}', '{self.carol}')"), [["0"]])

    def test_each_wrong_field_is_named_and_nothing_is_stored(self):
        wrong = {
            "client_msg_id": ["absent", None, 1, "", "a b", "ä", "x" * 65, "\u0001"],
            "to": ["absent", None, "bob", [], {}, {"user": None}, {"user": "a", "group": "b"}, {"room": "r"}],
            "to.user": [{"user": 1}, {"user": ""}, {"user": "a b"}, {"user": "x" * 65}],
            "to.group": [{"group": []}, {"group": "ä"}],
            "type": ["absent", None, 1, "", "TEXT", "system", "edit", "reaction", "recall"],
            "body": ["absent", None, "hi", [], 1],
            "body.text": [{}, {"text": ""}, {"text": 1}, {"text": None}],
            "reply_to": [0, -1, "1", 1.5, True, 2**53],
            "mentions": ["bob", {}, [1], [None], ["a b"], ["*"], ["u"] * 51],
        }
        good = {"client_msg_id": "1", "to": {"user": self.bob}, "type": "text", "body": {"text": "hi"}}
        for field, values in wrong.items():
            for value in values:
                with self.subTest(field=field, value=str(value)[:40]):
                    body = {**good, field.split(".")[0]: value}
                    body = {key: value for key, value in body.items() if value != "absent"}
                    self.check(self.a.post("/v1/messages", body), 400, "invalid_argument", field)
        for text in ("", "x", "[]", "1", "null", "{", '{"a":1}x', b'{"a":"\xff"}', '{"a":"\\u0000"}', '{"a":"\\ud800"}',
                     '{"a":' + "[" * 100 + "]" * 100 + "}", '{"a":1,"a":2}', '{"a":1e999}', '{"a":99999999999999999999}'):
            with self.subTest(text=text):
                self.check(self.a.post("/v1/messages", text), 400, "invalid_argument")
        self.assertEqual(SERVERS.sql(f"select count(*) from conversation where id = '{self.direct()}'"), [["0"]])

    def test_unknown_fields_are_ignored_and_bodies_of_content_types_are_free(self):
        for key, type_ in enumerate(("image", "audio", "video", "file", "location", "custom")):
            body = {"url": "https://x.y/é", "size": 1.5, "nested": [{"a": None, "b": True}]}
            self.check(self.a.send(str(key), f"user:{self.bob}", type=type_, body=body, color="red"), 200)
            last = self.check(self.history(self.a, self.direct(), "?limit=1"), 200)["messages"][0]
            self.assertEqual((last["type"], last["body"]), (type_, body))

    def test_too_large_a_body(self):
        self.check(self.a.send("1", f"user:{self.bob}", "x" * 60000), 200)
        try:
            answer = self.a.send("2", f"user:{self.bob}", "x" * 70000)
        except (ConnectionError, BrokenPipeError):
            self.fail("the connection broke before the answer")
        self.check(answer, 413, "too_large")

    def test_who_sends_too_much_is_told_when_to_come_back(self):
        statuses = []
        while 429 not in statuses and len(statuses) < 2000:
            messages = [{"client_msg_id": f"{len(statuses)}", "to": {"user": self.bob}, "type": "custom", "body": {}}] * 100
            results = self.check(self.a.post("/v1/messages/batch", {"messages": messages}), 200)["results"]
            statuses += [result["error"]["status"] if "error" in result else 200 for result in results]
        self.assertIn(429, statuses)
        self.assertGreaterEqual(statuses.index(429), 300)
        self.check(self.b.send("1", f"user:{self.alice}"), 200)

    def test_errors_of_http_itself(self):
        self.check(self.a.get("/v1/nothing"), 404, "not_found")
        answer = self.a.call("PUT", "/v1/messages", "{}")
        self.check(answer, 405, "method_not_allowed")
        self.assertIn("POST", answer.headers["Allow"])
        self.assertEqual(self.a.get("/v1/endpoints", **{"X-Request-Id": "mine-1"}).headers["X-Request-Id"], "mine-1")

    def test_what_is_sent_is_published_in_order(self):
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        group = self.group()
        self.a.post("/v1/messages", {"client_msg_id": "1", "to": {"group": group}, "type": "text", "body": {"text": "one"},
                                     "mentions": [self.bob, "*"]}, traceparent=trace)
        self.b.send("2", f"group:{group}", "two", reply_to=1)
        self.b.send("2", f"group:{group}", "two", reply_to=1)
        self.check(self.a.send("3", f"group:{group}", "three"), 200)
        reader = KafkaReader(SERVERS)
        records = reader.of(f"g:{group}", 3)
        reader.close()
        stored = self.check(self.history(self.a, f"g:{group}"), 200)["messages"]
        self.assertEqual([record.message.seq for _, record, _ in records], [1, 2, 3]) # no duplicate
        for (_, record, _), message in zip(records, stored):
            sent = record.message
            self.assertEqual((record.version, record.member_version), (1, 0))
            self.assertEqual((sent.conversation_id, str(sent.msg_id), getattr(sent, "from"), sent.type, json.loads(sent.body),
                              sent.time, sent.reply_to, list(sent.mentions)),
                             (message["conversation_id"], message["msg_id"], message["from"], message["type"], message["body"],
                              message["time"], message.get("reply_to", 0), message.get("mentions", [])))
        self.assertEqual([record.message.client_msg_id for _, record, _ in records], ["1", "2", "3"])
        self.assertEqual([header for _, _, header in records], [trace, None, None])
        self.assertEqual(records[0][1].traceparent, trace)


class Batches(ImTest):
    def message(self, key, **fields):
        return {"client_msg_id": key, "to": {"user": self.bob}, "type": "text", "body": {"text": "hi"}, **fields}

    def test_each_item_has_its_own_answer_in_order(self):
        group = self.group()
        messages = [self.message("1"), self.message("2", type="x"), self.message("3", to={"group": group}), 7,
                    self.message("4", to={"user": self.alice + "-none"}), self.message("1"), self.message("5")]
        results = self.check(self.a.post("/v1/messages/batch", {"messages": messages}), 200)["results"]
        self.assertEqual([result.get("seq") for result in results], [1, None, 1, None, None, 1, 2])
        self.assertEqual([result.get("duplicate") for result in results], [False, None, False, None, None, True, False])
        self.assertEqual(results[1]["error"], {**results[1]["error"], "code": "invalid_argument", "field": "type"})
        self.assertEqual(results[3]["error"]["code"], "invalid_argument")
        self.assertEqual(results[4]["error"]["code"], "not_found")

    def test_a_hundred_keep_their_order(self):
        messages = [self.message(str(i), body={"text": str(i)}) for i in range(100)]
        results = self.check(self.a.post("/v1/messages/batch", {"messages": messages}), 200)["results"]
        self.assertEqual([result["seq"] for result in results], list(range(1, 101)))
        stored = self.check(self.history(self.b, self.direct(), "?limit=200"), 200)["messages"]
        self.assertEqual([message["body"]["text"] for message in stored], [str(i) for i in range(100)])

    def test_wrong_lists(self):
        for value in (None, 1, {}, "x", [], [{}] * 101):
            with self.subTest(value=str(value)[:20]):
                self.check(self.a.post("/v1/messages/batch", {"messages": value}), 400, "invalid_argument", "messages")
        self.check(self.a.post("/v1/messages/batch", {}), 400, "invalid_argument", "messages")


class History(ImTest):
    def setUp(self):
        super().setUp()
        messages = [{"client_msg_id": str(i), "to": {"user": self.bob}, "type": "custom", "body": {"i": i}}
                    for i in range(1, 61)]
        self.check(self.a.post("/v1/messages/batch", {"messages": messages}), 200)

    def seqs(self, query):
        answer = self.check(self.history(self.b, self.direct(), query), 200)
        return [message["seq"] for message in answer["messages"]], answer.get("next_cursor")

    def test_pages(self):
        self.assertEqual(self.seqs(""), (list(range(11, 61)), "11"))
        self.assertEqual(self.seqs("?limit=60"), (list(range(1, 61)), None))
        self.assertEqual(self.seqs("?after_seq=0&limit=2"), ([1, 2], "2"))
        self.assertEqual(self.seqs("?after_seq=58"), ([59, 60], None))
        self.assertEqual(self.seqs("?after_seq=60"), ([], None))
        self.assertEqual(self.seqs("?before_seq=11&limit=3"), ([8, 9, 10], "8"))
        self.assertEqual(self.seqs("?before_seq=3"), ([1, 2], None))
        self.assertEqual(self.seqs("?before_seq=1"), ([], None))

    def test_wrong_bounds(self):
        wrong = {"limit": ["0", "201", "-1", "x", "", "1.5", "99999999999999999999"], "after_seq": ["-1", "x", ""],
                 "before_seq": ["0", "-1", "x"]}
        for name, values in wrong.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    answer = self.history(self.b, self.direct(), f"?{name}={value}")
                    self.check(answer, 400, "invalid_argument", name)
        self.check(self.history(self.b, self.direct(), "?after_seq=1&before_seq=5"), 400, "invalid_argument")

    def test_only_who_has_a_part_in_it(self):
        group = self.group()
        self.check(self.history(self.c, self.direct()), 403, "not_member")
        self.check(self.history(self.c, f"u:{self.alice}-x:{self.bob}-x"), 403, "not_member")
        self.check(self.history(self.c, f"g:{group}"), 403, "not_member")
        self.check(self.history(self.a, "g:none"), 404, "not_found")
        self.check(self.history(self.a, "r:room"), 404, "not_found")
        self.check(self.history(self.a, f"u:{self.alice}:{self.alice}-none"), 404, "not_found")
        self.assertEqual(self.check(self.history(self.a, f"u:{self.alice}:{self.carol}"), 200), {"messages": []})
        self.assertEqual(self.check(self.history(self.a, f"g:{group}"), 200), {"messages": []})
        for wrong in ("x", "u:", f"u:{self.alice}", f"u:{self.bob}:{self.alice}", "g:", "g:a:b", "x:a", "g:a%20b", "u%3aa"):
            with self.subTest(id=wrong):
                self.check(self.history(self.a, wrong), 400, "invalid_argument", "id")

    def test_since_join_hides_what_was_before(self):
        group = self.group(history="since_join", members=[])
        for i in range(3):
            self.check(self.a.send(str(i), f"group:{group}"), 200)
        SERVERS.sql(f"insert into group_member (no, uid, since_seq) select no, '{self.bob}', 2 from conversation where id = 'g:{group}'")
        messages = self.check(self.history(self.b, f"g:{group}"), 200)["messages"]
        self.assertEqual([message["seq"] for message in messages], [3])
        self.assertEqual(len(self.check(self.history(self.a, f"g:{group}"), 200)["messages"]), 3)


class Endpoints(ImTest):
    def redis(self, *arguments):
        port = SERVERS.redis.split(":")[-1].split("/")[0]
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
        admin = IM.client(self.alice, scope="admin")
        self.assertEqual(self.check(admin.get("/v1/admin/nodes"), 200), {"nodes": []})


class Grpc(ImTest):
    """What gateways ask."""

    def setUp(self):
        super().setUp()
        self.types = proto_module(SERVERS, "im")
        self.channel = grpc.insecure_channel(f"127.0.0.1:{IM.http + 2}", options=[("grpc.enable_http_proxy", 0)])

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
        admit = lambda name: self.ask("Admit", self.types.AdmitRequest(uid=name), self.types.AdmitResponse)
        self.assertEqual(admit(uid), self.types.AdmitResponse())
        self.assertEqual(admit("a b")[0], grpc.StatusCode.INVALID_ARGUMENT)
        self.check(self.a.send("1", f"user:{uid}"), 200)
        SERVERS.sql(f"update account set is_disabled = true where uid = '{uid}'")
        self.assertEqual(admit(uid)[0], grpc.StatusCode.UNAUTHENTICATED)


class Migrations(unittest.TestCase):
    """With a database of its own, empty before each test."""

    @classmethod
    def setUpClass(cls):
        cls.servers = Servers()

    @classmethod
    def tearDownClass(cls):
        cls.servers.close()

    def setUp(self):
        self.servers.sql("drop schema if exists fn cascade; drop schema public cascade; create schema public")

    def migrate(self):
        code, output = run_im(self.servers, "--migrate")
        self.assertEqual(code, 0, output)
        return output.count("migration applied")

    def refused(self, sentence, *options):
        code, output = run_im(self.servers, *options)
        self.assertEqual(code, 1, output)
        self.assertIn(sentence, output)

    def test_any_number_at_once_and_again(self):
        counts = []
        threads = [threading.Thread(target=lambda: counts.append(self.migrate())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tables = len(list((ROOT / "deploy" / "schema" / "tables").glob("*.sql")))
        self.assertEqual(sorted(counts), [0, 0, 0, tables + 1]) # the functions are applied as a whole
        self.assertEqual(self.migrate(), 0)

    def test_newer_tables_than_the_binary_knows_are_refused(self):
        self.servers.sql("create table schema_migration as select 9999 as version;"
                         "create table schema_functions as select 'x' as hash")
        self.refused("newer schema")
        self.refused("newer schema", "--migrate")

    def test_an_empty_or_older_database_is_refused(self):
        self.refused("run im --migrate first")
        self.migrate()
        self.servers.sql("delete from schema_migration where version = (select max(version) from schema_migration)")
        self.refused("run im --migrate first")

    def test_functions_of_another_im_are_refused_and_replaced_as_a_whole_by_migrate(self):
        self.migrate()
        self.servers.sql("update schema_functions set hash = 'x'; create function fn.of_another_im() returns integer"
                         " language sql as 'select 1'; drop function fn.members")
        self.refused("functions are those of another im: run im --migrate first")
        self.assertEqual(self.migrate(), 1)
        self.assertEqual(self.servers.sql("select proname from pg_proc where proname in ('of_another_im', 'members')"),
                         [["members"]])

    def test_an_im_goes_on_while_its_functions_are_replaced(self):
        self.migrate()
        im = Im(self.servers)
        try:
            client = im.client("replaced")
            for seq in (1, 2, 3):
                self.assertEqual(client.send(str(seq), "user:replaced").json["seq"], seq)
                self.assertEqual(len(client.get("/v1/conversations/u:replaced:replaced/messages").json["messages"]), seq)
                self.servers.sql("update schema_functions set hash = 'x'")
                self.assertEqual(self.migrate(), 1)
        finally:
            im.kill()

    def test_a_database_or_kafka_that_cannot_be_reached_is_said(self):
        code, output = run_im(self.servers, "--migrate", **{"pg.uri": "postgresql://127.0.0.1:1/x"})
        self.assertEqual(code, 1)
        self.assertIn("connect to postgresql failed", output)

    def test_wrong_configuration_is_one_sentence(self):
        for option, value in (("auth.secret", "short"), ("pg.connections", "0"), ("limits.body", "x")):
            code, output = run_im(self.servers, **{option: value})
            self.assertEqual(code, 2, output)
            self.assertIn(option, output)
            self.assertNotIn(SECRET, output)


if __name__ == "__main__":
    unittest.main()
