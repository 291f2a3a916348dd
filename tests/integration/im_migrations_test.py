"""im --migrate, and what im refuses: a schema that is missing, older or newer, and a wrong configuration. On real servers."""
import contextlib
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
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


def tables_after(files):
    """The names of the tables; one that is renamed while a new one of its name is made is dropped at the end."""
    made = set()
    for file in files:
        text = file.read_text()
        for old, new in re.findall(r"^alter table (\w+) rename to (\w+)", text, re.MULTILINE):
            made = made - {old} | {new}
        made |= set(re.findall(r"^create table (\w+)", text, re.MULTILINE))
        made -= set(re.findall(r"^drop table (\w+)", text, re.MULTILINE))
    return made


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
        return int(re.search(r"schema and topics are up to date.* applied=(\d+)", output)[1])

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
                made = tables_after(FILES[:done])
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

    def run_one(self):
        """An im starts and serves. Returns what it logged."""
        log = self.servers.folder / "im-1.log"
        logged = len(log.read_text()) if log.exists() else 0
        im = Im(self.servers)
        try:
            client = im.client("one")
            self.assertEqual(client.send("1", "user:one").status, 200)
            self.assertEqual(client.get("/v1/conversations/u:one:one/messages").json["messages"][0]["client_msg_id"], "1")
        finally:
            im.kill()
        return log.read_text()[logged:]

    def newest(self):
        return int(self.servers.sql("select max(version) from schema_migration")[0][0])

    def add_tables(self, compatible_from):
        """A newer im has migrated: its tables, and functions that this one does not know."""
        self.servers.sql(f"insert into schema_migration (version, name, compatible_from)"
                         f" values ({self.newest() + 1}, 'of_a_newer_im', {compatible_from})")
        self.add_functions()

    def add_functions(self):
        self.servers.sql("insert into schema_functions (hash) values ('newer');"
                         "create or replace function fn.of_a_newer_im() returns integer language sql as 'select 1'")

    def has_functions_of_a_newer_im(self):
        return self.servers.sql("select count(*) from pg_proc where proname = 'of_a_newer_im'") == [["1"]]

    def test_newer_tables_that_do_not_serve_this_im_are_refused(self):
        self.migrate()
        known = self.newest()
        self.add_tables(compatible_from="null") # nothing was said: only an im that knows them may run
        self.refused("newer schema than this im knows")
        self.refused("newer schema than this im knows", "--migrate")
        self.servers.sql(f"update schema_migration set compatible_from = {known + 1} where version = {known + 1}")
        self.refused(f"compatible_from={known + 1} known={known}")
        self.assertTrue(self.has_functions_of_a_newer_im())

    def test_an_im_runs_on_newer_tables_that_serve_it_and_leaves_them_alone(self):
        self.migrate()
        self.add_tables(compatible_from=self.newest())
        self.assertIn("the database has a newer schema, which serves this im", self.run_one())
        self.assertEqual(self.migrate(), 0)
        self.assertTrue(self.has_functions_of_a_newer_im())
        # One step further, which serves only the step before.
        self.add_tables(compatible_from=self.newest())
        self.refused("newer schema than this im knows")

    def test_an_im_starts_on_newer_functions_in_the_place_of_its_own_and_its_migrate_puts_its_own_back(self):
        self.migrate()
        own = self.servers.sql("select hash from schema_functions")
        self.add_functions()
        self.assertIn("the database has a newer schema, which serves this im", self.run_one())
        self.assertTrue(self.has_functions_of_a_newer_im())
        self.assertEqual(self.migrate(), 1)
        self.assertFalse(self.has_functions_of_a_newer_im())
        # The newer im has to migrate again before it may start.
        self.assertEqual(self.servers.sql("select hash from schema_functions"), own)

    def test_functions_in_a_row_are_all_remembered_and_the_last_ones_count(self):
        self.migrate()
        self.servers.sql("update schema_functions set hash = 'older'")
        self.refused("functions are those of another im: run im --migrate first")
        self.assertEqual(self.migrate(), 1)
        self.assertEqual(self.migrate(), 0)
        hashes = self.servers.sql("select hash from schema_functions order by no")
        self.assertEqual(len(hashes), 2)
        self.assertEqual(hashes[0], ["older"])
        self.assertNotIn("serves this im", self.run_one())

    def test_the_record_of_an_im_that_knew_no_compatible_versions_is_read_after_migrate(self):
        self.migrate()
        self.servers.sql("alter table schema_functions drop column no; alter table schema_migration drop column compatible_from")
        self.refused("run im --migrate first")
        self.assertEqual(self.migrate(), 0)
        self.run_one()

    def test_each_migration_says_from_which_tables_on_an_im_may_run_on_it(self):
        self.migrate()
        for name, compatible_from in self.servers.sql("select name, compatible_from from schema_migration"):
            first_line = (ROOT / "deploy" / "schema" / "tables" / f"{name}.sql").read_text().splitlines()[0]
            said = first_line.removeprefix("-- compatible from ") if first_line.startswith("-- compatible from ") else name[:3]
            self.assertEqual(int(compatible_from), int(said), name)

    def test_the_first_line_of_a_migration_is_compiled_in(self):
        with tempfile.TemporaryDirectory() as folder:
            texts = {"007_adds": "-- compatible from 006\nselect 1;\n", "008_breaks": "select 1; -- compatible from 006\n",
                     "009_misspelt": "-- compatible from 6\nselect 1;\n"}
            files = [pathlib.Path(folder) / f"{name}.sql" for name in texts]
            for file in files:
                file.write_text(texts[file.stem])
            made = f"{folder}/gen/im/db/schema.c"
            subprocess.run(["make", "-s", f"OUT={folder}", f"SCHEMA_TABLES={' '.join(map(str, files))}", made], cwd=ROOT, check=True)
            rows = [line for line in pathlib.Path(made).read_text().splitlines() if line.startswith("{ ")]
            self.assertEqual(rows, ['{ 7, 6, "007_adds",', '{ 8, 8, "008_breaks",', '{ 9, 9, "009_misspelt",'])

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

    def test_a_port_that_is_taken_ends_im_with_the_address_and_the_reason(self):
        self.migrate()
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            for name in "http.listen", "grpc.listen", "internal.listen":
                with self.subTest(name):
                    free = dict.fromkeys(("http.listen", "grpc.listen", "internal.listen"), "127.0.0.1:0")
                    code, output = run_im(self.servers, **{**free, "redis.uri": self.servers.redis, name: taken})
                    self.assertEqual(code, 1, output)
                    lines = [line for line in output.splitlines() if "cannot listen" in line]
                    self.assertEqual(len(lines), 1, output)
                    self.assertIn(f'address={taken} why="Address already in use"', lines[0])

    def test_a_wrong_option_is_named_and_the_secret_is_not_printed(self):
        for option, value in (("auth.secret", "short"), ("pg.connections", "0"), ("limits.body", "x")):
            code, output = run_im(self.servers, **{option: value})
            self.assertEqual(code, 2, output)
            self.assertIn(option, output)
            self.assertNotIn(SECRET, output)


if __name__ == "__main__":
    unittest.main()
