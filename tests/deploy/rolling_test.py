"""Every container is replaced, one after the other, under load. A client that follows the contract sees no error."""
import json
import os
import pathlib

import pytest
from compose import block_of
from daemon import OURS, ROOT
from traffic import CUT, REFUSED, UNAVAILABLE, in_thread, traffic_while

ROLLING_RESTART = ROOT / "deploy" / "docker" / "rolling-restart"
BENCH = pathlib.Path(os.environ.get("BIN", ROOT / "build" / "bin")).resolve() / "skein-bench"
RATE, USERS = 500, 500
ANSWERED_P99_MS = 1000  # counted from when a send was due, so that a wait for the process counts


def under_load(project, tmp_path, commands):
    """Runs the commands while `skein-bench rolling` sends, which repeats a send as the contract says. Returns its figures."""
    assert BENCH.exists(), f"{BENCH} is missing: make all"
    script, figures = tmp_path / "restart", tmp_path / "figures.json"
    script.write_text(f"#!/bin/bash\nset -e\ncd {ROOT}\n{commands}\n")
    script.chmod(0o755)
    environment = {**project.environment, "SKEIN_HTTP": project.http, "SKEIN_WS": project.ws,
                   "SKEIN_JWT_SECRET": project.secret("jwt")}
    print(project.run(BENCH, "rolling", "--users", USERS, "--rate", RATE, "--restart", script, "--json", figures,
                      env=environment, timeout=400))
    return json.loads(figures.read_text())["result"]


def ids_of(project, services):
    return {container["Id"] for service in services for container in project.containers(service)}


def nothing_was_lost(result):
    assert not result["failed"]
    assert sum(group["messages"]["stored"] for group in result["groups"]) > RATE * 5
    for group in result["groups"]:
        messages, moved = group["messages"], group["moved"]
        # A push that takes partitions over may deliver copies, which a client knows by their seq: the phones check that.
        assert messages["lost"] == messages["visible_errors"] == 0
        assert moved["up"] == moved["users"]


@pytest.fixture
def next_version(project, tmp_path):
    """The tag of another image."""
    (tmp_path / "Dockerfile").write_text(f"FROM {OURS}\nLABEL is=next\n")
    project.daemon.run("build", "--quiet", "--tag", OURS.replace(":test", ":next"), tmp_path)
    yield "next"
    project.daemon.run("image", "rm", "--force", OURS.replace(":test", ":next"), check=False)


async def test_an_upgrade_under_500_messages_a_second_loses_nothing_and_shows_no_error(project, skein, tmp_path, next_version):
    """The commands of docs/operate/docker.md, once the image is built: the schema, then every container of ours."""
    services = ("router", "push", "im", "gateway")
    before = ids_of(project, services)
    block = block_of("## Upgrade", "rolling-restart").splitlines()
    commands = [f"export SKEIN_VERSION={next_version}", *block[[line.split()[-1:] for line in block].index(["build"]) + 1:]]
    commands = project.as_documented("\n".join(commands))
    assert "migrate" in commands and "rolling-restart" in commands
    # Besides the load, phones that check all that the contract says of a connection. Nothing may happen to them at all.
    result, phones = await traffic_while(skein, in_thread(under_load, project, tmp_path, commands), may=())
    nothing_was_lost(result)
    after = ids_of(project, services)
    assert len(after) == len(before) == 8 and not after & before
    images = {container["Config"]["Image"] for service in services for container in project.containers(service)}
    assert images == {OURS.replace(":test", ":next")}
    assert all(phone.told and not phone.lost_sends for phone in phones)
    for group in result["groups"]:
        assert group["moved"]["told"] >= group["moved"]["users"] and group["moved"]["cut"] == 0
        assert group["messages"]["answers"]["p99"] < ANSWERED_P99_MS
    assert project.state() == {}


async def test_a_restart_of_the_balancer_interrupts_and_loses_nothing(project, skein, tmp_path):
    """It is the only one: for some seconds nobody listens, and every connection ends."""
    restart = in_thread(under_load, project, tmp_path, f"{ROLLING_RESTART} balancer")
    result, phones = await traffic_while(skein, restart, may={REFUSED, CUT, UNAVAILABLE})
    nothing_was_lost(result)
    assert all(phone.connects == 2 for phone in phones)


def test_a_rolling_restart_stops_at_the_first_container_that_does_not_become_healthy(project):
    """With settings that are wrong: the other im goes on."""
    before = ids_of(project, ["im"])
    output = project.run(ROLLING_RESTART, "im", check=False, env={**project.environment, "SKEIN_LOG_LEVEL": "loud"})
    try:
        assert "rolling-restart: im: " in output and "docker compose logs im" in output, output
        after = ids_of(project, ["im"])
        assert len(after) == 2 and len(after & before) == 1
    finally:
        project.up()


def test_a_rolling_restart_of_what_does_not_run_replaces_nothing(project):
    output = project.run(ROLLING_RESTART, "router", "nobody", check=False)
    assert "nobody" in output
    assert project.state() == {}
