"""Every cell of permissions.py: every call of docs/openapi.yaml by every kind of caller, and without a token, and by a disabled user."""
import json
import pathlib
import re
import sys
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import ROOT, Client
from permissions import DIRECT, DIRECT_CALLERS, GROUP, GROUP_CALLERS, PLAIN, WORDS

OPENAPI = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
CALLS = {f"{method.upper()} {path}": operation["x-who"] for path, operations in OPENAPI["paths"].items()
         for method, operation in operations.items() if "x-who" in operation}
OF_ANYONE = {call for call, who in CALLS.items() if who == "anyone"}
GOOD = {"id": "g:nothing", "seq": "1"}  # of parameters; all others are ids


def setUpModule():
    ImTest.start_im()


def tearDownModule():
    ImTest.stop_im()


class Permissions(ImTest):
    def setUp(self):
        self.uids, self.clients, self.made = {}, {}, 0

    def tearDown(self):
        for client in self.clients.values():
            client.connection.close()

    def user(self, name, **claims):
        """A user of this test, by its name in the table."""
        if name not in self.clients:
            self.uids[name] = f"{self.id().rsplit('.', 1)[-1][5:25]}-{name}"
            self.clients[name] = self.im.client(self.uids[name], **claims)
            self.check(self.clients[name].post("/v1/auth/refresh") if "iat" in claims else self.clients[name].get("/v1/friends"), 200)
        return self.clients[name]

    def sent(self, name, to):
        self.made += 1
        return self.check(self.user(name).send(f"s{self.made}", to), 200)["seq"]

    def fill(self, value, words):
        text = json.dumps(value)
        for word, meaning in words.items():
            text = re.sub(rf"\b{word}\b", meaning, text)
        return json.loads(text)

    def cell(self, row, caller, client, words):
        """Makes the call, and compares. Answers whether it was refused."""
        call, parameters, body, answers, callers = row
        method, path = call.split(" ")
        filled = self.fill(parameters, words)
        path = re.sub(r"\{(\w+)\}", lambda match: filled.get(match[1], words.get(match[1], "x")), path)
        answer = client.call(method, path + ("?" + filled["?"] if "?" in filled else ""), self.fill(body, words))
        expected = answers.split()[callers.index(caller)]
        status, code = WORDS.get(expected) or (int(expected), None)
        found = (answer.status, answer.json["code"] if code else None)
        if found != (status, code):
            self.wrong.append(f"{call} {parameters or ''} by {caller}: {answer}, not {expected}")

    def table(self, rows, callers, make):
        """Refusals first, in one place: they change nothing. Then each call that changes something, in a place of its own."""
        self.wrong = []
        shared = make(self)
        for row in rows:
            for caller, answer in sorted(zip(callers, row[3].split(), strict=True), key=lambda one: one[1] not in WORDS):
                changes = answer not in WORDS and not row[0].startswith("GET ")
                place = make(self) if changes else shared
                self.cell((*row, callers), caller, *place(caller))
        self.assertEqual(self.wrong, [], "\n".join(["", *self.wrong]))

    # ---- places ----

    def group_place(self):
        """A group with one of each kind of user, each of whom has sent a message in it."""
        names = ("admin", "member", "muted", "removed", "target", "other")
        owner = self.user("owner")
        for name in (*names, "stranger", "asking", "new"):
            self.user(name)
        gid = self.check(owner.post("/v1/groups", {"name": "x", "members": [self.uids[name] for name in names], "join": "approval"}), 201)["group_id"]
        seqs = {name: self.sent(name, f"group:{gid}") for name in ("owner", "admin", "member", "muted", "target")}
        for admin in "admin", "other":
            self.check(owner.call("PUT", f"/v1/groups/{gid}/members/{self.uids[admin]}/role", {"role": "admin"}), 204)
        self.check(owner.call("PUT", f"/v1/groups/{gid}/members/{self.uids['muted']}/mute", {"until": 2 ** 41}), 204)
        self.check(owner.call("DELETE", f"/v1/groups/{gid}/members/{self.uids['removed']}"), 204)
        self.check(self.user("asking").post(f"/v1/groups/{gid}/join"), 202)
        words = {"GID": gid, "gid": gid, "id": f"g:{gid}", "OTHERS": str(seqs["target"]), **{
            word: self.uids[name] for word, name in (("TARGET", "target"), ("OTHER_ADMIN", "other"), ("OWNER", "owner"), ("ASKING", "asking"),
                                                     ("NEW", "new"))}}
        return lambda caller: (self.user(caller), {**words, "OWN": str(seqs.get(caller, seqs["target"]))})

    def direct_place(self):
        """Two who talk, and two of whom one blocks the other; all of them are new."""
        self.made += 1
        number = self.made
        names = {name: f"{name}{number}" for name in ("side", "peer", "blocked", "blocker", "stranger")}
        for name in names.values():
            self.user(name)
        places = {}
        for one, other in (("side", "peer"), ("blocked", "blocker")):
            seqs = {name: str(self.sent(names[name], f"user:{self.uids[names[of]]}")) for name, of in ((one, other), (other, one))}
            first, second = sorted(self.uids[names[name]] for name in (one, other))
            for name, of in ((one, other), (other, one)):
                places[name] = {"id": f"u:{first}:{second}", "PEER": self.uids[names[of]], "OWN": seqs[name], "OTHERS": seqs[of]}
        self.check(self.user(names["blocker"]).call("PUT", f"/v1/blocks/{self.uids[names['blocked']]}"), 204)
        places["stranger"] = places["side"]
        return lambda caller: (self.user(names[caller]), places[caller])

    # ---- tests ----

    def test_every_call_has_its_rows(self):
        rows = {row[0] for row in (*GROUP, *DIRECT, *PLAIN)}
        self.assertEqual(set(CALLS) - OF_ANYONE - rows, set(), "a row of tests/integration/permissions.py is missing")
        self.assertEqual(rows - set(CALLS), set(), "there is no such call")
        for table, prefix in (GROUP, "/v1/groups/{gid}"), (GROUP, "/v1/conversations/{id}"), (DIRECT, "/v1/conversations/{id}"):
            wanted = {call for call in CALLS if call.split(" ")[1].startswith(prefix)}
            self.assertEqual(wanted - {row[0] for row in table}, set(), "a row of this table is missing")

    def test_groups(self):
        self.table(GROUP, GROUP_CALLERS, Permissions.group_place)

    def test_one_to_one(self):
        self.table(DIRECT, DIRECT_CALLERS, Permissions.direct_place)

    def test_everything_else(self):
        for name in "target", "new":
            self.user(name)
        words = {"TARGET": self.uids["target"], "NEW": self.uids["new"]}
        now = int(self.servers.sql("select extract(epoch from now())::bigint")[0][0])
        for name, claims in (("user", {}), ("admin", {"scope": "admin"})):
            self.clients[name] = self.im.client(f"{self.uids['target']}-caller", iat=now, jti=name, **claims)
        self.wrong = []
        for row in PLAIN:
            for caller in "user", "admin":
                self.cell((*row, ("user", "admin")), caller, self.clients[caller], words)
        self.assertEqual(self.wrong, [], "\n".join(["", *self.wrong]))

    def test_without_a_token_and_for_a_disabled_user_every_call_is_401(self):
        self.servers.sql("insert into account (uid, name, is_disabled) values ('perm-disabled', 'x', true)")
        nobody = self.clients["nobody"] = Client(self.im.http, None)
        disabled = self.clients["disabled"] = self.im.client("perm-disabled", scope="admin")
        wrong = []
        for call in sorted(set(CALLS) - OF_ANYONE):
            method, path = call.split(" ")
            for client in nobody, disabled:
                answer = client.call(method, re.sub(r"\{(\w+)\}", lambda match: GOOD.get(match[1], "x"), path), {} if method != "GET" else None)
                if (answer.status, answer.json and answer.json["code"]) != (401, "unauthenticated"):
                    wrong.append(f"{call}: {answer}")
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
