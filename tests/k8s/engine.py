"""podman with the images that the dev overlay names, in a network namespace of its own.

podman 4.3 publishes every containerPort on the host, and its bridge and its rules of iptables are the host's. So it runs where none
of that is seen; the tests enter that namespace, too. Storage stays under build/deploy/podman, as a cache of images.
"""
import contextlib
import ctypes
import hashlib
import ipaddress
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

import daemon

ROOT = daemon.ROOT
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "build" / "bin"))
FOLDER = ROOT / "build" / "deploy" / "podman"
SUBNET = ipaddress.ip_network("10.98.0.0/24")
HOST = str(SUBNET[1])  # of the bridge, in the namespace
NETWORK = "skein-test-k8s"
LEASES = pathlib.Path("/var/lib/cni/networks") / NETWORK  # its addresses; the plugin knows no other place
NEEDED = ("podman", "catatonit", "debootstrap", "ip", "nsenter", "ss")
IMAGES = {"docker.io/library/postgres:15": "postgres", "docker.io/library/redis:7": "redis", "docker.io/apache/kafka:3.9.1": "kafka"}
OURS = "localhost/skein:dev"
PROGRAMS = ("gateway", "im", "push", "router", "skeinctl")
LIMIT = 20000
CLONE_NEWNET = 0x40000000
SETTINGS = """
[containers]
default_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]
dns_servers = ["{dns}"]
dns_searches = ["{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"]
dns_options = ["ndots:5"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
enable_port_reservation = false
[network]
network_backend = "cni"
network_config_dir = "{folder}/networks"
"""


def libc(name, *arguments):
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


def machine_limits():
    """podman's own defaults may be above the machine's, which root in a container may not raise. These are enough for a test."""
    def hard(name):
        limit = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
        return LIMIT if limit == resource.RLIM_INFINITY else min(limit, LIMIT)
    return {name: hard(name) for name in ("nofile", "nproc")}


class Podman(daemon.Daemon):
    """Builds images as Daemon does: the commands that this needs are the same."""

    def __init__(self, namespace):
        super().__init__()
        self.namespace = namespace
        self.home = None  # the network namespace that the tests came from

    def start(self):
        for program in NEEDED:
            if not shutil.which(program):
                raise daemon.Unavailable(f"{program} is not installed: mk/install-packages containers")
        if os.getuid() != 0:
            raise daemon.Unavailable("podman with networks of its own needs root")
        FOLDER.mkdir(parents=True, exist_ok=True)
        # A socket's path must be short; and podman insists on the folder of its last run, of which something may be left.
        self.folder = pathlib.Path(tempfile.gettempdir()) / f"skein-podman-{hashlib.sha256(bytes(ROOT)).hexdigest()[:8]}"
        (self.folder / "networks").mkdir(parents=True, exist_ok=True)
        (self.folder / "containers.conf").write_text(SETTINGS.format(
            **machine_limits(), dns=HOST, namespace=self.namespace, folder=self.folder))
        # Without systemd there is nobody to ask podman's own health checks; kubelet.py asks the probes.
        self.environment |= {"CONTAINERS_CONF": str(self.folder / "containers.conf"), "DISABLE_HC_SYSTEMD": "true",
                             "TMPDIR": str(self.folder)}
        try:
            self.run("info")
        except AssertionError as why:
            raise daemon.Unavailable(f"podman does not run here: {why}") from None
        self._clean()

    def run(self, *words, check=True, timeout=120, output=True, **options):
        """`podman WORDS`: what it printed, or with output=False the completed process."""
        done = subprocess.run(["podman", "--root", FOLDER / "storage", "--runroot", self.folder / "run", *map(str, words)],
                              env=self.environment, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False, **options)
        assert not check or done.returncode == 0, f"podman {' '.join(map(str, words))}: {(done.stdout + done.stderr)[-4000:]}"
        return done.stdout if output else done

    def json(self, *words):
        return json.loads(self.run(*words))

    def make_images(self):
        if not self.has(daemon.BASE):
            self._make_base()
        missing = [image for image in IMAGES if not self.has(image)]
        if missing:
            context = self._standin_context()
            for image in missing:
                self._build(image, context, "--target", IMAGES[image])
        self._make_ours()

    def _make_ours(self):
        """The last stage of deploy/docker/Dockerfile over the programs of this checkout; `make test-compose` tests the other one."""
        context = FOLDER / "context"
        shutil.rmtree(context, ignore_errors=True)
        (context / "image" / "bin").mkdir(parents=True)
        programs = [shutil.copy(BIN / name, context / "image" / "bin") for name in PROGRAMS]
        subprocess.run(["strip", "--strip-debug", *programs], check=True)
        with (context / "image" / "packages").open("w") as packages:
            subprocess.run([ROOT / "deploy" / "docker" / "image-packages", *programs], stdout=packages, check=True)
        stage = (ROOT / "deploy" / "docker" / "Dockerfile").read_text().rpartition("\nFROM ")[2]
        (context / "Dockerfile").write_text("FROM " + stage.replace("COPY --from=build /", "COPY "))
        self._build(OURS, context)

    def _build(self, image, context, *options):
        limits = [word for name, limit in machine_limits().items() for word in ("--ulimit", f"{name}={limit}:{limit}")]
        super()._build(image, context, *limits, *options)

    def enter_network(self):
        """From here on this thread, and those that it starts, are in a network namespace of the tests."""
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        libc("unshare", CLONE_NEWNET)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.run("network", "create", "--disable-dns", "--subnet", SUBNET, "--gateway", HOST, NETWORK)

    def _clean(self):
        """Removes all but the images."""
        self.run("pod", "rm", "--all", "--force", "--time", "2", timeout=300)
        self.run("volume", "rm", "--all", "--force")
        self.run("secret", "rm", "--all")
        self.run("image", "prune", "--force")  # what a newer one has replaced
        self.run("network", "rm", "--force", NETWORK, check=False)
        shutil.rmtree(LEASES, ignore_errors=True)

    def stop(self):
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self._clean()
        if self.home:
            libc("setns", self.home, CLONE_NEWNET)
            os.close(self.home)
        shutil.rmtree(self.folder, ignore_errors=True)
