"""Messages through im as a client sees them, on real servers: sends, batches and history, and every field wrong."""
import json
import pathlib
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import KafkaReader


def setUpModule():
    ImTest.start_im()


def tearDownModule():
    ImTest.stop_im()


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

    def test_the_same_key_again_gets_the_first_answer(self):
        first = self.check(self.a.send("1", f"user:{self.bob}"), 200)
        self.assertEqual(self.check(self.a.send("1", f"user:{self.bob}"), 200), {**first, "duplicate": True})
        self.assertEqual(self.check(self.a.send("1", f"user:{self.bob}", mentions=[]), 200), {**first, "duplicate": True})
        self.check(self.a.send("1", f"user:{self.bob}", "other"), 409, "idempotency_conflict")
        self.assertEqual(self.check(self.a.send("2", f"user:{self.bob}"), 200)["seq"], 2)
        self.assertEqual(self.check(self.b.send("1", f"user:{self.alice}"), 200)["seq"], 3)

    def test_the_same_key_from_many_at_once_is_stored_once(self):
        answers = []
        def send():
            client = self.im.client(self.alice)
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

    def test_replies_and_mentions_are_stored_and_read(self):
        group = self.group()
        first = self.check(self.a.send("1", f"group:{group}", mentions=[self.bob, "*"]), 200)
        self.check(self.b.send("1", f"group:{group}", reply_to=first["seq"], mentions=[self.alice]), 200)
        messages = self.check(self.history(self.b, f"g:{group}"), 200)["messages"]
        self.assertEqual(messages[0]["mentions"], [self.bob, "*"])
        self.assertNotIn("reply_to", messages[0])
        self.assertEqual((messages[1]["reply_to"], messages[1]["mentions"]), (1, [self.alice]))

    def test_each_refusal_has_its_code_and_stores_nothing(self):
        group = self.group()
        self.check(self.a.send("1", f"user:{self.alice}-none"), 404, "not_found", "to.user")
        self.check(self.a.send("1", "group:none"), 404, "not_found", "to.group")
        self.check(self.c.send("1", f"group:{group}"), 403, "not_member")
        self.check(self.b.send("1", f"group:{group}", mentions=["*"]), 403, "permission_denied", "mentions")
        self.check(self.a.send("1", f"user:{self.bob}", reply_to=1), 400, "invalid_argument", "reply_to")
        self.check(self.a.send("1", f"group:{group}", reply_to=2**53), 400, "invalid_argument", "reply_to")
        self.assertEqual(self.check(self.b.send("1", f"group:{group}"), 200)["seq"], 1) # its key is not used up
        self.assertEqual(self.servers.sql(f"select count(*) from message where sender in ('{self.alice}', '{self.carol}')"), [["0"]])

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
            "expire_s": [0, -1, 604801, "1", 1.5, True, []],
            "forward": [{"conversation_id": self.direct(), "seqs": [1]}, "x", []],
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
        self.assertEqual(self.servers.sql(f"select count(*) from conversation where id = '{self.direct()}'"), [["0"]])

    def test_unknown_fields_are_ignored_and_unknown_members_of_bodies_are_kept(self):
        for key, type_ in enumerate(("image", "audio", "video", "file", "location", "custom")):
            body = {"url": "https://x.y/é", "size": 15, "latitude": -1.5, "longitude": 180, "nested": [{"a": None, "b": True}]}
            self.check(self.a.send(str(key), f"user:{self.bob}", type=type_, body=body, color="red"), 200)
            last = self.check(self.history(self.a, self.direct(), "?limit=1"), 200)["messages"][0]
            self.assertEqual((last["type"], last["body"]), (type_, body))

    def test_a_body_over_the_limit_is_413(self):
        self.check(self.a.send("1", f"user:{self.bob}", type="custom", body={"x": "x" * 60000}), 200)
        try:
            answer = self.a.send("2", f"user:{self.bob}", "x" * 70000)
        except (ConnectionError, BrokenPipeError):
            self.fail("the connection broke before the answer")
        self.check(answer, 413, "too_large")

    def test_a_sender_over_its_rate_is_429(self):
        statuses = []
        while 429 not in statuses and len(statuses) < 2000:
            messages = [{"client_msg_id": f"{len(statuses)}", "to": {"user": self.bob}, "type": "custom", "body": {}}] * 100
            results = self.check(self.a.post("/v1/messages/batch", {"messages": messages}), 200)["results"]
            statuses += [result["error"]["status"] if "error" in result else 200 for result in results]
        self.assertIn(429, statuses)
        self.assertGreaterEqual(statuses.index(429), 300)
        self.check(self.b.send("1", f"user:{self.alice}"), 200)

    def test_unknown_paths_and_methods_are_refused_and_the_request_id_is_echoed(self):
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
        reader = KafkaReader(self.servers)
        records = reader.of(f"g:{group}", 3)
        reader.close()
        stored = self.check(self.history(self.a, f"g:{group}"), 200)["messages"]
        self.assertEqual([record.message.seq for _, record, _ in records], [1, 2, 3]) # no duplicate
        for (_, record, _), message in zip(records, stored, strict=True):
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

    def test_a_batch_of_a_hundred_keeps_its_order(self):
        messages = [self.message(str(i), body={"text": str(i)}) for i in range(100)]
        results = self.check(self.a.post("/v1/messages/batch", {"messages": messages}), 200)["results"]
        self.assertEqual([result["seq"] for result in results], list(range(1, 101)))
        stored = self.check(self.history(self.b, self.direct(), "?limit=200"), 200)["messages"]
        self.assertEqual([message["body"]["text"] for message in stored], [str(i) for i in range(100)])

    def test_a_wrong_list_of_messages_is_refused_by_name(self):
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

    def test_pages_follow_bounds_limit_and_cursor(self):
        self.assertEqual(self.seqs(""), (list(range(11, 61)), "11"))
        self.assertEqual(self.seqs("?limit=60"), (list(range(1, 61)), None))
        self.assertEqual(self.seqs("?after_seq=0&limit=2"), ([1, 2], "2"))
        self.assertEqual(self.seqs("?after_seq=58"), ([59, 60], None))
        self.assertEqual(self.seqs("?after_seq=60"), ([], None))
        self.assertEqual(self.seqs("?before_seq=11&limit=3"), ([8, 9, 10], "8"))
        self.assertEqual(self.seqs("?before_seq=3"), ([1, 2], None))
        self.assertEqual(self.seqs("?before_seq=1"), ([], None))
        self.assertEqual(self.seqs("?before_seq=0"), ([], None))

    def test_a_wrong_bound_or_limit_is_refused_by_name(self):
        wrong = {"limit": ["0", "201", "-1", "x", "", "1.5", "99999999999999999999"], "after_seq": ["-1", "x", ""],
                 "before_seq": ["-1", "x"]}
        for name, values in wrong.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    answer = self.history(self.b, self.direct(), f"?{name}={value}")
                    self.check(answer, 400, "invalid_argument", name)
        self.check(self.history(self.b, self.direct(), "?after_seq=1&before_seq=5"), 400, "invalid_argument")

    def test_only_members_read_a_conversation(self):
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
        self.servers.sql(f"insert into group_member (no, uid, since_seq) select no, '{self.bob}', 2 from conversation where id = 'g:{group}'")
        messages = self.check(self.history(self.b, f"g:{group}"), 200)["messages"]
        self.assertEqual([message["seq"] for message in messages], [3])
        self.assertEqual(len(self.check(self.history(self.a, f"g:{group}"), 200)["messages"]), 3)


class Reactions(ImTest):
    def react(self, client, seq, emoji, status=200, *expected, conversation=None):
        path = f"/v1/conversations/{conversation or self.direct()}/messages/{seq}/reactions"
        return self.check(client.post(path, {"emoji": emoji}), status, *expected)

    def unreact(self, client, seq, emoji, status=200, *expected, conversation=None):
        path = f"/v1/conversations/{conversation or self.direct()}/messages/{seq}/reactions/{urllib.parse.quote(emoji, safe='')}"
        return self.check(client.call("DELETE", path), status, *expected)

    def shown(self, client, conversation=None):
        messages = self.check(self.history(client, conversation or self.direct()), 200)["messages"]
        return {message["seq"]: [(one["emoji"], one["count"], one["mine"]) for one in message["reactions"]]
                for message in messages if "reactions" in message}

    def test_reactions_are_entries_and_sums_in_history_and_sync(self):
        self.check(self.a.send("1", f"user:{self.bob}"), 200)
        first = self.react(self.b, 1, "👍")
        self.assertEqual(first, {**first, "conversation_id": self.direct(), "seq": 2, "duplicate": False})
        self.assertEqual(self.react(self.b, 1, "👍"), {**first, "duplicate": True})
        self.react(self.b, 1, "❤️")
        self.react(self.a, 1, "👍")
        self.assertEqual(self.shown(self.b), {1: [("👍", 2, True), ("❤️", 1, True)]})
        self.assertEqual(self.shown(self.a), {1: [("👍", 2, True), ("❤️", 1, False)]})
        self.assertEqual(self.unreact(self.b, 1, "👍")["seq"], 5)
        self.unreact(self.b, 1, "👍", 404, "not_found")
        self.assertEqual(self.shown(self.a), {1: [("❤️", 1, False), ("👍", 1, True)]})
        entries = self.check(self.history(self.a, self.direct()), 200)["messages"][1:]
        self.assertEqual([(e["type"], e["from"], e["target_seq"], e["op"], e["emoji"], "body" in e) for e in entries],
                         [("reaction", self.bob, 1, "add", "👍", False), ("reaction", self.bob, 1, "add", "❤️", False),
                          ("reaction", self.alice, 1, "add", "👍", False), ("reaction", self.bob, 1, "remove", "👍", False)])
        listed = self.check(self.a.get("/v1/conversations"), 200)["conversations"][0]
        self.assertEqual((listed["last"]["seq"], listed["unread"], listed["last_seq"]), (1, 0, 5))
        self.check(self.a.post(f"/v1/conversations/{self.direct()}/messages/1/recall", {}), 200)
        self.assertEqual(self.shown(self.a), {})
        self.react(self.b, 1, "👍", 409, "failed_precondition")
        self.unreact(self.b, 1, "❤️", 409, "failed_precondition")

    def test_each_emoji_that_is_allowed_is_kept_and_found_in_a_path(self):
        self.check(self.a.send("1", f"user:{self.bob}"), 200)
        emojis = ["👨‍👩‍👧‍👦", "1️⃣", "+1", ":a b:", "a/b", "100%", "?#&", '"\\', "é", "x" * 32, "👍" * 8, " x"]
        for emoji in emojis:
            self.react(self.b, 1, emoji)
        self.assertEqual(self.shown(self.a), {1: [(emoji, 1, False) for emoji in emojis]})
        for emoji in emojis:
            self.unreact(self.b, 1, emoji)
        self.assertEqual(self.shown(self.a), {})

    def test_each_wrong_field_is_named_and_nothing_is_stored(self):
        self.check(self.a.send("1", f"user:{self.bob}"), 200)
        path = f"/v1/conversations/{self.direct()}/messages"
        for emoji in (None, 1, [], {}, "", " ", "\u3000\u00a0", "\u200d", "a\n", "\u007f", "\u0085", "\u2028", "x" * 33, "👍" * 8 + "x"):
            with self.subTest(emoji=emoji):
                self.react(self.b, 1, emoji, 400, "invalid_argument", "emoji")
                if isinstance(emoji, str) and emoji:
                    self.unreact(self.b, 1, emoji, 400, "invalid_argument", "emoji")
        self.check(self.b.post(f"{path}/1/reactions", {}), 400, "invalid_argument", "emoji")
        for seq in ("0", "-1", "x", "9223372036854775808"):
            self.react(self.b, seq, "", 400, "invalid_argument", "seq")  # the path is read before the body
            self.unreact(self.b, seq, "x", 400, "invalid_argument", "seq")
        for conversation in ("x", "g:a%20b"):
            self.react(self.b, 1, "x", 400, "invalid_argument", "id", conversation=conversation)
        self.assertEqual(self.check(self.history(self.a, self.direct()), 200)["messages"][-1]["seq"], 1)

    def test_each_refusal_has_its_code(self):
        group = f"g:{self.group()}"
        self.check(self.a.send("1", f"user:{self.bob}"), 200)
        self.check(self.a.send("1", f"group:{group[2:]}"), 200)
        for change in self.react, self.unreact:
            change(self.c, 1, "x", 403, "not_member")
            change(self.c, 1, "x", 403, "not_member", conversation=group)
            change(self.a, 1, "x", 404, "not_found", conversation="g:none")
            change(self.a, 1, "x", 404, "not_found", conversation="r:room")
            change(self.a, 9, "x", 404, "not_found")
        self.unreact(self.b, 1, "x", 404, "not_found")
        self.react(self.b, 1, "x")
        self.unreact(self.a, 1, "x", 404, "not_found")  # it is bob's
        self.react(self.a, 2, "x", 409, "failed_precondition")  # a reaction itself
        self.check(self.a.call("DELETE", f"/v1/conversations/{self.direct()}/messages?up_to_seq=1"), 204)
        self.react(self.a, 1, "x", 404, "not_found")
        for number in range(99):
            self.react(self.b, 1, str(number))
        self.react(self.b, 1, "one too many", 409, "failed_precondition")

    def test_a_muted_member_reacts_and_who_is_blocked_does_not(self):
        group = f"g:{self.group()}"
        self.check(self.a.send("1", f"group:{group[2:]}"), 200)
        self.check(self.a.call("PATCH", f"/v1/groups/{group[2:]}", {"muted_all": True}), 200)
        self.check(self.b.send("2", f"group:{group[2:]}"), 403, "muted")
        self.react(self.b, 1, "x", conversation=group)
        self.check(self.b.send("1", f"user:{self.alice}"), 200)
        self.react(self.b, 1, "y")
        self.check(self.a.call("PUT", f"/v1/blocks/{self.bob}"), 204)
        self.react(self.b, 1, "x", 403, "blocked")
        edit = f"/v1/conversations/{self.direct()}/messages/1/edit"
        self.check(self.b.post(edit, {"body": {"text": "x"}}), 403, "blocked")
        self.unreact(self.b, 1, "y")
        self.react(self.b, 1, "z", conversation=group)
        self.check(self.b.post(f"/v1/conversations/{self.direct()}/messages/1/recall", {}), 200)

    def test_the_same_reaction_of_many_at_once_is_one_entry(self):
        self.check(self.a.send("1", f"user:{self.bob}"), 200)
        answers = []
        def react():
            client = self.im.client(self.bob)
            answers.append(self.react(client, 1, "x"))
            client.connection.close()
        threads = [threading.Thread(target=react) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({answer["seq"] for answer in answers}, {2})
        self.assertEqual(sorted(answer["duplicate"] for answer in answers), [False] + [True] * 7)
        self.assertEqual(self.shown(self.a), {1: [("x", 1, False)]})


class EditsForAdmins(ImTest):
    def test_an_admin_reads_every_body_of_a_message_also_when_it_is_recalled(self):
        admin = self.im.client(self.alice + "-admin", scope="admin")
        path = f"/v1/conversations/{self.direct()}/messages/1"
        sent = self.check(self.a.send("1", f"user:{self.bob}", "one"), 200)
        edits = [self.check(self.a.post(f"{path}/edit", {"body": {"text": text}}), 200) for text in ("two", "three")]
        expected = [{"seq": entry["seq"], "time": entry["time"], "from": self.alice, "body": {"text": text}}
                    for entry, text in zip([sent, *edits], ("one", "two", "three"), strict=True)]
        listed = path.replace("/v1/", "/v1/admin/") + "/edits"
        self.assertEqual(self.check(admin.get(listed), 200), {"edits": expected})
        self.check(self.a.post(f"{path}/recall", {}), 200)
        self.assertEqual(self.check(admin.get(listed), 200), {"edits": expected})
        pages, cursor = [], ""
        for _ in range(2):
            page = self.check(admin.get(f"{listed}?limit=2{cursor}"), 200)
            pages.append(page["edits"])
            cursor = "&cursor=" + page.get("next_cursor", "")
        self.assertEqual((pages, cursor), ([expected[:2], expected[2:]], "&cursor="))
        self.check(self.a.get(listed), 403, "permission_denied")
        conversations = f"/v1/admin/conversations/{self.direct()}/messages"
        for unknown in (f"{conversations}/2/edits", f"{conversations}/9/edits", listed.replace(self.bob, self.bob + "-none"),
                        "/v1/admin/conversations/g:none/messages/1/edits", "/v1/admin/conversations/r:room/messages/1/edits"):
            self.check(admin.get(unknown), 404, "not_found")
        for query in ("limit=0", "limit=201", "limit=x", "cursor=", "cursor=!", "cursor=eA"):
            self.check(admin.get(f"{listed}?{query}"), 400, "invalid_argument", query.split("=")[0])
        self.check(admin.get("/v1/admin/conversations/x/messages/1/edits"), 400, "invalid_argument", "id")
        self.check(admin.get(f"{conversations}/0/edits"), 400, "invalid_argument", "seq")
        admin.connection.close()


if __name__ == "__main__":
    unittest.main()
