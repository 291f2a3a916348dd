"""Groups of im as a client sees them, on real servers: what a group is, who comes in, and who may send (permissions.py: who may do what)."""
import concurrent.futures
import json
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import Client, await_that

HOUR_MS = 3600 * 1000


def setUpModule():
    ImTest.start_im()


def tearDownModule():
    ImTest.stop_im()


class GroupTest(ImTest):
    def entries(self, gid, client=None):
        """The bodies of the group's `system` entries."""
        page = self.check(self.history(client or self.a, f"g:{gid}"), 200)
        return [message["body"] for message in page["messages"] if message["type"] == "system"]

    def role_of(self, gid, uid, client=None):
        members = self.check((client or self.a).get(f"/v1/groups/{gid}/members"), 200)["members"]
        return next((member["role"] for member in members if member["uid"] == uid), None)

    def patch(self, client, gid, **fields):
        return client.call("PATCH", f"/v1/groups/{gid}", fields)


class Profile(GroupTest):
    def test_a_change_is_seen_by_all_and_is_an_entry_with_what_became_different(self):
        gid = self.group()
        before = self.check(self.b.get(f"/v1/groups/{gid}"), 200)
        self.assertEqual(before, {"group_id": gid, "conversation_id": f"g:{gid}", "name": "Team", "owner": self.alice,
                                  "join": "invite", "history": "all", "member_count": 2, "muted_all": False,
                                  "created_at": before["created_at"]})
        fields = {"name": "Tëam 2", "avatar": "https://example.com/t.png", "announcement": "At \"noon\"\n", "join": "approval",
                  "history": "since_join", "muted_all": True}
        after = self.check(self.patch(self.a, gid, **fields), 200)
        self.assertEqual(after, {**before, **fields})
        self.assertEqual(self.check(self.b.get(f"/v1/groups/{gid}"), 200), after)
        self.assertEqual(self.entries(gid), [{"event": "profile", "actor": self.alice, "changes": fields}])
        self.check(self.patch(self.a, gid, name="Tëam 2", muted_all=False), 200)
        self.assertEqual(self.entries(gid)[1:], [{"event": "profile", "actor": self.alice, "changes": {"muted_all": False}}])

    def test_what_is_absent_or_the_same_makes_no_entry(self):
        gid = self.group()
        for fields in {}, {"name": "Team"}, {"name": None, "join": None, "muted_all": None}, {"avatar": ""}, {"announcement": None}:
            self.check(self.patch(self.a, gid, **fields), 200)
        self.assertEqual(self.entries(gid), [])

    def test_null_or_an_empty_text_removes(self):
        gid = self.group()
        for removal in None, "":
            self.check(self.patch(self.a, gid, avatar="x", announcement="y"), 200)
            bare = self.check(self.patch(self.a, gid, avatar=removal, announcement=removal), 200)
            self.assertEqual({"avatar", "announcement"} & set(bare), set())

    def test_each_wrong_field_is_named_and_nothing_is_changed(self):
        gid = self.group()
        wrong = {"name": ["", 1, "x" * 129, "a\nb"], "avatar": [1, "x" * 2049], "announcement": [[], "x" * 4001, "é" * 4001],
                 "join": [1, "", "all"], "history": [True, "none"], "muted_all": [1, "yes"]}
        for field, values in wrong.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    self.check(self.patch(self.a, gid, **{"name": "other", field: value}), 400, "invalid_argument", field)
        self.assertEqual(self.check(self.a.get(f"/v1/groups/{gid}"), 200)["name"], "Team")
        most = "é" * 4000
        self.assertEqual(self.check(self.patch(self.a, gid, announcement=most), 200)["announcement"], most)


class Owner(GroupTest):
    def test_a_group_is_handed_over_and_its_owner_becomes_an_admin_who_may_leave(self):
        gid = self.group()
        self.check(self.a.post(f"/v1/groups/{gid}/leave"), 409, "failed_precondition")
        self.check(self.a.call("PUT", f"/v1/groups/{gid}/owner", {"uid": self.bob}), 204)
        self.assertEqual((self.role_of(gid, self.alice), self.role_of(gid, self.bob)), ("admin", "owner"))
        self.assertEqual(self.check(self.b.get(f"/v1/groups/{gid}"), 200)["owner"], self.bob)
        self.assertEqual(self.entries(gid), [{"event": "owner", "actor": self.alice, "uid": self.bob}])
        self.check(self.a.post(f"/v1/groups/{gid}/leave"), 204)

    def test_only_a_member_can_become_the_owner(self):
        gid = self.group()
        self.check(self.a.call("PUT", f"/v1/groups/{gid}/owner", {"uid": self.carol}), 404, "not_found", "uid")
        self.check(self.a.call("PUT", f"/v1/groups/{gid}/owner", {"uid": self.alice}), 409, "failed_precondition")
        for bad in {}, {"uid": 1}, {"uid": "a b"}:
            self.check(self.a.call("PUT", f"/v1/groups/{gid}/owner", bad), 400, "invalid_argument", "uid")

    def test_of_two_who_hand_over_to_each_other_one_is_the_owner(self):
        gid = self.group()
        clients = [(self.a, self.bob), (self.b, self.alice)] * 8
        fresh = [(Client(self.im.http, client.bearer), other) for client, other in clients]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda pair: pair[0].call("PUT", f"/v1/groups/{gid}/owner", {"uid": pair[1]}).status, fresh))
        self.assertEqual(set(statuses) - {204, 403}, set())
        self.assertEqual(sorted([self.role_of(gid, self.alice), self.role_of(gid, self.bob)]), ["admin", "owner"])
        owner = self.check(self.a.get(f"/v1/groups/{gid}"), 200)["owner"]
        self.assertEqual(self.role_of(gid, owner), "owner")
        self.assertEqual(len(self.entries(gid)), statuses.count(204))
        for client, _ in fresh:
            client.connection.close()


class Dissolve(GroupTest):
    def test_it_is_an_entry_and_then_the_group_is_no_more(self):
        gid = self.group(join="open")
        self.check(self.b.send("1", f"group:{gid}"), 200)
        self.check(self.a.call("DELETE", f"/v1/groups/{gid}"), 204)
        stored = self.servers.sql("select body from message where type = 40 and no ="
                                  f" (select no from conversation where id = 'g:{gid}')")
        self.assertEqual([json.loads(body) for body, in stored], [{"event": "dissolved", "actor": self.alice}])
        for client in self.a, self.b, self.c:
            for method, path, body in (("GET", "", None), ("GET", "/members", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None),
                                       ("POST", "/join", None), ("POST", "/leave", None), ("GET", "/requests", None),
                                       ("POST", "/members", {"uids": [self.carol]})):
                self.check(client.call(method, f"/v1/groups/{gid}{path}", body), 404, "not_found")
            self.check(client.send("2", f"group:{gid}"), 404, "not_found", "to.group")
            self.check(self.history(client, f"g:{gid}"), 404, "not_found")
        self.assertNotIn(f"g:{gid}", [one["conversation_id"] for one in
                                      self.check(self.a.get("/v1/sync?epoch=none&offset=0"), 200)["conversations"]])

    def test_a_join_that_races_it_is_either_before_or_not_found(self):
        for _ in range(10):
            gid = self.group(join="open")
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                joined = pool.submit(self.c.post, f"/v1/groups/{gid}/join")
                gone = pool.submit(self.a.call, "DELETE", f"/v1/groups/{gid}")
                self.assertEqual(gone.result().status, 204)
                self.assertIn(joined.result().status, (204, 404))


class Joining(GroupTest):
    def test_an_open_group_is_joined_at_once(self):
        gid = self.group(join="open")
        self.check(self.c.post(f"/v1/groups/{gid}/join"), 204)
        self.check(self.c.post(f"/v1/groups/{gid}/join"), 409, "already_exists")
        self.assertEqual(self.entries(gid, self.c), [{"event": "joined", "actor": self.carol}])
        self.assertEqual(self.role_of(gid, self.carol), "member")
        self.check(self.c.send("1", f"group:{gid}"), 200)

    def test_a_request_waits_until_it_is_accepted(self):
        gid = self.group(join="approval")
        answer = self.check(self.c.post(f"/v1/groups/{gid}/join", {"note": "it is me"}), 202)
        self.assertEqual(answer, {"status": "pending"})
        self.check(self.c.post(f"/v1/groups/{gid}/join"), 202)
        self.assertEqual(self.check(self.a.get(f"/v1/groups/{gid}/requests"), 200),
                         {"requests": [{"uid": self.carol, "note": "it is me"}]})
        self.check(self.c.send("1", f"group:{gid}"), 403, "not_member")
        self.check(self.a.post(f"/v1/groups/{gid}/requests/{self.carol}/accept"), 204)
        self.check(self.c.send("1", f"group:{gid}"), 200)
        self.assertEqual(self.entries(gid), [{"event": "added", "actor": self.alice, "uids": [self.carol]}])
        self.check(self.a.post(f"/v1/groups/{gid}/requests/{self.carol}/accept"), 404, "not_found")
        self.assertEqual(self.check(self.a.get(f"/v1/groups/{gid}/requests"), 200), {"requests": []})

    def test_a_request_is_accepted_or_rejected_and_not_both(self):
        rejecting = Client(self.im.http, self.a.bearer)
        for _ in range(12):
            gid = self.group(join="approval")
            self.check(self.c.post(f"/v1/groups/{gid}/join"), 202)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                answers = [pool.submit(client.post, f"/v1/groups/{gid}/requests/{self.carol}/{what}")
                           for client, what in ((self.a, "accept"), (rejecting, "reject"))]
                statuses = [answer.result().status for answer in answers]
            self.assertEqual(sorted(statuses), [204, 404])
            self.assertEqual(self.c.get(f"/v1/groups/{gid}").status, 200 if statuses[0] == 204 else 403)
        rejecting.connection.close()

    def test_a_rejected_user_may_ask_again_and_one_who_was_added_asks_no_more(self):
        gid = self.group(join="approval")
        self.check(self.c.post(f"/v1/groups/{gid}/join"), 202)
        self.check(self.a.post(f"/v1/groups/{gid}/requests/{self.carol}/reject"), 204)
        self.check(self.a.post(f"/v1/groups/{gid}/requests/{self.carol}/reject"), 404, "not_found", "uid")
        self.check(self.c.post(f"/v1/groups/{gid}/join"), 202)
        self.check(self.a.post(f"/v1/groups/{gid}/members", {"uids": [self.carol]}), 204)
        self.assertEqual(self.check(self.a.get(f"/v1/groups/{gid}/requests"), 200), {"requests": []})

    def test_requests_come_in_pages(self):
        gid = self.group(join="approval")
        uids = sorted(f"{self.carol}-{i}" for i in range(5))
        for uid in uids:
            client = self.im.client(uid)
            self.check(client.post(f"/v1/groups/{gid}/join"), 202)
            client.connection.close()
        first = self.check(self.a.get(f"/v1/groups/{gid}/requests?limit=3"), 200)
        rest = self.check(self.a.get(f"/v1/groups/{gid}/requests?limit=3&cursor={first['next_cursor']}"), 200)
        self.assertEqual([one["uid"] for one in first["requests"] + rest["requests"]], uids)
        self.assertNotIn("next_cursor", rest)

    def test_a_member_adds_members_unless_joining_takes_approval(self):
        for join, status in ("invite", 204), ("open", 204), ("approval", 403):
            gid = self.group(join=join)
            self.check(self.b.post(f"/v1/groups/{gid}/members", {"uids": [self.carol]}), status)

    def test_an_invite_only_group_and_a_wrong_note_are_refused(self):
        self.check(self.c.post(f"/v1/groups/{self.group()}/join"), 403, "permission_denied")
        self.check(self.c.post("/v1/groups/nothing/join"), 404, "not_found")
        gid = self.group(join="open")
        for note in 1, "x" * 1025:
            self.check(self.c.post(f"/v1/groups/{gid}/join", {"note": note}), 400, "invalid_argument", "note")

    def test_a_full_group_and_too_many_requests_are_refused(self):
        before = self.im.conf.read_text()
        self.addCleanup(self.configure, before)
        self.configure(before + "limits.group_members = 2\nlimits.group_requests = 1\n")
        await_that(lambda: self.c.post(f"/v1/groups/{self.group(join='open')}/join").status == 409, "the limit holds")
        answer = self.check(self.c.post(f"/v1/groups/{self.group(join='open')}/join"), 409, "failed_precondition")
        self.assertEqual(answer["detail"], "a group has at most 2 members")
        gid = self.check(self.a.post("/v1/groups", {"name": "x", "join": "approval"}), 201)["group_id"]
        for client, status in ((self.b, 202), (self.c, 409), (self.b, 202)):
            self.check(client.post(f"/v1/groups/{gid}/join"), status)
        self.check(self.a.post(f"/v1/groups/{gid}/requests/{self.bob}/accept"), 204)

    def configure(self, text):
        self.im.conf.write_text(text)
        self.im.process.send_signal(1)


class Mutes(GroupTest):
    def mute(self, client, gid, uid, until):
        return client.call("PUT", f"/v1/groups/{gid}/members/{uid}/mute", {"until": until})

    def test_a_mute_of_all_binds_no_admin_and_the_mute_of_an_admin_binds_it(self):
        gid = self.group()
        member = f"/v1/groups/{gid}/members/{self.bob}"
        self.check(self.a.call("PUT", f"{member}/role", {"role": "admin"}), 204)
        self.check(self.patch(self.a, gid, muted_all=True), 200)
        self.check(self.b.send("1", f"group:{gid}"), 200)
        self.check(self.a.call("PUT", f"{member}/mute", {"until": 2 ** 41}), 204)
        self.check(self.b.send("2", f"group:{gid}"), 403, "muted")
        self.check(self.b.send("3", f"group:{gid}", mentions=["*"]), 403, "muted")
        self.check(self.patch(self.b, gid, name="still an admin"), 200)

    def test_a_muted_member_may_not_send_until_the_time_has_come(self):
        gid = self.group()
        sent = self.check(self.b.send("0", f"group:{gid}"), 200)
        until = int(time.time() * 1000) + 2000
        for _ in range(2):  # the second one changes nothing
            self.check(self.mute(self.a, gid, self.bob, until), 204)
        self.check(self.b.send("1", f"group:{gid}"), 403, "muted")
        members = self.check(self.a.get(f"/v1/groups/{gid}/members"), 200)["members"]
        self.assertEqual({one["uid"]: one.get("muted_until") for one in members}, {self.alice: None, self.bob: until})
        self.assertEqual(self.entries(gid), [{"event": "muted", "actor": self.alice, "uid": self.bob, "until": until}])
        path = f"/v1/conversations/g:{gid}/messages/{sent['seq']}"
        self.check(self.b.post(path + "/edit", {"body": {"text": "edited"}}), 200)
        self.check(self.b.post(path + "/recall"), 200)
        self.check(self.history(self.b, f"g:{gid}"), 200)
        self.check(self.b.post(f"/v1/groups/{gid}/members", {"uids": [self.carol]}), 204)
        await_that(lambda: self.b.send("1", f"group:{gid}").status == 200, "the mute is over")
        members = self.check(self.a.get(f"/v1/groups/{gid}/members"), 200)["members"]
        self.assertEqual([one for one in members if "muted_until" in one], [])

    def test_who_leaves_and_comes_back_is_muted_still(self):
        gid = self.group(join="open")
        until = int(time.time() * 1000) + HOUR_MS
        for comes_back in (lambda: self.b.post(f"/v1/groups/{gid}/join"), lambda: self.a.post(f"/v1/groups/{gid}/members", {"uids": [self.bob]})):
            self.check(self.mute(self.a, gid, self.bob, until), 204)
            self.check(self.b.post(f"/v1/groups/{gid}/leave"), 204)
            self.check(comes_back(), 204)
            self.check(self.b.send("1", f"group:{gid}"), 403, "muted")
        self.check(self.mute(self.a, gid, self.bob, 0), 204)
        self.check(self.b.send("1", f"group:{gid}"), 200)

    def test_a_mute_is_ended_by_a_time_that_has_come(self):
        gid = self.group()
        for end in 0, int(time.time() * 1000) - 1000:
            self.check(self.mute(self.a, gid, self.bob, int(time.time() * 1000) + HOUR_MS), 204)
            self.check(self.mute(self.a, gid, self.bob, end), 204)
            self.check(self.b.send(f"{end}", f"group:{gid}"), 200)
        self.assertEqual(self.entries(gid)[-1], {"event": "unmuted", "actor": self.alice, "uid": self.bob})

    def test_a_mute_of_all_leaves_the_owner_and_admins(self):
        gid = self.group(members=[self.bob, self.carol])
        self.check(self.a.call("PUT", f"/v1/groups/{gid}/members/{self.carol}/role", {"role": "admin"}), 204)
        self.check(self.patch(self.c, gid, muted_all=True), 200)
        for client, status in ((self.a, 200), (self.b, 403), (self.c, 200)):
            self.check(client.send("1", f"group:{gid}"), status)
        self.check(self.patch(self.c, gid, muted_all=False), 200)
        self.check(self.b.send("1", f"group:{gid}"), 200)

    def test_each_wrong_time_is_named(self):
        gid = self.group()
        for until in None, -1, "x", 1.5, 2 ** 60:
            self.check(self.mute(self.a, gid, self.bob, until), 400, "invalid_argument", "until")
        self.check(self.mute(self.a, gid, self.carol, 0), 404, "not_found")


if __name__ == "__main__":
    unittest.main()
