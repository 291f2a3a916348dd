"""A Debian system of its own, with systemd as its process 1, in namespaces of this machine.

Its files are a layer in memory over build/packages/base, which debootstrap makes once. It has the machine's network, so stores on
127.0.0.1 are the same inside and outside. When process 1 is killed, everything in it is gone.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
CACHE = ROOT / "build" / "packages"
BASE = CACHE / "base"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
BASE_S = 20 * 60
START_S = 60

sys.path.append(str(ROOT / "tests" / "deploy"))


class Unavailable(Exception):
    """Such a system cannot run here."""


def environment(**more):
    return {"PATH": PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root",
            **{name: os.environ[name] for name in PROXIES if name in os.environ}, **more}


def make_base(packages):
    """Debian with systemd and what our package depends on; apt gets this machine's way to its archive."""
    from daemon import Daemon
    stamp = BASE / "packages"
    wanted = "\n".join(sorted(packages)) + "\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(BASE, ignore_errors=True)
    BASE.mkdir(parents=True)

    def run(*words, **options):
        with (CACHE / "base.log").open("a") as log:
            subprocess.run(words, check=True, timeout=BASE_S, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
    archive = CACHE.parent / "deploy" / "bookworm.tar"  # of tests/deploy/daemon.py
    if archive.exists():
        run("tar", "-C", BASE, "-xf", archive)
    else:
        run("debootstrap", "--variant=minbase", "bookworm", BASE)
        (BASE / "etc/apt/apt.conf.d/99host").write_text(Daemon._apt_settings())
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", BASE / "etc" / name)
    run("chroot", BASE, "apt-get", "-q", "update", env=environment())
    run("chroot", BASE, "apt-get", "-q", "-y", "install", "--no-install-recommends", *packages, env=environment())
    stamp.write_text(wanted)


class System:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skein-system-"))
        self.process = self.pid = None

    def start(self):
        log = (CACHE / "system.log").open("w")
        self.process = subprocess.Popen([HERE / "boot", BASE, self.folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        env=environment(container="skein"))
        deadline = time.monotonic() + START_S
        while not self._is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("systemd does not run in a namespace here: " + (CACHE / "system.log").read_text()[-2000:])
            time.sleep(0.1)

    def _is_up(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        if not children:
            return False
        self.pid = int(children[0])
        with_systemd = pathlib.Path(f"/proc/{self.pid}/exe")
        return "systemd" in os.readlink(with_systemd) and self.run("systemctl", "is-active", "basic.target", check=False) == "active\n"

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        # What is left of it on this machine: the control groups, which are empty now.
        subprocess.run(["mount", "-t", "cgroup2", "cgroup", self.folder], check=True)
        try:
            group = self.folder / f"skein-test-{self.process.pid}"
            deadline = time.monotonic() + 10
            while "populated 1" in (group / "cgroup.events").read_text():  # they are being killed
                assert time.monotonic() < deadline, "processes of the system are left"
                time.sleep(0.05)
            for child in [*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group]:
                child.rmdir()
        finally:
            subprocess.run(["umount", self.folder], check=True)
        self.folder.rmdir()

    # -- inside --

    def path(self, name):
        """Of a file in it, as seen from here."""
        return pathlib.Path(f"/proc/{self.pid}/root{name}")

    def read(self, name):
        return self.path(name).read_text()

    def write(self, name, text, mode=0o644):
        self.path(name).write_text(text)
        self.path(name).chmod(mode)

    def complete(self, *words, timeout=120, **variables):
        """The completed process of a command in it."""
        return subprocess.run(["nsenter", "--target", str(self.pid), "--mount", "--pid", "--cgroup", "--root", "--wd", "--",
                               *map(str, words)], env=environment(**variables), text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)

    def run(self, *words, check=True, timeout=120, **variables):
        """What a command in it printed, on both streams."""
        done = self.complete(*words, timeout=timeout, **variables)
        assert not check or done.returncode == 0, f"{' '.join(map(str, words))} ({done.returncode}): {done.stdout[-4000:]}"
        return done.stdout

    def apt(self, *words, **options):
        return self.run("apt-get", "-q", "-y", "--no-install-recommends", *words, timeout=300, **options)

    # -- units --

    def show(self, unit, *names):
        """Properties of a unit: one as text, several as a dictionary."""
        values = dict(line.split("=", 1) for line in self.run("systemctl", "show", "--property", ",".join(names), unit).splitlines())
        return values[names[0]] if len(names) == 1 else values

    def journal(self, unit, since=None):
        return self.run("journalctl", "--no-pager", "--output", "cat", *(["--since", since] if since else []), "--unit", unit)
