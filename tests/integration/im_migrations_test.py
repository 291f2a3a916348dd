"""im --migrate, and what im refuses: a schema that is missing, older or newer, and a wrong configuration. On real servers."""
import contextlib
import pathlib
import re
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import BIN, Im, ROOT, SECRET, Servers, await_that, run_im

FILES = sorted((ROOT / "deploy" / "schema" / "tables").glob("*.sql"))
RECORDS = """
create table schema_migration (version integer primary key, name text not null, applied_at timestamptz not null default now());
create table schema_functions (hash text not null, applied_at timestamptz not null default now());"""
# A step that is about to record itself waits for a lock.
HOLD = """
create function hold() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(1); return new; end $$;
create trigger hold before insert on {table} for each row when ({condition}) execute function hold();"""
SCHEMA = """
select table_schema, table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
where table_schema in ('public', 'fn')
union all select 'index', schemaname, indexdef, '', '', '' from pg_indexes where schemaname = 'public'
union all select 'constraint', conrelid::regclass::text, pg_get_constraintdef(oid), '', '', '' from pg_constraint
where connamespace = 'public'::regnamespace
union all select 'function', pronamespace::regnamespace::text, proname, '', '', '' from pg_proc
where pronamespace in (select oid from pg_namespace where nspname in ('public', 'fn')) order by 1, 2, 3"""


class Migrations(unittest.TestCase):
    """With a database of its own, empty before each test."""

    @classmethod
    def setUpClass(cls):
        cls.servers = Servers()

    @classmethod
    def tearDownClass(cls):
        cls.servers.close()

    def setUp(self):
        self.empty()

    def empty(self):
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
        self.assertEqual(sorted(counts), [0, 0, 0, len(FILES) + 1]) # the functions are applied as a whole
        self.assertEqual(self.migrate(), 0)

    def kill_in_step(self, table, condition):
        """`im --migrate` gets a SIGKILL when a step has done its work, and is about to record itself in `table`."""
        self.servers.sql(HOLD.format(table=table, condition=condition))
        with self.servers.session() as session:
            session.run("do $$ begin perform pg_advisory_lock(1); end $$;")
            settings = {"node.name": "im-once", "internal.listen": "127.0.0.1:1", "pg.uri": self.servers.pg,
                        "kafka.brokers": self.servers.kafka, "auth.secret": SECRET}
            im = subprocess.Popen([BIN / "im", "--migrate", *(f"--{key}={value}" for key, value in settings.items())],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with contextlib.ExitStack() as ending:
                ending.callback(im.wait)
                ending.callback(im.kill)
                await_that(lambda: self.servers.sql("select 1 from pg_locks where locktype = 'advisory' and not granted"
                                                    " and objid = 1"), "the step waits")
        await_that(lambda: not self.servers.sql(
            "select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            " and backend_type = 'client backend'"), "PostgreSQL has noticed that im is gone")
        self.servers.sql(f"drop trigger hold on {table}; drop function hold")

    def test_a_migration_that_is_killed_leaves_whole_steps_and_the_next_run_completes_it(self):
        self.migrate()
        complete = self.servers.sql(SCHEMA)
        for done, _ in enumerate(FILES): # the one behind these is killed
            with self.subTest(FILES[done].stem):
                self.empty()
                self.servers.sql(RECORDS)
                self.kill_in_step("schema_migration", f"new.version = {int(FILES[done].stem[:3])}")
                self.assertEqual(self.servers.sql("select name from schema_migration order by version"),
                                 [[file.stem] for file in FILES[:done]])
                made = {table for file in FILES[:done] for table in re.findall(r"^create table (\w+)", file.read_text(), re.MULTILINE)}
                found = {table for table, in self.servers.sql("select tablename from pg_tables where schemaname = 'public'")}
                self.assertEqual(found - {"schema_migration", "schema_functions"}, made)
                self.assertEqual(self.migrate(), len(FILES) - done + 1)
                self.assertEqual(self.servers.sql(SCHEMA), complete)

    def test_a_replacement_of_functions_that_is_killed_leaves_the_old_ones(self):
        self.migrate()
        complete = self.servers.sql(SCHEMA)
        self.servers.sql("update schema_functions set hash = 'x'; create function fn.of_another_im() returns integer"
                         " language sql as 'select 1'; drop function fn.members")
        before = self.servers.sql(SCHEMA)
        self.kill_in_step("schema_functions", "true")
        self.assertEqual(self.servers.sql(SCHEMA), before)
        self.assertEqual(self.servers.sql("select hash from schema_functions"), [["x"]])
        self.assertEqual(self.migrate(), 1)
        self.assertEqual(self.servers.sql(SCHEMA), complete)

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
