"""An im on real servers, and three of its users with their clients."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Im, Servers, run_im


class ImTest(unittest.TestCase):
    """Each test has users of its own. One im and its servers are shared by all tests of a module."""
    servers = im = None

    @staticmethod
    def start_im(**options):
        ImTest.servers = Servers()
        code, output = run_im(ImTest.servers, "--migrate")
        assert code == 0, output
        ImTest.im = Im(ImTest.servers, **{"limits__send_rate": 50, "limits__send_burst": 300, **options})

    @staticmethod
    def stop_im():
        ImTest.im.stop()
        ImTest.servers.close()

    def setUp(self):
        prefix = self.id().rsplit(".", 1)[-1][:40]
        self.alice, self.bob, self.carol = (f"{prefix}-{name}" for name in "abc")
        self.a, self.b, self.c = (self.im.client(uid) for uid in (self.alice, self.bob, self.carol))
        for client in (self.a, self.b, self.c):
            client.post("/v1/auth/refresh")

    def tearDown(self):
        for client in (self.a, self.b, self.c):
            client.connection.close()

    def check(self, answer, status, code=None, field=None):
        self.assertEqual(answer.status, status, answer)
        if code:
            self.assertEqual(answer.json["code"], code, answer)
            self.assertEqual(answer.json["status"], status)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        if field:
            self.assertEqual(answer.json.get("field"), field, answer)
        if status in (429, 503):
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        return answer.json

    def assert_gives_up(self, prepared, call):
        """The function does not wait for a lock that another session holds, but ends with 55P03."""
        with self.servers.session() as session:
            session.run(f"""begin; set local statement_timeout = '10s'; {prepared};
                do $$ begin perform {call}; raise 'it has waited'; exception when lock_not_available then null; end $$; rollback;""")

    def direct(self):
        return f"u:{self.alice}:{self.bob}"

    def history(self, client, conversation, query=""):
        return client.get(f"/v1/conversations/{conversation}/messages{query}")

    def group(self, **fields):
        made = self.a.post("/v1/groups", {"name": "Team", "members": [self.bob], **fields})
        return self.check(made, 201)["group_id"]
