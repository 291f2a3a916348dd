"""Runs coroutine tests, each with a Skein of its own (client.py). Tests that break the cluster are a lane of their own, and come
last in a run of both."""
import os
import pathlib
import secrets
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
TEST_TIMEOUT_S = 120
BREAKING = ["cluster_test", "listen_test", "first_message_test", "push_takeover_test", "promises_test", "rolling_test", "faults_test",
            "schema_fuzz_test"]


def pytest_addoption(parser):
    parser.addoption("--lane", choices=["steady", "breaking"], help="only the tests that leave the cluster alone, or only the others")


def pytest_configure(config):
    missing = [name for name in ("RUN_DIR", "BIN", "PORT_BASE", "SKEIN_HTTP", "SKEIN_WS") if name not in os.environ]
    if missing:
        pytest.exit(f"{', '.join(missing)}: not set. `tests/run e2e` starts a cluster and sets them", 2)


def pytest_collection_modifyitems(config, items):
    def place(item):
        return BREAKING.index(item.module.__name__) + 1 if item.module.__name__ in BREAKING else 0
    lane = config.getoption("--lane")
    if lane:
        items[:] = [item for item in items if (place(item) > 0) == (lane == "breaking")]
    items.sort(key=place)


@pytest.fixture
def skein():
    """From an address of its own where the machine has many: registrations are limited for each address."""
    import cluster
    from client import Skein
    is_local = all(url.startswith("http://127.0.0.1:") for url in cluster.HTTP)
    return Skein(f"127.{secrets.randbelow(255)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}" if is_local else None)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    import coroutines
    return coroutines.run(pyfuncitem, TEST_TIMEOUT_S)
