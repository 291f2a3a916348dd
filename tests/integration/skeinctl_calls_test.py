"""What skeinctl makes of the table of its verbs: requests, tables and JSON, whatever im's answer is. The test plays im."""
import http.server
import json
import os
import pathlib
import subprocess
import threading

import pytest

SKEINCTL = pathlib.Path(os.environ.get("BIN", "build/bin")).resolve() / "skeinctl"
TOKEN = "header.claims.signature"


class Im(http.server.ThreadingHTTPServer):
    """Gives the answers in `answers`, (status, body), one after the other, the last one again. `requests` has what came."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers, self.requests = [], []

    def run(self, *words, **environment):
        plain = {k: v for k, v in os.environ.items() if not k.startswith("SKEIN_")}
        stdin = environment.pop("stdin", b"")
        return subprocess.run([SKEINCTL, *words], env={**plain, "SKEIN_HTTP": self.url, "SKEIN_TOKEN": TOKEN, **environment}, cwd="/",
                              timeout=30, capture_output=True, check=False, input=stdin)

    def told(self, answer, *words, status=200, **environment):
        """What skeinctl prints for one answer."""
        self.answers = [(status, answer)]
        done = self.run(*words, **environment)
        assert (done.returncode, done.stderr) == (0, b""), done.stderr
        return done.stdout.decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, path, _ = self.requestline.split()  # self.path has lost a second slash at its beginning
        self.server.requests.append((self.command, path, self.headers["Authorization"], json.loads(body) if body else None))
        status, answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        data = answer if isinstance(answer, bytes) else json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def im():
    with Im() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


def rows():
    """The rows of the table: (name, usage, method, path, its params as [name, value])."""
    verbs = []
    for line in subprocess.run([SKEINCTL, "--rows"], text=True, stdout=subprocess.PIPE, check=True).stdout.splitlines():
        kind, *cells = line.split("\t")
        if kind == "verb":
            verbs.append((*cells[:4], []))
        elif kind == "param":
            verbs[-1][4].append(cells[:2])
    return verbs


def node(name, **fields):
    return {"node": name, "connections": 1, "queue_bytes": 0, "lag_ms": 7, "draining": False, "url": "ws://a/ws", **fields}


def test_a_table_is_aligned_by_the_width_of_its_characters(im):
    out = im.told({"nodes": [node("im"), node("广州-一", connections=12345), node("e\u0301", draining=True), node("👩‍🚀")]}, "nodes")
    assert out.splitlines() == [
        "NODE     CONNECTIONS  QUEUE BYTES  LAG MS  DRAINING  URL",
        "im                 1            0       7  no        ws://a/ws",
        "广州-一        12345            0       7  no        ws://a/ws",
        "e\u0301                  1            0       7  yes       ws://a/ws",
        "👩‍🚀               1            0       7  no        ws://a/ws",
    ]


def test_what_a_terminal_would_obey_is_made_visible_everywhere(im):
    hostile = "\x1b[2J\x07\n\x9b31m\u202eevil\u2066\ufeff\U000e0041"
    shown = r"\u001b[2J\u0007\n\u009b31m\u202eevil\u2066\ufeff\udb40\udc41"
    table = im.told({"nodes": [node(hostile)]}, "nodes")
    assert table.splitlines()[1].startswith(shown + "  ") and len(table.splitlines()) == 2
    as_json = im.told({"nodes": [node(hostile)]}, "nodes", "--json")
    assert as_json.isascii() and as_json.count("\n") == 1 and json.loads(as_json) == {"nodes": [node(hostile)]}
    members = im.told({"group_id": hostile, hostile: {"a": [hostile]}}, "groups", "show", "g")
    assert members == f"group_id: {shown}\n{shown}.a: {shown}\n"
    im.answers = [(404, {"code": "not_found", "detail": hostile})]
    failed = im.run("nodes")
    assert (failed.returncode, failed.stderr.decode()) == (1, f"skeinctl: not_found: {shown}\n")


def test_a_cell_that_is_too_wide_is_cut_and_the_columns_stay_aligned(im):
    out = im.told({"nodes": [node("n" * 5000), node("国" * 5000), node("b", url="u" * 5000)]}, "nodes").splitlines()
    assert out[1].startswith("n" * 63 + "…  ") and out[2].startswith("国" * 31 + "…   ")
    assert out[3].endswith("u" * 159 + "…")
    assert out[0].index("URL") == out[1].index("ws://") == out[2].index("ws://") + 31


def test_json_is_the_answer_as_it_is(im):
    text = b'{"nodes":[],"big":9007199254740993,"real":46.948,"text":"\\u00e9\xc3\xa9","order":{"b":1,"a":2}}'
    assert im.told(text, "nodes", "--json").encode() == text + b"\n"
    assert im.told(b"", "groups", "dissolve", "g", "--json", status=204) == ""


def page(number, cursor=None):
    return 200, {"members": [{"uid": f"u{number}", "role": "member"}], **({"next_cursor": cursor} if cursor else {})}


def test_all_pages_of_a_list_are_one_unless_one_is_asked_for(im):
    pages = [page(1, "a&b"), page(2, "c"), page(3)]
    im.answers = [*pages]
    out = im.run("groups", "members", "g/1", "--json")
    assert out.stdout == b'{"members":[{"uid":"u1","role":"member"},{"uid":"u2","role":"member"},{"uid":"u3","role":"member"}]}\n'
    assert [request[1] for request in im.requests] == [f"/v1/groups/g%2F1/members{query}" for query in ("", "?cursor=a%26b", "?cursor=c")]
    im.answers, im.requests = [*pages], []
    out = im.run("groups", "members", "g", "--limit", "1")
    assert out.stdout.splitlines()[1].split() == [b"u1", b"member", b"-"] and out.stderr == b"there is more: --cursor a&b\n"
    assert [request[1] for request in im.requests] == ["/v1/groups/g/members?limit=1"]


def test_a_list_without_an_end_ends(im):
    im.answers = [(200, {"members": [{"uid": "u"}] * 200, "next_cursor": "c"})]
    out = im.run("groups", "members", "g")
    assert out.returncode == 0 and out.stdout.count(b"\n") == 10001 and out.stderr == b"there is more: --cursor c\n"
    assert len(im.requests) == 50


def test_a_list_of_lines_has_an_object_a_line_and_all_pages(im):
    pages = [(200, {"items": [{"a": 1}, {"b": "\x9b"}], "next_cursor": "c"}), (200, {"items": [{"c": []}]})]
    im.answers = [*pages]
    out = im.run("jobs", "output", "7")
    assert (out.returncode, out.stdout, out.stderr) == (0, b'{"a":1}\n{"b":"\\u009b"}\n{"c":[]}\n', b"")
    assert [request[1] for request in im.requests] == ["/v1/admin/jobs/7/output", "/v1/admin/jobs/7/output?cursor=c"]
    im.answers = [*pages]
    assert im.run("jobs", "output", "7", "--json").stdout == b'{"items":[{"a":1},{"b":"\\u009b"},{"c":[]}]}\n'
    im.answers = [*pages]
    out = im.run("jobs", "output", "7", "--limit", "2")
    assert out.stdout.count(b"\n") == 2 and out.stderr == b"there is more: --cursor c\n"


def test_a_user_is_created_changed_and_told_of_as_the_row_says(im):
    user = {"uid": "news", "name": "N", "bot": True, "disabled": False, "token": "a.b.c"}
    for words, answer, stdin, said, request in (
            (("users", "create", "news", "--name", "N", "--bot"), (201, user), b"", "a.b.c",
             ("POST", "/v1/admin/users", {"uid": "news", "name": "N", "bot": True})),
            (("users", "create", "news", "--name=N", "--password-file", "-"), (201, user), b"pass word\nmore", "news is created",
             ("POST", "/v1/admin/users", {"uid": "news", "name": "N", "password": "pass word"})),
            (("users", "disable", "news"), (200, user), b"", "news is disabled", ("PATCH", "/v1/admin/users/news", {"disabled": True})),
            (("users", "enable", "news"), (200, user), b"", "news is enabled", ("PATCH", "/v1/admin/users/news", {"disabled": False})),
            (("users", "password", "news", "--password", "x"), (200, user), b"", "news has a new password",
             ("PATCH", "/v1/admin/users/news", {"password": "x"})),
            (("users", "logout", "n/w"), (204, b""), b"", "n/w is logged out everywhere", ("POST", "/v1/admin/users/n%2Fw/logout", None)),
            (("users", "logout", ".."), (204, b""), b"", ".. is logged out everywhere", ("POST", "/v1/admin/users/../logout", None)),
            (("kick", "news", "--device", "d"), (204, b""), b"", "news has no such connection any more",
             ("POST", "/v1/admin/kick", {"uid": "news", "device": "d"})),
            (("send", "--as", "a", "--group", "g", "--key", "k", "hi"), (200, {"conversation_id": "g:g", "seq": 1, "msg_id": "9"}), b"",
             "stored in g:g as number 1, id 9", ("POST", "/v1/admin/messages", {
                 "from": "a", "to": {"group": "g"}, "client_msg_id": "k", "type": "text", "body": {"text": "hi"}}))):
        im.answers, im.requests = [answer], []
        out = im.run(*words, stdin=stdin)
        assert (out.returncode, out.stdout.decode(), out.stderr) == (0, said + "\n", b"")
        assert [(method, path, body) for method, path, _, body in im.requests] == [request]
    for words in ("users", "create", "news", "--bot"), ("users", "password", "news"), ("users", "create", "x", "--name", "N", "--bot", "--password", "y"), \
            ("users", "password", "news", "--password", "a", "--password-file", "b"):
        assert im.run(*words).returncode == 2


def job(state, done=0, **fields):
    return 200, {"job_id": "7", "state": state, "done": done, "total": 9, "failed": 0, **fields}


def test_wait_shows_the_progress_of_a_job_and_fails_unless_it_is_done(im):
    for state, status in (("done", 0), ("failed", 1), ("cancelled", 1)):
        im.answers, im.requests = [job("queued"), job("running", 3), job("running", 3), job(state, 9)], []
        out = im.run("broadcast", "--uids", " a, b ,,c", "--wait", "hi")
        assert (out.returncode, out.stdout.decode()) == (status, f"job 7 is {state}: 9 of 9 done, 0 failed\n")
        assert out.stderr.decode() == f"job 7: running, 3 of 9, 0 failed\njob 7: {state}, 9 of 9, 0 failed\n"
        assert [request[:2] for request in im.requests] == [("POST", "/v1/admin/broadcast")] + [("GET", "/v1/admin/jobs/7")] * 3
        assert im.requests[0][3] == {"type": "text", "uids": ["a", "b", "c"], "body": {"text": "hi"}}
    im.answers = [job("queued", job_id="../../x")]
    assert im.run("broadcast", "--everyone", "--wait", "hi").stderr == b"skeinctl: the answer names no job to wait for\n"


def test_a_broadcast_names_its_audience_and_may_have_any_body(im):
    im.answers = [job("queued")]
    for words in ("hi",), ("--uids", "a", "--everyone", "hi"), ("--uids-file", "/nothing", "--uids", "a", "hi"):
        assert im.run("broadcast", *words).returncode == 2
    assert im.run("broadcast", "--uids-file", "/nothing", "hi").stderr == b"skeinctl: /nothing: No such file or directory\n"
    assert im.run("broadcast", "--uids", "a", "--type", "custom", "--body", "[]").stderr == b"skeinctl: --body is no JSON object\n"
    assert im.requests == []
    im.run("broadcast", "--everyone", "--type", "custom", "--body", '{"a": {"b": 1}}')
    im.run("broadcast", "--uids-file", "-", "hi", stdin=b"a\r\n\n b \n")
    assert [request[3] for request in im.requests] == [{"type": "custom", "body": {"a": {"b": 1}}},
                                                       {"type": "text", "uids": ["a", "b"], "body": {"text": "hi"}}]


def test_an_answer_without_an_end_is_refused(im):
    im.answers = [(200, b'{"nodes":["' + b"x" * (16 << 20) + b'"]}')]
    out = im.run("nodes")
    assert out.returncode == 1 and out.stderr.endswith(b"/v1/admin/nodes: the answer is larger than 16 MiB\n")


def test_an_answer_of_another_form_is_an_error_in_one_line(im):
    for status, body, line in (
            (502, b"<html>bad\ngateway</html>", "502: GET /v1/admin/nodes was not answered by Skein: is SKEIN_HTTP im's address?"),
            (302, b"", "302: GET /v1/admin/nodes was not answered by Skein: is SKEIN_HTTP im's address?"),
            (200, b"no json", "GET /v1/admin/nodes: the answer has no list of nodes"), (200, {"nodes": {}}, "GET /v1/admin/nodes: the answer has no list of nodes"),
            (503, {"code": "unavailable", "title": "Unavailable"}, "unavailable: Unavailable"),
            (404, {"code": "not_found", "detail": "no such user", "field": "to.user"}, "not_found: no such user (to.user)"),
            (400, {"code": "invalid_argument", "detail": "limit must be 1", "field": "limit"}, "invalid_argument: limit must be 1"),
            (429, {"code": "rate_limited", "detail": 7}, "rate_limited: no more is known")):
        im.answers = [(status, body)]
        out = im.run("nodes")
        assert (out.returncode, out.stdout, out.stderr.decode()) == (1, b"", f"skeinctl: {line}\n")
    out = im.told({"nodes": [{"node": None, "connections": "many", "url": ["a", "b"], "lag_ms": {"x": 1}}, 7]}, "nodes")
    assert [line.split() for line in out.splitlines()[1:]] == [["-", "many", "-", '{"x":1}', "-", "a,b"], ["-"] * 6]


def test_an_im_that_is_away_is_passed_over(im):
    im.answers = [(200, {"nodes": []})]
    with http.server.HTTPServer(("127.0.0.1", 0), None) as closed:
        away = f"http://127.0.0.1:{closed.server_port}"
    for other in away, "http://no-such-host.invalid":
        assert im.run("nodes", SKEIN_HTTP=f"{other},{im.url}").returncode == 0
    out = im.run("nodes", SKEIN_HTTP=away)
    assert out.returncode == 1 and out.stderr.startswith(f"skeinctl: GET {away}/v1/admin/nodes: ".encode()) and out.stderr.count(b"\n") == 1


def test_a_slash_at_the_end_of_a_url_is_no_part_of_the_path(im):
    im.answers = [(200, {"nodes": []})]
    for bases in im.url + "/", f"http://127.0.0.1:1//,{im.url}//":
        assert im.run("nodes", SKEIN_HTTP=bases).returncode == 0
    assert [request[1] for request in im.requests] == ["/v1/admin/nodes"] * 2


def test_the_token_is_that_of_the_option_else_of_the_actor_else_of_the_environment(im):
    im.answers = [(200, {"nodes": []})]
    environment = {"SKEIN_JWT_SECRET": "a-secret-of-some-length"}
    im.run("nodes", "--token", "a.b.c")
    im.run("nodes")
    im.run("groups", "show", "g", "--as", "alice", **environment)
    im.run("nodes", SKEIN_TOKEN="", SKEIN_AUTH_SECRET="a-secret-of-some-length")
    tokens = [request[2].removeprefix("Bearer ") for request in im.requests]
    assert tokens[:2] == ["a.b.c", TOKEN]
    assert [token.count(".") for token in tokens[2:]] == [2, 2] and len(set(tokens)) == 4
    assert im.run("nodes", SKEIN_TOKEN="a\r\nX: y").stderr == b"skeinctl: the token is no JWT\n"


def test_the_user_who_acts_is_named_unless_a_token_is_given(im):
    im.answers = [(200, {"conversation_id": "g:g", "seq": 1, "msg_id": "9"})]
    by_secret = {"SKEIN_TOKEN": "", "SKEIN_JWT_SECRET": "a-secret-of-some-length"}
    for name, rest, option in ("send", ["--to", "bob", "hi"], "--from"), ("groups show", ["g"], "--as"), ("groups dissolve", ["g"], "--as"):
        words, im.requests = [*name.split(), *rest], []
        refused = im.run(*words, **by_secret)
        assert (refused.returncode, refused.stderr.decode()) == (2, f"skeinctl: {name}: {option} or --token is missing\n")
        for given, environment in ([option, "alice"], by_secret), (["--token", "a.b.c"], by_secret), ([], {}):
            assert im.run(*words, *given, **environment).returncode == 0
        assert [request[2] for request in im.requests[1:]] == ["Bearer a.b.c", f"Bearer {TOKEN}"]


def test_the_verbs_and_their_options_are_completed():
    def complete(*words):
        script = ('source <("$0" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _skeinctl; '
                  '[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, SKEINCTL, "skeinctl", *words], text=True, capture_output=True, check=True, cwd="/")
        assert done.stderr == ""
        return done.stdout.splitlines()
    verbs = rows()
    firsts = list(dict.fromkeys(name.split()[0] for name, *_ in verbs))
    assert complete("") == [*firsts, "--help", "--version"]
    assert complete("no") == ["nodes"]
    for first in firsts:
        seconds = list(dict.fromkeys(name.split()[1] for name, *_ in verbs if name.startswith(first + " ")))
        if seconds:
            assert complete(first, "") == [*seconds, "--help"]
    for name, _, method, _, _ in verbs:
        options = {param for other, *_, params in verbs if other == name for param, _ in params if param.startswith("--")}
        expected = options | {"--json", "--help"} | ({"--token"} if method else set())
        assert sorted(complete(*name.split(), "--")) == sorted(expected), name
        for option in options:
            assert complete(*name.split(), "--" + option[2:]) .count(option) == 1
    assert complete("token", "--scope", "") == ["admin"] and complete("token", "--scope", "=", "a") == ["admin"]
    assert complete("completion", "b") == ["bash"]
    assert complete("listen", "--state", "et") == ["etc"] and complete("secrets", "et") == ["etc"]
    assert complete("listen", "--uid", "") == [] and complete("nodes", "--token", "") == [] and complete("dance", "") == []


def test_help_of_each_verb_shows_its_options_and_calls_nothing():
    for name, usage, _, _, params in rows():
        done = subprocess.run([SKEINCTL, *name.split(), "--help"], text=True, capture_output=True, check=True, env={}, cwd="/")
        assert done.stderr == "" and f"usage: skeinctl {name}{' ' if usage else ''}{usage}" in done.stdout
        assert all(f"\n  {param} {value}".rstrip() in done.stdout for param, value in params)
    everything = subprocess.run([SKEINCTL, "--help"], text=True, capture_output=True, check=True).stdout
    for name in {name for name, *_ in rows()}:
        assert everything.count(f"\n  {name}  ") == [form for form, *_ in rows()].count(name), f"each form of {name} is listed"
