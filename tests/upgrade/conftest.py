"""The cluster of the upgrade test: every process of the older version at first, each later of the one that the test chooses."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE.parent / "suites")]
TEST_TIMEOUT_S = 900


@pytest.fixture(scope="session")
def old():
    """The folder with the older programs."""
    import baseline
    try:
        return baseline.build()
    except baseline.Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture
def processes(old):
    from cluster_suites import CLUSTER, free_port_base
    run_dir = ROOT / "build" / "test" / "cluster-upgrade"
    new = pathlib.Path(os.environ.get("BIN", ROOT / "build" / "bin")).resolve()
    environment = {"RUN_DIR": str(run_dir), "PORT_BASE": os.environ.get("PORT_BASE") or str(free_port_base(27000)),
                   "KAFKA_JARS": str(ROOT / "build" / "kafka")}

    def cluster(command, **more):
        return subprocess.run([CLUSTER, command], env={**os.environ, **environment, **more}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=240, check=False)
    cluster("down")
    shutil.rmtree(run_dir, ignore_errors=True)
    try:
        begun = cluster("up", BIN=str(old))
        assert begun.returncode == 0, begun.stdout
        # The clients of tests/e2e take the cluster from here. BIN is what `cluster` migrates with from now on.
        os.environ.update(environment, BIN=str(new), SERVICE_WRAPPER=str(HERE / "run_chosen"))
        os.environ.update(line.split("=", 1) for line in (run_dir / "env").read_text().splitlines())
        from processes_of_two import Processes
        yield Processes(old, new)
    finally:
        ended = cluster("down", BIN=str(new))
        assert ended.returncode == 0, ended.stdout


@pytest.fixture
def skein(processes):
    from client import Skein
    return Skein()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    import coroutines
    return coroutines.run(pyfuncitem, TEST_TIMEOUT_S)
