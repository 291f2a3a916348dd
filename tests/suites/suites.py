"""The suites by name, the groups that make's targets run, and the parts of `full` that take turns."""
import datetime
import os
import time

from cluster_suites import PATIENCE, chaos, chaos_selfcheck, e2e
from processes import ROOT, run
from programs import MINUTE, bin_dir, built, count_lines, in_lanes, make, pytest, run_binaries, suffix_of

# What threads share lives in libcommon; the services' unit tests are of functions without threads.
TSAN_PARTS = "base/ loop/ net/ store/ rpc/ cluster/ deliver/"


def run_in_one_line(report, out, flavour, kind, only=None):
    start = time.monotonic()
    results = run_binaries(report, out, flavour, kind, os.cpu_count(), 2 * MINUTE, only, is_quiet=True)
    failed = sum(f for _, f in results)
    label = f"{kind} ({flavour}), {len(results)} programs"
    report.line("FAIL" if failed else "ok", label, sum(p for p, _ in results), failed, time.monotonic() - start)


def unit(report, out, flavour):
    only = TSAN_PARTS if flavour == "tsan" else None
    if built(report, out, flavour, "unit-tests", **({"TEST": only} if only else {})):
        run_in_one_line(report, out, flavour, "unit", only)


def fuzz(report, out, flavour):
    """Every fuzz target over its seeds; mutated input comes with `make fuzz`."""
    if built(report, out, flavour, "fuzz-targets"):
        run_in_one_line(report, out, flavour, "fuzz")


def integration(report, out, flavour):
    if not built(report, out, flavour, "integration-tests", "all"):
        return
    run_binaries(report, out, flavour, "integration", 1, 5 * MINUTE * PATIENCE[flavour])
    scripts = sorted((ROOT / "tests" / "integration").glob("*_test.py"))
    # Two lanes: most of the time of either is waiting. Those with whole stores of their own do not start beside each other.
    with_stores = [script for script in scripts if "im_cluster" in script.read_text()]

    def run_lane(lane):
        for script in lane:
            pytest(report, f"integration/{script.stem}{suffix_of(flavour)}", [script], 10 * MINUTE * PATIENCE[flavour],
                   BIN=str(bin_dir(out, flavour)))
    in_lanes(lambda: run_lane(with_stores), lambda: run_lane([script for script in scripts if script not in with_stores]))


def model(report, out, flavour):
    """The protocols as models: they hold, and miss each rule that is taken away."""
    del flavour
    count_lines(report, "model", run([str(ROOT / "tests" / "model" / "run"), "--out", str(out / "model")], 15 * MINUTE))


def lint(report, out, flavour):
    count_lines(report, "lint", make(out, flavour, "lint"))


def bench_gate(report, out, flavour):
    """What a message costs, against what it cost."""
    if built(report, out, flavour, "all"):
        count_lines(report, "bench-gate", run([str(ROOT / "tests" / "bench" / "gate"), "--bin", str(bin_dir(out, flavour))],
                                              15 * MINUTE))


def fuzz_mutated(report, out, flavour):
    """Mutated input, for some seconds each."""
    del out, flavour
    count_lines(report, "fuzz, mutated input", run(["make", "-s", "fuzz", "SECONDS=20"], 30 * MINUTE))


def compose(report, out, flavour):
    """docker-compose.yml as a user starts it, under the load tool. With the images of the first time it takes some ten minutes."""
    code, output, seconds = run(["mk/install-packages", "containers"], 10 * MINUTE)
    if code != 0:
        report.suite("compose, its packages", 0, 1, seconds, output)
    elif built(report, out, flavour, "all"):
        pytest(report, "compose", [ROOT / "tests" / "deploy"], 60 * MINUTE, BIN=str(bin_dir(out, flavour)))


def k8s(report, out, flavour):
    """deploy/k8s rendered, checked and run by podman. The first time builds images."""
    if not built(report, out, flavour, "all"):
        return
    code, output, seconds = run(["tests/k8s/tools", str(ROOT / "build" / "k8s-tools")], 10 * MINUTE)
    if code == 0:
        pytest(report, "k8s", [ROOT / "tests" / "k8s"], 60 * MINUTE, BIN=str(bin_dir(out, flavour)))
    else:
        report.suite("k8s, its tools", 0, 1, seconds, output)


def packages(report, out, flavour):
    """The Debian packages, installed in a system with systemd of its own. They are built twice."""
    if built(report, out, flavour, "installable"):
        pytest(report, "packages", [ROOT / "tests" / "packages"], 60 * MINUTE)


def upgrade(report, out, flavour):
    """An older version becomes this one, process by process, and back. The first time builds the older one."""
    if built(report, out, flavour, "all"):
        pytest(report, "upgrade", [ROOT / "tests" / "upgrade"], 40 * MINUTE, BIN=str(bin_dir(out, flavour)))


def coverage(report, out, flavour):
    del flavour
    run(["find", str(out / "coverage"), "-name", "*.gcda", "-delete"], MINUTE)
    unit(report, out, "coverage")
    integration(report, out, "coverage")
    e2e(report, out, "coverage")
    code, output, seconds = run(["gcovr", "--root", ".", "--object-directory", str(out / "coverage"), "--exclude",
                                 "tests/", "--exclude", ".*/gen/", "--print-summary", str(out / "coverage" / "obj")],
                                5 * MINUTE)
    (report.logs / "coverage.txt").write_text(output)
    if code != 0:
        report.suite("coverage figures", 0, 1, seconds, output)
    print("\n".join(line for line in output.splitlines() if line.startswith(("lines:", "functions:", "branches:"))))
    print(f"each file: {report.logs / 'coverage.txt'}")


SUITES = {
    "lint": (lint, "release"),
    "unit": (unit, "release"),
    "unit-asan": (unit, "asan"),
    "unit-tsan": (unit, "tsan"),
    "fuzz": (fuzz, "asan"),
    "model": (model, "release"),
    "integration": (integration, "release"),
    "integration-asan": (integration, "asan"),
    "integration-tsan": (integration, "tsan"),
    "e2e": (e2e, "release"),
    "e2e-asan": (e2e, "asan"),
    "e2e-tsan": (e2e, "tsan"),
    "chaos": (chaos, "release"),
    "fuzz-mutated": (fuzz_mutated, "fuzz"),
    "selfcheck-1": (chaos_selfcheck(1, 2), "sabotage"),
    "selfcheck-2": (chaos_selfcheck(2, 2), "sabotage"),
    "bench-gate": (bench_gate, "release"),
    "compose": (compose, "release"),
    "k8s": (k8s, "release"),
    "packages": (packages, "release"),
    "upgrade": (upgrade, "release"),
    "coverage": (coverage, "coverage"),
}

# The parts of `full` besides `test`, each short enough for .ci/run. One a day: all have had their turn within so many days.
PARTS = {
    "tsan": ["unit-tsan", "integration-tsan"],
    "selfcheck-first": ["selfcheck-1"],
    "sanitized-e2e": ["e2e-tsan", "e2e-asan"],
    "selfcheck-second": ["selfcheck-2"],
    "release": ["integration", "model", "fuzz-mutated"],
    "containers": ["compose"],
}


def part_of(day):
    """The name of the part whose turn it is on this day."""
    return list(PARTS)[day.toordinal() % len(PARTS)]


def today():
    return datetime.datetime.now(datetime.UTC).date()


CHECK = ["unit", "unit-asan"]
TEST = ["lint", "unit", "unit-asan", "fuzz", "integration-asan", "e2e", "chaos"]
GROUPS = {
    "check": CHECK,
    "test": TEST,
    "full": [*TEST, *(suite for part in PARTS.values() for suite in part), "bench-gate", "k8s", "packages", "upgrade"],
    **PARTS,
}
