"""docker-compose.yml as a user runs it. The tests run in this order, on one cluster; those that break something come late."""
import asyncio
import json
import os
import signal
import subprocess
import time

import pytest

from compose import ONE_SHOT, UP_S
from daemon import BASE, OURS

IMAGE_MAX_MB = 60
PROGRAMS = ("gateway", "im", "router", "push", "skeinctl")
OUR_SERVICES = ("gateway", "im", "router", "push", "secrets", "migrate")


def of_us(project):
    return [c for c in project.containers() if project.service(c) in OUR_SERVICES]


# ---- the image ----

def test_the_image_is_small_and_has_what_the_programs_need_and_no_compiler(daemon):
    size = {image: json.loads(daemon.run("image", "inspect", image))[0]["Size"] for image in (BASE, OURS)}
    added = (size[OURS] - size[BASE]) / 1e6
    print(f"image: {added:.1f} MB over its base")
    assert added <= IMAGE_MAX_MB
    for program in PROGRAMS:
        libraries = daemon.run("run", "--rm", OURS, "ldd", f"/usr/local/bin/{program}")
        assert "not found" not in libraries, libraries
        assert "v1.2.3-test" in daemon.run("run", "--rm", OURS, program, "--version")
    found = daemon.run("run", "--rm", OURS, "sh", "-c", "command -v gcc cc ld make git; true")
    assert found == ""


def test_the_image_says_what_it_is_and_is_not_root(daemon):
    config = json.loads(daemon.run("image", "inspect", OURS))[0]["Config"]
    assert config["User"] == "65532:65532"
    assert config["Labels"]["org.opencontainers.image.version"] == "v1.2.3-test"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert config["Healthcheck"]["Test"] == ["CMD", "skeinctl", "health", "http://127.0.0.1:9100/readyz"]


# ---- the first start ----

def test_up_gives_a_healthy_cluster_within_60_s(project):
    print(f"up: healthy after {project.up_s:.1f} s")
    assert project.up_s <= UP_S
    count = {}
    for container in project.containers():
        count[project.service(container)] = count.get(project.service(container), 0) + 1
    assert count == {"secrets": 1, "postgres": 1, "redis": 1, "kafka": 1, "migrate": 1, "balancer": 1,
                     "gateway": 2, "im": 2, "push": 2, "router": 2}


def test_our_containers_have_no_privilege_and_a_limit(project):
    for container in of_us(project):
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], container["Name"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"] and not host["Privileged"]
        if project.service(container) not in ONE_SHOT:
            assert host["Memory"] >= 256 << 20 and host["RestartPolicy"]["Name"] == "unless-stopped"


def test_no_secret_is_shown_by_docker_inspect_or_a_log(project):
    shown = json.dumps(project.containers()) + project.compose("logs")
    for name in ("jwt", "postgres"):
        secret = project.secret(name)
        assert len(secret) == 64
        assert secret not in shown


def test_only_the_balancer_has_ports_and_only_for_this_machine(project):
    for container in project.containers():
        published = [p for ports in (container["HostConfig"]["PortBindings"] or {}).values() for p in ports]
        assert bool(published) == (project.service(container) == "balancer")
        assert all(port["HostIp"] == "127.0.0.1" for port in published)


def test_skeinctl_in_a_container_finds_the_secret_and_the_cluster(project):
    token = project.exec_im("skeinctl", "token", "--uid", "alice").strip()
    answer = subprocess.run(["curl", "-sS", "-H", f"Authorization: Bearer {token}", f"{project.http}/v1/endpoints"],
                            stdout=subprocess.PIPE, check=True, timeout=30).stdout
    gateways = json.loads(answer)["gateways"]
    assert [gateway["url"] for gateway in gateways] == [project.ws] * 2
    assert len(project.exec_im("skeinctl", "nodes", "--json").split('"node"')) == 3


# ---- messages ----

async def on_two_gateways(alice, bob):
    phones = [await alice.connect(), await bob.connect()]
    assert phones[0].hello["node"] != phones[1].hello["node"]
    return phones


async def test_two_users_on_two_gateways_exchange_messages(skein):
    alice, bob = await skein.users("alice", "bob")
    phones = await on_two_gateways(alice, bob)
    await alice.say(bob, "hi bob")
    assert (await phones[1].message())["body"]["text"] == "hi bob"
    await bob.say(alice, "hi alice")
    assert [(await phones[0].message())["body"]["text"] for _ in range(2)] == ["hi bob", "hi alice"]


async def traffic_while(skein, breaking, count=6, least=20):
    """Phones in a ring write to each other until `breaking` has ended, and then some. Everything has to come, once, in order."""
    from client import text_of
    from phone import Phone
    users = await skein.users(*(f"user{i}" for i in range(count)))
    phones = [Phone(user, gateway=0) for user in users]
    for phone in phones:
        phone.start()
    while not all(phone.epoch for phone in phones):
        await asyncio.sleep(0.05)
    broken = asyncio.ensure_future(breaking)
    sent = [0] * count

    async def keep_sending(i):
        while not broken.done() or sent[i] < least:
            await users[i].insist(users[i].draft(users[(i + 1) % count], str(sent[i])), within_s=90)
            sent[i] += 1
            await asyncio.sleep(0.1)
    await asyncio.gather(*(keep_sending(i) for i in range(count)))
    for i, phone in enumerate(phones):
        sender = (i - 1) % count
        await phone.has(sent[sender] + sent[i], within_s=90)
        texts = [text_of(m) for m in phone.messages if m["from"] == users[sender].uid]
        assert texts == [str(n) for n in range(sent[sender])]
    for phone in phones:
        await phone.stop()
    return await broken, phones


async def in_thread(function, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


async def test_a_killed_gateway_comes_back_and_nothing_is_lost(project, skein):
    async def kill():
        victim = project.containers("gateway")[0]
        os.kill(victim["State"]["Pid"], signal.SIGKILL)
        await in_thread(project.await_healthy, 60)
        return victim
    victim, phones = await traffic_while(skein, kill())
    now = next(c for c in project.containers("gateway") if c["Id"] == victim["Id"])
    assert now["RestartCount"] == victim["RestartCount"] + 1
    assert sum(phone.connects for phone in phones) > len(phones), "some were on it"


async def test_a_stopped_gateway_drains_its_clients_to_the_other(project, skein):
    async def stop():
        victim = project.containers("gateway")[1]
        start = time.monotonic()
        await in_thread(lambda: project.daemon.run("stop", "--time", "30", victim["Id"]))
        return victim, time.monotonic() - start
    (victim, took_s), phones = await traffic_while(skein, stop())
    now = next(c for c in project.containers("gateway") if c["Id"] == victim["Id"])
    assert now["State"]["ExitCode"] == 0 and took_s < 28, f"{now['State']} after {took_s} s"
    assert any(phone.told for phone in phones), "clients were told to come back elsewhere"
    await in_thread(project.up)


async def test_postgres_restarts_and_nothing_is_lost(project, skein):
    async def restart():
        await in_thread(lambda: project.compose("restart", "postgres"))
        await in_thread(project.await_healthy, 60)
    await traffic_while(skein, restart())


# ---- bad input: each says in one line what is wrong ----

def one_line(output):
    lines = output.strip().splitlines()
    assert len(lines) == 1, output
    return lines[0]


def test_a_missing_secret_file_is_named(project):
    code, output = project.run_ours("im", environment={"SKEIN_AUTH_SECRET_FILE": "/run/skein/none"})
    assert code == 2
    assert one_line(output) == "im: SKEIN_AUTH_SECRET_FILE: /run/skein/none: No such file or directory"


def test_a_wrong_password_of_postgres_is_named(project, tmp_path):
    wrong = tmp_path / "pgpass"
    wrong.write_text("*:*:*:skein:wrong\n")
    os.chown(wrong, 65532, 65532)
    wrong.chmod(0o600)
    options = ["--volume", f"{wrong}:/tmp/pgpass:ro"]
    code, output = project.run_ours("im", "--migrate", environment={"PGPASSFILE": "/tmp/pgpass"}, options=options)
    assert code == 1
    assert 'password authentication failed for user "skein"' in one_line(output).replace('\\', '')
    assert "wrong" not in output


def test_a_schema_that_is_newer_than_the_binary_is_refused(project):
    def sql(statement):
        project.compose("exec", "-T", "-u", "postgres", "postgres", "psql", "-q", "-d", "skein", "-c", statement)
    sql("insert into schema_migration (version, name) values (999, 'from the future')")
    try:
        for command in (["im"], ["im", "--migrate"]):
            code, output = project.run_ours(*command)
            assert code == 1
            assert output.count("the database has a newer schema than this im knows") == 1, output
    finally:
        sql("delete from schema_migration where version = 999")


@pytest.mark.parametrize("service, missing, check", [
    ("im", {"SKEIN_PG_URI": "postgresql://skein@nowhere:5432/skein"}, None),
    ("router", {"SKEIN_REDIS_URI": "redis://nowhere:6379/0"}, "redis"),
    ("push", {"SKEIN_KAFKA_BROKERS": "nowhere:9092"}, "kafka"),
    ("gateway", {"SKEIN_ROUTER_TARGETS": "dns:nowhere:9200"}, "router"),
])
def test_a_service_waits_for_what_is_not_there_yet_and_stops_at_once(project, service, missing, check):
    name = f"{project.name}-waits"
    words = [word for pair in {**project.options(), **missing}.items() for word in ("--env", "=".join(pair))]
    project.daemon.run("run", "--detach", "--name", name, "--network", f"{project.name}_default",
                       "--volume", f"{project.name}_secrets:/run/skein:ro", "--read-only", *words, OURS, service)
    try:
        deadline = time.monotonic() + 30
        while "nowhere" not in (log := project.daemon.run("logs", name)) and \
                not (check and f"check={check}" in log):
            assert time.monotonic() < deadline, log
            time.sleep(0.2)
        state = json.loads(project.daemon.run("inspect", name))[0]["State"]
        assert state["Running"], log
        if check:
            answer = project.daemon.run("exec", name, "skeinctl", "health", "http://127.0.0.1:9100/readyz", check=False)
            assert f"503: {check} " in answer or f", {check} " in answer, answer
        start = time.monotonic()
        project.daemon.run("stop", "--time", "20", name)
        took_s = time.monotonic() - start
        assert took_s < 10, f"it took {took_s:.1f} s: {project.daemon.run('logs', name)}"
        assert json.loads(project.daemon.run("inspect", name))[0]["State"]["ExitCode"] in (0, 143)
    finally:
        project.daemon.run("rm", "--force", name)


# ---- the whole cluster goes and comes ----

async def test_without_an_im_the_balancer_answers_as_im_does(project, skein):
    """On a connection of its own: HTTP lets a proxy close one that it has kept, when the server behind it is gone."""
    from client import Skein
    alice, bob = await skein.users("alice", "bob")
    fresh = Skein()
    carol = fresh.user("carol")
    await in_thread(lambda: project.compose("stop", "im"))
    try:
        answer = await carol.post(carol.draft(bob))  # compared with docs/openapi.yaml
        answer.expect(503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
    finally:
        await fresh.close()
        await in_thread(project.up)
    await alice.insist(alice.draft(bob))


async def test_after_down_and_up_the_data_and_the_secret_are_the_same(project, skein):
    alice, bob = await skein.users("alice", "bob")
    stored = await alice.say(bob, "kept")
    secret = project.secret("jwt")
    await in_thread(lambda: project.compose("down"))
    assert project.containers() == []
    await in_thread(project.up)
    assert project.secret("jwt") == secret
    messages = await bob.read(alice)  # with the token of before
    assert [(m["seq"], m["body"]["text"]) for m in messages] == [(stored["seq"], "kept")]
    await alice.say(bob, "and again")


async def test_scaled_gateways_are_used_without_a_change_of_anything_else(project, skein):
    await in_thread(lambda: project.up("--scale", "gateway=3"))
    deadline = time.monotonic() + 30
    users = await skein.users("a", "b", "c")
    while True:
        nodes = {(await user.connect()).hello["node"] for user in users}
        if len(nodes) == 3:
            break
        assert time.monotonic() < deadline, nodes
    await in_thread(lambda: project.up("--scale", "gateway=2"))
