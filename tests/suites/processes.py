"""Runs programs to their end, and leaves no process behind: not when a program fails, not when it takes too long, and not on Ctrl-C.

This process adopts every descendant whose parent is gone (PR_SET_CHILD_SUBREAPER). So whatever a test started and forgot is found
below it in /proc, in whichever session it hid.
"""
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PR_SET_CHILD_SUBREAPER = 36
PIPE_GRACE_S = 3
GRACE_S = 20  # a test's fixtures stop PostgreSQL, Redis and Kafka meanwhile


def suppressed(kind):
    """What a library that is not ours does, tests/KIND.supp."""
    path = ROOT / "tests" / f"{kind}.supp"
    return f":suppressions={path}" if path.exists() else ""


SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "LSAN_OPTIONS": "print_suppressions=0" + suppressed("lsan"),
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1" + suppressed("tsan"),
}


class Stopped(Exception):
    """A signal has ended the run."""


class Processes:
    def __init__(self):
        self.lock = threading.Lock()  # also held while a program is started: its pid is known before it can be reaped
        self.running = {}  # pid: whether it is a cleanup, which no signal ends
        self.signal = None  # the one that ended the run

    def guard(self):
        """From here on descendants are adopted, and signals end the run. Called once, by the main thread."""
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._reap_adopted, daemon=True).start()

    def _on_signal(self, number, _frame):
        if self.signal is None:
            self.signal = number
            threading.Thread(target=self._end_running, daemon=True).start()

    def _end_running(self):
        """As a terminal's Ctrl-C does, to each program's whole group: pytest then ends its fixtures."""
        print(f"tests/run: {signal.Signals(self.signal).name}: ending what runs", file=sys.stderr, flush=True)
        for number, seconds in ((signal.SIGINT, GRACE_S), (signal.SIGKILL, 5)):
            with self.lock:
                groups = [pid for pid, is_cleanup in self.running.items() if not is_cleanup]
            for pid in groups:
                signal_group(pid, number)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and any(pid in self.running for pid in groups):
                time.sleep(0.05)

    def _reap_adopted(self):
        """Adopted zombies are ours to wait for. Popen waits for its own."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                time.sleep(0.2)
                continue
            with self.lock, contextlib.suppress(ChildProcessError):  # Popen may just have waited for its own
                if ended.si_pid not in self.running:
                    os.waitpid(ended.si_pid, 0)
                    continue
            time.sleep(0.02)

    def run(self, command, timeout, is_cleanup=False, **environment):
        """Exit code (None: it took too long), output, seconds. What ends a run early still lets a cleanup run."""
        start = time.monotonic()
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        env.update(SANITIZERS, PATH=f"{env['PATH']}:{ROOT}/build/redis", **environment)
        with self.lock:
            if self.signal is not None and not is_cleanup:
                raise Stopped
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
            self.running[process.pid] = is_cleanup
        try:
            output, code = self._outcome(process, command, timeout)
        finally:
            with self.lock:
                self.running.pop(process.pid, None)
        if self.signal is not None and not is_cleanup:
            raise Stopped
        return code, output, time.monotonic() - start

    def _outcome(self, process, command, timeout):
        deadline, ended, note = time.monotonic() + timeout, None, ""
        while True:
            try:
                output, _ = process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired as waiting:
                so_far = waiting.stdout or b""
            now = time.monotonic()
            if process.poll() is not None:
                ended = ended or now
                if now - ended > PIPE_GRACE_S:  # a process that it left behind has the other end
                    process.stdout.close()
                    output = so_far.decode(errors="replace")
                    break
            elif now > deadline:
                signal_group(process.pid, signal.SIGKILL)
                note = f"\n{command[0]} was killed: it did not end within {timeout} s"
        return output + note, None if note else process.returncode

    def end_leftovers(self, grace_s=5):
        """Ends what is still there of all programs after the grace; between programs. Returns the command lines."""
        await_end_of_descendants(grace_s)
        named = [command_line(pid) for pid in descendants_of(os.getpid())]
        for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 10)):  # PostgreSQL gives its shared memory back
            for pid in descendants_of(os.getpid()):
                signal_process(pid, number)
            await_end_of_descendants(seconds)
        return named


def await_end_of_descendants(seconds):
    deadline = time.monotonic() + seconds
    while descendants_of(os.getpid()) and time.monotonic() < deadline:
        time.sleep(0.05)


def signal_process(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def signal_group(pid, number):
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:200]
    except OSError:
        return ""


def descendants_of(root):
    """The pids of all living descendants."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            children.setdefault(int(parent), []).append(int(stat.parent.name))
    found, open_pids = [], [root]
    while open_pids:
        of_this = children.get(open_pids.pop(), [])
        found += of_this
        open_pids += of_this
    return found


PROCESSES = Processes()
run = PROCESSES.run
