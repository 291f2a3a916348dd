"""The seed of the short run comes from the commit."""
import subprocess
import time

import seed


def git(root, *arguments):
    return subprocess.run(["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
                          stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def commit(root, count):
    for _ in range(count):
        git(root, "commit", "-q", "--allow-empty", "-m", "one more")


def test_commits_in_a_row_have_seeds_in_a_row(tmp_path):
    git(tmp_path, "init", "-q")
    commit(tmp_path, 3)
    assert seed.seed_of(tmp_path) == (3, f"commit {git(tmp_path, 'rev-parse', '--short', 'HEAD')}")
    commit(tmp_path, 1)
    assert seed.seed_of(tmp_path)[0] == 4
    assert seed.seed_of(tmp_path) == seed.seed_of(tmp_path)


def test_without_the_whole_history_it_is_the_day(tmp_path):
    (tmp_path / "bare").mkdir()
    git(tmp_path / "bare", "init", "-q")
    commit(tmp_path / "bare", 2)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path}/bare", "shallow")
    (tmp_path / "none").mkdir()
    for root in (tmp_path / "shallow", tmp_path / "none"):
        assert abs(seed.seed_of(root)[0] - time.time() / 86400) <= 1
