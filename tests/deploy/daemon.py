"""A Docker daemon with the images that docker-compose.yml names.

A daemon that runs already is used as it is. Else dockerd is started, with its data below build/deploy/docker: the images stay
there as a cache, like everything below build/. An image that the daemon does not have is made on this machine: the base by
debootstrap, the public images as stand-ins from Debian's packages (standins/).
"""
import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
CACHE = ROOT / "build" / "deploy"
PID_FILE = CACHE / "dockerd.pid"
BASE = "debian:bookworm-slim"
STANDINS = {"postgres:15": "postgres", "redis:7": "redis", "haproxy:2.8": "haproxy", "apache/kafka:3.9.1": "kafka"}
OURS = "skein-test:test"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
BUILD_S = 40 * 60
# The client says so with each `docker run` while the host does not forward, which containers of one network do not need.
NO_FORWARDING = "WARNING: IPv4 forwarding is disabled. Networking will not work.\n"


class Unavailable(Exception):
    """No daemon runs here, and none can be started."""


class Rules:
    """dockerd leaves its chains in iptables and drops what is forwarded. Taken back, unless they were there before."""

    def __init__(self):
        self.policy = self._iptables("filter", "-S", "FORWARD").splitlines()[0].split()
        self.were_there = "DOCKER" in self._iptables("filter", "-S")

    def restore(self):
        if self.were_there:
            return
        for table in ("filter", "nat"):
            rules = [shlex.split(line) for line in self._iptables(table, "-S").splitlines() if "DOCKER" in line]
            for _, chain, *rule in (rule for rule in rules if rule[0] == "-A" and not rule[1].startswith("DOCKER")):
                self._iptables(table, "-D", chain, *rule)
            for action in ("-F", "-X"):
                for _, chain in (rule for rule in rules if rule[0] == "-N"):
                    self._iptables(table, action, chain)
        self._iptables("filter", *self.policy)

    @staticmethod
    def _iptables(table, *words):
        return subprocess.run(["iptables", "--table", table, *words], text=True, stdout=subprocess.PIPE, check=True).stdout


class Daemon:
    def __init__(self):
        self.environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        self.process = self.folder = None
        self.made = []  # images

    # -- the daemon --

    def start(self):
        for program in ("docker", "docker-compose", "dockerd", "debootstrap"):
            if not shutil.which(program):
                raise Unavailable(f"{program} is not installed: mk/install-packages test")
        if self._answers():
            return
        if os.getuid() != 0:
            raise Unavailable("no Docker daemon answers, and only root can start one")
        self._end_one_left_behind()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skein-docker-"))  # a socket's path must be short
        CACHE.mkdir(parents=True, exist_ok=True)
        self.environment["DOCKER_HOST"] = f"unix://{self.folder}/sock"
        self.rules = Rules()
        with (CACHE / "dockerd.log").open("w") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", CACHE / "docker", "--exec-root", self.folder / "exec",
                 "--pidfile", self.folder / "pid", "--host", self.environment["DOCKER_HOST"],
                 "--bridge", "none", "--ip-forward=false"],
                stdout=log, stderr=log, start_new_session=True)
        PID_FILE.write_text(str(self.process.pid))
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Unavailable("dockerd does not run here: " + (CACHE / "dockerd.log").read_text()[-2000:])
            time.sleep(0.2)

    @staticmethod
    def _end_one_left_behind():
        """A run that was killed leaves its daemon, which has the data open. The command line tells whether the pid is still its."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pid = int(PID_FILE.read_text())
            if str(CACHE / "docker").encode() not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return
            os.kill(pid, signal.SIGTERM)
            while pathlib.Path(f"/proc/{pid}").exists():
                time.sleep(0.1)

    def _answers(self):
        return subprocess.run(["docker", "version"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=30, check=False).returncode == 0

    def stop(self):
        """Ends the daemon that was started; on another one, removes the images that were made."""
        if not self.process:
            for image in reversed(self.made):
                self.run("image", "rm", "--force", image, check=False)
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        subprocess.run(["umount", self.folder / "exec/netns/default"], stderr=subprocess.DEVNULL, check=False)  # it leaves this
        shutil.rmtree(self.folder)
        self.rules.restore()

    def run(self, *words, check=True, timeout=120, output=True, **options):
        """`docker WORDS`: what it printed on both streams, or with output=False the completed process."""
        done = subprocess.run(["docker", *map(str, words)], env=self.environment, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False, **options)
        done.stdout = done.stdout.replace(NO_FORWARDING, "")
        assert not check or done.returncode == 0, f"docker {' '.join(map(str, words))}: {done.stdout[-4000:]}"
        return done.stdout if output else done

    # -- images --

    def has(self, image):
        return self.run("image", "inspect", image, output=False, check=False).returncode == 0

    def make_images(self):
        if not self.has(BASE):
            self._make_base()
        missing = [image for image in STANDINS if not self.has(image)]
        if missing:
            context = self._standin_context()
            for image in missing:
                self._build(image, context, "--target", STANDINS[image])
        self._build(OURS, ROOT, "--file", ROOT / "deploy" / "docker" / "Dockerfile", "--build-arg", "VERSION=v1.2.3-test")

    def _make_base(self):
        """What the public image is: Debian without documents. apt gets this machine's way to its archive."""
        archive = CACHE / "bookworm.tar"
        if not archive.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                system = pathlib.Path(folder) / "system"
                subprocess.run(["debootstrap", "--variant=minbase", "bookworm", system], check=True, timeout=BUILD_S,
                               stdout=subprocess.DEVNULL)
                for part in ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/archives", "var/lib/apt/lists"):
                    shutil.rmtree(system / part, ignore_errors=True)
                (system / "etc/apt/apt.conf.d/99host").write_text(self._apt_settings())
                subprocess.run(["tar", "-C", system, "-cf", archive.with_suffix(".new"), "."], check=True)
            archive.with_suffix(".new").rename(archive)
        self.run("import", archive, BASE, timeout=600)
        self.made.append(BASE)

    @staticmethod
    def _apt_settings():
        dump = subprocess.run(["apt-config", "dump", "Acquire"], text=True, stdout=subprocess.PIPE, check=True).stdout
        wanted = ("Acquire::http", "Acquire::https", "Acquire::Check", "Acquire::Retries")
        return "".join(line + "\n" for line in dump.splitlines() if line.startswith(wanted))

    @staticmethod
    def _standin_context():
        context = CACHE / "context"
        shutil.rmtree(context, ignore_errors=True)
        shutil.copytree(HERE / "standins", context)
        (context / "jars").mkdir()
        for jar in (ROOT / "build" / "kafka").glob("*.jar"):
            shutil.copy(jar, context / "jars")
        return context

    def _build(self, image, context, *options):
        """Over the host's network: the archive, or a proxy to it, may be reachable from the host alone."""
        proxies = [word for name in PROXIES if name in os.environ for word in ("--build-arg", f"{name}={os.environ[name]}")]
        self.run("build", "--quiet", "--network", "host", *proxies, *options, "--tag", image, context, timeout=BUILD_S)
        self.made.append(image)
