"""Every example of docs/use/ and of the README is run, and what the page says comes out of it is compared with what comes."""
import os
import pathlib
import re
import subprocess

import pytest

import cluster
import schemas
from pages import Page, Shell

USE = cluster.ROOT / "docs" / "use"
FIRST = "start.md"  # the others go on where it ends
PAGES = [FIRST, *sorted(path.name for path in USE.glob("*.md") if path.name != FIRST)]


@pytest.fixture
def shell(tmp_path):
    with Shell(tmp_path / "checkout", cluster.RUN_DIR, pathlib.Path(os.environ["BIN"]).resolve()) as one:
        yield one


def run(shell, page):
    for step in page.steps:
        shell.run(step, page.name)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_comes(shell, name):
    if name != FIRST:
        run(shell, Page.read(USE / FIRST))
    page = Page.read(USE / name)
    assert page.steps
    run(shell, page)


def test_the_readme_shows_what_comes(shell):
    page = Page.read(cluster.ROOT / "README.md")
    assert page.steps
    run(shell, page)


def test_the_frames_of_the_pages_are_those_of_asyncapi():
    frames = [(name, line, schemas.strict_json(text)) for name in PAGES for line, text in Page.read(USE / name).frames]
    assert {"hello", "message", "send"} <= {frame["type"] for _, _, frame in frames}
    for name, line, frame in frames:
        fault = frame["type"] in schemas.CLIENT_FRAMES and schemas.client_frame_fault(frame)
        if fault or frame["type"] not in schemas.CLIENT_FRAMES:
            try:
                schemas.check_frame(frame)
            except schemas.NotAsDocumented as wrong:
                raise AssertionError(f"{name}, line {line}: {wrong}") from None


# ---- the pages have every call ----

def calls_by_curl(command):
    """(method, path) of each call that a command makes, with x for what is a variable."""
    for call in re.split(r"\bcurl\b", command)[1:]:
        path = re.search(r"\$IM(/v1/[^\s\"'?]*)", call)
        method = re.search(r"-X (\w+)", call)
        if path:
            yield method[1] if method else "POST" if re.search(r"\s-d\b", call) else "GET", re.sub(r"\$\w+", "x", path[1])


def verbs():
    """The calls of skeinctl's verbs."""
    listed = subprocess.run([f"{os.environ['BIN']}/skeinctl", "--rows"], text=True, stdout=subprocess.PIPE, check=True).stdout
    rows = [line.split("\t") for line in listed.splitlines()]
    return [(name, method, path) for kind, name, _, method, path, *_ in (row for row in rows if row[0] == "verb") if method]


def test_each_call_of_openapi_is_in_an_example_or_a_verb_that_is():
    commands = [step.command for name in PAGES for step in Page.read(USE / name).steps]
    shown = {(method, path) for command in commands for method, path in calls_by_curl(command)}
    shown |= {(method, re.sub(r"\{\w+\}", "x", path)) for name, method, path in verbs()
              for command in commands if re.search(rf"\bskeinctl {name}\b", command)}
    missing = [f"{method.upper()} {template}" for template, operations in schemas.OPENAPI["paths"].items()
               for method, operation in operations.items() if "x-who" in operation
               and not any(schemas.operation(*one) is operation for one in shown)]
    assert not missing, f"docs/use/ has no example of {', '.join(missing)}"


def test_each_call_of_an_administrator_has_a_verb_and_each_verb_calls_what_there_is():
    made = {(method, re.sub(r"\{\w+\}", "{}", path)) for _, method, path in verbs()}
    served = {(method.upper(), re.sub(r"\{\w+\}", "{}", path)): operation for path, operations in schemas.OPENAPI["paths"].items()
              for method, operation in operations.items() if isinstance(operation, dict) and "x-who" in operation}
    assert made <= set(served), made - set(served)
    missing = {call for call, operation in served.items() if operation["x-who"] == "admin"} - made
    assert not missing, f"tools/skeinctl/verbs/table.c has no row for {missing}"


# ---- a page that is wrong is found ----

WRONG = {
    "a status": ("curl -s $IM/v1/endpoints -H \"Authorization: Bearer x\"\n# 200 {...}", "the page has 200, and 401 came"),
    "a failure that is not shown": ("curl -s $IM/v1/endpoints", "401 came, of which the page says nothing"),
    "a member that did not come": ("echo '{\"a\":1}'\n```\n```json\n{\"a\":1,\"b\":2}", "b did not come"),
    "a member too many": ("echo '{\"a\":1,\"b\":2}'\n```\n```json\n{\"a\":1}", "b came"),
    "another value": ("echo '{\"a\":[{\"role\":\"owner\"}]}'\n```\n```json\n{\"a\":[{\"role\":\"member\"}]}", r"a\[0\].role: the page has 'member'"),
    "another type": ("echo '{\"seq\":\"1\"}'\n```\n```json\n{\"seq\":1}", "the page has 1, and '1' came"),
    "a text for an id": ("echo '{\"msg_id\":\"none\"}'\n```\n```json\n{\"msg_id\":\"3855\"}", "the page has '3855', and 'none' came"),
    "too few items": ("echo '[1,2]'\n```\n```json\n[1]", "1 are on the page, 2 came"),
    "a line that did not come": ("printf 'A  B\\n1  2\\n'\n```\n```text\nA    B\n1    2\n3    4", "which did not come"),
    "a line too many": ("printf 'A  B\\n1  2\\n'\n```\n```text\nA    B", "which the page does not show"),
    "another word": ("echo UID NAME\n```\n```text\nUID TITLE", "the page has 'UID TITLE'"),
    "a command that fails": ("false", "exit status 1"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_page_is_refused_for(shell, what):
    text, why = WRONG[what]
    page = Page.read(USE / FIRST, f"```sh\nset -a; . .run/env; set +a\nIM=${{SKEIN_HTTP%%,*}}\n{text}\n```\n")
    with pytest.raises(AssertionError, match=why):
        run(shell, page)


def test_what_a_page_shows_may_be_used_by_its_next_command(shell):
    run(shell, Page.read(USE / FIRST, """
```sh
printf '{"epoch":"4f%s","of":"alice","items":[1,2,3],"more":{"a":1}}' 00   # not a status: 2000
```
```json
{"epoch":"abcd", "of":"alice", "items":[1, ...], "more":{...}}
```
```sh
echo "position abcd of alice" && echo 17 of 18; echo err >&2
```
```text
position abcd of alice
...
err
```
<!-- not run: it would never end -->
```sh
sleep 1000
```
"""))
