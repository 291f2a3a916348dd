"""Messages that expire, and forwards, as a client of im sees them on real servers."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import await_that


def setUpModule():
    ImTest.start_im()


def tearDownModule():
    ImTest.stop_im()


class MessagesTest(ImTest):
    def say(self, client, to, text="hi", status=200, *expected, **fields):
        self.keys = getattr(self, "keys", 0) + 1
        answer = client.send(fields.pop("key", f"k{self.keys}"), to, text, **fields)
        return self.check(answer, status, *expected)

    def change(self, client, conversation, seq, what, body, status=200, *expected):
        return self.check(client.post(f"/v1/conversations/{conversation}/messages/{seq}/{what}", body), status, *expected)

    def pin(self, client, conversation, seq, status=200, *expected, method="PUT"):
        return self.check(client.call(method, f"/v1/conversations/{conversation}/pins/{seq}"), status, *expected)

    def messages(self, client, conversation, query=""):
        return self.check(self.history(client, conversation, query), 200)["messages"]

    def one(self, client, conversation):
        found = self.check(client.get("/v1/conversations"), 200)["conversations"]
        return next(one for one in found if one["id"] == conversation)

    def await_expiry(self, conversation, seq):
        await_that(lambda: self.messages(self.a, conversation, f"?after_seq={seq - 1}&limit=1")[0].get("expired"), "expiry", 5)


class Expiry(MessagesTest):
    def test_from_expires_at_on_a_message_has_no_body_anywhere_and_does_not_count(self):
        bob = f"user:{self.bob}"
        sent = self.say(self.a, bob, "secret", key="e", expire_s=1, mentions=[self.bob])
        self.change(self.a, self.direct(), 1, "edit", {"body": {"text": "still secret"}})
        self.pin(self.b, self.direct(), 1)
        self.say(self.a, bob, "stays")
        self.say(self.a, bob, "another", expire_s=1)
        later = self.say(self.a, bob, "later", expire_s=604800)
        before = self.messages(self.b, self.direct())
        self.assertEqual([before[0][name] for name in ("expires_at", "edited", "body")],
                         [sent["time"] + 1000, True, {"text": "still secret"}])
        self.assertEqual([before[1][name] for name in ("type", "expires_at", "body")],
                         ["edit", sent["time"] + 1000, {"text": "still secret"}])
        self.assertNotIn("expires_at", before[3])
        self.assertEqual(before[5]["expires_at"], later["time"] + 604800000)
        self.assertFalse(any("expired" in message for message in before))
        self.assertEqual((self.one(self.b, self.direct())["unread"], self.one(self.b, self.direct())["mentioned"]), (4, True))
        self.assertEqual(self.check(self.b.get(f"/v1/conversations/{self.direct()}/pins"), 200)["messages"], [before[0]])

        self.await_expiry(self.direct(), 5)
        first, edit, _, stays, another, last = after = self.messages(self.b, self.direct())
        for message, was in (first, before[0]), (another, before[4]):
            self.assertEqual(message, {**{name: value for name, value in was.items() if name != "body"}, "expired": True})
        self.assertEqual(edit, {name: value for name, value in before[1].items() if name != "body"})
        self.assertEqual((stays["body"], last["body"]), ({"text": "stays"}, {"text": "later"}))
        listed = self.one(self.b, self.direct())
        self.assertEqual((listed["unread"], listed["mentioned"], listed["last"]["body"]), (2, False, {"text": "later"}))
        self.assertEqual(self.check(self.b.get(f"/v1/conversations/{self.direct()}/pins"), 200)["messages"], [after[0]])
        self.change(self.a, self.direct(), 1, "edit", {"body": {"text": "x"}}, 409, "failed_precondition")
        self.pin(self.b, self.direct(), 5, 409, "failed_precondition")
        self.assertTrue(self.pin(self.b, self.direct(), 1)["expired"])  # pinned as before
        self.pin(self.b, self.direct(), 1, 204, method="DELETE")
        self.pin(self.b, self.direct(), 1, 409, "failed_precondition")
        edits = self.im.client("root", scope="admin").get(f"/v1/admin/conversations/{self.direct()}/messages/1/edits")
        self.assertEqual([(one["seq"], one.get("body"), one["expired"]) for one in self.check(edits, 200)["edits"]],
                         [(1, None, True), (2, None, True)])
        # The key stands for the same send, also when the body is removed.
        self.servers.sql(f"delete from expiring_body b using conversation c where c.no = b.no and c.id = '{self.direct()}'")
        again = self.say(self.a, bob, "secret", key="e", expire_s=1, mentions=[self.bob])
        self.assertEqual(again, {**sent, "duplicate": True})
        self.say(self.a, bob, "another secret", 409, "idempotency_conflict", key="e", expire_s=1, mentions=[self.bob])
        self.assertEqual(self.messages(self.b, self.direct())[:5], after[:5])

    def test_expire_s_is_a_part_of_the_payload(self):
        bob = f"user:{self.bob}"
        first = self.say(self.a, bob, key="e", expire_s=60)
        self.assertEqual(self.say(self.a, bob, key="e", expire_s=60.0), {**first, "duplicate": True})
        for fields in {}, {"expire_s": None}, {"expire_s": 61}:
            self.say(self.a, bob, "hi", 409, "idempotency_conflict", key="e", **fields)
        self.say(self.a, bob, key="never")
        self.say(self.a, bob, "hi", 409, "idempotency_conflict", key="never", expire_s=60)
        self.assertEqual(self.say(self.a, bob, key="never", expire_s=None)["duplicate"], True)

    def test_a_recall_before_expiry_takes_the_body_at_once_and_is_subtracted_once(self):
        self.say(self.a, f"user:{self.bob}", expire_s=1)
        self.say(self.a, f"user:{self.bob}", "stays")
        self.change(self.a, self.direct(), 1, "recall", None)
        recalled = self.messages(self.b, self.direct())[0]
        self.assertTrue(recalled["recalled"] and "expired" not in recalled and "body" not in recalled)
        self.assertEqual(self.one(self.b, self.direct())["unread"], 1)
        self.await_expiry(self.direct(), 1)
        self.assertEqual(self.messages(self.b, self.direct())[0], {**recalled, "expired": True})
        self.assertEqual(self.one(self.b, self.direct())["unread"], 1)

    def test_a_body_that_expires_is_not_in_the_row_of_the_message(self):
        group = self.group()
        self.say(self.a, f"group:{group}", "gone", expire_s=60)
        self.say(self.a, f"group:{group}", "kept")
        self.change(self.a, f"g:{group}", 1, "edit", {"body": {"text": "gone too"}})
        rows = self.servers.sql("select m.seq, m.body, b.body from conversation c join message m on m.no = c.no left join"
                                f" expiring_body b on b.no = m.no and b.seq = m.seq where c.id = 'g:{group}' order by m.seq")
        self.assertEqual([list(row) for row in rows], [["1", "", '{"text":"gone"}'], ["2", '{"text":"kept"}', ""],
                                                       ["3", "", '{"text":"gone too"}']])
        self.assertEqual(self.one(self.b, f"g:{group}")["unread"], 2)


class Forwards(MessagesTest):
    def setUp(self):
        super().setUp()
        self.source = self.group(name="Källa \"1\"")
        for text in "one", "two", "three":
            self.say(self.b, f"group:{self.source}", text)

    def forward(self, seqs, status=200, *expected, client=None, key=None, to=None, conversation=None, **fields):
        self.keys = getattr(self, "keys", 0) + 1
        kind, name = (to or f"user:{self.carol}").split(":")
        message = {"client_msg_id": key or f"f{self.keys}", "to": {kind: name}, "type": "forward",
                   "forward": {"conversation_id": conversation or f"g:{self.source}", "seqs": seqs}, **fields}
        return self.check((client or self.a).post("/v1/messages", message), status, *expected)

    def last(self, client=None, other=None):
        return self.messages(client or self.c, f"u:{self.alice}:{other or self.carol}", "?limit=1")[0]

    def test_the_items_are_the_messages_in_the_order_of_the_seqs_as_they_are_shown(self):
        self.change(self.b, f"g:{self.source}", 2, "edit", {"body": {"text": "två", "n": 1.50}})
        self.forward([3, 1, 2])
        sources = self.messages(self.a, f"g:{self.source}")
        message = self.last()
        self.assertEqual(message["type"], "forward")
        self.assertEqual(message["body"]["title"], "Källa \"1\"")
        self.assertEqual(message["body"]["items"], [{name: sources[seq - 1][name] for name in ("from", "type", "body", "time")}
                                                    for seq in (3, 1, 2)])
        self.assertEqual(message["body"]["items"][2]["body"], {"text": "två", "n": 1.5})
        self.forward([1], conversation=f"u:{self.alice}:{self.carol}", to=f"user:{self.bob}")  # a forward of a forward
        outer = self.last(self.b, self.bob)["body"]
        self.assertEqual((outer["title"], outer["items"][0]["type"], outer["items"][0]["body"]),
                         ("Chat history", "forward", message["body"]))
        self.change(self.a, self.direct(), 1, "edit", {"body": {"title": "x", "items": []}}, 400, "invalid_argument")

    def test_what_is_recalled_or_expired_is_left_out(self):
        self.change(self.b, f"g:{self.source}", 2, "recall", None)
        self.say(self.b, f"group:{self.source}", "gone", expire_s=1)
        self.await_expiry(f"g:{self.source}", 5)
        self.forward([5, 2, 1])
        self.assertEqual([item["body"] for item in self.last()["body"]["items"]], [{"text": "one"}])
        self.forward([2, 5], 400, "invalid_argument", "forward.seqs")

    def test_each_refusal_has_its_code_and_stores_nothing(self):
        self.change(self.b, f"g:{self.source}", 1, "recall", None)
        self.pin(self.a, f"g:{self.source}", 2)
        for seq in 4, 5:  # the recall, and the system entry
            self.forward([2, seq], 400, "invalid_argument", "forward.seqs")
        self.forward([2, 6], 404, "not_found", "forward.seqs")
        self.forward([1], 404, "not_found", "forward.seqs", conversation=self.direct())
        self.forward([1], 404, "not_found", conversation="g:none")
        self.forward([1], 404, "not_found", conversation=f"u:{self.alice}:{self.alice}-none")
        self.forward([1], 403, "not_member", client=self.c, to=f"user:{self.alice}")
        self.forward([1], 403, "not_member", client=self.c, to=f"user:{self.alice}", conversation=self.direct())
        self.forward([2], 404, "not_found", to=f"user:{self.alice}-none")
        self.forward([2], 403, "not_member", client=self.b, to=f"group:{self.check(self.a.post('/v1/groups', {'name': 'x'}), 201)['group_id']}")
        self.check(self.a.call("DELETE", f"/v1/conversations/g:{self.source}/messages?up_to_seq=2"), 204)
        self.forward([2], 404, "not_found", "forward.seqs")
        for _ in range(2):
            self.say(self.b, f"group:{self.source}", type="custom", body={"x": "y" * 40000})
        self.forward([6, 7], 413, "too_large")
        self.forward([6])
        self.assertEqual(self.last()["seq"], 1)

    def test_each_wrong_field_is_named(self):
        good = {"conversation_id": f"g:{self.source}", "seqs": [1]}
        wrong = {
            "forward": ["absent", None, [], "x"],
            "forward.conversation_id": [{"seqs": [1]}, {**good, "conversation_id": 1}, {**good, "conversation_id": "g"},
                                        {**good, "conversation_id": "r:room"}],
            "forward.seqs": [{"conversation_id": good["conversation_id"]},
                             *({**good, "seqs": value} for value in (1, [], [0], [-1], ["1"], [1.5], [None], [2**53], [1] * 101))],
        }
        for field, values in wrong.items():
            for value in values:
                with self.subTest(field=field, value=str(value)[:60]):
                    body = {"client_msg_id": "w", "to": {"user": self.carol}, "type": "forward", "forward": value}
                    body = {key: value for key, value in body.items() if value != "absent"}
                    self.check(self.a.post("/v1/messages", body), 400, "invalid_argument", field)
        self.forward([1], 400, "invalid_argument", "body", body={"title": "x", "items": []})
        self.forward([1] * 100)

    def test_a_repeat_is_compared_by_what_was_sent_whatever_became_of_the_messages(self):
        first = self.forward([1, 2], key="f", expire_s=3600)
        body = self.last()["body"]
        self.change(self.b, f"g:{self.source}", 1, "edit", {"body": {"text": "changed"}})
        self.assertEqual(self.forward([1, 2.0], key="f", expire_s=3600), {**first, "duplicate": True})
        for seq in 1, 2:
            self.change(self.b, f"g:{self.source}", seq, "recall", None)
        self.assertEqual(self.forward([1, 2], key="f", expire_s=3600), {**first, "duplicate": True})
        self.check(self.a.call("DELETE", f"/v1/groups/{self.source}"), 204)
        self.assertEqual(self.forward([1, 2], key="f", expire_s=3600), {**first, "duplicate": True})
        self.forward([2, 1], 409, "idempotency_conflict", key="f", expire_s=3600)
        self.forward([1, 2], 409, "idempotency_conflict", key="f")
        self.say(self.a, f"user:{self.carol}", "hi", 409, "idempotency_conflict", key="f", expire_s=3600)
        self.forward([1, 2], 404, "not_found", key="new")
        self.assertEqual((self.last()["seq"], self.last()["body"]), (1, body))

    def test_a_batch_stores_its_messages_in_their_order(self):
        def message(key, **fields):
            return {"client_msg_id": key, "to": {"user": self.carol}, **fields}
        def forward(key, *seqs):
            return message(key, type="forward", forward={"conversation_id": f"g:{self.source}", "seqs": seqs})
        batch = [message("1", type="text", body={"text": "first"}), forward("2", 1), forward("3", 9),
                 message("4", type="text", body={"text": "fourth"}), forward("5", 2), {"client_msg_id": "6"}]
        results = self.check(self.a.post("/v1/messages/batch", {"messages": batch}), 200)["results"]
        self.assertEqual([result.get("seq", result.get("error", {}).get("status")) for result in results], [1, 2, 404, 3, 4, 400])
        self.assertEqual(results[2]["error"]["field"], "forward.seqs")
        self.assertEqual([message["type"] for message in self.messages(self.c, f"u:{self.alice}:{self.carol}")],
                         ["text", "forward", "text", "forward"])
        repeated = self.check(self.a.post("/v1/messages/batch", {"messages": batch}), 200)["results"]
        self.assertEqual([result.get("duplicate") for result in repeated], [True, True, None, True, True, None])

    def test_a_muted_member_forwards_nothing_to_the_group(self):
        self.check(self.a.call("PATCH", f"/v1/groups/{self.source}", {"muted_all": True}), 200)
        self.forward([1], 403, "muted", client=self.b, to=f"group:{self.source}")
        self.forward([1], client=self.b, to=f"user:{self.alice}")


if __name__ == "__main__":
    unittest.main()
