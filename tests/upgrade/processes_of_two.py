"""Processes of two versions in one cluster, on deploy/local/cluster: which program a process is, is chosen for each start."""
import asyncio
import os
import pathlib

import cluster


class Processes:
    def __init__(self, old, new):
        self.old, self.new = pathlib.Path(old), pathlib.Path(new)
        self.names = list(cluster.INTERNAL)
        (cluster.RUN_DIR / "chosen").mkdir()
        for name in self.names:
            self._choose(name, self.old)

    def _choose(self, name, programs):
        (cluster.RUN_DIR / "chosen" / name).write_text(str(programs))

    def of(self, kind):
        return [name for name in self.names if name.startswith(kind + "-")]

    def program(self, name):
        return pathlib.Path(os.readlink(f"/proc/{cluster.pid(name)}/exe"))

    def state(self):
        """Which version each process is, by its program: {"im-1": "old"}."""
        return {name: {self.old: "old", self.new: "new"}[self.program(name).parent] for name in self.names}

    async def total(self, kind, metric):
        return sum([await cluster.metric(name, metric) for name in self.of(kind)])

    async def replace(self, name, programs):
        """With its drain. It is ready, and the others count on it, when this returns."""
        self._choose(name, programs)
        code, output = await cluster.script("restart", name)
        assert code == 0, output
        assert self.program(name).parent == programs
        await cluster.all_ready()

    async def kill_and_start(self, name):
        """As the same version."""
        before = self.program(name)
        cluster.kill(name)
        code, output = await cluster.script("up")
        assert code == 0, output
        assert self.program(name) == before
        await cluster.all_ready()

    async def migrate(self, programs):
        """im --migrate of this version. Returns its output."""
        run = await asyncio.create_subprocess_exec(
            str(programs / "im"), "--config", str(cluster.RUN_DIR / "conf" / "im-1.conf"), "--migrate",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await run.communicate()
        assert run.returncode == 0, output.decode()
        return output.decode()
