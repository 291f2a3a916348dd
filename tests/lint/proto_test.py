"""The comparison of proto/ with its baseline finds what older services could not read, and passes what they can."""
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "lint-tools"
CONFIG = ROOT / "tests" / "lint" / "buf.yaml"
RECORD = ROOT / "proto" / "record.proto"


@pytest.fixture
def complaints(tmp_path):
    """What buf says when `old` stands as `new` in proto/record.proto, against proto/ as it is."""
    subprocess.run([ROOT / "tests" / "lint" / "tools", TOOLS], check=True)
    shutil.copytree(ROOT / "proto", tmp_path / "proto")

    def buf(*arguments):
        return subprocess.run([TOOLS / "buf", *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)

    def compare(old, new):
        text = RECORD.read_text()
        assert text.count(old) == 1
        built = buf("build", ".", "--config", CONFIG, "--path", "proto", "-o", "old.binpb")
        assert built.returncode == 0, built.stdout
        (tmp_path / "proto" / "record.proto").write_text(text.replace(old, new))
        found = buf("breaking", ".", "--config", CONFIG, "--path", "proto", "--against", "old.binpb")
        assert (found.returncode == 0) == (found.stdout == "")
        return found.stdout
    return compare


@pytest.mark.parametrize("new", ["", "uint64 member_version = 30;", "string member_version = 3;", "uint64 version_of_members = 3;",
                                 "repeated uint64 member_version = 3;"])
def test_a_field_that_goes_or_changes_is_found(complaints, new):
    assert "member_version" in complaints("uint64 member_version = 3;", new)


def test_a_new_field_passes(complaints):
    assert complaints("uint64 member_version = 3;", "uint64 member_version = 3; string of_a_later_version = 1000;") == ""
