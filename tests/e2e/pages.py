"""Runs what a page of docs/ shows, and compares what the page says comes out of it. tests/README.md tells how a page is written.

    page = Page.read(path)
    with Shell(folder) as shell:
        for step in page.steps:
            shell.run(step)      # AssertionError: the page is wrong, with the line

A step is a command of a ```sh block with what the page says it prints: comments that begin with a status ("# 201 {...}"), or the
```json or ```text block that follows. In an expected answer `...` stands for more of the same.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import sys

COMMAND_S = 30
NAMES = ("alice", "bob", "carol", "dave", "mallory", "newsbot")  # the users of the pages: each run has its own

BLOCK = re.compile(r"^(?P<note><!-- not run: [^\n]+ -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
STATUS = re.compile(r"#\s+(?P<status>[2-5]\d\d)(?![\d.])(?P<rest>.*)")
STATUS_BEHIND = re.compile(r"\s" + STATUS.pattern + r"$")
FILE_NAME = re.compile(r"# (\w+\.py)\b")

# Values that differ from run to run. Where a page shows one, later commands of the page may use it: it stands for what came.
VOLATILE = re.compile(r"(msg_id|time|epoch|token|secret|since|until|muted_until|last_seen|job_id|request_id|group_id|instance|conn|node|url"
                      r"|next_cursor|head|queue_bytes|lag_ms|connections|min_ms|max_ms|\w+_at)$")
LEARNED_LEN = 4  # shorter ones are looked for nowhere: "7" is too often something else
MORE = "\x00more"


@dataclasses.dataclass
class Step:
    line: int
    command: str
    status: int = None
    answer: str = None  # JSON with `...`
    text: str = None  # what it prints on both outputs
    file: str = None  # a Python block is stored under this name, and its command is the content


# ---- reading a page ----

def is_whole(command):
    """Whether bash would run it now, instead of reading on."""
    return not command.rstrip("\n").endswith("\\") and \
        subprocess.run(["bash", "-n"], input=command, text=True, capture_output=True, check=False).returncode == 0


def steps_of_block(text, line):
    """The commands of a ```sh block, each with the status and the answer in the comments behind or below it."""
    steps, command, first = [], "", line
    for number, one in enumerate(text.splitlines(), line):
        if not command and one.lstrip().startswith("#"):
            take_comment(steps, one.strip())
            continue
        if not command and not one.strip():
            continue
        if not command:
            first = number
        command += one + "\n"
        if is_whole(command):
            behind = STATUS_BEHIND.search(one)
            steps.append(Step(first, command))
            if behind:
                steps[-1].status, steps[-1].answer = int(behind["status"]), start_of_json(behind["rest"])
            command = ""
    assert not command, f"line {first}: bash does not take this as a command: {command}"
    return steps


def start_of_json(rest):
    return rest.strip() if rest.strip().startswith(("{", "[")) else None


def take_comment(steps, comment):
    match = STATUS.match(comment)
    if match and steps and steps[-1].status is None:
        steps[-1].status, steps[-1].answer = int(match["status"]), start_of_json(match["rest"])
    elif steps and steps[-1].answer is not None and not is_balanced(steps[-1].answer):
        steps[-1].answer += comment.removeprefix("#")


def is_balanced(text):
    outside = re.sub(r'"(?:\\.|[^"\\])*"', "", text)
    return sum(outside.count(c) for c in "{[") == sum(outside.count(c) for c in "}]")


@dataclasses.dataclass
class Page:
    name: str
    steps: list
    frames: list  # (line, JSON) of ```json blocks that follow no command

    @classmethod
    def read(cls, path, text=None):
        page = cls(path.name, [], [])
        text = path.read_text() if text is None else text
        follows = None  # the step whose output the next block may be
        end = 0
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start("text")) + 1
            if text[end:block.start()].strip():
                follows = None
            follows = page.take(block, line, follows)
            end = block.end()
        return page

    def take(self, block, line, follows):
        """Returns the step that the block ends with."""
        kind, text = block["kind"], block["text"]
        if block["note"]:
            return None
        if kind == "sh":
            steps = steps_of_block(text, line)
            self.steps += steps
            return steps[-1] if steps else None
        if kind == "python" and FILE_NAME.match(text):
            self.steps.append(Step(line, text, file=FILE_NAME.match(text)[1]))
            return self.steps[-1]
        if kind == "json" and follows:
            follows.answer = text.strip()
        elif kind == "json":
            self.frames += [(number, one) for number, one in enumerate(text.splitlines(), line) if one.strip()]
        elif kind == "text" and follows:
            follows.text = text
        return None


# ---- comparing ----

def with_more(text):
    """JSON with `...` in it, as JSON in which MORE stands in its place. What follows the value is cut off."""
    out, stack = [], []
    for token in re.finditer(r'"(?:\\.|[^"\\])*"|\.\.\.|[{}\[\]]|[^"{}\[\].]+|\.', text):
        one = token.group()
        if one in ("{", "["):
            stack.append(one)
        elif one in ("}", "]"):
            assert stack, f"no JSON: {text}"
            stack.pop()
        elif one == "...":
            one = f"{json.dumps(MORE)}:0" if stack and stack[-1] == "{" else json.dumps(MORE)
        out.append(one)
        if not stack:
            break
    return json.loads("".join(out))


class Comparison:
    """Compares an answer with what a page shows. `learned` gets the values that differ from run to run: shown -> came."""

    def __init__(self, learned):
        self.learned = learned

    def check(self, shown, came, place="", key=""):
        if shown == MORE:
            return
        if isinstance(shown, dict) and isinstance(came, dict):
            self.check_members(shown, came, place)
        elif isinstance(shown, list) and isinstance(came, list):
            self.check_items(shown, came, place, key)
        elif type(shown) is not type(came):
            raise AssertionError(f"{place or 'the answer'}: the page has {shown!r}, and {came!r} came")
        elif VOLATILE.match(key) or (isinstance(shown, str) and re.match("g:", shown)):
            self.learn(shown, came)
        elif shown != came:
            raise AssertionError(f"{place or 'the answer'}: the page has {shown!r}, and {came!r} came")

    def check_members(self, shown, came, place):
        names = set(shown) - {MORE}
        missing, more = names - set(came), set(came) - names
        assert not missing, f"{place or 'the answer'}: {', '.join(sorted(missing))} did not come, but {came}"
        assert MORE in shown or not more, f"{place or 'the answer'}: {', '.join(sorted(more))} came, which the page does not show"
        for name in names:
            self.check(shown[name], came[name], f"{place}.{name}".lstrip("."), name)

    def check_items(self, shown, came, place, key):
        is_open = MORE in shown
        items = [item for item in shown if item != MORE]
        assert len(came) >= len(items) if is_open else len(came) == len(items), f"{place}: {len(items)} are on the page, {len(came)} came: {came}"
        for number, item in enumerate(items):
            self.check(item, came[number], f"{place}[{number}]", key)

    def learn(self, shown, came):
        if not isinstance(shown, str):
            return
        if shown.startswith("g:"):
            assert came.startswith("g:"), f"the page has {shown!r}, and {came!r} came"
            shown, came = shown[2:], came[2:]
        assert shown.isdecimal() == came.isdecimal(), f"the page has {shown!r}, and {came!r} came"
        if len(shown) >= LEARNED_LEN:
            self.learned[shown] = came


def lines_of(text):
    """The lines of an output as words, without what differs from run to run: numbers, ids of groups, the width of columns."""
    return [re.sub(r"\d+", "0", re.sub(r"\b[0-9a-f]{20}\b", "ID", line)).split() for line in text.splitlines() if line.strip()]


def check_text(shown, came):
    """`...` alone in a line stands for any lines, at the end of a line for any words."""
    expected, actual = lines_of(shown), lines_of(came)
    at = 0
    for number, words in enumerate(expected):
        if words == ["..."]:
            rest = expected[number + 1:]
            assert len(actual) - at >= len(rest), f"only {came!r} came"
            at = len(actual) - len(rest)
            continue
        assert at < len(actual), f"the page has the line {' '.join(words)!r}, which did not come, but {came!r}"
        is_same = words[:-1] == actual[at][:len(words) - 1] if words[-1] == "..." else words == actual[at]
        assert is_same, f"the page has {' '.join(words)!r}, and {' '.join(actual[at])!r} came"
        at += 1
    assert at == len(actual), f"{' '.join(actual[at])!r} came, which the page does not show"


# ---- running ----

CURL = 'curl() { command curl -w "%{stderr}<status %{http_code}>" "$@"; }\n'


class Shell:
    """A bash in a folder of its own that looks like a checkout with a running cluster. Steps of several pages may follow each other."""

    def __init__(self, folder, run_dir, bin_dir):
        self.folder, self.count, self.learned = pathlib.Path(folder), 0, {}
        self.suffix = f"-{secrets.token_hex(4)}"
        (self.folder / "build").mkdir(parents=True)
        (self.folder / "path").mkdir()
        (self.folder / ".run").symlink_to(run_dir)
        (self.folder / "build" / "bin").symlink_to(bin_dir)
        (self.folder / "path" / "python3").symlink_to(sys.executable)
        reading, writing = os.pipe()
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SKEIN_")}
        self.process = subprocess.Popen(
            ["bash", "--norc"], stdin=subprocess.PIPE, text=True, cwd=self.folder, start_new_session=True, pass_fds=[writing],
            env={**plain, "PATH": f"{self.folder}/path:{os.environ['PATH']}", "TOLD": str(writing)})
        os.close(writing)
        self.told = os.fdopen(reading)
        self.process.stdin.write(CURL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.told.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def own(self, text):
        """With this run's users, and what came instead of what the page shows."""
        text = re.sub(rf"\b({'|'.join(NAMES)})\b", rf"\1{self.suffix}", text)
        for shown, came in self.learned.items():
            text = re.sub(rf"(?<![\w-]){re.escape(shown)}(?![\w-])", lambda _, came=came: came, text)
        return text

    def shown(self, text):
        """As the page would name them."""
        return text.replace(self.suffix, "")

    def run(self, step, page=""):
        """Runs a step and compares what came with the page."""
        try:
            self.check(step, *self.output_of(step))
        except AssertionError as wrong:
            raise AssertionError(f"{page}, line {step.line}: {wrong}\n{step.command}") from None

    def output_of(self, step):
        """Exit status, and both outputs."""
        if step.file:
            (self.folder / step.file).write_text(self.own(step.command))
            return 0, "", ""
        self.count += 1
        out, err = (self.folder / f"{kind}.{self.count}" for kind in ("out", "err"))
        watch = signal.signal(signal.SIGALRM, self.on_alarm)
        signal.alarm(COMMAND_S)
        try:
            self.process.stdin.write(f"{{\n{self.own(step.command)}\n}} >{out} 2>{err} </dev/null\necho $? >&$TOLD\n")
            self.process.stdin.flush()
            told = self.told.readline()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, watch)
        assert told, f"bash ended: {err.read_text()}"
        return int(told), self.shown(out.read_text()), self.shown(err.read_text())

    def on_alarm(self, *_):
        raise AssertionError(f"nothing came within {COMMAND_S} s")

    def check(self, step, code, out, err):
        statuses = [int(status) for status in re.findall(r"<status (\d+)>", err)]
        said = re.sub(r"<status \d+>", "", err)
        if step.status is not None:
            assert statuses, f"the page has a status, and no call was made: {out}{said}"
            assert statuses[-1] == step.status, f"the page has {step.status}, and {statuses[-1]} came: {out}{said}"
        else:
            assert all(status < 400 for status in statuses), f"{statuses[-1]} came, of which the page says nothing: {out}{said}"
            assert code == 0 or step.text, f"exit status {code}: {out}{said}"
        if step.answer is not None:
            Comparison(self.learned).check(with_more(step.answer), json.loads(out))
        if step.text is not None:
            check_text(self.shown(self.own(step.text)), out + said)
