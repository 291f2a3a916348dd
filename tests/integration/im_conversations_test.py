"""A user's list of conversations of im, on real servers: order, unread, mentions, read marks, clearing, what a user chooses."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest


def setUpModule():
    ImTest.start_im()


def tearDownModule():
    ImTest.stop_im()


class ConversationTest(ImTest):
    def list(self, client, query=""):
        return self.check(client.get(f"/v1/conversations{query}"), 200)["conversations"]

    def ids(self, client):
        return [one["id"] for one in self.list(client)]

    def one(self, client, conversation):
        return next(one for one in self.list(client) if one["id"] == conversation)

    def unread(self, client, conversation):
        return self.one(client, conversation)["unread"]

    def say(self, client, to, text="hi", **fields):
        self.keys = getattr(self, "keys", 0) + 1
        kind, name = to.split(":")
        message = {"client_msg_id": f"k{self.keys}", "to": {kind: name}, "type": "text", "body": {"text": text}, **fields}
        return self.check(client.post("/v1/messages", message), 200)["seq"]

    def read(self, client, conversation, seq, status=204, *expected):
        self.check(client.call("PUT", f"/v1/conversations/{conversation}/read", {"seq": seq}), status, *expected)

    def clear(self, client, conversation, up_to=None, status=204, *expected):
        query = "" if up_to is None else f"?up_to_seq={up_to}"
        self.check(client.call("DELETE", f"/v1/conversations/{conversation}/messages{query}"), status, *expected)

    def change(self, client, conversation, seq, what, body=None):
        return self.check(client.post(f"/v1/conversations/{conversation}/messages/{seq}/{what}", body), 200)


class Lists(ConversationTest):
    def test_what_was_said_last_is_first_and_the_pinned_ones_before(self):
        gid = self.group(members=[self.bob])
        self.assertEqual(self.ids(self.a), [f"g:{gid}"])  # a group is there from its creation on
        for to in f"user:{self.bob}", f"user:{self.carol}", f"user:{self.alice}", f"group:{gid}":
            self.say(self.a, to)
        carol = f"u:{self.alice}:{self.carol}"
        order = [f"g:{gid}", f"u:{self.alice}:{self.alice}", carol, self.direct()]
        self.assertEqual(self.ids(self.a), order)
        self.check(self.a.call("PATCH", f"/v1/conversations/{carol}", {"pinned": True}), 204)
        self.assertEqual(self.ids(self.a), [carol, *[one for one in order if one != carol]])
        self.say(self.b, f"user:{self.alice}")
        self.assertEqual(self.ids(self.a)[:2], [carol, self.direct()])
        self.assertEqual(self.ids(self.c), [carol])

    def test_an_item_has_all_that_a_list_shows(self):
        self.check(self.b.call("PATCH", "/v1/users/me", {"name": "Bäumle"}), 200)
        self.say(self.a, f"user:{self.bob}", "one")
        self.say(self.b, f"user:{self.alice}", "two")
        mine, theirs = self.one(self.a, self.direct()), self.one(self.b, self.direct())
        last = self.check(self.history(self.a, self.direct()), 200)["messages"][-1]
        self.assertEqual(mine, {"id": self.direct(), "kind": "direct", "title": "Bäumle", "last": last, "last_seq": 2, "read_seq": 1,
                                "unread": 1, "mentioned": False, "pinned": False, "muted": False})
        self.assertNotIn("client_msg_id", mine["last"])
        self.assertIn("client_msg_id", theirs["last"])
        self.assertEqual((theirs["title"], theirs["read_seq"], theirs["unread"]), (self.alice, 2, 0))
        gid = self.group(name="Team")
        group = self.one(self.b, f"g:{gid}")
        self.assertEqual(group, {"id": f"g:{gid}", "kind": "group", "title": "Team", "last_seq": 0, "read_seq": 0, "unread": 0,
                                 "mentioned": False, "pinned": False, "muted": False})

    def test_system_entries_move_a_conversation_and_changes_to_messages_do_not(self):
        gid = self.group()
        seq = self.say(self.a, f"group:{gid}")
        self.say(self.a, f"user:{self.bob}")
        self.change(self.a, f"g:{gid}", seq, "edit", {"body": {"text": "edited"}})
        self.assertEqual(self.ids(self.a), [self.direct(), f"g:{gid}"])
        self.assertEqual((self.one(self.a, f"g:{gid}")["last"]["body"], self.one(self.a, f"g:{gid}")["last"]["edited"]),
                         ({"text": "edited"}, True))
        self.change(self.a, f"g:{gid}", seq, "recall")
        self.assertEqual(self.ids(self.a), [self.direct(), f"g:{gid}"])
        self.assertTrue(self.one(self.a, f"g:{gid}")["last"]["recalled"])
        self.check(self.a.call("PATCH", f"/v1/groups/{gid}", {"name": "New"}), 200)
        self.assertEqual(self.ids(self.a), [f"g:{gid}", self.direct()])
        item = self.one(self.b, f"g:{gid}")
        self.assertEqual((item["title"], item["last"]["type"], item["last_seq"]), ("New", "system", 4))

    def test_groups_that_are_left_or_dissolved_are_in_no_list(self):
        left, gone = self.group(), self.group()
        self.check(self.b.post(f"/v1/groups/{left}/leave"), 204)
        self.check(self.a.call("DELETE", f"/v1/groups/{gone}"), 204)
        self.assertEqual((self.ids(self.a), self.ids(self.b)), ([f"g:{left}"], []))

    def test_a_conversation_in_which_nothing_is_stored_is_none(self):
        self.check(self.a.call("PUT", f"/v1/blocks/{self.bob}"), 204)
        self.check(self.b.send("1", f"user:{self.alice}"), 403, "blocked")
        self.assertEqual((self.ids(self.a), self.ids(self.b)), ([], []))
        for method, rest, body in (("PUT", "/read", {"seq": 0}), ("PATCH", "", {"muted": True}), ("DELETE", "", None),
                                   ("DELETE", "/messages", None)):
            self.check(self.a.call(method, f"/v1/conversations/{self.direct()}{rest}", body), 404, "not_found")

    def test_pages_fit_together_while_messages_come(self):
        others = [f"{self.alice}-{i:02}" for i in range(9)]
        for uid in others:
            self.servers.sql(f"insert into account (uid, name) values ('{uid}', '{uid}')")
            self.say(self.a, f"user:{uid}")
        for uid in others[:2]:
            self.check(self.a.call("PATCH", f"/v1/conversations/u:{self.alice}:{uid}", {"pinned": True}), 204)
        expected = [f"u:{self.alice}:{uid}" for uid in (*others[1::-1], *others[:1:-1])]
        seen, cursor = [], ""
        while cursor is not None:
            page = self.check(self.a.get(f"/v1/conversations?limit=2{cursor and '&cursor=' + cursor}"), 200)
            seen += [one["id"] for one in page["conversations"]]
            cursor = page.get("next_cursor")
            self.say(self.a, f"user:{others[-1]}")  # what was seen moves to the front again
        self.assertEqual(seen, expected)
        for bad in "limit=0", "limit=201", "cursor=YWxpY2U", "cursor=MS4xLjE.", "cursor=Mi4xLjE", "cursor=MS54LjE":
            self.check(self.a.get(f"/v1/conversations?{bad}"), 400, "invalid_argument", bad.split("=")[0])


    def test_of_pages_that_are_read_while_any_conversation_moves_none_repeats_or_loses_one_that_did_not(self):
        others = [f"{self.alice}-{i:02}" for i in range(20)]
        self.servers.sql("insert into account (uid, name) values " + ", ".join(f"('{uid}', 'x')" for uid in others))
        for uid in others:
            self.say(self.a, f"user:{uid}")
        pinned, hidden, moving = others[2:4], others[7], others[1::3]
        for uid in pinned:
            self.check(self.a.call("PATCH", f"/v1/conversations/u:{self.alice}:{uid}", {"pinned": True}), 204)
        self.check(self.a.call("DELETE", f"/v1/conversations/u:{self.alice}:{hidden}"), 204)
        seen, cursor, moves = [], "", iter(moving)
        while cursor is not None:
            page = self.check(self.a.get(f"/v1/conversations?limit=3{cursor and '&cursor=' + cursor}"), 200)
            seen += [one["id"].rsplit(":", 1)[1] for one in page["conversations"]]
            cursor = page.get("next_cursor")
            self.say(self.a, f"user:{next(moves, others[0])}")
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual([uid for uid in seen if uid not in (*moving, others[0])],
                         [*pinned[::-1], *(uid for uid in others[::-1] if uid not in (*pinned, hidden, *moving, others[0]))])
        self.assertEqual({one.rsplit(":", 1)[1] for one in self.ids(self.a)}, set(others) - ({hidden} - set(moving)))


class Unread(ConversationTest):
    def test_messages_of_others_after_the_mark_count(self):
        for _ in range(3):
            self.say(self.a, f"user:{self.bob}")
        self.assertEqual((self.unread(self.a, self.direct()), self.unread(self.b, self.direct())), (0, 3))
        self.read(self.b, self.direct(), 2)
        self.assertEqual((self.unread(self.b, self.direct()), self.one(self.b, self.direct())["read_seq"]), (1, 2))
        self.read(self.b, self.direct(), 1)  # only forward
        self.assertEqual((self.unread(self.b, self.direct()), self.one(self.b, self.direct())["read_seq"]), (1, 2))
        self.say(self.b, f"user:{self.alice}")  # one's own moves one's own mark
        self.assertEqual((self.unread(self.a, self.direct()), self.unread(self.b, self.direct())), (1, 0))

    def test_notes_to_oneself_are_read(self):
        self.say(self.a, f"user:{self.alice}")
        notes = self.one(self.a, f"u:{self.alice}:{self.alice}")
        self.assertEqual((notes["unread"], notes["read_seq"], notes["last_seq"]), (0, 1, 1))
        self.read(self.a, notes["id"], 1)

    def test_recalled_messages_changes_and_system_entries_do_not_count(self):
        gid = self.group()
        conversation = f"g:{gid}"
        seqs = [self.say(self.a, f"group:{gid}") for _ in range(4)]
        self.assertEqual(self.unread(self.b, conversation), 4)
        self.change(self.a, conversation, seqs[1], "edit", {"body": {"text": "x"}})
        self.check(self.a.call("PATCH", f"/v1/groups/{gid}", {"name": "New"}), 200)
        self.assertEqual(self.unread(self.b, conversation), 4)
        self.change(self.a, conversation, seqs[2], "recall")
        self.assertEqual(self.unread(self.b, conversation), 3)
        self.read(self.b, conversation, seqs[1])
        self.assertEqual(self.unread(self.b, conversation), 1)
        self.change(self.a, conversation, seqs[0], "recall")  # it was read
        self.assertEqual(self.unread(self.b, conversation), 1)
        self.change(self.a, conversation, seqs[3], "recall")
        self.assertEqual(self.unread(self.b, conversation), 0)

    def test_it_counts_from_the_join_on_whatever_the_history(self):
        for history in "all", "since_join":
            gid = self.group(history=history)
            self.say(self.a, f"group:{gid}")
            self.check(self.a.post(f"/v1/groups/{gid}/members", {"uids": [self.carol]}), 204)
            self.assertEqual(self.unread(self.c, f"g:{gid}"), 0)
            self.say(self.a, f"group:{gid}")
            self.assertEqual(self.unread(self.c, f"g:{gid}"), 1)
            self.check(self.c.post(f"/v1/groups/{gid}/leave"), 204)
            self.say(self.a, f"group:{gid}")
            self.check(self.a.post(f"/v1/groups/{gid}/members", {"uids": [self.carol]}), 204)
            self.assertEqual(self.unread(self.c, f"g:{gid}"), 0)

    def test_more_than_a_thousand_is_a_thousand(self):
        self.say(self.a, f"user:{self.bob}")
        self.servers.sql("insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, body) select c.no, s, s, 0, s, s, 1,"
                         f" '{self.alice}', '{{}}' from conversation c, generate_series(2, 1500) s where c.id = '{self.direct()}'")
        self.servers.sql(f"update conversation set last_seq = 1500, counted = 1500, moved_seq = 1500 where id = '{self.direct()}'")
        self.assertEqual(self.unread(self.b, self.direct()), 1000)
        self.read(self.b, self.direct(), 501)
        self.assertEqual(self.unread(self.b, self.direct()), 999)

    def test_who_is_mentioned_is_told_until_it_is_read_or_recalled(self):
        gid = self.group(members=[self.bob, self.carol])
        conversation = f"g:{gid}"
        def mentioned():
            return [self.one(client, conversation)["mentioned"] for client in (self.a, self.b, self.c)]
        self.say(self.a, f"group:{gid}")
        self.assertEqual(mentioned(), [False, False, False])
        seq = self.say(self.a, f"group:{gid}", mentions=[self.bob, self.bob])
        self.assertEqual(mentioned(), [False, True, False])
        everyone = self.say(self.a, f"group:{gid}", mentions=["*"])
        self.assertEqual(mentioned(), [False, True, True])
        self.read(self.b, conversation, seq)
        self.assertEqual(mentioned(), [False, True, True])
        self.change(self.a, conversation, everyone, "recall")
        self.assertEqual(mentioned(), [False, False, False])

    def test_a_wrong_mark_is_refused(self):
        self.say(self.a, f"user:{self.bob}")
        self.read(self.b, self.direct(), 2, 400, "invalid_argument", "seq")
        for seq in None, -1, "1", 1.5:
            self.read(self.b, self.direct(), seq, 400, "invalid_argument", "seq")
        self.read(self.c, self.direct(), 1, 403, "not_member")
        self.read(self.c, f"g:{self.group()}", 0, 403, "not_member")
        self.read(self.a, "g:nothing", 0, 404, "not_found")
        self.read(self.a, "nothing", 0, 400, "invalid_argument", "id")


class Clearing(ConversationTest):
    def test_what_is_cleared_is_gone_for_the_caller_alone(self):
        for conversation, to in ((self.direct(), f"user:{self.bob}"), (f"g:{(gid := self.group())}", f"group:{gid}")):
            for text in "one", "two", "three":
                self.say(self.a, to, text)
            self.clear(self.b, conversation, 2)
            self.assertEqual([m["seq"] for m in self.check(self.history(self.b, conversation), 200)["messages"]], [3])
            self.assertEqual(self.check(self.history(self.b, conversation, "?before_seq=3"), 200)["messages"], [])
            self.assertEqual(len(self.check(self.history(self.a, conversation), 200)["messages"]), 3)
            item = self.one(self.b, conversation)
            self.assertEqual((item["unread"], item["last"]["seq"], item["read_seq"]), (1, 3, 0))
            self.clear(self.b, conversation, 1)  # only forward
            self.assertEqual(len(self.check(self.history(self.b, conversation), 200)["messages"]), 1)
            self.clear(self.b, conversation)
            item = self.one(self.b, conversation)
            self.assertEqual((item["unread"], item.get("last"), item["last_seq"]), (0, None, 3))
            self.say(self.a, to, "four")
            item = self.one(self.b, conversation)
            self.assertEqual((item["unread"], item["last"]["body"]["text"]), (1, "four"))
            self.assertEqual(self.one(self.a, conversation)["last"]["body"]["text"], "four")

    def test_a_cleared_message_cannot_be_changed_by_who_has_cleared_it(self):
        gid = self.group()
        seq = self.say(self.b, f"group:{gid}")
        self.clear(self.b, f"g:{gid}", seq)
        for what, body in ("recall", None), ("edit", {"body": {"text": "x"}}):
            self.check(self.b.post(f"/v1/conversations/g:{gid}/messages/{seq}/{what}", body), 404, "not_found")
        self.change(self.a, f"g:{gid}", seq, "recall")

    def test_what_a_member_has_cleared_stays_cleared_when_it_comes_back(self):
        gid = self.group()
        for text in "one", "two", "three":
            self.say(self.a, f"group:{gid}", text)
        self.clear(self.b, f"g:{gid}", 2)
        for leaves in (lambda: self.check(self.b.post(f"/v1/groups/{gid}/leave"), 204),
                       lambda: self.check(self.a.call("DELETE", f"/v1/groups/{gid}/members/{self.bob}"), 204)):
            leaves()
            self.check(self.a.post(f"/v1/groups/{gid}/members", {"uids": [self.bob, self.carol]}), 204)
            self.assertEqual(self.check(self.history(self.b, f"g:{gid}"), 200)["messages"][0]["seq"], 3)
            self.assertEqual(self.check(self.history(self.c, f"g:{gid}"), 200)["messages"][0]["seq"], 1)
        self.clear(self.b, f"g:{gid}", 1)  # only forward
        self.assertEqual(self.check(self.history(self.b, f"g:{gid}"), 200)["messages"][0]["seq"], 3)

    def test_mentions_that_are_cleared_do_not_count(self):
        gid = self.group()
        seq = self.say(self.a, f"group:{gid}", mentions=[self.bob])
        self.clear(self.b, f"g:{gid}", seq)
        self.assertFalse(self.one(self.b, f"g:{gid}")["mentioned"])

    def test_a_wrong_place_is_refused(self):
        self.say(self.a, f"user:{self.bob}")
        self.clear(self.b, self.direct(), 2, 400, "invalid_argument", "up_to_seq")
        for up_to in "-1", "x", "":
            self.clear(self.b, self.direct(), up_to, 400, "invalid_argument", "up_to_seq")
        self.clear(self.c, self.direct(), 1, 403, "not_member")


class Choices(ConversationTest):
    def test_a_user_pins_and_mutes_for_itself(self):
        for conversation, to in ((self.direct(), f"user:{self.bob}"), (f"g:{(gid := self.group())}", f"group:{gid}")):
            self.say(self.a, to)
            for fields in {"pinned": True}, {"muted": True}, {}, {"pinned": None}:
                self.check(self.a.call("PATCH", f"/v1/conversations/{conversation}", fields), 204)
            mine, theirs = self.one(self.a, conversation), self.one(self.b, conversation)
            self.assertEqual((mine["pinned"], mine["muted"], theirs["pinned"], theirs["muted"]), (True, True, False, False))
            self.check(self.a.call("PATCH", f"/v1/conversations/{conversation}", {"pinned": False, "muted": False}), 204)
            mine = self.one(self.a, conversation)
            self.assertEqual((mine["pinned"], mine["muted"]), (False, False))
            for field in "pinned", "muted":
                for value in 1, "yes", []:
                    self.check(self.a.call("PATCH", f"/v1/conversations/{conversation}", {field: value}), 400, "invalid_argument", field)

    def test_a_hidden_conversation_comes_back_with_the_next_message(self):
        for conversation, to in ((self.direct(), f"user:{self.bob}"), (f"g:{(gid := self.group())}", f"group:{gid}")):
            seq = self.say(self.a, to)
            self.check(self.a.call("DELETE", f"/v1/conversations/{conversation}"), 204)
            self.assertNotIn(conversation, self.ids(self.a))
            self.assertIn(conversation, self.ids(self.b))
            self.assertEqual(len(self.check(self.history(self.a, conversation), 200)["messages"]), 1)
            self.change(self.a, conversation, seq, "edit", {"body": {"text": "x"}})
            self.assertNotIn(conversation, self.ids(self.a))
            self.say(self.b, f"user:{self.alice}" if conversation == self.direct() else to)
            self.assertIn(conversation, self.ids(self.a))

    def test_an_empty_group_can_be_hidden(self):
        gid = self.group()
        self.check(self.a.call("DELETE", f"/v1/conversations/g:{gid}"), 204)
        self.assertEqual(self.ids(self.a), [])

    def test_who_has_no_part_in_it_may_not(self):
        gid = self.group()
        self.say(self.a, f"user:{self.bob}")
        for conversation in f"g:{gid}", self.direct():
            self.check(self.c.call("PATCH", f"/v1/conversations/{conversation}", {"pinned": True}), 403, "not_member")
            self.check(self.c.call("DELETE", f"/v1/conversations/{conversation}"), 403, "not_member")


class Pins(ConversationTest):
    def pin(self, client, conversation, seq, status=200, *expected, method="PUT"):
        return self.check(client.call(method, f"/v1/conversations/{conversation}/pins/{seq}"), status, *expected)

    def pinned(self, client, conversation):
        return [m["seq"] for m in self.check(client.get(f"/v1/conversations/{conversation}/pins"), 200)["messages"]]

    def test_both_sides_pin_and_unpin_and_each_change_is_an_entry(self):
        one, two = self.say(self.a, f"user:{self.bob}", "one"), self.say(self.b, f"user:{self.alice}", "two")
        message = self.pin(self.b, self.direct(), one)
        self.assertEqual((message["seq"], message["body"], "client_msg_id" in message), (one, {"text": "one"}, False))
        self.assertEqual(self.pin(self.a, self.direct(), one)["seq"], one)  # it is pinned already
        self.pin(self.a, self.direct(), two)
        self.assertEqual((self.pinned(self.a, self.direct()), self.pinned(self.b, self.direct())), ([two, one], [two, one]))
        self.pin(self.a, self.direct(), one, 204, method="DELETE")
        self.pin(self.a, self.direct(), one, 404, "not_found", method="DELETE")
        self.assertEqual(self.pinned(self.b, self.direct()), [two])
        entries = [(m["from"], m["body"]) for m in self.check(self.history(self.a, self.direct()), 200)["messages"][2:]]
        self.assertEqual(entries, [(uid, {"event": event, "actor": uid, "target_seq": seq}) for uid, event, seq in
                                   ((self.bob, "pinned", one), (self.alice, "pinned", two), (self.alice, "unpinned", one))])

    def test_who_may_not_write_to_the_other_side_neither_pins_nor_unpins(self):
        one, two = self.say(self.a, f"user:{self.bob}", "one"), self.say(self.b, f"user:{self.alice}", "two")
        self.pin(self.a, self.direct(), one)
        self.check(self.b.call("PUT", f"/v1/blocks/{self.alice}"), 204)
        self.check(self.b.call("DELETE", f"/v1/conversations/{self.direct()}"), 204)
        def refused(code):
            self.pin(self.a, self.direct(), two, 403, code)
            self.pin(self.a, self.direct(), one, 403, code, method="DELETE")
        refused("blocked")
        self.assertEqual(self.list(self.b), [])
        self.check(self.b.call("DELETE", f"/v1/blocks/{self.alice}"), 204)
        self.check(self.b.call("PATCH", "/v1/users/me", {"settings": {"messages_from": "friends"}}), 200)
        refused("not_friend")
        self.pin(self.b, self.direct(), two)
        self.assertEqual(self.pinned(self.a, self.direct()), [two, one])

    def test_in_a_group_the_owner_and_admins_pin(self):
        gid = self.group()
        seq = self.say(self.b, f"group:{gid}")
        for method in "PUT", "DELETE":
            self.pin(self.b, f"g:{gid}", seq, 403, "permission_denied", method=method)
            self.pin(self.c, f"g:{gid}", seq, 403, "not_member", method=method)
        self.pin(self.a, f"g:{gid}", seq)
        self.assertEqual(self.pinned(self.b, f"g:{gid}"), [seq])
        self.check(self.c.get(f"/v1/conversations/g:{gid}/pins"), 403, "not_member")

    def test_only_messages_that_are_there_are_pinned(self):
        seq = self.say(self.a, f"user:{self.bob}")
        self.pin(self.a, self.direct(), seq + 1, 404, "not_found")
        self.pin(self.a, self.direct(), 0, 400, "invalid_argument", "seq")
        pinned = self.pin(self.a, self.direct(), seq)["seq"]
        self.pin(self.a, self.direct(), pinned + 1, 409, "failed_precondition")  # the entry itself
        self.change(self.a, self.direct(), seq, "recall")
        message, = self.check(self.b.get(f"/v1/conversations/{self.direct()}/pins"), 200)["messages"]
        self.assertTrue(message["recalled"])
        self.pin(self.a, self.direct(), seq, 204, method="DELETE")
        self.pin(self.a, self.direct(), seq, 409, "failed_precondition")
        other = self.say(self.a, f"user:{self.bob}")
        self.pin(self.b, self.direct(), other)
        self.clear(self.a, self.direct())
        self.assertEqual((self.pinned(self.a, self.direct()), self.pinned(self.b, self.direct())), ([], [other]))

    def test_a_conversation_has_at_most_20(self):
        seqs = [self.say(self.a, f"user:{self.bob}") for _ in range(21)]
        for seq in seqs[:20]:
            self.pin(self.a, self.direct(), seq)
        self.pin(self.a, self.direct(), seqs[20], 409, "failed_precondition")
        self.pin(self.a, self.direct(), seqs[19])
        self.pin(self.b, self.direct(), seqs[0], 204, method="DELETE")
        self.pin(self.a, self.direct(), seqs[20])
        self.assertEqual(self.pinned(self.a, self.direct()), [seqs[20], *seqs[19:0:-1]])


class Readers(ConversationTest):
    def test_the_sender_sees_who_has_read(self):
        gid = self.group(members=[self.bob, self.carol])
        path = f"/v1/conversations/g:{gid}/messages"
        seq, last = self.say(self.a, f"group:{gid}"), self.say(self.a, f"group:{gid}")
        self.assertEqual(self.check(self.a.get(f"{path}/{seq}/readers"), 200), {"readers": [], "read_count": 0, "member_count": 3})
        self.read(self.c, f"g:{gid}", last)
        self.read(self.b, f"g:{gid}", seq)
        both = [{"uid": self.bob, "read_seq": seq}, {"uid": self.carol, "read_seq": last}]
        self.assertEqual(self.check(self.a.get(f"{path}/{seq}/readers"), 200), {"readers": both, "read_count": 2, "member_count": 3})
        first = self.check(self.a.get(f"{path}/{seq}/readers?limit=1"), 200)
        rest = self.check(self.a.get(f"{path}/{seq}/readers?limit=1&cursor={first['next_cursor']}"), 200)
        self.assertEqual((first["readers"] + rest["readers"], rest["read_count"]), (both, 2))
        self.assertEqual(self.check(self.a.get(f"{path}/{last}/readers"), 200)["readers"], both[1:])
        self.check(self.b.get(f"{path}/{seq}/readers"), 403, "permission_denied")
        self.check(self.a.get(f"{path}/{last + 1}/readers"), 404, "not_found")
        self.check(self.im.client(self.alice + "-stranger").get(f"{path}/{seq}/readers"), 403, "not_member")

    def test_a_large_group_and_a_one_to_one_conversation_keep_no_readers(self):
        seq = self.say(self.a, f"user:{self.bob}")
        self.check(self.a.get(f"/v1/conversations/{self.direct()}/messages/{seq}/readers"), 409, "failed_precondition")
        others = [f"{self.alice}-{i}" for i in range(199)]
        self.servers.sql("insert into account (uid, name) values " + ", ".join(f"('{uid}', 'x')" for uid in others))
        gid = self.group(members=[self.bob, *others])
        seq = self.say(self.a, f"group:{gid}")
        for client in self.a, self.b:  # before the look at whose message it is
            self.check(client.get(f"/v1/conversations/g:{gid}/messages/{seq}/readers"), 409, "failed_precondition")
        self.check(self.a.call("DELETE", f"/v1/groups/{gid}/members/{others[0]}"), 204)
        self.assertEqual(self.check(self.a.get(f"/v1/conversations/g:{gid}/messages/{seq}/readers"), 200)["member_count"], 200)


if __name__ == "__main__":
    unittest.main()
