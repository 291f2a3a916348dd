"""What a container needs of skeinctl: its health check, the secrets of the first start, a secret that is in a file."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import stat
import subprocess
import threading

import pytest

SKEINCTL = pathlib.Path(os.environ.get("BIN", "build/bin")).resolve() / "skeinctl"


def run(*words, cwd="/", **environment):
    plain = {k: v for k, v in os.environ.items() if not k.startswith("SKEIN_")}
    return subprocess.run([SKEINCTL, *map(str, words)], cwd=cwd, env={**plain, **environment}, text=True, timeout=30,
                          capture_output=True, check=False)


@pytest.fixture
def internal_port():
    """A server whose answer is `server.answer`."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = self.server.answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.url = f"http://127.0.0.1:{server.server_port}/readyz"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_health_is_0_for_200_and_1_for_everything_else_with_the_reason_in_one_line(internal_port):
    url = internal_port.url
    internal_port.answer = 200, '{"ready":true,"draining":false,"checks":{"redis":"ok"}}'
    well = run("health", url)
    assert (well.returncode, well.stdout) == (0, f"{url}: 200\n")
    internal_port.answer = 503, '{"ready":false,"draining":true,"checks":{"redis":"ok","kafka":"timeout","im":"pending"}}'
    ill = run("health", url)
    assert (ill.returncode, ill.stdout) == (1, f"{url}: 503: draining, kafka timeout, im pending\n")
    internal_port.answer = 500, "<html>"
    assert run("health", url).stdout == f"{url}: 500\n"
    internal_port.answer = 204, ""
    assert run("health", url).returncode == 1


def test_health_of_a_port_where_nobody_listens_is_1(internal_port):
    internal_port.server_close()
    gone = run("health", internal_port.url)
    assert gone.returncode == 1
    assert gone.stderr.startswith(f"skeinctl: GET {internal_port.url}: ") and gone.stderr.count("\n") == 1
    assert run("health").stderr == "skeinctl: health: URL is missing\n"


def test_secrets_are_made_once_and_kept(tmp_path):
    folder = tmp_path / "secrets"
    made = run("secrets", folder)
    assert made.returncode == 0, made.stderr
    contents = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(contents) == ["jwt", "pgpass", "postgres"]
    assert len(contents["jwt"]) == 64 and len(contents["postgres"]) == 64 and contents["jwt"] != contents["postgres"]
    assert contents["pgpass"] == f"*:*:*:skein:{contents['postgres']}\n"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert not any(secret in made.stdout for secret in contents.values())
    again = run("secrets", folder)
    assert again.returncode == 0 and again.stdout.count("is there already") == 3
    assert {path.name: path.read_text() for path in folder.iterdir()} == contents


def test_secrets_that_cannot_be_made_are_an_error(tmp_path):
    (tmp_path / "file").touch()
    for folder, why in ((tmp_path / "no" / "such", "No such file or directory"), (tmp_path / "file", "Not a directory")):
        failed = run("secrets", folder)
        assert failed.returncode == 1
        assert failed.stderr.startswith("skeinctl: ") and failed.stderr.endswith(f": {why}\n")
    half = tmp_path / "half"
    half.mkdir()
    (half / "postgres").touch()
    assert run("secrets", half).stderr == f"skeinctl: postgres: {half}/postgres is empty\n"


def test_a_token_is_signed_with_the_secret_in_the_file_of_the_service(tmp_path):
    secret = tmp_path / "jwt"
    secret.write_text("a-secret-of-some-length\n")
    minted = run("token", "--uid", "alice", SKEIN_AUTH_SECRET_FILE=str(secret))
    signed, _, signature = minted.stdout.strip().rpartition(".")
    expected = hmac.new(b"a-secret-of-some-length", signed.encode(), hashlib.sha256).digest()
    assert signature == base64.urlsafe_b64encode(expected).rstrip(b"=").decode()
    claims = signed.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"] == "alice"
    other = run("token", "--uid", "alice", SKEIN_AUTH_SECRET_FILE=str(secret), SKEIN_JWT_SECRET="another-secret-of-length")
    assert other.stdout.strip().rpartition(".")[2] != signature


def test_a_token_that_would_be_expired_at_once_is_not_minted():
    for ttl in "0s", "999ms":
        refused = run("token", "--uid", "alice", "--ttl", ttl, SKEIN_JWT_SECRET="a-secret-of-some-length")
        assert (refused.returncode, refused.stdout) == (2, "") and refused.stderr.startswith("skeinctl: token: --ttl is at least 1s")
    assert run("token", "--uid", "alice", "--ttl", "1s", SKEIN_JWT_SECRET="a-secret-of-some-length").returncode == 0


def test_a_secret_file_that_cannot_be_used_is_named(tmp_path):
    secret = tmp_path / "jwt"
    missing = run("token", "--uid", "alice", SKEIN_AUTH_SECRET_FILE=str(secret))
    assert (missing.returncode, missing.stderr) == \
        (1, f"skeinctl: SKEIN_AUTH_SECRET_FILE: {secret}: No such file or directory\n")
    secret.write_text("\n")
    assert run("token", "--uid", "alice", SKEIN_AUTH_SECRET_FILE=str(secret)).stderr.endswith(" is empty\n")
    secret.write_text("s" * 1025)
    assert run("token", "--uid", "alice", SKEIN_AUTH_SECRET_FILE=str(secret)).stderr.endswith(": more than 1024 bytes\n")
