"""One cluster in containers for all tests of this folder; without a Docker daemon they are skipped."""
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
TEST_TIMEOUT_S = 400  # the longest replaces eight containers, with two drains of 20 s


@pytest.fixture(scope="session")
def daemon():
    from daemon import Daemon, Unavailable
    found = Daemon()
    try:
        found.start()
    except Unavailable as why:
        pytest.skip(str(why))
    try:
        found.make_images()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="session")
def project(daemon):
    from compose import Project
    made = Project(daemon)
    try:
        made.up_s = made.up()
        # The clients of tests/e2e take the cluster from here.
        os.environ.update(RUN_DIR=str(HERE), SKEIN_HTTP=made.http, SKEIN_WS=made.ws, SKEIN_JWT_SECRET=made.secret("jwt"),
                          SKEIN_INTERNAL="none=none")
        yield made
    finally:
        made.remove()


@pytest.fixture
def skein(project):
    from client import Skein
    return Skein()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    import coroutines
    return coroutines.run(pyfuncitem, TEST_TIMEOUT_S)
