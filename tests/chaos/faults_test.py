"""A fault says what it hit: a kill and a pause of processes that are there, and of some that are not."""
import asyncio
import subprocess
import types

import pytest

import cluster
import faults
import schedule


class Scene:
    """A cluster of one `sleep` called im-1. `comes_back`: whether up() starts it again."""

    def __init__(self, run_dir, comes_back=True):
        options = types.SimpleNamespace(run_dir=run_dir, bin=run_dir, port_base=20000, sabotage="")
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
