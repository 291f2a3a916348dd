"""Programs that hide processes, and what becomes of those."""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from processes import descendants_of

# A run of one program, in a process of its own: only that one's descendants are adopted and killed. It names what is left
# when each setsid has become what it starts.
RUN = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from processes import PROCESSES, Stopped, command_line, descendants_of, run
PROCESSES.guard()
try:
    print("code", run(["bash", "-c", sys.argv[2]], float(sys.argv[3]))[0])
except Stopped:
    print("stopped")
while any("setsid" in command_line(pid) for pid in descendants_of(os.getpid())):
    time.sleep(0.01)
print("left", PROCESSES.end_leftovers(grace_s=0.2))
"""
FORGETS_ONE = "setsid setsid sleep 1000 >/dev/null 2>&1 & "


def start(script, timeout_s=100):
    return subprocess.Popen([sys.executable, "-c", RUN, str(pathlib.Path(__file__).parent), script, str(timeout_s)],
                            stdout=subprocess.PIPE, text=True)


def await_that(condition):
    """Polls: another process gives no event to wait for."""
    deadline = time.monotonic() + 10
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return result


def command_names(pids):
    """Of those that have not ended since they were listed."""
    names = []
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            names.append(pathlib.Path(f"/proc/{pid}/comm").read_text().strip())
    return sorted(names)


def is_gone(pid):
    return not pathlib.Path(f"/proc/{pid}").exists()


def test_a_process_that_a_program_forgot_is_named_and_killed():
    run = start(FORGETS_ONE)
    output, _ = run.communicate(timeout=20)
    assert output == "code 0\nleft ['sleep 1000']\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_and_all_its_processes(number):
    run = start(FORGETS_ONE + "sleep 1001; true")
    await_that(lambda: command_names(descendants_of(run.pid)) == ["bash", "sleep", "sleep"])
    processes = descendants_of(run.pid)
    run.send_signal(number)
    output, _ = run.communicate(timeout=20)
    assert output == "stopped\nleft ['sleep 1000']\n"
    assert all(map(is_gone, processes))


def test_a_program_that_takes_too_long_is_killed_with_what_it_started():
    run = start("sleep 1001 & sleep 1002", timeout_s=0.5)
    output, _ = run.communicate(timeout=20)
    assert output == "code None\nleft []\n"


def test_a_forgotten_process_that_holds_the_output_holds_up_nothing():
    run = start("setsid setsid sleep 1000 & echo said")
    output, _ = run.communicate(timeout=20)
    assert output == "code 0\nleft ['sleep 1000']\n"


def test_the_exit_code_is_the_programs_also_when_orphans_end_meanwhile():
    run = start("for i in {1..100}; do (true & ) ; done; exit 7")
    output, _ = run.communicate(timeout=20)
    assert output == "code 7\nleft []\n"


def test_descendants_are_found_in_any_session():
    child = subprocess.Popen(["setsid", "sleep", "1000"])
    try:
        await_that(lambda: "sleep" in command_names(descendants_of(os.getpid())))
    finally:
        child.kill()
        child.wait()
