"""How many SQL statements a call of im makes: as many for a long list as for a short one. PostgreSQL logs each statement."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import ROOT, await_that

OPENAPI = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
FEW, MANY = 2, 20
# Without the statements that im makes by itself. A user's first call to an im is admitted by account_touch.
OF_CALLS = re.compile(r"execute (?!lease_|change_|job_|audit_forget|retention_run|export_step|broadcast_page|unpublished|ping\b|account_touch)(\w+):")


def setUpModule():
    ImTest.start_im()
    with (ImTest.servers.folder / "run" / "data" / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write("log_statement = 'all'\n")
    os.kill(ImTest.servers.pid("postgres"), signal.SIGHUP)


def tearDownModule():
    ImTest.stop_im()


def has_list(node, seen=()):
    """Is there an array in this part of the document?"""
    if isinstance(node, list):
        return any(has_list(one, seen) for one in node)
    if not isinstance(node, dict):
        return False
    reference = node.get("$ref")
    if reference:
        target = OPENAPI
        for step in reference[2:].split("/"):
            target = target[step]
        return reference not in seen and has_list(target, (*seen, reference))
    return "array" in str(node.get("type")) or any(has_list(value, seen) for key, value in node.items() if not key.startswith("example"))


def calls_with_lists():
    """Those of users: an admin's are few, and plans_test.py has their statements."""
    for path, operations in OPENAPI["paths"].items():
        for method, operation in operations.items():
            if "x-who" in operation and operation["x-who"] != "admin" and has_list([operation.get("requestBody"), *(
                    answer for status, answer in operation["responses"].items() if str(status).startswith("2"))]):
                yield f"{method.upper()} {path}"


class Statements(ImTest):
    """Each `call_...` makes a list of this length, and answers with the call that reads or takes it."""

    def users(self, count):
        self.made = getattr(self, "made", 0) + 1
        uids = [f"{self.alice}-{self.made}-{i:02}" for i in range(count)]
        self.servers.sql("insert into account (uid, name) values " + ", ".join(f"('{uid}', 'x')" for uid in uids))
        return uids

    def as_user(self, uid):
        client = self.im.client(uid)
        self.addCleanup(client.connection.close)
        return client

    def sends(self, count, to=None):
        return [self.check(self.a.send(f"{count}-{i}", to or f"user:{self.bob}"), 200)["seq"] for i in range(count)]

    def call_conversations(self, count):
        for uid in self.users(count):
            self.check(self.a.send("1", f"user:{uid}"), 200)
        return "GET", f"/v1/conversations?limit={count}", None

    def call_messages(self, count):
        for seq in self.sends(count):
            self.check(self.a.post(f"/v1/conversations/{self.direct()}/messages/{seq}/edit", {"body": {"text": "x"}}), 200)
        return "GET", f"/v1/conversations/{self.direct()}/messages?limit={count}", None

    def call_pins(self, count):
        gid = self.group()
        for seq in self.sends(count, f"group:{gid}"):
            self.check(self.a.call("PUT", f"/v1/conversations/g:{gid}/pins/{seq}"), 200)
        return "GET", f"/v1/conversations/g:{gid}/pins", None

    def call_pin(self, count):
        return "PUT", f"/v1/conversations/{self.direct()}/pins/{self.sends(count)[0]}", None

    def call_readers(self, count):
        uids = self.users(count)
        gid = self.group(members=uids)
        seq = self.sends(1, f"group:{gid}")[0]
        for uid in uids:
            self.check(self.as_user(uid).call("PUT", f"/v1/conversations/g:{gid}/read", {"seq": seq}), 204)
        return "GET", f"/v1/conversations/g:{gid}/messages/{seq}/readers", None

    def call_sync(self, count):
        self.check(self.a.get("/v1/sync"), 200)  # there is an inbox from now on
        port = self.servers.redis.split(":")[-1].split("/")[0]
        key = f"im:inbox:{{{self.alice}}}"
        for command in (["rpush", key, *(f"{self.direct()} {seq}" for seq in self.sends(count))], ["hincrby", key + ":meta", "n", str(count)]):
            subprocess.run(["redis-cli", "-p", port, *command], check=True, capture_output=True)
        return "GET", f"/v1/sync?limit={count}", None

    def call_message(self, count):
        uids = self.users(count)
        gid = self.group(members=uids)
        return "POST", "/v1/messages", {"client_msg_id": "m", "to": {"group": gid}, "type": "text", "body": {"text": "x"}, "mentions": uids}

    def call_batch(self, count):
        return "POST", "/v1/messages/batch", {"messages": [
            {"client_msg_id": f"b{count}", "to": {"user": uid}, "type": "text", "body": {"text": "x"}} for uid in self.users(count)]}

    def call_group(self, count):
        return "POST", "/v1/groups", {"name": "Team", "members": self.users(count)}

    def call_members(self, count):
        return "GET", f"/v1/groups/{self.group(members=self.users(count))}/members", None

    def call_members_added(self, count):
        return "POST", f"/v1/groups/{self.group()}/members", {"uids": self.users(count)}

    def call_group_requests(self, count):
        gid = self.group(join="approval")
        for uid in self.users(count):
            self.check(self.as_user(uid).post(f"/v1/groups/{gid}/join"), 202)
        return "GET", f"/v1/groups/{gid}/requests", None

    def call_friend_requests(self, count):
        for uid in self.users(count):
            self.check(self.a.post("/v1/friends/requests", {"to": uid}), 201)
        return "GET", "/v1/friends/requests", None

    def call_friends(self, count):
        for uid in self.users(count):
            request = self.check(self.a.post("/v1/friends/requests", {"to": uid}), 201)["request_id"]
            self.check(self.as_user(uid).post(f"/v1/friends/requests/{request}/accept"), 200)
        return "GET", "/v1/friends", None

    def call_blocks(self, count):
        for uid in self.users(count):
            self.check(self.a.call("PUT", f"/v1/blocks/{uid}"), 204)
        return "GET", "/v1/blocks", None

    def call_presence(self, count):
        return "GET", "/v1/presence?uids=" + ",".join(self.users(count)), None

    CALLS = {  # noqa: RUF012
        "GET /v1/conversations": call_conversations,
        "GET /v1/conversations/{id}/messages": call_messages,
        "GET /v1/conversations/{id}/pins": call_pins,
        "PUT /v1/conversations/{id}/pins/{seq}": call_pin,
        "GET /v1/conversations/{id}/messages/{seq}/readers": call_readers,
        "GET /v1/sync": call_sync,
        "POST /v1/messages": call_message,
        "POST /v1/messages/batch": call_batch,
        "POST /v1/groups": call_group,
        "GET /v1/groups/{gid}/members": call_members,
        "POST /v1/groups/{gid}/members": call_members_added,
        "GET /v1/groups/{gid}/requests": call_group_requests,
        "GET /v1/friends/requests": call_friend_requests,
        "GET /v1/friends": call_friends,
        "GET /v1/blocks": call_blocks,
        "GET /v1/presence": call_presence,
    }
    WITHOUT_STATEMENTS = {"GET /v1/endpoints"}  # noqa: RUF012

    def logged(self):
        """The statements of calls that PostgreSQL has logged, in their order."""
        return OF_CALLS.findall((self.servers.folder / "run" / "logs" / "postgres.log").read_text(errors="replace"))

    def statements_of(self, method, path, body):
        before = len(self.logged())
        answer = self.a.call(method, path, body)
        self.assertIn(answer.status, (200, 201, 204), answer)
        return self.logged()[before:]

    def test_every_call_with_a_list_is_counted(self):
        wanted = set(calls_with_lists())
        self.assertEqual(wanted - set(self.CALLS) - self.WITHOUT_STATEMENTS, set(), "each call that answers or takes a list has its row in CALLS")
        self.assertEqual(set(self.CALLS) - wanted, set())

    def test_a_long_list_takes_as_many_statements_as_a_short_one(self):
        await_that(lambda: self.statements_of("GET", "/v1/friends", None), "PostgreSQL logs statements")
        for name, make in self.CALLS.items():
            with self.subTest(call=name):
                few, many = (self.statements_of(*make(self, count)) for count in (FEW, MANY))
                self.assertTrue(few)
                # What comes while the first batch of sends is stored forms the second one.
                allowed = 2 if name == "POST /v1/messages/batch" else len(few)
                self.assertLessEqual(len(many), allowed, (few, many))

    def test_all_that_a_page_replies_to_is_read_by_one_statement_each_message_once(self):
        await_that(lambda: self.statements_of("GET", "/v1/friends", None), "PostgreSQL logs statements")
        seqs = self.sends(3)
        path = f"/v1/conversations/{self.direct()}/messages"
        self.assertEqual(self.statements_of("GET", f"{path}?replies=true", None), ["history_page"])  # nothing replies to anything
        for i in range(MANY):
            self.check(self.a.send(f"r{i}", f"user:{self.bob}", reply_to=seqs[i % 2]), 200)
        self.assertEqual(self.statements_of("GET", f"{path}?limit=200", None), ["history_page"])
        self.assertEqual(self.statements_of("GET", f"{path}?limit=200&replies=true", None), ["history_page", "replied_to"])
        log = (self.servers.folder / "run" / "logs" / "postgres.log").read_text(errors="replace")
        self.assertIn("$3 = '{1,2}'", log[log.rindex("execute replied_to"):].partition("parameters: ")[2])


if __name__ == "__main__":
    unittest.main()
