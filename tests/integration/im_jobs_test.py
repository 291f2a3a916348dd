"""Jobs of admins on real servers: the calls with every field wrong, broadcasts, and what another im does about a job whose im died."""
import contextlib
import json
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import Answer, Client, Im, await_that

FAST = {"lease__life": "2s"}  # another im has a job 2 s after its owner died


def setUpModule():
    ImTest.start_im()


def tearDownModule():
    ImTest.stop_im()


class JobTest(ImTest):
    def setUp(self):
        super().setUp()
        self.admin = self.im.client("root", scope="admin")

    def tearDown(self):
        self.admin.connection.close()
        super().tearDown()

    @contextlib.contextmanager
    def slow_im(self, rate, **options):
        """An im of its own with slow jobs, and an admin there. While it lasts, the im of the others stands still and takes no job."""
        slow = Im(self.servers, "im-slow", jobs__rate=rate, **{**FAST, **options})
        admin = slow.client("root", scope="admin")
        self.im.process.send_signal(signal.SIGSTOP)
        try:
            yield slow, admin
        finally:
            self.im.process.send_signal(signal.SIGCONT)
            admin.connection.close()
            if slow.process.poll() is None:
                slow.stop()

    def broadcast(self, uids=None, admin=None, **fields):
        body = {"type": "text", "body": {"text": "news"}, **fields}
        return self.check((admin or self.admin).post("/v1/admin/broadcast", body | ({} if uids is None else {"uids": uids})), 202)

    def job(self, number, admin=None):
        return self.check((admin or self.admin).get(f"/v1/admin/jobs/{number}"), 200)

    def ended(self, number, admin=None):
        return await_that(lambda: (job := self.job(number, admin)).get("ended_at") and job, f"the end of job {number}")

    def news(self, uid, sender="system"):
        rows = self.servers.sql("select m.seq, m.body from message m join conversation c on c.no = m.no where c.id = "
                                f"'{':'.join(['u', *sorted([uid, sender])])}' and m.sender = '{sender}' order by m.seq")
        return [body for _, body in rows]

    def make_users(self, name, count):
        self.servers.sql(f"insert into account (uid, name) select '{name}-' || n, 'x' from generate_series(1, {count}) n")
        return [f"{name}-{n}" for n in range(1, count + 1)]


class Broadcasts(JobTest):
    def test_a_broadcast_arrives_as_a_direct_message_of_the_system_user(self):
        made = self.broadcast([self.alice, self.bob, self.alice])
        self.assertEqual((made["kind"], made["total"], made["created_by"]), ("broadcast", 2, "root"))
        job = self.ended(made["job_id"])
        self.assertEqual((job["state"], job["done"], job["total"], job["failed"]), ("done", 2, 2, 0))
        [message] = self.check(self.history(self.a, f"u:{':'.join(sorted([self.alice, 'system']))}"), 200)["messages"]
        self.assertEqual((message["from"], message["type"], message["body"]), ("system", "text", {"text": "news"}))
        self.assertEqual(self.check(self.a.get("/v1/users/system"), 200)["name"], "system")
        self.assertEqual(self.news(self.carol), [])

    @contextlib.contextmanager
    def im_of(self, system):
        """An im of its own, whose system user is another, and an admin there."""
        im = Im(self.servers, "im-other", admin__system_user=system)
        admin = im.client("root", scope="admin")
        try:
            yield im, admin
        finally:
            admin.connection.close()
            im.stop()
            self.servers.sql(f"update account set is_system = false where uid = '{system}'")  # others count who is not

    def test_a_user_who_becomes_the_system_user_loses_its_password_and_its_tokens(self):
        account = {"uid": f"{self.alice}-s", "password": "correct horse"}
        anybody = Client(self.im.http)
        self.check(anybody.post("/v1/users", {**account, "name": "Mallory"}), 201)
        mallory = Client(self.im.http, self.check(anybody.post("/v1/auth/login", account), 200)["token"])
        self.check(mallory.send("1", f"user:{self.alice}", "hi"), 200)
        with self.im_of(account["uid"]) as (_, admin):
            self.ended(self.broadcast([self.alice], admin)["job_id"])
            self.check(anybody.post("/v1/auth/login", account), 401, "unauthenticated")
            await_that(lambda: mallory.post("/v1/auth/refresh").status == 401, "the token is refused", 2)
            self.assertEqual(len(self.news(self.alice, account["uid"])), 2)
            change = self.admin.call("PATCH", f"/v1/admin/users/{account['uid']}", {"password": "another horse"})
            self.check(change, 200)  # what an admin does later stays
            self.ended(self.broadcast([self.alice], admin)["job_id"])
        self.check(anybody.post("/v1/auth/login", {**account, "password": "another horse"}), 200)
        mallory.connection.close()
        anybody.connection.close()

    def test_an_admin_may_make_and_name_the_system_user_before_the_first_broadcast(self):
        system = f"{self.alice}-s"
        with self.im_of(system) as (_, admin):
            self.check(admin.post("/v1/admin/users", {"uid": system, "name": "News", "bot": True}), 201)
            self.ended(self.broadcast([self.alice], admin)["job_id"])
        bearer = self.im.client(system)
        self.assertEqual(self.check(bearer.get(f"/v1/users/{system}"), 200)["name"], "News")
        bearer.connection.close()

    def test_who_does_not_exist_or_does_not_want_it_is_failed_and_who_is_disabled_is_skipped(self):
        self.ended(self.broadcast([self.carol])["job_id"])
        self.check(self.a.call("PUT", "/v1/blocks/system"), 204)
        self.check(self.b.call("PATCH", "/v1/users/me", {"settings": {"messages_from": "friends"}}), 200)
        self.servers.sql(f"update account set is_disabled = true where uid = '{self.carol}'")
        job = self.ended(self.broadcast([self.alice, self.bob, self.carol, f"{self.alice}-nobody", "system"])["job_id"])
        self.assertEqual((job["state"], job["done"], job["total"], job["failed"]), ("done", 1, 5, 2))
        self.assertEqual([len(self.news(uid)) for uid in (self.alice, self.bob, self.carol)], [0, 1, 1])

    def test_everyone_is_every_user_but_bots_disabled_ones_and_the_system_user(self):
        self.servers.sql(f"update account set is_bot = true where uid = '{self.bob}'")
        self.servers.sql(f"update account set is_disabled = true where uid = '{self.carol}'")
        users = self.make_users(self.alice, 1200)  # more than a page
        job = self.ended(self.broadcast(body={"text": self.alice})["job_id"])
        [[count]] = self.servers.sql("select count(*) from account where not is_bot and not is_disabled and uid <> 'system'")
        self.assertEqual((job["state"], job["done"], job["total"], job["failed"]), ("done", int(count), int(count), 0))
        body = f"""{{"text":"{self.alice}"}}"""
        rows = self.servers.sql("select c.id, count(*) from message m join conversation c on c.no = m.no "
                                f"where m.body = '{body}' group by c.id")
        self.assertEqual({times for _, times in rows}, {"1"})
        got = {uid for name, _ in rows for uid in name.split(":")[1:]} - {"system"}
        self.assertEqual(len(got), int(count))
        self.assertLessEqual({*users, self.alice}, got)
        self.assertFalse({self.bob, self.carol} & got)

    def test_each_wrong_field_is_named_and_no_job_is_made(self):
        before = self.check(self.admin.get("/v1/admin/jobs?limit=1"), 200)["jobs"]
        good = {"uids": [self.alice], "type": "text", "body": {"text": "x"}}
        wrong = {
            "uids": [None, [], "alice", [1], ["a b"], [""], {}, ["x"] * 10001], "type": [None, "", 1, "system", "forward", "recall"],
            "body": [None, "x", [], {}, {"text": 1}, {"text": ""}],
        }
        for field, values in wrong.items():
            for value in values:
                with self.subTest(field=field, value=str(value)[:40]):
                    answer = self.check(self.admin.post("/v1/admin/broadcast", {**good, field: value}), 400, "invalid_argument")
                    self.assertTrue(answer["field"].startswith(field), answer)
        self.check(self.a.post("/v1/admin/broadcast", good), 403, "permission_denied")
        self.assertEqual(self.check(self.admin.get("/v1/admin/jobs?limit=1"), 200)["jobs"], before)

    def test_sends_of_users_go_before_those_of_a_broadcast(self):
        users = self.make_users(self.alice, 900)
        self.ended(self.broadcast(users[:1])["job_id"])
        to_system = {"client_msg_id": "2", "to": {"user": "system"}, "type": "text", "body": {"text": "thanks"}}
        with self.servers.session() as other:
            other.run(f"begin; update conversation set kind = kind where id = 'u:system:{users[0]}';")
            number = self.broadcast(users)["job_id"]
            await_that(lambda: self.im.metric("skein_im_entries_waiting") == 500, "a batch waits for the lock, the rest of the page behind it")
            self.check(self.a.send("1", f"user:{self.bob}"), 200)  # in another lane
            self.a.connection.request("POST", "/v1/messages", json.dumps(to_system), {"Authorization": f"Bearer {self.a.bearer}"})
            await_that(lambda: self.im.metric("skein_im_entries_waiting") == 501, "a user's message waits in the lane of the broadcast")
        sent = self.check(Answer(self.a.connection.getresponse()), 200)
        self.assertEqual(self.ended(number)["done"], 900)
        [[before]] = self.servers.sql(f"select count(*) from message where client_msg_id = 'broadcast.{number}' and msg_id < {sent['msg_id']}")
        self.assertLessEqual(int(before), 256)  # the batch that waited for the lock

    def test_a_cancelled_broadcast_stops_and_keeps_what_it_did(self):
        users = self.make_users(self.alice, 900)
        with self.slow_im(100) as (_, admin):
            number = self.broadcast(users, admin=admin)["job_id"]
            await_that(lambda: self.job(number, admin)["done"] >= 100, "the first page is done")
            cancelled = self.check(admin.post(f"/v1/admin/jobs/{number}/cancel"), 200)
            self.assertEqual(cancelled["state"], "cancelled")
            self.check(admin.post(f"/v1/admin/jobs/{number}/cancel"), 409, "failed_precondition")
            last = self.broadcast(users[:1], admin=admin)["job_id"]
            self.assertEqual(self.ended(last, admin)["done"], 1)  # so the one before has stopped
            job = self.job(number, admin)
        [[sent]] = self.servers.sql(f"select count(*) from message where sender = 'system' and client_msg_id = 'broadcast.{number}'")
        self.assertEqual((job["state"], job["done"]), ("cancelled", int(sent)))
        self.assertLess(job["done"], 900)


class Lives(JobTest):
    def test_another_im_goes_on_where_the_first_died_and_nobody_gets_it_twice(self):
        users = self.make_users(self.alice[:20], 1000)
        with self.slow_im(300) as (first, admin):
            number = self.broadcast(users, admin=admin)["job_id"]
            await_that(lambda: self.job(number, admin)["done"] >= 300, "the first page is done")
            first.kill()
        job = self.ended(number)
        self.assertEqual((job["state"], job["done"], job["total"], job["failed"]), ("done", 1000, 1000, 0))
        rows = self.servers.sql(f"select count(*), count(distinct no) from message where client_msg_id = 'broadcast.{number}'")
        self.assertEqual(rows, [["1000", "1000"]])

    def test_an_im_that_leaves_hands_its_job_over_at_once(self):
        users = self.make_users(self.alice, 500)
        with self.slow_im(100, lease__life="60s") as (first, admin):
            number = self.broadcast(users, admin=admin)["job_id"]
            await_that(lambda: self.job(number, admin)["done"] >= 100, "the first page is done")
            self.assertEqual(first.stop(), 0)
        self.assertEqual(self.ended(number)["done"], 500)  # long before the claim of 60 s is over

    def test_a_late_owner_changes_nothing(self):
        [[number]] = self.servers.sql("insert into job (kind, created_by, params, state, epoch, lease_until) values "
                                      "('export', 'root', '{}', 'running', 7, now() + interval '4 minutes') returning no")
        for call in (f"fn.job_progress({number}, 6, 1000, 'x', 5, 5, true)", f"fn.job_renew({number}, 6, 1000)"):
            self.assertEqual(self.servers.sql(f"select * from {call}"), [])
        self.servers.sql(f"select fn.job_leave({number}, 6, true)")
        self.assertEqual(self.job(number)["done"], 0)
        self.assertEqual(self.servers.sql(f"select * from fn.job_progress({number}, 7, 1000, 'x', 5, 5, true)"), [["done"]])
        self.assertEqual(self.job(number)["state"], "done")

    def test_a_job_that_ends_its_owners_again_and_again_has_failed(self):
        [[number]] = self.servers.sql("insert into job (kind, created_by, params, claims) values "
                                      "('broadcast', 'root', '{}', 20) returning no")
        self.assertEqual(self.ended(number)["state"], "failed")

    def test_only_so_many_jobs_wait(self):
        self.servers.sql("insert into job (kind, created_by, params, lease_until, state) values ('export', 'root', '{}', now() + interval "
                         "'4 minutes', 'running')")  # holds the others up
        self.servers.sql("insert into job (kind, created_by, params) select 'export', 'root', '{}' from generate_series(1, 100)")
        try:
            self.check(self.admin.post("/v1/admin/broadcast", {"type": "text", "body": {"text": "x"}}), 409, "failed_precondition")
            queued = self.check(self.admin.get("/v1/admin/jobs?limit=1"), 200)["jobs"][0]
            self.assertEqual(self.check(self.admin.post(f"/v1/admin/jobs/{queued['job_id']}/cancel"), 200)["state"], "cancelled")
            self.ended(self.broadcast([self.alice])["job_id"])
        finally:
            self.servers.sql("delete from job where kind = 'export'")


class Calls(JobTest):
    def test_jobs_are_listed_the_last_first_and_in_pages(self):
        numbers = [self.broadcast([self.alice])["job_id"] for _ in range(3)]
        page = self.check(self.admin.get("/v1/admin/jobs?limit=2"), 200)
        self.assertEqual([job["job_id"] for job in page["jobs"]], numbers[:0:-1])
        more = self.check(self.admin.get(f"/v1/admin/jobs?limit=2&cursor={page['next_cursor']}"), 200)
        self.assertEqual(more["jobs"][0]["job_id"], numbers[0])
        for query in "limit=0", "limit=201", "limit=x", "cursor=x", "cursor=YQ":
            self.check(self.admin.get(f"/v1/admin/jobs?{query}"), 400, "invalid_argument", query.split("=")[0])

    def test_a_job_that_is_not_there_is_not_found(self):
        for call in (self.admin.get("/v1/admin/jobs/999999999"), self.admin.post("/v1/admin/jobs/999999999/cancel")):
            self.check(call, 404, "not_found", "id")
        for number in "0", "x", "-1", "9223372036854775808":
            self.check(self.admin.get(f"/v1/admin/jobs/{number}"), 400, "invalid_argument", "id")
        self.check(self.a.get("/v1/admin/jobs"), 403, "permission_denied")

    def test_the_audit_tells_who_wanted_which_job_from_which_address_about_whom(self):
        self.servers.sql("insert into job (kind, created_by, params, lease_until, state) values ('export', 'root', '{}', now() + interval "
                         "'1 hour', 'running')")  # holds the export up
        try:
            export = self.check(self.admin.post(f"/v1/admin/users/{self.alice}/export"), 202)["job_id"]
            self.check(self.admin.post(f"/v1/admin/jobs/{export}/cancel"), 200)
        finally:
            self.servers.sql("delete from job where kind = 'export' and params = '{}'")
        broadcast = self.broadcast([self.alice])["job_id"]
        deletion = self.check(self.admin.call("DELETE", f"/v1/admin/users/{self.alice}"), 202)["job_id"]
        entries = self.check(self.admin.get("/v1/admin/audit?actor=root&limit=4"), 200)["audit"]
        self.assertEqual([(entry["action"], entry.get("target"), entry["details"]["job_id"]) for entry in entries],
                         [("deletion.create", self.alice, deletion), ("broadcast.create", None, broadcast),
                          ("export.cancel", self.alice, export), ("export.create", self.alice, export)])
        self.assertEqual({entry.get("address") for entry in entries}, {"127.0.0.1"})

    def test_what_ended_long_ago_is_forgotten(self):
        number = self.broadcast([self.alice])["job_id"]
        self.ended(number)
        self.servers.sql("select fn.job_forget(3600000, 10)")
        self.job(number)
        self.servers.sql(f"update job set ended_at = ended_at - 3600001 where no = {number}")
        self.servers.sql("select fn.job_forget(3600000, 10)")
        self.check(self.admin.get(f"/v1/admin/jobs/{number}"), 404, "not_found")


if __name__ == "__main__":
    unittest.main()
