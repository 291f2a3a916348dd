"""What the SQL statements of the services read: no table that grows is scanned, and a longer history is not more to read.

Every statement is called in three worlds: one of short histories and short lists, one whose histories are ten times longer, and one
whose lists are. PostgreSQL's counters tell which rows each call fetched, inside of the functions too. The same is asked before and after
PostgreSQL has statistics, and the sessions have the settings of im's. plan_cases.py has the case of each statement.
"""
import csv
import dataclasses
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import ROOT, Servers
from plan_cases import CASES
from plan_statements import session_settings, statements

SCHEMA = ROOT / "deploy" / "schema"
SEED = pathlib.Path(__file__).with_name("plan_seed.sql")
SMALL = {"node_lease", "job"}  # tables that do not grow: at most 1,024 nodes, and what admins asked for in jobs.keep
COUNTERS = """select coalesce(json_object_agg(relname, array[seq_scan, coalesce(seq_tup_read, 0),
	coalesce(idx_tup_fetch, 0), n_tup_upd - n_tup_hot_upd]), '{}')
from pg_stat_xact_user_tables where schemaname = 'public'"""
MARK = "@@@"


@dataclasses.dataclass
class World:
    name: str
    entries: int
    items: int
    first: int

    def fill(self, text, **more):
        return text.format(w=self.name, h=self.entries, l=self.items, first=self.first, **more)


BASE, LONG, WIDE = World("base", 100, 15, 1000), World("long", 1000, 15, 2000), World("wide", 100, 150, 3000)


@dataclasses.dataclass
class Reading:
    answer: list  # rows as dictionaries
    rows: int = 0
    blocks: int = 0
    scanned: tuple = ()
    moved: tuple = ()  # tables of rows whose update wrote every index (it was not HOT)


def statement_of(name):
    return name.partition(":")[0]


def script(name, sql, case, world):
    """The psql script of one call. It runs twice: the first call fills caches and shows that the statement does what it is for."""
    arguments = world.fill(case.arguments, kind=name.partition(":")[2])
    call = f'"{name}"({arguments})' if arguments else f'"{name}"'
    return f"""
begin;
\\echo {MARK} {name} {world.name} setup
prepare "{name}" as {sql};
{world.fill(case.setup)};
\\echo {MARK} {name} {world.name} answer
savepoint s;
execute {call};
rollback to s;
\\echo {MARK} {name} {world.name} before
{COUNTERS};
\\echo {MARK} {name} {world.name} plan
explain (analyze, buffers, timing off, format json) execute {call};
\\echo {MARK} {name} {world.name} after
{COUNTERS};
rollback;
deallocate "{name}";
"""


def parse(block):
    return list(csv.DictReader(io.StringIO(block)))


def reading_of(parts):
    before, after = (json.loads(parse(parts[moment])[0]["coalesce"]) for moment in ("before", "after"))
    plan = json.loads(parse(parts["plan"])[0]["QUERY PLAN"])[0]["Plan"]
    reading = Reading(parse(parts["answer"]), blocks=plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    for table, counts in after.items():
        scans, scanned, fetched, moved = (now - then for now, then in zip(counts, before.get(table, (0, 0, 0, 0)), strict=True))
        reading.rows += scanned + fetched
        if scans and table not in SMALL:
            reading.scanned += (table,)
        if moved:
            reading.moved += (table,)
    return reading


def more(reading, small):
    """What a reading has more than that of the small world; None: nothing that matters."""
    if reading.rows > 2 * small.rows + 10 or reading.blocks > 1.5 * small.blocks + 15:
        return f"{reading.rows} rows of {reading.blocks} blocks, in the small world {small.rows} of {small.blocks}"
    return None


class Plans(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = Servers("postgres")
        cls.addClassCleanup(cls.servers.close)
        cls.psql("".join(path.read_text() for folder in ("tables", "functions") for path in sorted((SCHEMA / folder).glob("*.sql"))))
        cls.statements = statements()
        tables = [name for name, in cls.servers.sql("select tablename from pg_tables where schemaname = 'public'")]
        cls.psql("".join(f"alter table {table} set (autovacuum_enabled = off);\n" for table in tables))  # no statistics yet
        cls.seed(BASE)
        alone = cls.read(BASE)
        for world in LONG, WIDE:
            cls.seed(world)
        young = cls.read(BASE, LONG, WIDE)
        cls.servers.sql("analyze")
        cls.runs = {"alone": alone, "no statistics": young, "statistics": cls.read(BASE, LONG, WIDE)}

    @classmethod
    def psql(cls, text, *options, **environment):
        done = subprocess.run(["psql", "-Xq", "--csv", "-v", "ON_ERROR_STOP=1", *options, "-f", "-", cls.servers.pg], input=text,
                              capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment})
        assert done.returncode == 0, f"{done.stderr}\nafter:\n{done.stdout[-2000:]}"
        return done.stdout

    @classmethod
    def seed(cls, world):
        variables = {"w": world.name, "h": world.entries, "l": world.items, "first": world.first}
        cls.psql(SEED.read_text(), *(f"-v{name}={value}" for name, value in variables.items()))

    @classmethod
    def read(cls, *worlds):
        """(statement, world) -> Reading, of one session."""
        text = "".join(script(name, cls.statements[statement_of(name)], case, world) for world in worlds for name, case in CASES.items()
                       if statement_of(name) in cls.statements)
        parts = {}
        for block in cls.psql(text, PGOPTIONS=session_settings()).split(MARK + " ")[1:]:
            head, _, rest = block.partition("\n")
            name, world, moment = head.split(" ")
            parts.setdefault((name, world), {})[moment] = rest
        return {key: reading_of(of) for key, of in parts.items()}

    def faults(self, fault_of):
        """The faults of all readings, each compared with the one of the small world when there was no other."""
        found = []
        for moment, readings in self.runs.items():
            for (name, world), reading in readings.items():
                fault = fault_of(CASES[name], world, reading, self.runs["alone"][name, BASE.name])
                if fault:
                    found.append(f"{name} in the world {world}, {moment}: {fault}")
        self.assertEqual(found, [], "\n".join(["", *found]))

    def test_every_statement_has_a_case_and_every_case_a_statement(self):
        self.assertEqual(sorted(self.statements), sorted({statement_of(name) for name in CASES}),
                         "tests/integration/plan_cases.py: each pg_statement has its case there")

    def test_every_kind_of_change_has_a_case(self):
        kinds = re.findall(r"when '(\w+)' then fn\.", (SCHEMA / "functions" / "04_entries.sql").read_text())
        self.assertEqual(sorted(kinds), sorted(name.partition(":")[2] for name in CASES if ":" in name))
        sources = "".join((ROOT / "services" / "im" / path).read_text() for path in ("messages/message_change.c", "groups/group_change.c"))
        self.assertEqual(sorted(kinds), sorted(re.findall(r'(?:\.name = |GROUP_KIND\()"(\w+)"', sources)))

    def test_every_statement_finds_what_it_asks_for(self):
        def fault(case, _, reading, __):
            verdicts = {row.get("verdict", row.get("status" if "ord" in row else "verdict", "ok")) for row in reading.answer}
            return verdicts - {"ok"} or (f"{len(reading.answer)} rows" if bool(reading.answer) != case.has_rows else None)
        self.faults(fault)

    def test_no_statement_scans_a_table_that_grows(self):
        self.faults(lambda _, __, reading, ___: f"scans {reading.scanned}" if reading.scanned else None)

    def test_a_longer_history_and_more_users_are_not_more_to_read(self):
        self.faults(lambda case, world, reading, small: more(reading, small) if world != WIDE.name and case.is_bounded else None)

    def test_longer_lists_are_more_to_read_only_where_the_case_says_why(self):
        self.faults(lambda case, world, reading, small: more(reading, small) if world == WIDE.name and not case.may_grow else None)

    def test_a_send_and_a_read_mark_write_no_index_of_the_rows_that_they_update(self):
        names = ("send", "conversation_read")
        moved = {key: reading.moved for key, reading in self.runs["statistics"].items() if key[0] in names and reading.moved}
        self.assertEqual(moved, {})


if __name__ == "__main__":
    unittest.main()
