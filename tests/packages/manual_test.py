"""The manual pages: their form, and that each has what the program knows."""
import re
import subprocess

import pytest

from conftest import ROOT

SERVICES = ("gateway", "im", "push", "router")
PAGES = [*(f"man8/skein-{service}.8" for service in SERVICES), "man1/skeinctl.1"]


def as_text(page):
    """What a reader sees, in long lines, and what `man` says about the page."""
    done = subprocess.run(["man", "--warnings=w", "--local-file", page], text=True, capture_output=True,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "1000", "MAN_KEEP_FORMATTING": ""}, check=True)
    return done.stdout, done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_fault_of_form(installed, page):
    path = installed / "share/man" / page
    assert as_text(path)[1] == ""
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], text=True, stdout=subprocess.PIPE, check=False)
    assert lint.stdout == ""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_each_option_with_its_variable_meaning_and_default(installed, service):
    text = " ".join(as_text(installed / f"share/man/man8/skein-{service}.8")[0].split())
    table = subprocess.run([ROOT / "build/bin" / service, "--config-markdown"], text=True, stdout=subprocess.PIPE, check=True).stdout
    rows = [[cell.replace("\\|", "|").replace("`", "") for cell in row.split(" | ")] for row in re.findall(r"^\| (`.*) \|$", table, re.MULTILINE)]
    assert len(rows) >= 15
    for name, variables, value, default, reload, meaning in rows:
        variable, _, of_secret = variables.partition(", ")
        expected = f"--{name} ({variable}) {meaning} Value: {value}. "
        expected += {"required": "Required.", "(empty)": "Default: empty."}.get(default, f"Default: {default}.")
        expected += " Takes effect on SIGHUP." if reload == "yes" else ""
        expected += f" A secret: {variable}_FILE may name a file with it." if of_secret else ""
        assert " ".join(expected.split()) in text, f"{expected} is not in {text[:2000]}"


def test_skeinctl_has_each_command_and_option(installed):
    text = " ".join(as_text(installed / "share/man/man1/skeinctl.1")[0].split())
    rows = [row.split("\t") for row in subprocess.run([ROOT / "build/bin/skeinctl", "--rows"], text=True, stdout=subprocess.PIPE,
                                                      check=True).stdout.splitlines()]
    assert len([row for row in rows if row[0] == "verb"]) >= 10
    for kind, name, shown, *rest in rows:
        meaning = rest[-1]
        expected = " ".join(f"{name} {shown} {meaning[0].upper()}{meaning[1:]}.".split())
        assert expected in text, (kind, expected)


def test_the_completion_is_installed_where_bash_looks_for_it(installed):
    made = subprocess.run([ROOT / "build/bin/skeinctl", "completion", "bash"], text=True, stdout=subprocess.PIPE, check=True).stdout
    assert (installed / "share/bash-completion/completions/skeinctl").read_text() == made
