"""The SQL statements of the services, read from their sources as the compiler sees them, and the settings of the sessions that run them."""
import os
import pathlib
import re
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "build" / "bin")).resolve()

TEXT = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
STATEMENT = re.compile(r"\bpg_statement(?:\s+\w+\s*=|\s*\))\s*\{\s*" + TEXT + r",\s*" + TEXT + r",?\s*\}")
OBJECT = re.compile(r"\bpg_statement(?:\s+\w+\s*=|\s*\))\s*\{")


def literal(text):
    """The value of adjacent string literals of C."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)).encode().decode("unicode_escape")


def compiler():
    """The command that compiles a file of this build, without the file; the build writes it down."""
    flags = next(path for path in (BIN.parent / "flags", ROOT / "build" / "release" / "flags") if path.exists())
    return shlex.split(flags.read_text())


def statements():
    """Name -> SQL of every `struct pg_statement` of the services."""
    command, found = compiler(), {}
    for source in sorted((ROOT / "services").rglob("*.c")):
        if "pg_statement" not in source.read_text():
            continue
        done = subprocess.run([*command, "-E", "-P", source], capture_output=True, text=True, cwd=ROOT, check=True)
        here = STATEMENT.findall(done.stdout)
        assert len(here) == len(OBJECT.findall(done.stdout)), f"{source} has a pg_statement of another form than {{ name, sql }}"
        for name, sql in here:
            assert literal(name) not in found, f"two statements are named {literal(name)}"
            found[literal(name)] = literal(sql)
    return found


def session_settings():
    """PG_BY_INDEX of libcommon/store/pg/pg.h."""
    header = (ROOT / "libcommon" / "store" / "pg" / "pg.h").read_text()
    return literal(re.search(r"#define PG_BY_INDEX \\\n\t(.*)\n", header)[1])
