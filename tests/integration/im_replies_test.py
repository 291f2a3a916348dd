"""What a message replies to, in history and sync, for a client that asks for it; the inboxes are written here, as push would."""
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import await_that

TEXT_CHARACTERS, BODY_BYTES = 200, 2048


def setUpModule():
    ImTest.start_im()


def tearDownModule():
    ImTest.stop_im()


class Replies(ImTest):
    def say(self, client, to, text="hi", **fields):
        self.keys = getattr(self, "keys", 0) + 1
        return self.check(client.send(f"k{self.keys}", to, text, **fields), 200)

    def answer(self, client, to, seq, **fields):
        """Says something that replies to this seq, and gives the reply as history shows it to the same client."""
        conversation = self.say(client, to, "an answer", reply_to=seq, **fields)["conversation_id"]
        return self.replies(client, conversation)[-1]

    def change(self, client, conversation, seq, what, body=None):
        self.check(client.post(f"/v1/conversations/{conversation}/messages/{seq}/{what}", body), 200)

    def messages(self, client, conversation, query="?replies=true"):
        return self.check(self.history(client, conversation, query), 200)["messages"]

    def replies(self, client, conversation):
        return [message["reply"] for message in self.messages(client, conversation) if "reply" in message]

    def synced(self, client, query="?replies=true"):
        return [one["message"] for one in self.check(client.get("/v1/sync" + query), 200)["messages"]]

    def deliver(self, client, uid, *entries):
        """Appends to the user's inbox."""
        self.check(client.get("/v1/sync"), 200)  # there is an inbox from now on
        port, key = self.servers.redis.split(":")[-1].split("/")[0], f"im:inbox:{{{uid}}}"
        for command in ["rpush", key, *entries], ["hincrby", key + ":meta", "n", str(len(entries))]:
            subprocess.run(["redis-cli", "-p", port, *command], check=True, capture_output=True)

    def test_a_message_comes_with_what_it_replies_to_in_history_and_sync(self):
        first = self.say(self.a, f"user:{self.bob}", "one?", mentions=[self.bob])
        self.say(self.a, f"user:{self.bob}", "two?")
        self.say(self.b, f"user:{self.alice}", "one.", reply_to=1)
        self.say(self.b, f"user:{self.alice}", "one!", reply_to=1)
        self.say(self.b, f"user:{self.alice}", "two.", reply_to=2)
        self.deliver(self.a, self.alice, *(f"{self.direct()} {seq}" for seq in range(1, 6)))
        shown = self.messages(self.a, self.direct())
        one = {"seq": 1, "msg_id": first["msg_id"], "from": self.alice, "type": "text", "body": {"text": "one?"}}
        self.assertEqual([message.get("reply") for message in shown[:4]], [None, None, one, one])
        self.assertEqual((shown[4]["reply"]["seq"], shown[4]["reply"]["body"]), (2, {"text": "two?"}))
        self.assertEqual([message.get("reply_to") for message in shown], [None, None, 1, 1, 2])
        self.assertEqual(self.synced(self.a), shown)
        self.assertEqual(self.messages(self.a, self.direct(), "?after_seq=3&limit=1&replies=true"), shown[3:4])  # 1 is not in the page

    def test_without_the_parameter_nothing_is_added(self):
        self.say(self.a, f"user:{self.bob}", "one?")
        self.say(self.a, f"user:{self.bob}", "one.", reply_to=1)
        self.deliver(self.a, self.alice, f"{self.direct()} 1", f"{self.direct()} 2")
        bare = [{name: value for name, value in message.items() if name != "reply"} for message in self.messages(self.a, self.direct())]
        for query in "", "?replies=false", "?reply=true":
            self.assertEqual(self.messages(self.a, self.direct(), query), bare)
            self.assertEqual(self.synced(self.a, query), bare)

    def test_a_value_that_is_none_is_refused(self):
        for value in "", "1", "yes", "TRUE", "true,false":
            for path in f"/v1/conversations/{self.direct()}/messages", "/v1/sync":
                self.check(self.a.get(f"{path}?replies={value}"), 400, "invalid_argument", "replies")

    def test_a_page_without_messages_or_without_replies_is_answered(self):
        self.assertEqual((self.messages(self.a, self.direct()), self.synced(self.a)), ([], []))
        self.say(self.a, f"user:{self.bob}")
        self.assertEqual(self.messages(self.a, self.direct()), self.messages(self.a, self.direct(), ""))
        reset = self.check(self.a.get("/v1/sync?epoch=unknown&offset=0&replies=true"), 200)
        self.assertEqual((reset["reset"], [one["last_seq"] for one in reset["conversations"]]), (True, [1]))

    def test_what_became_of_it_is_shown(self):
        bob, conversation = f"user:{self.bob}", self.direct()
        for text in "one", "two", "three":
            self.say(self.a, bob, text)
        for seq in 1, 2, 3:
            self.say(self.b, f"user:{self.alice}", "an answer", reply_to=seq)
        self.change(self.a, conversation, 1, "edit", {"body": {"text": "uno"}})
        self.change(self.a, conversation, 2, "edit", {"body": {"text": "dos"}})
        self.change(self.a, conversation, 2, "recall")
        edited, recalled, three = self.replies(self.b, conversation)
        self.assertEqual((edited["body"], edited["edited"], edited.get("recalled")), ({"text": "uno"}, True, None))
        self.assertEqual((recalled["recalled"], recalled["type"], recalled["from"]), (True, "text", self.alice))
        self.assertLessEqual(set(recalled), {"seq", "msg_id", "from", "type", "recalled"})
        self.assertEqual((three["body"], "edited" in three), ({"text": "three"}, False))

    def test_an_expired_one_has_no_body(self):
        long = "x" * (TEXT_CHARACTERS + 1)
        self.say(self.a, f"user:{self.bob}", long, expire_s=1)
        self.say(self.b, f"user:{self.alice}", "an answer", reply_to=1)
        self.deliver(self.b, self.bob, f"{self.direct()} 2")
        await_that(lambda: "expired" in self.replies(self.b, self.direct())[0], "expiry", 5)
        reply, = self.replies(self.b, self.direct())
        self.assertEqual(set(reply), {"seq", "msg_id", "from", "type", "expired"})
        self.assertEqual(self.synced(self.b)[0]["reply"], reply)
        self.servers.sql(f"delete from expiring_body b using conversation c where c.no = b.no and c.id = '{self.direct()}'")
        self.assertEqual(self.replies(self.b, self.direct()), [reply])

    def test_what_the_caller_has_cleared_is_a_seq_for_the_caller_alone(self):
        self.say(self.a, f"user:{self.bob}", "one")
        self.say(self.a, f"user:{self.bob}", "two")
        for seq in 1, 2:
            self.say(self.b, f"user:{self.alice}", "an answer", reply_to=seq)
        self.deliver(self.b, self.bob, f"{self.direct()} 3", f"{self.direct()} 4")
        self.check(self.b.call("DELETE", f"/v1/conversations/{self.direct()}/messages?up_to_seq=1"), 204)
        for shown in self.replies(self.b, self.direct()), [message["reply"] for message in self.synced(self.b)]:
            self.assertEqual((shown[0], shown[1]["body"]), ({"seq": 1}, {"text": "two"}))
        self.assertEqual([reply["body"] for reply in self.replies(self.a, self.direct())], [{"text": "one"}, {"text": "two"}])

    def test_what_was_before_the_caller_joined_is_a_seq_where_members_see_nothing_of_it(self):
        for history, expected in ("since_join", {"seq": 1}), ("all", {"text": "before"}):
            group = self.group(history=history)
            self.say(self.a, f"group:{group}", "before")
            self.check(self.a.post(f"/v1/groups/{group}/members", {"uids": [self.carol]}), 204)
            self.say(self.b, f"group:{group}", "after", reply_to=1)
            reply, = self.replies(self.c, f"g:{group}")
            self.assertEqual(reply.get("body", reply), expected)

    def test_who_is_no_member_any_more_sees_a_seq_in_the_inbox(self):
        group = self.group()
        self.say(self.a, f"group:{group}", "one")
        self.say(self.a, f"group:{group}", "two", reply_to=1)
        self.deliver(self.b, self.bob, f"g:{group} 2")
        self.assertEqual(self.synced(self.b)[0]["reply"]["body"], {"text": "one"})
        self.change(self.a, f"g:{group}", 1, "edit", {"body": {"text": "not for bob"}})
        self.check(self.a.call("DELETE", f"/v1/groups/{group}/members/{self.bob}"), 204)
        self.assertEqual([message["reply"] for message in self.synced(self.b)], [{"seq": 1}])

    def test_what_retention_has_removed_is_a_seq(self):
        for text in "one", "two":
            self.say(self.a, f"user:{self.bob}", text)
        self.say(self.a, f"user:{self.bob}", "three", reply_to=1)
        self.say(self.a, f"user:{self.bob}", "four", reply_to=3)
        self.deliver(self.b, self.bob, f"{self.direct()} 3")
        (removed,), = self.servers.sql("select fn.history_remove(no, last_seq, fn.now_ms() + 1000, 2) from conversation"
                                       f" where id = '{self.direct()}'")
        self.assertEqual(removed, "2")
        self.assertEqual([message["seq"] for message in self.messages(self.b, self.direct())], [3, 4])
        gone, stays = self.replies(self.b, self.direct())
        self.assertEqual((gone, stays["body"]), ({"seq": 1}, {"text": "three"}))
        self.assertEqual(self.synced(self.b)[0]["reply"], {"seq": 1})

    def test_a_text_is_cut_after_characters_and_only_the_text_is_shown(self):
        whole = "é👍\"\\\n\x01"
        for text, cut in ((whole, whole), (whole + "ü" * (TEXT_CHARACTERS - len(whole)), None),
                          (whole + "👍" * (TEXT_CHARACTERS + 1 - len(whole)), whole + "👍" * (TEXT_CHARACTERS - len(whole))),
                          ("\x1f" * 10000, "\x1f" * TEXT_CHARACTERS)):
            seq = self.say(self.a, f"user:{self.bob}", body={"text": text, "other": "x" * BODY_BYTES})["seq"]
            reply = self.answer(self.b, f"user:{self.alice}", seq)
            self.assertEqual((reply["body"], reply.get("shortened", False)), ({"text": cut or text}, len(text) > TEXT_CHARACTERS))

    def test_a_long_body_of_another_type_is_left_out(self):
        def custom(size):
            return {"x": "x" * (size - len('{"x":""}'))}
        image = {"url": "https://x.y/é", "name": "a cat", "width": 5.0, "other": [None, True]}
        for type_, body, is_whole in (("image", image, True), ("location", {"latitude": -1.5, "longitude": 180}, True), ("custom", {}, True),
                                      ("custom", custom(BODY_BYTES), True), ("custom", custom(BODY_BYTES + 1), False),
                                      ("custom", {"text": "x" * 3000}, False)):
            seq = self.say(self.a, f"user:{self.bob}", type=type_, body=body)["seq"]
            reply = self.answer(self.b, f"user:{self.alice}", seq)
            self.assertEqual((reply["type"], reply.get("body"), reply.get("shortened", False)),
                             (type_, body if is_whole else None, not is_whole))

    def test_changes_and_system_entries_can_be_replied_to(self):
        group = f"g:{self.group()}"
        self.say(self.a, f"group:{group[2:]}", "one")
        self.change(self.a, group, 1, "edit", {"body": {"text": "uno"}})
        self.change(self.a, group, 1, "reactions", {"emoji": "x"})
        self.check(self.a.call("PUT", f"/v1/conversations/{group}/pins/1"), 200)
        edit, reaction, pin = (self.answer(self.b, f"group:{group[2:]}", seq) for seq in (2, 3, 4))
        self.assertEqual([(reply["type"], reply.get("body")) for reply in (edit, reaction, pin)], [
            ("edit", {"text": "uno"}), ("reaction", None), ("system", {"event": "pinned", "actor": self.alice, "target_seq": 1})])

    def test_replies_of_several_conversations_stay_with_their_messages(self):
        group = self.group()
        for to in f"user:{self.bob}", f"user:{self.carol}", f"group:{group}":
            for i in range(1, 4):
                self.say(self.a, to, f"{to} {i}")
        mine = [self.say(self.a, to, f"to {to} {seq}", reply_to=seq)
                for to, seq in ((f"user:{self.carol}", 3), (f"group:{group}", 1), (f"user:{self.bob}", 3), (f"user:{self.carol}", 3),
                                (f"group:{group}", 3), (f"user:{self.bob}", 1))]
        self.deliver(self.a, self.alice, *(f"{sent['conversation_id']} {sent['seq']}" for sent in mine))
        for message in self.synced(self.a):
            self.assertEqual("to " + message["reply"]["body"]["text"], message["body"]["text"])

    def test_the_longest_page_has_all_its_replies(self):
        self.say(self.a, f"user:{self.bob}", type="custom", body={"x": "y" * 2000})
        draft = {"to": {"user": self.bob}, "type": "text", "body": {"text": "x"}}
        for start in 0, 100:
            messages = [{**draft, "client_msg_id": f"r{start + i}", "reply_to": max(start + 1 - i % 90, 1)} for i in range(100)]
            results = self.check(self.a.post("/v1/messages/batch", {"messages": messages}), 200)["results"]
            self.assertNotIn("error", [*results[0], *results[99]])
        shown = self.messages(self.b, self.direct(), "?limit=200&replies=true")
        self.assertEqual(len(shown), 200)
        self.assertEqual([message["reply"]["seq"] for message in shown], [message["reply_to"] for message in shown])
        self.deliver(self.b, self.bob, *(f"{self.direct()} {1 + i % 201}" for i in range(500)))
        entries = self.synced(self.b, "?limit=500&replies=true")
        self.assertEqual([message.get("reply", {}).get("seq") for message in entries], [message.get("reply_to") for message in entries])
        self.assertEqual(len(entries), 500)


if __name__ == "__main__":
    unittest.main()
