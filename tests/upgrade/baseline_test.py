"""Where there is no older version, the reason is said."""
import subprocess

import baseline
import pytest


def why_there_is_none(monkeypatch, root, commit=baseline.COMMIT):
    monkeypatch.setattr(baseline, "ROOT", root)
    monkeypatch.setattr(baseline, "COMMIT", commit)
    with pytest.raises(baseline.Unavailable) as found:
        baseline.build()
    return str(found.value)


def git(folder, *arguments):
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments], check=True,
                   capture_output=True, timeout=60)


def test_an_archive_without_history_has_no_baseline(monkeypatch, tmp_path):
    assert "not a git repository" in why_there_is_none(monkeypatch, tmp_path)


def test_a_commit_of_another_history_is_named(monkeypatch, tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    assert why_there_is_none(monkeypatch, tmp_path, "0123abcd") == "the baseline 0123abcd is missing (not in this repository)"


def test_a_shallow_clone_says_how_to_get_the_baseline(monkeypatch, tmp_path):
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"
    whole.mkdir()
    git(whole, "init", "-q")
    for name in "one", "two":
        git(whole, "commit", "-q", "--allow-empty", "-m", name)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{whole}", str(shallow))
    assert "git fetch --unshallow" in why_there_is_none(monkeypatch, shallow)
