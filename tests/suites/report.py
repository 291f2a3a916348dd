"""What the suites did: one line each as it ends, the output of those that failed, and at the end `N passed, N failed`."""
import re
import threading
import time

CMOCKA_NOISE = re.compile(r"\[( RUN      |       OK )\] ")
TAIL = 120  # lines of a failed suite's output
SLOWEST = 20


def file_name(suite):
    return re.sub(r"[^\w-]+", "-", suite).strip("-")


class Report:
    def __init__(self, logs):
        self.logs = logs
        self.passed = self.failed = 0
        self.durations = []  # (seconds, name): of each test of pytest, of each program of cmocka
        self.lock = threading.Lock()
        self.start = time.monotonic()
        logs.mkdir(parents=True, exist_ok=True)

    def line(self, verdict, name, passed, failed, seconds, note=""):
        counts = f"{passed} passed" + (f", {failed} failed" if failed else "")
        print(f"{verdict:<5} {name:<46} {counts:<24} {seconds:6.1f} s{note}", flush=True)

    def suite(self, name, passed, failed, seconds, output, note="", is_quiet=False, durations=None):
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.durations += [(seconds, name)] if durations is None else durations
            (self.logs / (file_name(name) + ".log")).write_text(output)
            if failed or not is_quiet:
                self.line("FAIL" if failed else "ok", name, passed, failed, seconds, note)
            if failed:
                tail = [line for line in output.splitlines() if not CMOCKA_NOISE.match(line)][-TAIL:]
                print("\n".join("      " + line for line in tail), flush=True)

    def end(self):
        """Prints the sum. Returns the exit code."""
        print("\nthe slowest:")
        for seconds, name in sorted(self.durations, reverse=True)[:SLOWEST]:
            print(f"{seconds:8.1f} s  {name}")
        print(f"\nall outputs are in {self.logs}; it took {time.monotonic() - self.start:.0f} s")
        if self.passed + self.failed == 0:
            self.failed = 1
            print("no test was run")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0
