"""One cluster for all tests of run_test.py; where podman cannot run, they are skipped, with the reason."""
import base64
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "deploy"), str(HERE.parent / "e2e")]
TEST_TIMEOUT_S = 180


@pytest.fixture(scope="session")
def podman():
    from daemon import Unavailable
    from engine import Podman
    found = Podman("skein-dev")
    try:
        found.start()
    except Unavailable as why:
        pytest.skip(str(why))
    try:
        found.make_images()
        found.enter_network()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="session")
def cluster(podman):
    from kubelet import Cluster
    from manifests import Manifests
    made = Cluster(podman, Manifests("dev"))
    try:
        made.up()
        made.up_s = made.await_ready(180)
        jwt = base64.b64decode(made.manifests.one("Secret", "skein-jwt")["data"]["key"]).decode()
        # The clients of tests/e2e take the cluster from here.
        os.environ.update(
            RUN_DIR=str(HERE), SKEIN_JWT_SECRET=jwt, SKEIN_HTTP=",".join(f"http://{one.address}:8080" for one in made.of("im")),
            SKEIN_WS=",".join(one.websocket() for one in made.of("gateway")),
            SKEIN_INTERNAL=",".join(f"{one.name}=http://{one.address}:9100" for one in made.pods))
        yield made
    finally:
        made.down()


@pytest.fixture
def skein(cluster):
    from client import Skein
    return Skein()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    import coroutines
    return coroutines.run(pyfuncitem, TEST_TIMEOUT_S)
