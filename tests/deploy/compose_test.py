"""docker-compose.yml as a user runs it. The tests run in this order, on one cluster; those that break something come late."""
import json
import os
import signal
import subprocess
import time

from compose import ONE_SHOT, UP_S
from daemon import BASE, OURS
from traffic import CUT, UNAVAILABLE, in_thread, traffic_while

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


async def test_a_killed_gateway_comes_back_and_nothing_is_lost(project, skein):
    async def kill():
        victim = project.containers("gateway")[0]
        os.kill(victim["State"]["Pid"], signal.SIGKILL)
        await in_thread(project.await_healthy, 60)
        return victim
    # A gateway that was just admitting a connection ends it; the balancer says 503 until it has noticed.
    victim, phones = await traffic_while(skein, kill(), may={CUT, UNAVAILABLE})
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
    await traffic_while(skein, restart(), may={UNAVAILABLE})


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
    await alice.say(bob)


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
