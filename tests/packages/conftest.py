"""The packages, built once for all tests of this folder, and a system to install them in."""
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
CLUSTER = ROOT / "deploy" / "local" / "cluster"
FIRST_PORT = 31500
BUILD_S = 30 * 60
TEST_TIMEOUT_S = 180
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "suites")]


def make(*words, timeout=BUILD_S):
    done = subprocess.run(["make", "-s", "-C", ROOT, *map(str, words)], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
    assert done.returncode == 0, f"make {' '.join(map(str, words))}: {done.stdout[-6000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def packages():
    """NAME: the file, of those that `make deb` builds."""
    make("deb", "DEPS=no")
    return {path.name.partition("_")[0]: path for path in (ROOT / "build" / "deb").glob("*.deb")}


@pytest.fixture(scope="session")
def system(packages):
    import system
    fields = subprocess.run(["dpkg-deb", "--field", packages["skein"], "Depends"], text=True, stdout=subprocess.PIPE, check=True)
    depends = [alternatives.split("|")[0].split("(")[0].strip() for alternatives in fields.stdout.split(",")]
    if os.getuid() != 0:
        pytest.skip("only root can start a system in namespaces")
    system.make_base(["systemd", *depends])
    made = system.System()
    try:
        made.start()
        yield made
    except system.Unavailable as why:
        pytest.skip(str(why))
    finally:
        made.stop()


@pytest.fixture(scope="session")
def stores():
    """PostgreSQL, Redis and Kafka on this machine, as the variables of their `env`, and a range of free ports for services."""
    from cluster_suites import free_port_base
    run_dir = ROOT / "build" / "packages" / "stores"
    base = free_port_base(FIRST_PORT)
    where = {**os.environ, "RUN_DIR": str(run_dir), "PORT_BASE": str(base), "KAFKA_JARS": str(ROOT / "build" / "kafka")}

    def postgres_stops():
        pid = int((run_dir / "pids" / "postgres").read_text())
        os.kill(pid, signal.SIGINT)
        while pathlib.Path(f"/proc/{pid}").exists():
            time.sleep(0.05)

    def cluster(*words):
        subprocess.run([CLUSTER, *words], env=where, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=300, check=True)
    if run_dir.exists():
        cluster("down")
        cluster("clean-data")
    cluster("infra")
    try:
        found = dict(line.split("=", 1) for line in (run_dir / "env").read_text().splitlines())
        yield types.SimpleNamespace(base=base, pg=found["SKEIN_PG"], redis=found["SKEIN_REDIS"], kafka=found["SKEIN_KAFKA"],
                                    postgres_stops=postgres_stops, postgres_starts=lambda: cluster("infra"))
    finally:
        cluster("down")
        cluster("clean-data")


@pytest.fixture(scope="session")
def installed():
    """`make install` into a folder of its own, without root's folders: its PREFIX."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        make("install", f"PREFIX={folder}", f"UNITDIR={folder}/units")
        yield pathlib.Path(folder)


@pytest.fixture
def skein():
    """Clients of tests/e2e, of the cluster in the environment (service_test.py sets it)."""
    return importlib.import_module("client").Skein()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    import coroutines
    return coroutines.run(pyfuncitem, TEST_TIMEOUT_S)
