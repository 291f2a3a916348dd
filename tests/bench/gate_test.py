"""The gate's arithmetic, on figures instead of a cluster."""
import importlib.machinery
import importlib.util
import itertools
import os
import pathlib

import pytest

LOADER = importlib.machinery.SourceFileLoader("gate", str(pathlib.Path(__file__).with_name("gate")))
gate = importlib.util.module_from_spec(importlib.util.spec_from_loader("gate", LOADER))
LOADER.exec_module(gate)

QUIET, BUSY = 0, os.cpu_count()  # cores that others use


@pytest.fixture
def measured(monkeypatch):
    """The ratio for runs that cost so many microseconds a message beside others on so many cores; 500 ms a calibration."""
    def measure(runs):
        warm_up = iter([(9999, QUIET)])
        runs = itertools.chain(warm_up, runs)

        def bench(_options, _environment, scenario, *_arguments):
            if scenario == "calibrate":
                return {"cpu_s": 0.5}
            us, cores = next(runs)
            return {"delivered": 3000, "missing": 0, "seconds": 3, "cpu": {
                "im": {"cpu_s": us / 1e6 * 750}, "kafka": {"cpu_s": us / 1e6 * 2250},
                "bench": {"cpu_s": 7}, "others": {"cpu_s": cores * 3}}}
        monkeypatch.setattr(gate, "bench", bench)
        return gate.measure(None, None)["all"]
    return measure


def test_the_median_of_the_runs_counts_without_the_load_tool_and_the_warm_up(measured):
    assert measured([(us, QUIET) for us in (1000, 5000, 2000, 1500, 1900)]) == pytest.approx(1900 / 500)


def test_a_run_beside_others_is_not_counted(measured):
    runs = [(100, BUSY), (2000, QUIET), (100, BUSY)] + [(2000, QUIET)] * 4
    assert measured(runs) == pytest.approx(2000 / 500)


def test_a_machine_that_is_never_quiet_is_a_failure(measured):
    with pytest.raises(SystemExit, match="FAIL"):
        measured(itertools.repeat((100, BUSY)))


STORED = {"ratios": {"all": 4, "gateway": 1, "im": 1, "push": 1}, "commit": "abc", "date": "2026-11-30"}


def test_fifteen_percent_more_pass_and_sixteen_fail():
    assert gate.passes({**STORED["ratios"], "all": 4 * 1.149}, STORED)
    assert not gate.passes({**STORED["ratios"], "all": 4 * 1.16}, STORED)


@pytest.mark.parametrize("name", ["gateway", "im", "push"])
def test_a_service_that_needs_half_as_much_again_fails_whatever_the_others_save(name):
    assert gate.passes({**STORED["ratios"], name: 1.39}, STORED)
    assert not gate.passes({**STORED["ratios"], name: 1.5}, STORED)
