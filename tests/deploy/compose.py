"""The cluster of docker-compose.yml, as a project of its own on free ports."""
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

from daemon import OURS, ROOT

UP_S = 60  # from images that are there to a cluster that answers
ONE_SHOT = ("secrets", "migrate")


def block_of(section, word):
    """The commands of docs/operate/docker.md, from the block of this section that has the word."""
    text = (ROOT / "docs" / "operate" / "docker.md").read_text().split(f"\n{section}\n")[1].split("\n## ")[0]
    found, = (block for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if word in block)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Project:
    def __init__(self, daemon, name="skein-test", override=None, **settings):
        """`override`: a second compose file; `settings`: variables of .env."""
        self.daemon, self.name = daemon, f"{name}-{os.getpid()}"
        http, ws = free_port(), free_port()
        image, _, version = OURS.partition(":")
        self.http, self.ws = f"http://127.0.0.1:{http}", f"ws://127.0.0.1:{ws}/ws"
        self.environment = {**daemon.environment, "SKEIN_IMAGE": image, "SKEIN_VERSION": version, "SKEIN_HTTP_PORT": str(http),
                            "SKEIN_WS_PORT": str(ws), "SKEIN_WS_URL": self.ws, **settings}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skein-compose-"))
        (self.folder / "env").touch()  # a file of settings that a developer has must not count
        files = [word for file in (ROOT / "docker-compose.yml", override) if file for word in ("--file", file)]
        command = [shutil.which("docker-compose"), "--project-name", self.name, "--env-file", self.folder / "env",
                   "--project-directory", ROOT, *files]
        # Scripts, and the commands of the documents, find this project under the name docker-compose, too.
        self.program = self.folder / "docker-compose"
        self.program.write_text(f'#!/bin/bash\nexec {shlex.join(map(str, command))} "$@"\n')
        self.program.chmod(0o755)
        self.environment["PATH"] = f"{self.folder}:{os.environ['PATH']}"

    def run(self, *words, check=True, timeout=300, **options):
        """What the program printed on both streams."""
        done = subprocess.run(list(map(str, words)), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout, check=False,
                              **{"cwd": ROOT, "env": self.environment, **options})
        assert not check or done.returncode == 0, f"{shlex.join(map(str, words))}: {done.stdout[-6000:]}"
        return done.stdout

    def compose(self, *words, **options):
        return self.run(self.program, *words, **options)

    def as_documented(self, commands):
        """Commands of docs/operate/docker.md, for this project and for docker-compose 1.29."""
        return commands.replace("docker compose", "docker-compose").replace("skein_", f"{self.name}_").replace("skein:dev", OURS)

    # -- containers --

    def containers(self, service=None):
        filters = ["--filter", f"label=com.docker.compose.project={self.name}"]
        if service:
            filters += ["--filter", f"label=com.docker.compose.service={service}"]
        found = self.daemon.run("ps", "--all", "--quiet", "--no-trunc", *filters).split()
        return json.loads(self.daemon.run("inspect", *found)) if found else []

    @staticmethod
    def service(container):
        return container["Config"]["Labels"]["com.docker.compose.service"]

    def state(self):
        """NAME: what Docker says of it, for those that are not as they should be."""
        wrong = {}
        for container in self.containers():
            state, name = container["State"], container["Name"]
            if self.service(container) in ONE_SHOT:
                is_right = state["Status"] == "exited" and state["ExitCode"] == 0
            else:
                is_right = state["Status"] == "running" and state.get("Health", {}).get("Status") == "healthy"
            if not is_right:
                wrong[name] = f"{state['Status']} {state['ExitCode']} {state.get('Health', {}).get('Status')}"
        return wrong

    def await_healthy(self, within_s):
        deadline = time.monotonic() + within_s
        while wrong := self.state():
            assert time.monotonic() < deadline, f"not healthy: {wrong}\n{self.compose('logs', '--tail=20', check=False)[-8000:]}"
            time.sleep(0.3)

    def up(self, *words):
        """Returns the seconds until everything is healthy."""
        start = time.monotonic()
        self.compose("up", "--detach", "--no-build", *words)
        self.await_healthy(120)
        return time.monotonic() - start

    def remove(self):
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)
        shutil.rmtree(self.folder)

    # -- one container of ours beside the cluster --

    def _words_of_ours(self, command, environment, options):
        variables = [word for pair in {**self.options(), **environment}.items() for word in ("--env", "=".join(pair))]
        return ["--network", f"{self.name}_default", "--volume", f"{self.name}_secrets:/run/skein:ro", "--read-only",
                *options, *variables, OURS, *command]

    def run_ours(self, *command, environment=None, options=(), timeout=60):
        """Runs it to its end: exit code and output."""
        done = self.daemon.run("run", "--rm", *self._words_of_ours(command, environment or {}, options), output=False, check=False,
                               timeout=timeout)
        return done.returncode, done.stdout

    @contextlib.contextmanager
    def ours_in_background(self, *command, environment=None, options=()):
        """The container's id, while it is there."""
        container = self.daemon.run("run", "--detach", *self._words_of_ours(command, environment or {}, options)).strip()
        try:
            yield container
        finally:
            self.daemon.run("rm", "--force", container)

    def state_of(self, container):
        return json.loads(self.daemon.run("inspect", container))[0]["State"]

    def await_log(self, container, *texts, within_s=30, times=1):
        """Waits until its log has each text that often; returns the log."""
        deadline = time.monotonic() + within_s
        while min((log := self.daemon.run("logs", container)).count(text) for text in texts) < times:
            assert time.monotonic() < deadline, log[-4000:]
            time.sleep(0.2)
        return log

    def options(self):
        """The environment of an im of the project."""
        return dict(pair.split("=", 1) for pair in self.containers("im")[0]["Config"]["Env"] if not pair.startswith("PATH="))

    def sql(self, statement):
        return self.compose("exec", "-T", "-u", "postgres", "postgres", "psql", "-qAt", "-d", "skein", "-c", statement).strip()

    def exec_im(self, *command):
        return self.compose("exec", "-T", "im", *command)

    def secret(self, name):
        return self.daemon.run("run", "--rm", "--user", "0", "--volume", f"{self.name}_secrets:/run/skein:ro", OURS, "cat",
                               f"/run/skein/{name}")
