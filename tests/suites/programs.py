"""Builds and runs the three kinds of test programs: cmocka's, pytest's, and scripts that print `ok` and `FAIL` lines."""
import concurrent.futures
import os
import re
import xml.etree.ElementTree

from processes import ROOT, run
from report import file_name

PYTHON = "/usr/bin/python3"
MINUTE = 60


def bin_dir(out, flavour):
    return out / "bin" if flavour == "release" else out / flavour / "bin"


def suffix_of(flavour):
    return "" if flavour == "release" else f" ({flavour})"


def make(out, flavour, *targets, **variables):
    settings = [f"{k}={v}" for k, v in variables.items()]
    return run(["make", "-s", "-j", str(os.cpu_count()), f"BUILD={flavour}", f"OUT={out / flavour}",
                f"BIN={bin_dir(out, flavour)}", *settings, *targets], 20 * MINUTE)


def built(report, out, flavour, *targets, **variables):
    code, output, seconds = make(out, flavour, *targets, **variables)
    if code != 0:
        report.suite(f"build {flavour}", 0, 1, seconds, output)
        return False
    if seconds > 1:
        print(f"      build {flavour:<53} {'':<11} {seconds:6.1f} s", flush=True)
    return True


def cmocka_counts(output):
    passed = len(re.findall(r"^\[       OK \] ", output, re.MULTILINE))
    failed = sum(int(n) for n in re.findall(r"^\[  FAILED  \] (\d+) test", output, re.MULTILINE))
    return passed, failed


def run_binary(report, path, label, timeout, is_quiet):
    code, output, seconds = run([str(path)], timeout)
    passed, failed = cmocka_counts(output)
    if failed == 0 and (code != 0 or passed == 0):
        failed = 1  # crashed, took too long, or ran nothing
        output += f"\nended with {'a time-out' if code is None else f'code {code}'} after {passed} passed tests"
    report.suite(label, passed, failed, seconds, output, is_quiet=is_quiet)
    return passed, failed


def run_binaries(report, out, flavour, kind, jobs, timeout, only=None, is_quiet=False):
    folder = out / flavour / "tests" / kind
    sources = sorted((ROOT / "tests" / kind).rglob("*_fuzz.c" if kind == "fuzz" else "*_test.c"))
    names = [str(s.relative_to(ROOT / "tests" / kind).with_suffix("")) for s in sources]
    if only:
        names = [n for n in names if n.startswith(tuple(only.split()))]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(
            lambda n: run_binary(report, folder / n, f"{kind}/{n}{suffix_of(flavour)}", timeout, is_quiet), names))


def in_lanes(*lanes):
    """Calls each lane's function in a thread of its own. The first exception, if any, is raised when all have ended."""
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        for ended in [pool.submit(lane) for lane in lanes]:
            ended.result()


def pytest(report, name, arguments, timeout, **environment):
    results = report.logs / (file_name(name) + ".xml")
    results.unlink(missing_ok=True)
    code, output, seconds = run([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
                                 f"--junitxml={results}", *map(str, arguments)], timeout,
                                PYTHONDONTWRITEBYTECODE="1", **environment)
    passed = failed = skipped = 0
    durations = []
    if results.exists():
        suite = xml.etree.ElementTree.parse(results).getroot().find("testsuite")
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        skipped = int(suite.get("skipped"))
        passed = int(suite.get("tests")) - failed - skipped
        durations = [(float(case.get("time")), f"{name}: {case.get('name')}") for case in suite.iter("testcase")]
    if failed == 0 and (code != 0 or passed == 0):
        failed = 1
    report.suite(name, passed, failed, seconds, output, f", {skipped} skipped" if skipped else "",
                 durations=durations)


def count_lines(report, name, outcome):
    """For a program that prints a line for each check, beginning with `ok ` or `FAIL `."""
    code, output, seconds = outcome
    passed = len(re.findall(r"^ok ", output, re.MULTILINE))
    failed = len(re.findall(r"^FAIL ", output, re.MULTILINE))
    if failed == 0 and (code != 0 or passed == 0):
        failed = 1
    report.suite(name, passed, failed, seconds, output)
