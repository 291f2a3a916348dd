"""The older version beside which the present one has to run: a commit of this repository's history, built below build/upgrade/."""
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMMIT = (HERE / "baseline").read_text().split()[0]
BUILD_S = 20 * 60


class Unavailable(Exception):
    """There is no older version to test with."""


def git(*arguments):
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=60, check=False)


def build():
    """The folder with the older programs. A build that is there is used again."""
    found = git("rev-parse", "--verify", "--quiet", f"{COMMIT}^{{commit}}")
    if found.returncode != 0:
        shallow = git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        why = "this clone is shallow: git fetch --unshallow" if shallow else found.stderr.strip() or "not in this repository"
        raise Unavailable(f"the baseline {COMMIT} is missing ({why})")
    commit = found.stdout.strip()
    source = ROOT / "build" / "upgrade" / commit
    programs = source / "build" / "bin"
    if not (source / "is-built").exists():
        source.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE, timeout=60, check=True)
        subprocess.run(["tar", "-x", "-C", str(source)], input=archive.stdout, timeout=60, check=True)
        # The version is given: git would find the repository around this folder.
        made = subprocess.run(["make", "-C", str(source), f"-j{os.cpu_count()}", f"VERSION=baseline-{commit[:8]}", "BUILD=release",
                               "OUT=build/release", "BIN=build/bin", "all"],
                              env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_S, check=False)
        assert made.returncode == 0, made.stdout[-4000:]
        (source / "is-built").touch()
    return programs
