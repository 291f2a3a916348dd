"""Profiles, settings, friends and blocks of im as a client sees them, on real servers: good requests, and every field wrong."""
import concurrent.futures
import itertools
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


class Profiles(ImTest):
    def test_a_user_changes_what_it_shows_and_everybody_sees_it(self):
        self.assertEqual(set(self.check(self.b.get(f"/v1/users/{self.alice}"), 200)), {"uid", "name", "created_at"})
        change = {"name": "Älice", "avatar": "https://example.com/a.png", "attributes": {"city": "Zürich", "b": [1, {"c": None}]}}
        mine = self.check(self.a.call("PATCH", "/v1/users/me", change), 200)
        self.assertEqual(mine["settings"], {"messages_from": "everyone", "presence": "everyone"})
        seen = self.check(self.b.get(f"/v1/users/{self.alice}"), 200)
        self.assertEqual(seen, {"uid": self.alice, "created_at": mine["created_at"], **change})
        self.assertEqual(self.check(self.a.get("/v1/users/me"), 200), mine)
        self.assertEqual(self.check(self.a.get(f"/v1/users/{self.alice}"), 200), mine)

    def test_what_is_absent_stays_and_null_removes(self):
        full = {"name": "A", "avatar": "x", "attributes": {"a": 1}, "settings": {"messages_from": "friends", "presence": "nobody"}}
        before = self.check(self.a.call("PATCH", "/v1/users/me", full), 200)
        self.assertEqual(self.check(self.a.call("PATCH", "/v1/users/me", {"settings": {}}), 200), before)
        self.assertEqual(self.check(self.a.call("PATCH", "/v1/users/me", {"name": None}), 200), before)
        after = self.check(self.a.call("PATCH", "/v1/users/me", {"attributes": {"b": 2}, "settings": {"presence": "friends"}}), 200)
        self.assertEqual(after, {**before, "attributes": {"b": 2}, "settings": {"messages_from": "friends", "presence": "friends"}})
        bare = self.check(self.a.call("PATCH", "/v1/users/me", {"attributes": None, "avatar": None}), 200)
        self.assertEqual(set(after) - set(bare), {"attributes", "avatar"})
        self.assertEqual(self.check(self.a.call("PATCH", "/v1/users/me", {"avatar": "y"}), 200)["avatar"], "y")
        self.assertNotIn("avatar", self.check(self.a.call("PATCH", "/v1/users/me", {"avatar": ""}), 200))

    def test_each_wrong_field_is_named_and_nothing_is_changed(self):
        wrong = {
            "name": ["", 1, "x" * 129, "a\nb"], "avatar": [1, {}, "x" * 2049],
            "attributes": [1, "x", [], {"a": "x" * 4089}, {"a": "é" * 2045}], "settings": [1, [], "friends"],
        }
        for field, values in wrong.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    self.check(self.a.call("PATCH", "/v1/users/me", {"name": "other", field: value}), 400, "invalid_argument", field)
        for field, values in {"messages_from": ["nobody", "", 1], "presence": ["none", True]}.items():
            for value in values:
                answer = self.a.call("PATCH", "/v1/users/me", {"name": "other", "settings": {field: value}})
                self.check(answer, 400, "invalid_argument", f"settings.{field}")
        self.assertEqual(self.check(self.a.get("/v1/users/me"), 200)["name"], self.alice)
        most = {"a": "x" * 4088}
        self.assertEqual(self.check(self.a.call("PATCH", "/v1/users/me", {"attributes": most}), 200)["attributes"], most)

    def test_nobody_is_not_found(self):
        self.check(self.a.get(f"/v1/users/{self.alice}-nobody"), 404, "not_found", "uid")


class Friends(ImTest):
    def ask(self, who, to, **fields):
        return who.post("/v1/friends/requests", {"to": to, **fields})

    def befriend(self):
        number = self.check(self.ask(self.a, self.bob), 201)["request_id"]
        return self.check(self.b.post(f"/v1/friends/requests/{number}/accept"), 200)

    def friends(self, client):
        return [friend["uid"] for friend in self.check(client.get("/v1/friends"), 200)["friends"]]

    def test_a_request_is_seen_by_both_and_accepted_by_the_recipient(self):
        made = self.check(self.ask(self.a, self.bob, note="it is me"), 201)
        self.assertEqual(made, {**made, "from": self.alice, "to": self.bob, "note": "it is me", "status": "pending"})
        for client in self.a, self.b:
            self.assertEqual(self.check(client.get("/v1/friends/requests"), 200), {"requests": [made]})
        self.assertEqual(self.check(self.c.get("/v1/friends/requests"), 200), {"requests": []})
        path = f"/v1/friends/requests/{made['request_id']}"
        self.check(self.a.post(path + "/accept"), 403, "permission_denied")
        self.check(self.c.post(path + "/accept"), 404, "not_found")
        self.assertEqual(self.friends(self.a) + self.friends(self.b), [])
        accepted = {**made, "status": "accepted"}
        for _ in range(2):  # the second one changes nothing
            self.assertEqual(self.check(self.b.post(path + "/accept"), 200), accepted)
        self.check(self.b.post(path + "/reject"), 409, "failed_precondition")
        self.assertEqual((self.friends(self.a), self.friends(self.b)), ([self.bob], [self.alice]))
        self.assertEqual(self.check(self.a.get("/v1/friends/requests"), 200), {"requests": [accepted]})
        self.check(self.ask(self.a, self.bob), 409, "already_exists", "to")
        self.check(self.ask(self.b, self.alice), 409, "already_exists", "to")

    def test_a_request_that_waits_is_answered_again_and_a_rejected_one_may_be_repeated(self):
        first = self.check(self.ask(self.a, self.bob, note="one"), 201)
        self.assertEqual(self.check(self.ask(self.a, self.bob, note="two"), 200), first)
        self.check(self.b.post(f"/v1/friends/requests/{first['request_id']}/reject"), 200)
        self.check(self.b.post(f"/v1/friends/requests/{first['request_id']}/accept"), 409, "failed_precondition")
        self.assertEqual(self.friends(self.a), [])
        second = self.check(self.ask(self.a, self.bob, note="two"), 201)
        self.assertNotEqual(second["request_id"], first["request_id"])
        self.assertEqual(self.check(self.b.get("/v1/friends/requests"), 200), {"requests": [second]})

    def test_requests_in_both_directions_are_accepted_together(self):
        mine = self.check(self.ask(self.a, self.bob), 201)
        self.check(self.ask(self.b, self.alice), 201)
        self.check(self.b.post(f"/v1/friends/requests/{mine['request_id']}/accept"), 200)
        statuses = {one["status"] for one in self.check(self.a.get("/v1/friends/requests"), 200)["requests"]}
        self.assertEqual(statuses, {"accepted"})

    def test_a_friendship_ends_for_both(self):
        self.befriend()
        self.check(self.a.call("DELETE", f"/v1/friends/{self.bob}"), 204)
        self.assertEqual(self.friends(self.a) + self.friends(self.b), [])
        for client, other in (self.a, self.bob), (self.b, self.alice):
            self.check(client.call("DELETE", f"/v1/friends/{other}"), 404, "not_found", "uid")
        self.befriend()

    def test_a_remark_is_the_callers_alone(self):
        self.befriend()
        path = f"/v1/friends/{self.bob}"
        self.assertEqual(self.check(self.a.call("PATCH", path, {"remark": "Bäumle"}), 200)["remark"], "Bäumle")
        self.assertEqual(self.check(self.a.get("/v1/friends"), 200)["friends"][0]["remark"], "Bäumle")
        self.assertNotIn("remark", self.check(self.b.get("/v1/friends"), 200)["friends"][0])
        for bad in {}, {"remark": None}, {"remark": 1}, {"remark": "x" * 129}, {"remark": "a\tb"}:
            self.check(self.a.call("PATCH", path, bad), 400, "invalid_argument", "remark")
        self.check(self.a.call("PATCH", path, {"remark": "é" * 128}), 200)
        self.assertNotIn("remark", self.check(self.a.call("PATCH", path, {"remark": ""}), 200))
        self.check(self.a.call("PATCH", f"/v1/friends/{self.carol}", {"remark": "x"}), 404, "not_found", "uid")

    def test_each_wrong_request_is_named(self):
        for bad in {}, {"to": 1}, {"to": "a b"}, {"to": self.alice}:
            self.check(self.a.post("/v1/friends/requests", bad), 400, "invalid_argument", "to")
        self.check(self.ask(self.a, self.alice + "-nobody"), 404, "not_found", "to")
        for note in 1, "x" * 1025:
            self.check(self.ask(self.a, self.bob, note=note), 400, "invalid_argument", "note")
        for number in "0", "x", "-1", "99999999999999999999":
            self.check(self.a.post(f"/v1/friends/requests/{number}/accept"), 400, "invalid_argument", "id")
        self.check(self.a.post("/v1/friends/requests/999999999/reject"), 404, "not_found", "id")

    def test_lists_come_in_pages(self):
        others = sorted(f"{self.alice}-{i:02}" for i in range(7))
        for uid in others:
            client = self.im.client(uid)
            number = self.check(self.ask(client, self.alice), 201)["request_id"]
            self.check(self.a.post(f"/v1/friends/requests/{number}/accept"), 200)
            self.check(self.a.call("PUT", f"/v1/blocks/{uid}"), 204)
            client.connection.close()
        for path, noun, expected in (("/v1/friends", "friends", others), ("/v1/blocks", "blocks", others),
                                     ("/v1/friends/requests", "requests", others[::-1])):
            seen, cursor = [], ""
            while cursor is not None:
                page = self.check(self.a.get(f"{path}?limit=3{cursor and '&cursor=' + cursor}"), 200)
                self.assertLessEqual(len(page[noun]), 3)
                seen += [item.get("uid") or item["from"] for item in page[noun]]
                cursor = page.get("next_cursor")
            self.assertEqual(seen, expected)
            for bad in "limit=0", "limit=201", "cursor=!", "cursor=AA":
                self.check(self.a.get(f"{path}?{bad}"), 400, "invalid_argument", bad.split("=")[0])
        self.check(self.a.get("/v1/friends/requests?cursor=YWxpY2U"), 400, "invalid_argument", "cursor")  # alice is no number

    def test_many_who_ask_and_accept_at_once_become_friends_once(self):
        number = self.check(self.ask(self.a, self.bob), 201)["request_id"]
        clients = [self.im.client(self.bob) for _ in range(4)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda client: client.post(f"/v1/friends/requests/{number}/accept").status, clients))
            asked = list(pool.map(lambda client: self.ask(client, self.carol).status, clients))
        self.assertEqual(answers, [200] * 4)
        self.assertEqual(sorted(asked), [200, 200, 200, 201])
        self.assertEqual(self.servers.sql(f"select count(*) from friendship where uid = '{self.bob}'")[0][0], "1")
        for client in clients:
            client.connection.close()


class Limits(ImTest):
    """Each limit is configured, and takes effect on SIGHUP."""

    def configured(self, **options):
        before = self.im.conf.read_text()
        self.addCleanup(self.reload, before)
        self.reload(before + "".join(f"{name.replace('__', '.')} = {value}\n" for name, value in options.items()))

    def reload(self, text):
        self.im.conf.write_text(text)
        self.im.process.send_signal(1)

    def test_requests_that_wait_friends_and_blocks_are_limited(self):
        self.configured(limits__friend_requests=1, limits__friends=1, limits__blocks=1)
        await_that(lambda: self.a.post("/v1/friends/requests", {"to": self.bob}).status in (200, 201) and
                   self.a.post("/v1/friends/requests", {"to": self.carol}).status == 409, "the limit of requests holds")
        number = self.check(self.a.post("/v1/friends/requests", {"to": self.bob}), 200)["request_id"]
        self.check(self.b.post(f"/v1/friends/requests/{number}/accept"), 200)
        number = self.check(self.a.post("/v1/friends/requests", {"to": self.carol}), 201)["request_id"]
        answer = self.c.post(f"/v1/friends/requests/{number}/accept")
        self.assertEqual(self.check(answer, 409, "failed_precondition")["detail"], "a user has at most 1 friends")
        for _ in range(2):
            self.check(self.a.call("PUT", f"/v1/blocks/{self.bob}"), 204)
        self.check(self.a.call("PUT", f"/v1/blocks/{self.carol}"), 409, "failed_precondition")

    def test_who_may_write_to_users_that_have_not_chosen(self):
        self.configured(contacts__messages_from="friends")
        keys = map(str, itertools.count(2))
        await_that(lambda: self.a.send(next(keys), f"user:{self.bob}").status == 403, "strangers are refused")
        self.check(self.a.send("1", f"user:{self.bob}"), 403, "not_friend", "to.user")
        self.assertEqual(self.check(self.b.get("/v1/users/me"), 200)["settings"]["messages_from"], "friends")
        self.check(self.b.call("PATCH", "/v1/users/me", {"settings": {"messages_from": "everyone"}}), 200)
        self.check(self.a.send("1", f"user:{self.bob}"), 200)
        self.check(self.a.send("1", f"user:{self.alice}"), 200)  # notes to oneself


class Blocks(ImTest):
    def test_a_block_holds_from_the_next_message_on_and_ends(self):
        self.check(self.b.send("1", f"user:{self.alice}"), 200)
        for _ in range(2):
            self.check(self.a.call("PUT", f"/v1/blocks/{self.bob}"), 204)
        self.check(self.b.send("2", f"user:{self.alice}"), 403, "blocked", "to.user")
        self.check(self.b.post("/v1/friends/requests", {"to": self.alice}), 403, "blocked", "to")
        self.check(self.c.send("1", f"user:{self.alice}"), 200)
        self.check(self.a.send("2", f"user:{self.bob}"), 200)  # the other way nothing changes
        self.check(self.a.call("DELETE", f"/v1/blocks/{self.bob}"), 204)
        self.check(self.b.send("2", f"user:{self.alice}"), 200)  # the refusal did not use the key up
        self.check(self.a.call("DELETE", f"/v1/blocks/{self.bob}"), 404, "not_found", "uid")
        self.assertEqual(self.servers.sql(f"select has_blocks from account where uid = '{self.alice}'")[0][0], "f")

    def test_in_groups_a_block_does_nothing(self):
        self.check(self.a.call("PUT", f"/v1/blocks/{self.bob}"), 204)
        self.check(self.b.send("1", f"group:{self.group()}"), 200)

    def test_a_repeat_of_what_was_stored_before_the_block_gets_its_first_answer(self):
        first = self.check(self.b.send("1", f"user:{self.alice}"), 200)
        self.check(self.a.call("PUT", f"/v1/blocks/{self.bob}"), 204)
        self.assertEqual(self.check(self.b.send("1", f"user:{self.alice}"), 200), {**first, "duplicate": True})
        self.check(self.b.send("1", f"user:{self.alice}", text="another"), 403, "blocked")

    def test_in_a_batch_only_the_blocked_message_is_refused(self):
        self.check(self.a.call("PUT", f"/v1/blocks/{self.bob}"), 204)
        drafts = [{"client_msg_id": f"m{i}", "to": {"user": uid}, "type": "text", "body": {"text": "x"}}
                  for i, uid in enumerate((self.alice, self.carol, self.bob))]
        results = self.check(self.b.post("/v1/messages/batch", {"messages": drafts}), 200)["results"]
        self.assertEqual([one.get("error", {}).get("code") for one in results], ["blocked", None, None])

    def test_a_wrong_one_is_named(self):
        self.check(self.a.call("PUT", f"/v1/blocks/{self.alice}"), 400, "invalid_argument", "uid")
        self.check(self.a.call("PUT", f"/v1/blocks/{self.alice}-nobody"), 404, "not_found", "uid")

    def test_only_friends_may_write_to_who_wants_it_so(self):
        self.check(self.a.call("PATCH", "/v1/users/me", {"settings": {"messages_from": "friends"}}), 200)
        self.check(self.b.send("1", f"user:{self.alice}"), 403, "not_friend", "to.user")
        number = self.check(self.b.post("/v1/friends/requests", {"to": self.alice}), 201)["request_id"]
        self.check(self.a.post(f"/v1/friends/requests/{number}/accept"), 200)
        self.check(self.b.send("1", f"user:{self.alice}"), 200)
        self.check(self.a.call("PUT", f"/v1/blocks/{self.bob}"), 204)  # a friend who is blocked is blocked
        self.check(self.b.send("2", f"user:{self.alice}"), 403, "blocked", "to.user")
        self.check(self.a.call("DELETE", f"/v1/blocks/{self.bob}"), 204)
        self.check(self.b.call("DELETE", f"/v1/friends/{self.alice}"), 204)
        self.check(self.b.send("2", f"user:{self.alice}"), 403, "not_friend", "to.user")


if __name__ == "__main__":
    unittest.main()
