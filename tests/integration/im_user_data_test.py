"""The export of a user's data and its deletion, on real servers: everything that stands about a user, in whatever table."""
import json
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import Im, await_that

# Every column that may hold a uid: where it is exported, or why it is not. Who adds such a column decides here.
COLUMNS = {
    "account.uid": "profile", "login_address.uid": "login", "change_feed.uid": "token",
    "login_address.address": "login",
    "friendship.uid": "friend", "friendship.friend": "the row of the other side has it as `uid`",
    "friend_request.sender": "friend_request", "friend_request.recipient": "friend_request",
    "block.uid": "block", "block.blocked": "who was blocked is not told",
    "group_request.uid": "group_request", "group_creation.creator": "group_creation",
    "group_creation.client_group_id": "group_creation", "group_creation.gid": "group_creation",
    "direct_member.uid": "membership", "direct_rest.uid": "the row of direct_member has it", "group_member.uid": "membership", "chat_group.owner": "membership",
    "member_change.uid": "membership_change",
    "message.sender": "message", "message.mentions": "message", "message.client_msg_id": "message", "mention.uid": "message",
    "reaction.uid": "message", "reaction.emoji": "message", "reaction_count.emoji": "no uid",
    "conversation.id": "membership",
    "change_feed.kind": "no uid",
    "audit.actor": "what an admin did is the operator's record", "audit.action": "no uid", "audit.target": "whom an admin did it to",
    "job.created_by": "what an admin did is the operator's record", "job.uids": "whom an admin wrote to", "job.params": "an admin's order",
    "job.cursor": "how far a job is",
}


SETTLED = {"send__timeout": "1s", "presence__offline_delay": "0"}  # a deletion waits for 3 s and 5 s longer


def setUpModule():
    ImTest.start_im(**SETTLED)


def tearDownModule():
    ImTest.stop_im()


class UserDataTest(ImTest):
    def setUp(self):
        super().setUp()
        self.admin = self.im.client("root", scope="admin")

    def tearDown(self):
        self.admin.connection.close()
        super().tearDown()

    def do(self, client, method, path, body=None, status=200):
        return self.check(client.call(method, path, body), status)

    def ended(self, number):
        return await_that(lambda: (job := self.do(self.admin, "GET", f"/v1/admin/jobs/{number}")).get("ended_at") and job, f"the end of job {number}")

    def output(self, number, limit=50):
        items, query = [], f"limit={limit}"
        while query:
            page = self.do(self.admin, "GET", f"/v1/admin/jobs/{number}/output?{query}")
            items += page["items"]
            query = f"limit={limit}&cursor={page['next_cursor']}" if "next_cursor" in page else None
        return items

    def export(self, uid, limit=50):
        number = self.do(self.admin, "POST", f"/v1/admin/users/{uid}/export", status=202)["job_id"]
        job = self.ended(number)
        items = self.output(number, limit)
        self.assertEqual((job["state"], job["done"], job["total"]), ("done", len(items), len(items)))
        return items

    def group_of(self, owner, *members, **fields):
        return self.do(owner, "POST", "/v1/groups", {"name": "Team", "members": list(members), "client_group_id": "k", **fields}, 201)["group_id"]

    def live(self):
        """Alice does everything that leaves a trace."""
        a, b, c = self.a, self.b, self.c
        self.do(a, "PATCH", "/v1/users/me", {"name": "Alice A.", "avatar": "https://x/y", "attributes": {"n": [1, {"x": None}]},
                                             "settings": {"presence": "nobody"}})
        self.servers.sql(f"select fn.login_remember('{self.alice}', '10.1.2.3')")
        number = self.do(a, "POST", "/v1/friends/requests", {"to": self.bob, "note": "n1"}, 201)["request_id"]
        self.do(b, "POST", f"/v1/friends/requests/{number}/accept")
        self.do(a, "PATCH", f"/v1/friends/{self.bob}", {"remark": "Bobby"})
        self.do(c, "POST", "/v1/friends/requests", {"to": self.alice, "note": "n2"}, 201)
        self.do(a, "PUT", f"/v1/blocks/{self.carol}", status=204)
        self.do(c, "PUT", f"/v1/blocks/{self.alice}", status=204)
        self.own = self.group_of(a, self.bob, self.carol)
        self.joined = self.group_of(b, self.alice, self.carol)
        self.left = self.group_of(c, self.alice, self.bob)
        self.door = self.group_of(b, client_group_id="d", join="approval")
        self.do(a, "POST", f"/v1/groups/{self.door}/join", {"note": "let me in"}, 202)
        seqs = [self.check(a.send(f"k{n}", f"user:{self.bob}", f"direct {n}"), 200)["seq"] for n in range(3)]
        self.do(a, "POST", f"/v1/conversations/{self.direct()}/messages/{seqs[0]}/edit", {"body": {"text": "direct edited"}})
        self.do(a, "POST", f"/v1/conversations/{self.direct()}/messages/{seqs[1]}/recall")
        self.do(b, "PUT", f"/v1/conversations/{self.direct()}/pins/{seqs[2]}")
        self.do(a, "POST", f"/v1/conversations/{self.direct()}/messages/{seqs[2]}/reactions", {"emoji": '"👍}'})
        seq = self.check(b.send("k1", f"user:{self.alice}", "from bob"), 200)["seq"]
        for client, emoji in (a, "👍"), (b, "👍"), (a, "🎉"):
            self.do(client, "POST", f"/v1/conversations/{self.direct()}/messages/{seq}/reactions", {"emoji": emoji})
        self.check(a.send("k9", f"user:{self.bob}", "fleeting", expire_s=3600), 200)
        self.check(a.send("k1", f"group:{self.own}", "own group"), 200)
        self.check(a.send("k1", f"group:{self.left}", "left group"), 200)
        self.check(b.send("k2", f"group:{self.joined}", "for alice", mentions=[self.alice, self.carol]), 200)
        self.do(a, "POST", f"/v1/groups/{self.left}/leave", status=204)
        self.do(b, "PUT", f"/v1/groups/{self.joined}/members/{self.alice}/role", {"role": "admin"}, 204)
        self.do(a, "PATCH", f"/v1/conversations/{self.direct()}", {"pinned": True}, 204)
        self.servers.sql(f"select fn.direct_rests_begin('{self.alice}', 0, 10, -1000)")
        self.do(a, "POST", "/v1/auth/logout", status=204)
        self.a = self.im.client(self.alice, jti="again")


class Columns(unittest.TestCase):
    def test_every_column_that_may_name_a_user_is_exported_or_named_as_an_exception(self):
        columns = {f"{table}.{column}" for table, column in ImTest.servers.sql(
            "select c.table_name, c.column_name from information_schema.columns c join information_schema.tables t using (table_schema, "
            "table_name) where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.table_name not like 'schema_%' "
            "and (c.collation_name = 'C' or c.data_type = 'ARRAY')")}
        self.assertEqual(columns, set(COLUMNS), "a column of ids is not in the list, or one of the list is gone")
        named = {f"{table}.{column}" for table, column in ImTest.servers.sql(
            "select table_name, column_name from information_schema.columns where table_schema = 'public' and table_name in (select table_name "
            "from information_schema.tables where table_type = 'BASE TABLE') and column_name in ('uid', 'sender', 'recipient', 'owner', 'actor', "
            "'creator', 'created_by', 'member', 'target_uid') and table_name <> 'node_lease'")} - {"job.owner"}
        self.assertLessEqual(named, set(COLUMNS), "a column of uids has no collation \"C\"")


class Exports(UserDataTest):
    def test_everything_that_a_user_left_is_exported(self):
        self.live()
        items = self.export(self.alice)
        self.assertEqual(items, self.export(self.alice, limit=3))
        kinds = {kind for kind in COLUMNS.values() if " " not in kind}
        self.assertEqual({item["kind"] for item in items}, kinds)

        def of(kind):
            return [item["value"] for item in items if item["kind"] == kind]
        [profile] = of("profile")
        self.assertEqual((profile["name"], profile["attributes"], profile["settings"], profile["has_password"]),
                         ("Alice A.", {"n": [1, {"x": None}]}, {"presence": "nobody"}, False))
        self.assertEqual([login["address"] for login in of("login")], ["10.1.2.3"])
        self.assertEqual([(friend["uid"], friend["remark"]) for friend in of("friend")], [(self.bob, "Bobby")])
        self.assertEqual([(request["from"], request["note"], request["status"]) for request in of("friend_request")],
                         [(self.alice, "n1", "accepted"), (self.carol, "n2", "pending")])
        self.assertEqual([block["uid"] for block in of("block")], [self.carol])
        self.assertEqual([request["note"] for request in of("group_request")], ["let me in"])
        roles = {member["conversation_id"]: member.get("role") for member in of("membership")}
        self.assertEqual(roles, {self.direct(): None, f"g:{self.own}": "owner", f"g:{self.joined}": "admin"})
        self.assertEqual([(change["conversation_id"], change["joined"]) for change in of("membership_change")], [(f"g:{self.left}", False)])
        texts = [message["body"]["text"] for message in of("message") if message["type"] in ("text", "edit") and "expires_at" not in message]
        self.assertEqual(sorted(texts), sorted(["direct 0", "direct 1", "direct 2", "direct edited", "own group", "left group", "for alice"]))
        self.assertEqual({message["from"] for message in of("message")}, {self.alice, self.bob})  # bob's mentions alice
        self.assertIn("recall", [message["type"] for message in of("message")])
        self.assertEqual([(message["target_seq"], message["op"], message["emoji"], "body" in message) for message in of("message")
                          if message["type"] == "reaction"], [(3, "add", '"👍}', False), (8, "add", "👍", False), (8, "add", "🎉", False)])
        self.assertNotIn("from bob", json.dumps(items))

    def test_who_is_nobody_has_no_export_and_a_job_without_output_has_none(self):
        self.check(self.admin.post("/v1/admin/users/nobody-at-all/export"), 404, "not_found", "uid")
        self.check(self.admin.post("/v1/admin/users/a%20b/export"), 400, "invalid_argument", "uid")
        self.check(self.a.post(f"/v1/admin/users/{self.alice}/export"), 403, "permission_denied")
        self.check(self.admin.get("/v1/admin/jobs/999999999/output"), 404, "not_found", "id")
        broadcast = self.do(self.admin, "POST", "/v1/admin/broadcast", {"uids": [self.alice], "type": "text", "body": {"text": "x"}}, 202)
        self.check(self.admin.get(f"/v1/admin/jobs/{broadcast['job_id']}/output"), 409, "failed_precondition")
        [[waiting]] = self.servers.sql("insert into job (kind, created_by, params, state, ended_at) values ('export', 'root', '{}', 'cancelled', 1) "
                                       "returning no")
        self.check(self.admin.get(f"/v1/admin/jobs/{waiting}/output"), 409, "failed_precondition")
        for query in "cursor=x", "cursor=YQ", "limit=0", "limit=201":
            self.check(self.admin.get(f"/v1/admin/jobs/{waiting}/output?{query}"), 400, "invalid_argument", query.split("=")[0])

    def test_the_output_goes_with_its_job(self):
        number = self.do(self.admin, "POST", f"/v1/admin/users/{self.alice}/export", status=202)["job_id"]
        self.ended(number)
        self.servers.sql(f"update job set ended_at = 1 where no = {number}")
        while self.servers.sql("select gone from fn.job_forget(3600000, 1)") != [["0"]]:
            pass
        self.check(self.admin.get(f"/v1/admin/jobs/{number}/output"), 404, "not_found")
        self.assertEqual(self.servers.sql(f"select count(*) from job_output where job = {number}"), [["0"]])

    def test_another_im_goes_on_where_the_first_died_and_no_item_comes_twice(self):
        self.check(self.a.send("k", f"user:{self.bob}", "first"), 200)
        self.servers.sql("insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, body) select c.no, n, n, 1700000000000, n, n, 1, "
                         f"'{self.alice}', '{{}}' from conversation c, generate_series(2, 6000) n where c.id = '{self.direct()}'")
        first = Im(self.servers, "im-first", jobs__rate=1000, lease__life="2s")
        admin = first.client("root", scope="admin")
        self.im.process.send_signal(signal.SIGSTOP)
        try:
            number = self.check(admin.post(f"/v1/admin/users/{self.alice}/export"), 202)["job_id"]
            await_that(lambda: self.check(admin.get(f"/v1/admin/jobs/{number}"), 200)["done"] > 1000, "the export is in the middle")
        finally:
            first.kill()
            self.im.process.send_signal(signal.SIGCONT)
            admin.connection.close()
        self.assertEqual(self.ended(number)["state"], "done")
        seqs = [item["value"]["seq"] for item in self.output(number, limit=200) if item["kind"] == "message"]
        self.assertEqual(seqs, list(range(1, 6001)))


# What may still name a user who was deleted.
REMAINS = {
    "account": "the uid itself, so that nobody else gets it", "conversation": "the id of a one-to-one conversation",
    "audit": "what admins did, for audit.keep", "change_feed": "the changes themselves, until they or the tokens expire", "job": "the deletion's own row, for jobs.keep",
}


class Deletions(UserDataTest):
    def delete(self, uid, admin=None):
        return self.check((admin or self.admin).call("DELETE", f"/v1/admin/users/{uid}"), 202)["job_id"]

    def traces(self, uid):
        """Table -> the rows that name the user."""
        tables = [name for name, in self.servers.sql("select tablename from pg_tables where schemaname = 'public'")]
        rows = {name: self.servers.sql(f"select t::text from {name} t where t::text ~ '(^|[^A-Za-z0-9_.-]){uid}([^A-Za-z0-9_.-]|$)'") for name in tables}
        return {name: found for name, found in rows.items() if found}

    def test_nothing_is_left_of_a_user_and_the_others_keep_what_is_theirs(self):
        self.live()
        self.lone = self.group_of(self.a, client_group_id="alone")
        self.do(self.b, "PUT", f"/v1/groups/{self.own}/members/{self.carol}/role", {"role": "admin"}, 403)
        self.do(self.a, "PUT", f"/v1/groups/{self.own}/members/{self.carol}/role", {"role": "admin"}, 204)
        exported = self.do(self.admin, "POST", f"/v1/admin/users/{self.alice}/export", status=202)["job_id"]
        self.ended(exported)
        number = self.delete(self.alice)
        self.assertEqual(self.delete(self.alice), number)
        self.check(self.admin.post(f"/v1/admin/jobs/{number}/cancel"), 409, "failed_precondition")
        await_that(lambda: self.a.get("/v1/users/me").status == 401, "the token is refused", 2)
        self.check(self.b.send("late", f"user:{self.alice}"), 404, "not_found", "to.user")
        self.check(self.b.post("/v1/friends/requests", {"to": self.alice}), 404, "not_found", "to")
        self.check(self.b.call("PUT", f"/v1/blocks/{self.alice}"), 404, "not_found", "uid")
        self.check(self.b.post(f"/v1/groups/{self.door}/members", {"uids": [self.alice]}), 404, "not_found", "uids")
        self.check(self.b.post("/v1/groups", {"name": "x", "members": [self.alice]}), 404, "not_found", "members")
        self.check(self.b.post("/v1/users", {"uid": self.alice, "name": "x", "password": "password1"}), 409, "already_exists", "uid")
        self.check(self.im.client("deleted-user").get("/v1/users/me"), 401, "unauthenticated")
        self.check(self.b.post("/v1/users", {"uid": "deleted-user", "name": "x", "password": "password1"}), 409, "already_exists", "uid")
        job = self.ended(number)
        self.assertEqual((job["state"], job["failed"]), ("done", 0))
        self.assertEqual(self.do(self.b, "GET", f"/v1/users/{self.alice}")["name"], "Deleted user")
        traces = self.traces(self.alice)
        self.assertEqual({name: rows for name, rows in traces.items() if name not in REMAINS}, {})
        self.assertEqual(self.servers.sql("select count(*) from expiring_body b join conversation c using (no) "
                                          f"where c.id = '{self.direct()}'"), [["0"]])
        self.assertEqual([len(traces[name]) for name in ("account", "conversation", "job")], [1, 1, 2])  # the export's row and the deletion's
        self.assertEqual(self.do(self.admin, "GET", f"/v1/admin/jobs/{exported}/output")["items"], [])
        self.check(self.admin.call("DELETE", f"/v1/admin/users/{self.alice}"), 404, "not_found", "uid")
        self.check(self.admin.post(f"/v1/admin/users/{self.alice}/export"), 404, "not_found", "uid")
        self.check(self.admin.call("PATCH", f"/v1/admin/users/{self.alice}", {"disabled": False}), 404, "not_found")
        self.check(self.admin.post(f"/v1/admin/users/{self.alice}/logout"), 404, "not_found")
        send = {"from": self.alice, "client_msg_id": "x", "to": {"user": self.bob}, "type": "text", "body": {"text": "x"}}
        self.check(self.admin.post("/v1/admin/messages", send), 404, "not_found")
        # What the others see.
        messages = self.do(self.b, "GET", f"/v1/conversations/{self.direct()}/messages?after_seq=0")["messages"]
        self.assertEqual([message["seq"] for message in messages], list(range(1, len(messages) + 1)))
        for message in messages:
            if message["from"] == "deleted-user":
                self.assertNotIn("body", message)
                self.assertTrue(message.get("recalled") or message["type"] in ("edit", "recall", "reaction"), message)
        [kept] = [message for message in messages if message["type"] == "text" and "body" in message]
        self.assertEqual((kept["body"]["text"], kept["reactions"]), ("from bob", [{"emoji": "👍", "count": 1, "mine": True}]))
        self.assertEqual([message["seq"] for message in messages if message["from"] != "deleted-user" and "body" not in message
                          and message["type"] != "reaction"], [])
        self.assertEqual(self.do(self.b, "GET", f"/v1/conversations/{self.direct()}/pins")["messages"], [])
        joined = self.do(self.b, "GET", f"/v1/conversations/g:{self.joined}/messages")["messages"]
        [mention] = [message for message in joined if message["type"] == "text"]
        self.assertEqual((mention["body"]["text"], mention["mentions"]), ("for alice", [self.carol]))
        self.assertEqual(joined[-1]["body"], {"event": "left", "actor": "deleted-user"})
        own = self.do(self.b, "GET", f"/v1/conversations/g:{self.own}/messages")["messages"]
        self.assertEqual([message["body"] for message in own if message["type"] == "system"][-2:],
                         [{"event": "owner", "actor": "deleted-user", "uid": self.carol}, {"event": "left", "actor": "deleted-user"}])
        self.assertEqual({member["uid"]: member["role"] for member in self.do(self.b, "GET", f"/v1/groups/{self.own}/members")["members"]},
                         {self.bob: "member", self.carol: "owner"})
        self.assertEqual(self.servers.sql("select g.dissolved_at is not null, g.owner from chat_group g join conversation c on c.no = g.no "
                                          f"where c.id = 'g:{self.lone}'"), [["t", "deleted-user"]])
        [direct] = [item for item in self.do(self.b, "GET", "/v1/conversations")["conversations"] if item["id"] == self.direct()]
        self.assertEqual((direct["title"], direct["unread"]), ("Deleted user", 0))

    def test_who_is_nobody_or_the_system_user_cannot_be_deleted_and_the_system_user_not_be_disabled(self):
        self.check(self.admin.call("DELETE", "/v1/admin/users/nobody-at-all"), 404, "not_found", "uid")
        self.check(self.admin.call("DELETE", "/v1/admin/users/deleted-user"), 404, "not_found", "uid")
        self.check(self.admin.call("DELETE", "/v1/admin/users/a%20b"), 400, "invalid_argument", "uid")
        self.check(self.a.call("DELETE", f"/v1/admin/users/{self.bob}"), 403, "permission_denied")
        self.ended(self.do(self.admin, "POST", "/v1/admin/broadcast", {"uids": [self.alice], "type": "text", "body": {"text": "x"}}, 202)["job_id"])
        self.check(self.admin.call("DELETE", "/v1/admin/users/system"), 409, "failed_precondition")
        self.check(self.admin.call("PATCH", "/v1/admin/users/system", {"disabled": True, "password": "correct horse"}), 409, "failed_precondition")
        self.assertEqual(self.servers.sql("select is_disabled, password is null from account where is_system"), [["f", "t"]])
        self.assertFalse(self.do(self.admin, "PATCH", "/v1/admin/users/system", {"disabled": False})["disabled"])

    def test_a_step_that_does_not_get_a_lock_gives_up_and_comes_again(self):
        self.check(self.b.send("k", f"user:{self.alice}", "hi"), 200)
        self.check(self.a.post(f"/v1/conversations/{self.direct()}/messages/1/reactions", {"emoji": "x"}), 200)
        (no,), = self.servers.sql(f"select no from conversation where id = '{self.direct()}'")
        with self.servers.session() as send:
            send.run(f"begin; update conversation set last_seq = last_seq where no = {no};")
            number = self.delete(self.alice)
            self.servers.sql(f"update job set created_at = 0 where no = {number}")  # it has settled
            await_that(lambda: self.servers.sql(f"select cursor from job where no = {number}") == [[f"entries:{no}:0"]], "the step that needs the lock")
            self.assert_gives_up(f"update job set cursor = cursor where no = {number}", "fn.deletion_step("
                                 f"{number}, (select epoch from job where no = {number}), 5000, 500, 0, '', 'user_deleted', '{self.alice}')")
            self.assertEqual(self.servers.sql(f"select count(*) from reaction where no = {no}"), [["1"]])
        self.assertEqual(self.ended(number)["state"], "done")
        self.assertEqual(self.servers.sql(f"select count(*) from reaction where no = {no}"), [["0"]])

    def test_a_deletion_whose_im_died_goes_on_at_another_and_each_group_is_left_once(self):
        groups = [self.group_of(self.b, self.alice, client_group_id=f"k{n}") for n in range(3)]
        self.check(self.a.send("k", f"user:{self.bob}", "first"), 200)
        self.servers.sql("insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, body) select c.no, n, n, 1700000000000, n, n, 1, "
                         f"'{self.alice}', '{{}}' from conversation c, generate_series(2, 6000) n where c.id = '{self.direct()}'")
        first = Im(self.servers, "im-first", jobs__rate=1000, lease__life="2s", **SETTLED)
        admin = first.client("root", scope="admin")
        self.im.process.send_signal(signal.SIGSTOP)
        try:
            number = self.delete(self.alice, admin)
            await_that(lambda: self.check(admin.get(f"/v1/admin/jobs/{number}"), 200)["done"] > 1000, "the deletion is in the middle")
        finally:
            first.kill()
            self.im.process.send_signal(signal.SIGCONT)
            admin.connection.close()
        self.assertEqual(self.ended(number)["state"], "done")
        for gid in groups:
            entries = self.do(self.b, "GET", f"/v1/conversations/g:{gid}/messages")["messages"]
            self.assertEqual([entry["body"]["event"] for entry in entries], ["left"])
        rows = self.servers.sql("select count(*), count(distinct m.seq), count(m.body), count(distinct mc.seq) from message m join conversation c on c.no = m.no "
                                f"left join message_change mc on mc.no = m.no and mc.target_seq = m.seq where c.id = '{self.direct()}' and m.sender = 'deleted-user'")
        self.assertEqual(rows, [["6000", "6000", "0", "6000"]])
        self.assertEqual(set(self.traces(self.alice)) - set(REMAINS), set())


if __name__ == "__main__":
    unittest.main()
