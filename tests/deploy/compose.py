"""The cluster of docker-compose.yml, as a project of its own on free ports."""
import json
import os
import socket
import subprocess
import tempfile
import time

from daemon import OURS, ROOT

UP_S = 60  # from images that are there to a cluster that answers
ONE_SHOT = ("secrets", "migrate")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Project:
    def __init__(self, daemon):
        self.daemon, self.name = daemon, f"skein-test-{os.getpid()}"
        http, ws = free_port(), free_port()
        image, _, version = OURS.partition(":")
        self.http, self.ws = f"http://127.0.0.1:{http}", f"ws://127.0.0.1:{ws}/ws"
        self.environment = {**daemon.environment, "SKEIN_IMAGE": image, "SKEIN_VERSION": version, "SKEIN_HTTP_PORT": str(http),
                            "SKEIN_WS_PORT": str(ws), "SKEIN_WS_URL": self.ws}
        # A file of settings that a developer has must not count.
        self.settings = tempfile.NamedTemporaryFile(suffix=".env")  # lives as long as the project

    def compose(self, *words, check=True, timeout=300):
        done = subprocess.run(["docker-compose", "--project-name", self.name, "--env-file", self.settings.name,
                               "--project-directory", ROOT, *map(str, words)], cwd=ROOT, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              check=False)
        assert not check or done.returncode == 0, f"docker-compose {' '.join(map(str, words))}: {done.stdout[-6000:]}"
        return done.stdout

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
        self.settings.close()

    # -- one container of ours beside the cluster --

    def run_ours(self, *command, environment=(), options=(), timeout=60):
        """Runs it to its end: exit code and output."""
        words = [word for pair in {**self.options(), **dict(environment)}.items() for word in ("--env", "=".join(pair))]
        done = self.daemon.run("run", "--rm", "--network", f"{self.name}_default", "--volume", f"{self.name}_secrets:/run/skein:ro",
                               "--read-only", *options, *words, OURS, *command, output=False, check=False, timeout=timeout)
        return done.returncode, done.stdout

    def options(self):
        """The environment of an im of the project."""
        return dict(pair.split("=", 1) for pair in self.containers("im")[0]["Config"]["Env"] if not pair.startswith("PATH="))

    def exec_im(self, *command):
        return self.compose("exec", "-T", "im", *command)

    def secret(self, name):
        return self.daemon.run("run", "--rm", "--user", "0", "--volume", f"{self.name}_secrets:/run/skein:ro", OURS, "cat",
                               f"/run/skein/{name}")
