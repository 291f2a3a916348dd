"""im --migrate, and what im refuses: a schema that is missing, older or newer, and a wrong configuration. On real servers."""
import pathlib
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Im, ROOT, SECRET, Servers, run_im


class Migrations(unittest.TestCase):
    """With a database of its own, empty before each test."""

    @classmethod
    def setUpClass(cls):
        cls.servers = Servers()

    @classmethod
    def tearDownClass(cls):
        cls.servers.close()

    def setUp(self):
        self.servers.sql("drop schema if exists fn cascade; drop schema public cascade; create schema public")

    def migrate(self):
        code, output = run_im(self.servers, "--migrate")
        self.assertEqual(code, 0, output)
        return output.count("migration applied")

    def refused(self, sentence, *options):
        code, output = run_im(self.servers, *options)
        self.assertEqual(code, 1, output)
        self.assertIn(sentence, output)

    def test_migrations_at_once_and_repeated_are_applied_once(self):
        counts = []
        threads = [threading.Thread(target=lambda: counts.append(self.migrate())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tables = len(list((ROOT / "deploy" / "schema" / "tables").glob("*.sql")))
        self.assertEqual(sorted(counts), [0, 0, 0, tables + 1]) # the functions are applied as a whole
        self.assertEqual(self.migrate(), 0)

    def test_newer_tables_than_the_binary_knows_are_refused(self):
        self.servers.sql("create table schema_migration as select 9999 as version;"
                         "create table schema_functions as select 'x' as hash")
        self.refused("newer schema")
        self.refused("newer schema", "--migrate")

    def test_an_empty_or_older_database_is_refused(self):
        self.refused("run im --migrate first")
        self.migrate()
        self.servers.sql("delete from schema_migration where version = (select max(version) from schema_migration)")
        self.refused("run im --migrate first")

    def test_functions_of_another_im_are_refused_and_replaced_as_a_whole_by_migrate(self):
        self.migrate()
        self.servers.sql("update schema_functions set hash = 'x'; create function fn.of_another_im() returns integer"
                         " language sql as 'select 1'; drop function fn.members")
        self.refused("functions are those of another im: run im --migrate first")
        self.assertEqual(self.migrate(), 1)
        self.assertEqual(self.servers.sql("select proname from pg_proc where proname in ('of_another_im', 'members')"),
                         [["members"]])

    def test_an_im_goes_on_while_its_functions_are_replaced(self):
        self.migrate()
        im = Im(self.servers)
        try:
            client = im.client("replaced")
            for seq in (1, 2, 3):
                self.assertEqual(client.send(str(seq), "user:replaced").json["seq"], seq)
                self.assertEqual(len(client.get("/v1/conversations/u:replaced:replaced/messages").json["messages"]), seq)
                self.servers.sql("update schema_functions set hash = 'x'")
                self.assertEqual(self.migrate(), 1)
        finally:
            im.kill()

    def test_a_database_that_cannot_be_reached_is_reported(self):
        code, output = run_im(self.servers, "--migrate", **{"pg.uri": "postgresql://127.0.0.1:1/x"})
        self.assertEqual(code, 1)
        self.assertIn("connect to postgresql failed", output)

    def test_a_wrong_option_is_named_and_the_secret_is_not_printed(self):
        for option, value in (("auth.secret", "short"), ("pg.connections", "0"), ("limits.body", "x")):
            code, output = run_im(self.servers, **{option: value})
            self.assertEqual(code, 2, output)
            self.assertIn(option, output)
            self.assertNotIn(SECRET, output)


if __name__ == "__main__":
    unittest.main()
