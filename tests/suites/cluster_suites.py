"""The suites that run against a cluster of their own: e2e, chaos, the bench gate."""
import contextlib
import importlib.machinery
import importlib.util
import re
import socket
import sys

from processes import ROOT, run
from programs import MINUTE, bin_dir, built, count_lines, in_lanes, pytest, suffix_of

CLUSTER = str(ROOT / "deploy" / "local" / "cluster")
REPORT = re.compile(r"(WARNING|ERROR): \w+Sanitizer|: runtime error: ")
REPORT_LINES = 60
# What a sanitizer costs, in time-outs that only end what hangs.
PATIENCE = {"release": 1, "coverage": 2, "asan": 2, "tsan": 4}


def free_port_base(first, count=100):
    """The first so many from `first` on in which nobody listens."""
    def is_free(port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return probe.connect_ex(("127.0.0.1", port)) != 0
    for base in range(first, first + 10 * count, count):
        if all(is_free(port) for port in range(base, base + count)):
            return base
    raise RuntimeError(f"no {count} free ports for a cluster from {first} on")


def last_words(run_dir, names):
    """What processes that are gone wrote last."""
    text = ""
    for name in names:
        log = run_dir / "logs" / f"{name}.log"
        text += "".join(f"\n{name}: {line}" for line in (log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []))
    return text


def sanitizer_reports(run_dir):
    """Each report in a log of the cluster, its first lines: a process that made one may have been started again since."""
    found = []
    for log in sorted((run_dir / "logs").glob("*.log*")):
        lines = log.read_text(errors="replace").splitlines()
        found += ["\n".join([log.name, *lines[i:i + REPORT_LINES]]) for i, line in enumerate(lines) if REPORT.search(line)]
    return found


@contextlib.contextmanager
def cluster(report, name, run_dir, out, flavour, first_port):
    """A cluster without data, as the environment of its tests; None, with the failure in the report, if it does not start."""
    where = {"RUN_DIR": str(run_dir), "PORT_BASE": str(free_port_base(first_port)), "BIN": str(bin_dir(out, flavour)),
             "KAFKA_JARS": str(ROOT / "build" / "kafka"), "SCHEMA_FUZZ_S": "15" if flavour == "release" else "60"}
    run([CLUSTER, "down"], 2 * MINUTE, **where)
    run([CLUSTER, "clean-data"], MINUTE, **where)
    try:
        code, output, seconds = run([CLUSTER, "up"], 3 * MINUTE * PATIENCE[flavour], **where)
        if code == 0:
            yield {**dict(line.split("=", 1) for line in (run_dir / "env").read_text().splitlines()), **where}
        else:
            report.suite(f"{name} cluster starts", 0, 1, seconds, output)
            yield None
    finally:
        code, output, seconds = run([CLUSTER, "down"], 2 * MINUTE * PATIENCE[flavour], is_cleanup=True, **where)
        if code != 0:
            report.suite(f"{name} cluster stops", 0, 1, seconds, output)


def e2e_lane(report, out, flavour, lane, first_port):
    name = f"e2e, {lane}{suffix_of(flavour)}"
    run_dir = out / "test" / f"cluster-{lane}-{flavour}"
    with cluster(report, name, run_dir, out, flavour, first_port) as where:
        if where is None:
            return
        pytest(report, name, [ROOT / "tests" / "e2e", f"--lane={lane}"], 15 * MINUTE * PATIENCE[flavour], **where)
        code, output, seconds = run([CLUSTER, "status"], MINUTE, **where)
        output += last_words(run_dir, re.findall(r"^ +(\S+) .* down$", output, re.MULTILINE))
        report.suite(f"{name}: every process still runs", int(code == 0), int(code != 0), seconds, output)
    found = sanitizer_reports(run_dir)
    report.suite(f"{name}: no sanitizer's report", int(not found), len(found), 0, "\n\n".join(found), is_quiet=True)


def e2e(report, out, flavour):
    """Two lanes with a cluster each: the tests that break their cluster, and the others."""
    if built(report, out, flavour, "all"):
        in_lanes(lambda: e2e_lane(report, out, flavour, "steady", 23000),
                 lambda: e2e_lane(report, out, flavour, "breaking", 24000))


def chaos(report, out, flavour):
    """The checker's own tests, and a short run: its kinds of faults change from commit to commit (tests/chaos/seed.py)."""
    if not built(report, out, flavour, "all", "chaos-programs"):
        return
    pytest(report, "chaos/checker, schedule, proxy", [ROOT / "tests" / "chaos"], 3 * MINUTE, BIN=str(bin_dir(out, flavour)))
    run_dir, base = out / "test" / "chaos", str(free_port_base(26000, 200))
    seed, origin = run([str(ROOT / "tests" / "chaos" / "seed.py")], MINUTE)[1].strip().split(" ", 1)
    command = ["tests/chaos/chaos", "--short", "--seed", seed, "--users", "100", "--rate", "40"]
    try:
        code, output, seconds = run([*command, "--bin", str(bin_dir(out, flavour)), "--out", str(run_dir / "out"),
                                     "--run-dir", str(run_dir / "run"), "--port-base", base], 8 * MINUTE)
        report.suite("chaos, a short run", int(code == 0), int(code != 0), seconds, output,
                     f", the seed is from {origin}; again with: {' '.join(command)}")
    finally:
        run([CLUSTER, "down"], 2 * MINUTE, is_cleanup=True, RUN_DIR=str(run_dir / "run"), PORT_BASE=base)


def selfcheck_cases(share, shares):
    """Every so many-th case of tests/chaos/selfcheck, by name."""
    path = str(ROOT / "tests" / "chaos" / "selfcheck")
    loader = importlib.machinery.SourceFileLoader("selfcheck", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("selfcheck", loader))
    sys.modules["selfcheck"] = module  # dataclasses look themselves up there
    loader.exec_module(module)
    return [case.name for case in [*module.CASES, *module.PROOFS]][share - 1::shares]


def chaos_selfcheck(share, shares):
    """One mechanism after the other is switched off, and chaos notices."""
    def suite(report, out, flavour):
        del out, flavour
        cases = ",".join(selfcheck_cases(share, shares))
        count_lines(report, f"chaos-selfcheck, {share} of {shares}",
                    run(["make", "-s", "chaos-selfcheck", f"ONLY={cases}"], 60 * MINUTE))
    return suite
