"""What is wrong is said in one line, with what to do; the table "When it does not start" of docs/operate/docker.md has a row for each."""
import os
import shutil
import time

import pytest
from compose import Project
from daemon import ROOT

EXITS_BAD_CONFIG, EXITS_FAILED = 2, 1
SKEIN_USER = 65532


def one_line(output):
    lines = output.strip().splitlines()
    assert len(lines) == 1, output
    return lines[0]


def lines_with(text, output):
    return [line for line in output.splitlines() if text in line]


# ---- secrets ----

def put_secret(path, content):
    path.write_bytes(content)
    os.chown(path, SKEIN_USER, SKEIN_USER)
    path.chmod(0o400)
    return path


def run_with_secret(project, path):
    return project.run_ours("im", environment={"SKEIN_AUTH_SECRET_FILE": "/run/key"}, options=["--volume", f"{path}:/run/key:ro"])


def test_a_missing_secret_file_is_named(project):
    code, output = project.run_ours("im", environment={"SKEIN_AUTH_SECRET_FILE": "/run/skein/none"})
    assert code == EXITS_BAD_CONFIG
    assert one_line(output) == "im: SKEIN_AUTH_SECRET_FILE: /run/skein/none: No such file or directory"


@pytest.mark.parametrize("content, reason", [
    (b"", "/run/key is empty"), (b"\n", "/run/key is empty"), (b"short\n", "/run/key: auth.secret "),
    (b"k" * (1 << 20) + b"k", "/run/key: more than 1048576 bytes")], ids=["empty", "blank", "short", "long"])
def test_a_secret_file_that_holds_no_secret_is_named(project, tmp_path, content, reason):
    code, output = run_with_secret(project, put_secret(tmp_path / "key", content))
    assert code == EXITS_BAD_CONFIG
    line = one_line(output)
    assert line.startswith("im: SKEIN_AUTH_SECRET_FILE: /run/key") and reason in line
    assert "short" not in line.split(reason)[1] or b"short" not in content


def test_a_folder_in_place_of_a_secret_file_is_named(project, tmp_path):
    """Docker makes one when a file that is to be mounted does not exist."""
    (tmp_path / "key").mkdir()
    code, output = run_with_secret(project, tmp_path / "key")
    assert code == EXITS_BAD_CONFIG
    assert one_line(output) == "im: SKEIN_AUTH_SECRET_FILE: /run/key: Is a directory"


def test_a_secret_file_of_somebody_else_is_named(project, tmp_path):
    path = put_secret(tmp_path / "key", b"k" * 64)
    os.chown(path, 0, 0)
    code, output = run_with_secret(project, path)
    assert code == EXITS_BAD_CONFIG
    assert one_line(output) == "im: SKEIN_AUTH_SECRET_FILE: /run/key: Permission denied"


# ---- PostgreSQL: password, certificate, schema ----

@pytest.fixture
def wrong_password(tmp_path):
    path = put_secret(tmp_path / "pgpass", b"*:*:*:skein:guessed\n")
    path.chmod(0o600)  # libpq wants no more
    return {"environment": {"PGPASSFILE": "/run/pgpass"}, "options": ["--volume", f"{path}:/run/pgpass:ro"]}


def test_migrate_names_a_wrong_password_of_postgres_and_exits(project, wrong_password):
    code, output = project.run_ours("im", "--migrate", **wrong_password)
    assert code == EXITS_FAILED
    assert 'password authentication failed for user "skein"' in one_line(output).replace("\\", "")
    assert "guessed" not in output


@pytest.mark.parametrize("service", ["im", "push"])
def test_a_service_names_a_wrong_password_of_postgres_and_waits(project, wrong_password, service):
    with project.ours_in_background(service, **wrong_password) as container:
        log = project.await_log(container, "password authentication failed", times=2)
        assert project.state_of(container)["Running"]
        assert "guessed" not in log


def test_a_uri_that_wants_tls_which_postgres_does_not_speak_is_refused_in_one_line(project):
    uri = "postgresql://skein@postgres:5432/skein?sslmode=verify-full"
    code, output = project.run_ours("im", "--migrate", environment={"SKEIN_PG_URI": uri})
    assert code == EXITS_FAILED
    assert "server does not support SSL, but SSL was required" in one_line(output)


def test_a_schema_that_is_newer_than_the_binary_is_refused(project):
    project.sql("insert into schema_migration (version, name) values (999, 'from the future')")
    try:
        for command in (["im"], ["im", "--migrate"]):
            code, output = project.run_ours(*command)
            assert code == EXITS_FAILED
            assert len(lines_with("the database has a newer schema than this im knows: run the newer im", output)) == 1, output
    finally:
        project.sql("delete from schema_migration where version = 999")


def test_a_schema_that_is_older_than_the_binary_is_refused(project):
    """A database on which `im --migrate` never ran."""
    code, output = project.run_ours("im", environment={"SKEIN_PG_URI": "postgresql://skein@postgres:5432/postgres"})
    assert code == EXITS_FAILED
    assert len(lines_with("the database's schema is older than this im: run im --migrate first", output)) == 1, output


# ---- what is not there yet ----

@pytest.mark.parametrize("service, missing, check", [
    ("im", {"SKEIN_PG_URI": "postgresql://skein@nowhere:5432/skein"}, None),
    ("router", {"SKEIN_REDIS_URI": "redis://nowhere:6379/0"}, "redis"),
    ("push", {"SKEIN_KAFKA_BROKERS": "nowhere:9092"}, "kafka"),
    ("gateway", {"SKEIN_ROUTER_TARGETS": "dns:nowhere:9200"}, "router"),
], ids=["im", "router", "push", "gateway"])
def test_a_service_waits_for_what_is_not_there_yet_and_stops_at_once(project, service, missing, check):
    with project.ours_in_background(service, environment=missing) as container:
        project.await_log(container, "nowhere", *([f"check={check}"] if check else []))
        assert project.state_of(container)["Running"]
        if check:
            answer = project.daemon.run("exec", container, "skeinctl", "health", "http://127.0.0.1:9100/readyz", check=False)
            assert f"503: {check} " in answer or f", {check} " in answer, answer
        start = time.monotonic()
        project.daemon.run("stop", "--time", "20", container)
        took_s = time.monotonic() - start
        assert took_s < 10, f"it took {took_s:.1f} s: {project.daemon.run('logs', container)}"
        assert project.state_of(container)["ExitCode"] in (0, 143)


# ---- names and ports that are taken ----

def test_the_first_of_two_gateways_with_one_name_says_so_and_exits(project):
    twin = {"SKEIN_NODE_NAME": "twin", "SKEIN_WS_URL": project.ws}
    with project.ours_in_background("gateway", environment=twin) as first:
        def listed():
            return project.exec_im("skeinctl", "nodes", "--json").count('"twin"')
        deadline = time.monotonic() + 30
        while not listed():
            assert time.monotonic() < deadline, project.daemon.run("logs", first)
            time.sleep(0.2)
        with project.ours_in_background("gateway", environment=twin) as second:
            deadline = time.monotonic() + 30
            while (state := project.state_of(first))["Running"]:
                assert time.monotonic() < deadline, project.daemon.run("logs", first)
                time.sleep(0.2)
            assert state["ExitCode"] == EXITS_FAILED
            line, = lines_with("another process has registered under this node's name", project.daemon.run("logs", first))
            assert "node=twin" in line and "give each gateway its own node.name" in line
            assert project.state_of(second)["Running"] and listed() == 1
            project.daemon.run("stop", second)
    project.await_healthy(30)


def test_up_names_a_port_that_is_taken(project, daemon):
    other = Project(daemon, "skein-test-other", SKEIN_HTTP_PORT=project.http.rsplit(":", 1)[1])
    try:
        output = other.compose("up", "--detach", "--no-build", "--no-deps", "balancer", check=False)
        port = other.environment["SKEIN_HTTP_PORT"]
        assert lines_with(f"127.0.0.1:{port}", output) and ("already allocated" in output or "already in use" in output), output
    finally:
        other.remove()


def test_haproxy_names_its_file_if_only_the_owner_can_read_it(project, tmp_path):
    path = tmp_path / "haproxy.cfg"
    shutil.copy(ROOT / "deploy" / "docker" / "haproxy.cfg", path)
    path.chmod(0o600)
    image = project.containers("balancer")[0]["Config"]["Image"]
    done = project.daemon.run("run", "--rm", "--network", f"{project.name}_default", "--volume",
                              f"{path}:/usr/local/etc/haproxy/haproxy.cfg:ro", image, check=False, output=False)
    assert done.returncode == 1
    assert lines_with("/usr/local/etc/haproxy/haproxy.cfg", done.stdout) and "Permission denied" in done.stdout, done.stdout
