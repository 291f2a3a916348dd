"""A fault says what it hit: a kill and a pause of processes that are there, and of some that are not."""
import asyncio
import contextlib
import shutil
import socket
import subprocess
import types

import pytest

import cluster
import faults
import links
import schedule


class Scene:
    """A cluster of one `sleep` called im-1. `comes_back`: whether up() starts it again."""

    def __init__(self, run_dir, comes_back=True):
        options = types.SimpleNamespace(run_dir=run_dir, bin=run_dir, port_base=20000, sabotage="", kafkas=1)
        self.cluster = cluster.Cluster(options, False)
        self.cluster.up = self.up
        self.comes_back, self.processes = comes_back, []
        (run_dir / "pids").mkdir()
        self.start()

    def start(self):
        self.processes.append(subprocess.Popen(["sleep", "60"]))  # pylint: disable=consider-using-with
        (self.cluster.run_dir / "pids" / "im-1").write_text(str(self.processes[-1].pid))

    def end(self):
        self.processes[-1].kill()
        self.processes[-1].wait()

    async def up(self):
        if self.comes_back:
            self.start()

    def hits(self, kind):
        return asyncio.run(faults.Breaker(self.cluster).apply(schedule.Fault(0, kind, "im-1", 0.05)))


@pytest.fixture(name="scene")
def one_scene(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    for process in scene.processes:
        process.kill()
        process.wait()


def test_a_kill_hits_the_process_that_is_replaced(scene):
    assert scene.hits("kill-im") == 1 and len(scene.processes) == 2


def test_a_kill_of_a_process_that_is_gone_hits_nothing(scene):
    scene.end()
    assert scene.hits("kill-im") == 0


def test_a_kill_after_which_nothing_was_started_again_hits_nothing(scene):
    scene.comes_back = False
    assert scene.hits("kill-im") == 0


def test_a_kill_of_a_name_without_a_process_hits_nothing(scene):
    (scene.cluster.run_dir / "pids" / "im-1").unlink()
    assert scene.hits("kill-im") == 0


def test_a_pause_hits_the_process_that_stands_still(scene):
    assert scene.hits("pause-im") == 1
    assert not cluster.is_stopped(scene.processes[0].pid)


def test_a_pause_of_a_process_that_is_gone_hits_nothing(scene):
    scene.end()
    assert scene.hits("pause-im") == 0


def test_a_clock_that_the_process_does_not_read_is_not_hit(scene):
    scene.cluster.clocks.mkdir()
    assert scene.hits("clock") == 0


class Proxies:
    """Says that a link was hit when it has been asked so often."""

    def __init__(self, asked):
        self.asked, self.told = asked, []

    async def tell(self, command):
        self.told.append(command)
        return int(self.told.count("hits im-1-redis") > self.asked) if command.startswith("hits") else 0


def test_a_link_is_broken_until_that_hits_something(scene):
    scene.cluster.proxies = Proxies(3)
    fault = schedule.Fault(0, "cut", "im-1-redis", 0.05)
    assert asyncio.run(faults.Breaker(scene.cluster).apply(fault)) == 1
    assert scene.cluster.proxies.told[0] == "cut im-1-redis" and scene.cluster.proxies.told[-1] == "heal im-1-redis"
    assert scene.cluster.proxies.told.count("hits im-1-redis") > 3


def test_a_link_that_nobody_uses_is_not_hit_and_is_healed(scene, monkeypatch):
    monkeypatch.setattr(faults, "LINK_IDLE_S", 0)
    scene.cluster.proxies = Proxies(10)
    assert asyncio.run(faults.Breaker(scene.cluster).apply(schedule.Fault(0, "hold", "im-1-redis", 0.05))) == 0
    assert scene.cluster.proxies.told[-1] == "heal im-1-redis"


# ---- Redis and its replica ----

def free_base():
    """Ports of Redis and of its replica are free from here on."""
    for base in range(21000, 25000, 200):
        with contextlib.ExitStack() as stack:
            try:
                for port in (links.port_of(base, "redis", "resp"), base + links.REPLICA):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
                return base
            except OSError:
                continue
    raise AssertionError("no free ports")


class Failover:
    """A Redis of its own. The proxies write down what they are told."""

    def __init__(self, run_dir):
        options = types.SimpleNamespace(run_dir=run_dir, bin=run_dir, port_base=free_base(), sabotage="", kafkas=1)
        self.cluster = cluster.Cluster(options, False)
        self.cluster.up, self.cluster.proxies = self.up, Proxies(0)
        self.run_dir, self.processes = run_dir, []
        (run_dir / "pids").mkdir()
        (run_dir / "data").mkdir()

    async def up(self):
        server = shutil.which("redis-server") or str(cluster.ROOT / "build" / "redis" / "redis-server")
        arguments = ["--port", str(self.cluster.redis_port()), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.run_dir)]
        process = subprocess.Popen([server, *arguments], stdout=subprocess.DEVNULL)  # pylint: disable=consider-using-with
        self.processes.append(process)
        (self.run_dir / "pids" / "redis").write_text(str(process.pid))
        while True:
            assert process.poll() is None
            try:
                return await self.ask("PING")
            except OSError:
                await asyncio.sleep(0.02)

    async def ask(self, command):
        return await cluster.redis_ask(self.cluster.redis_port(), command)

    async def run_id(self):
        return next(line for line in (await self.ask("INFO server")).split() if line.startswith("run_id:"))


@pytest.fixture(name="failover")
def one_redis(tmp_path):
    made = Failover(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_after_a_failover_the_data_is_there_under_another_run_id_at_the_same_address(failover, how):
    async def play():
        await failover.up()
        await failover.ask("SET key value")
        before = await failover.run_id()
        assert await failover.ask("DBSIZE") == "1"
        fault = schedule.Fault(0, "failover-redis", "redis", 0.05, how)
        assert await faults.Breaker(failover.cluster).apply(fault) == 1
        assert await failover.ask("GET key") == "value" and await failover.run_id() != before
        assert "role:master" in await failover.ask("INFO replication")
    asyncio.run(play())
    replica, redis = failover.cluster.replica_port(), failover.cluster.redis_port()
    assert [command.split()[-1] for command in failover.cluster.proxies.told] == 6 * [str(replica)] + 6 * [str(redis)]
    assert failover.cluster.replica is None


def test_a_redis_of_somebody_else_is_not_touched(failover):
    async def play():
        await failover.up()
        (failover.run_dir / "pids" / "redis").write_text("1")
        with pytest.raises(cluster.Failed, match="not of this cluster"):
            await failover.cluster.promote(failover.cluster.redis_port())
    asyncio.run(play())
    assert not failover.cluster.proxies.told
