#!/usr/bin/python3
"""Prints the seed of the short run of `make test`: the number of commits up to this one. Commits in a row have seeds in a row,
and thereby every kind of fault (schedule.short). Without the history it is the number of days since 1970."""
import pathlib
import subprocess
import time


def git(root, *arguments):
    """What git answers, or nothing."""
    try:
        return subprocess.run(["git", "-C", str(root), *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def seed_of(root):
    """The seed, and what it is drawn from."""
    if git(root, "rev-parse", "--is-shallow-repository") == "false":
        count = git(root, "rev-list", "--count", "HEAD")
        if count:
            return int(count), f"commit {git(root, 'rev-parse', '--short', 'HEAD')}"
    return int(time.time() // 86400), "today: there is no history of commits"


if __name__ == "__main__":
    print(*seed_of(pathlib.Path(__file__).resolve().parents[2]))
