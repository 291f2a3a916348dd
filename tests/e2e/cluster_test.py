"""The local cluster of contract 7: up, down, restart, several side by side, and what goes wrong."""
import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import tempfile
import pathlib

import cluster
from client import CUT, REFUSED, UNAVAILABLE, text_of

INFRA = ["postgres", "redis", "kafka"]
ONE_EACH = {"GATEWAYS": "1", "IMS": "1", "PUSHES": "1", "ROUTERS": "1"}


def pids(run_dir=cluster.RUN_DIR):
    return {file.name: int(file.read_text()) for file in (run_dir / "pids").iterdir()}


def free_hundred():
    for base in range(29000, 31000, 100):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(base, base + 100):
                    probe = stack.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
                return str(base)
            except OSError:
                continue
    raise AssertionError("no hundred free ports")


@contextlib.asynccontextmanager
async def another(**settings):
    """deploy/local/cluster for a second cluster beside the one under test. It is removed at the end."""
    run_dir = pathlib.Path(tempfile.mkdtemp(prefix="cluster-", dir=cluster.RUN_DIR.parent))
    where = {"RUN_DIR": str(run_dir), "PORT_BASE": free_hundred(), **ONE_EACH, **settings}

    async def script(*arguments, **more):
        return await cluster.script(*arguments, **{**where, **more})
    try:
        yield run_dir, script
    finally:
        await script("down")
        left = [name for name, pid in pids(run_dir).items() if cluster.runs(pid)] if (run_dir / "pids").is_dir() else []
        for name in left:
            os.kill(pids(run_dir)[name], signal.SIGKILL)
        shutil.rmtree(run_dir)
        assert not left, f"down left {left} running"


def read_env(run_dir):
    return dict(line.split("=", 1) for line in (run_dir / "env").read_text().splitlines())


# ---- env, pids, up ----

async def test_env_and_pids_name_everything_that_runs(skein):
    env = read_env(cluster.RUN_DIR)
    assert set(env) == {"SKEIN_HTTP", "SKEIN_WS", "SKEIN_JWT_SECRET", "SKEIN_PG", "SKEIN_REDIS", "SKEIN_KAFKA", "SKEIN_INTERNAL"}
    services = [pair.split("=", 1)[0] for pair in env["SKEIN_INTERNAL"].split(",")]
    assert sorted(services) == sorted(f"{kind}-{i}" for kind in ("gateway", "im", "push", "router") for i in (1, 2))
    assert len(env["SKEIN_HTTP"].split(",")) == len(env["SKEIN_WS"].split(",")) == 2
    assert all(url.startswith("ws://") and url.endswith("/ws") for url in env["SKEIN_WS"].split(","))
    assert set(pids()) == {*INFRA, *services} and all(map(cluster.runs, pids().values()))
    assert (cluster.RUN_DIR / "conf").stat().st_mode & 0o077 == 0, "configuration holds secrets"
    code, output = await cluster.script("status")
    assert code == 0 and all(re.search(rf"^ +{name} +{pid} .* up$", output, re.MULTILINE) for name, pid in pids().items())


async def test_up_with_everything_running_changes_nothing_and_says_so(skein):
    before = pids()
    code, output = await cluster.script("up")
    assert code == 0 and "nothing was changed" in output
    assert pids() == before


async def test_up_starts_the_processes_that_died_and_nothing_else(skein):
    before = pids()
    for name in "router-1", "gateway-2":
        cluster.kill(name)
    code, output = await cluster.script("status")
    assert code != 0 and len(re.findall(r" down$", output, re.MULTILINE)) == 2
    code, output = await cluster.script("up")
    assert code == 0, output
    after = pids()
    assert {name for name in after if after[name] != before[name]} == {"router-1", "gateway-2"}
    await cluster.all_ready()


# ---- restarts ----

async def test_restart_drains_a_gateway_and_its_clients_come_back_without_loss(skein):
    alice, bob = await skein.users("alice", "bob")
    phone, before = await bob.connect(0), pids()["gateway-1"]
    await alice.say(bob, "before")
    restart = asyncio.create_task(cluster.script("restart", "gateway-1"))
    assert (await phone.expect("reconnect"))["after_ms"] >= 0
    await alice.say(bob, "while it drains")
    assert [text_of(m) for m in await phone.messages(2)] == ["before", "while it drains"]
    elsewhere = await bob.connect(1, "other")
    assert await phone.closed() == 1001
    code, output = await restart
    assert code == 0 and pids()["gateway-1"] != before, output
    await alice.say(bob, "after")
    assert text_of(await elsewhere.message()) == "after"
    await (await bob.connect(0)).ping()


async def test_restart_of_each_kind_loses_nothing(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    count = 0
    for name in "im-1", "push-1", "router-1":
        restart = asyncio.create_task(cluster.script("restart", name))
        while not restart.done():
            await alice.insist(alice.draft(bob, str(count)), {REFUSED, CUT, UNAVAILABLE} if name == "im-1" else {}, tries=2)
            count += 1
            await asyncio.sleep(0.02)
        code, output = await restart
        assert code == 0, output
    assert [text_of(m) for m in await phone.messages(count)] == [str(i) for i in range(count)]
    assert {at for at, _ in alice.fruitless} <= {0}, "the other im was not restarted"


async def test_restart_of_an_unknown_process_names_the_known_ones(skein):
    for name in "gateway-9", "", "postgres-1":
        code, output = await cluster.script("restart", name)
        assert code != 0 and "gateway-2" in output and output.count("\n") == 1


# ---- a second cluster ----

async def test_a_second_cluster_runs_beside_the_first_and_keeps_its_data_over_down_and_up(skein):
    async with another() as (run_dir, script):
        code, output = await script("up")
        assert code == 0, output
        env = read_env(run_dir)
        assert env["SKEIN_JWT_SECRET"] != cluster.SECRET
        assert len(env["SKEIN_HTTP"].split(",")) == len(env["SKEIN_WS"].split(",")) == 1
        alice = skein.user("alice")
        (await skein.request("GET", "/v1/endpoints", token=alice.token, base=env["SKEIN_HTTP"])).expect(401)

        code, output = await script("clean-data")
        assert code != 0 and "make down first" in output
        code, output = await script("up", PORT_BASE=os.environ["PORT_BASE"])
        assert code != 0 and "PORT_BASE" in output

        secrets = read_env(run_dir)
        code, output = await script("down")
        assert code == 0 and "the data stays" in output and not pids(run_dir)
        code, output = await script("status")
        assert code != 0 and "nothing runs" in output
        code, output = await script("up")
        assert code == 0 and read_env(run_dir) == secrets, "the same cluster again"

        assert (await script("down"))[0] == 0
        code, output = await script("clean-data")
        assert code == 0 and not (run_dir / "data").exists() and not (run_dir / "env").exists()
    await cluster.all_ready()


async def test_with_three_brokers_everything_is_ready_while_one_of_them_is_dead(skein):
    async with another(KAFKAS="3") as (run_dir, script):
        code, output = await script("up")
        assert code == 0, output
        brokers = {name: pid for name, pid in pids(run_dir).items() if name.startswith("kafka")}
        assert sorted(brokers) == ["kafka-1", "kafka-2", "kafka-3"]
        assert len(read_env(run_dir)["SKEIN_KAFKA"].split(",")) == 3

        os.kill(brokers["kafka-2"], signal.SIGKILL)
        async with asyncio.timeout(60):  # clients give a broker up after 10 s
            while re.findall(r"^ +(\S+) .* (?:down|not ready)$", (await script("status"))[1], re.MULTILINE) != ["kafka-2"]:
                await asyncio.sleep(0.2)
        code, output = await script("up")
        assert code == 0, output
        assert {name for name, pid in pids(run_dir).items() if brokers.get(name, pid) != pid} == {"kafka-2"}
        code, output = await script("up", KAFKAS="1")
        assert code != 0 and "KAFKAS=3" in output and output.count("\n") == 1
    await cluster.all_ready()


async def test_size_small_starts_one_of_each_service_and_a_number_that_is_given_counts_more(skein):
    small = {"SIZE": "small", **dict.fromkeys(ONE_EACH, "")}
    async with another(**small) as (run_dir, script):
        code, output = await script("up")
        assert code == 0, output
        assert set(pids(run_dir)) == {*INFRA, "router-1", "im-1", "push-1", "gateway-1"}
        demo = await asyncio.create_subprocess_exec(
            f"{os.environ['BIN']}/skeinctl", "demo", env={**os.environ, **read_env(run_dir)}, stdout=asyncio.subprocess.PIPE)
        said = (await demo.communicate())[0].decode()
        assert demo.returncode == 0 and "on gateway-1" in said, said

        code, output = await script("up", GATEWAYS="2")
        assert code == 0, output
        assert set(pids(run_dir)) == {*INFRA, "router-1", "im-1", "push-1", "gateway-1", "gateway-2"}
        code, output = await script("up", SIZE="")
        assert code == 0 and "nothing was changed" in output, output
        code, output = await script("up")
        assert code == 0 and "stopping gateway-2, not asked for any more" in output, output
        assert set(pids(run_dir)) == {*INFRA, "router-1", "im-1", "push-1", "gateway-1"}


# ---- failures ----

async def test_a_port_that_is_taken_is_named_with_its_holder_and_nothing_stays_started(skein):
    async with another(PORT_BASE=os.environ["PORT_BASE"]) as (run_dir, script):
        code, output = await script("up")
        assert code != 0
        assert re.search(r"^cluster: port \d+ \(.*\) is taken by .*pid \d+.*PORT_BASE", output, re.MULTILINE), output
        assert not pids(run_dir)
    await cluster.all_ready()


async def test_a_start_that_fails_says_why_and_leaves_nothing_behind(skein):
    async with another(BIN="/nowhere") as (run_dir, script):
        code, output = await script("up")
        assert code != 0 and re.fullmatch(r"cluster: /nowhere/\S+ is not built: make all\n", output)
    async with another(KAFKA_JARS="/nowhere") as (run_dir, script):
        code, output = await script("up")
        assert code != 0 and "Kafka's jars are not in /nowhere: make deps" in output, output
        assert not pids(run_dir)
    with tempfile.TemporaryDirectory() as broken:
        for kind in "im", "router", "push", "gateway":
            path = pathlib.Path(broken) / kind
            path.write_text(f'#!/bin/sh\n[ {kind} = router ] || exec "{os.environ["BIN"]}/{kind}" "$@"\n'
                            'echo the router is broken today >&2\nexit 1\n')
            path.chmod(0o755)
        async with another(BIN=broken) as (run_dir, script):
            code, output = await script("up")
            assert code != 0 and "router-1 ended while it was starting" in output and "the router is broken today" in output
            assert not pids(run_dir), "PostgreSQL, Redis and Kafka were started by this call"


async def test_invalid_settings_are_refused_in_one_sentence(skein):
    async with another() as (_, script):
        for name, value in {"SIZE": "tiny", "GATEWAYS": "0", "IMS": "many", "PUSHES": "10", "KAFKAS": "2", "LIMITS": "maybe",
                            "PORT_BASE": "80"}.items():
            code, output = await script("up", **{name: value})
            assert code != 0 and output.startswith(f"cluster: {name}={value}") and output.count("\n") == 1
