"""The cluster under test: its addresses, its processes, and their answers on the internal ports.

Everything comes from the environment: the SKEIN_* variables of RUN_DIR/env, and RUN_DIR, BIN, PORT_BASE, KAFKA_JARS for
deploy/local/cluster.
"""
import asyncio
import os
import pathlib
import re
import signal
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "local" / "cluster"
RUN_DIR = pathlib.Path(os.environ["RUN_DIR"])
HTTP = os.environ["SKEIN_HTTP"].split(",")
WS = os.environ["SKEIN_WS"].split(",")
SECRET = os.environ["SKEIN_JWT_SECRET"]
INTERNAL = dict(pair.split("=", 1) for pair in os.environ["SKEIN_INTERNAL"].split(","))
PATIENCE_S = 30

SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? '
                    r'([+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Inf|NaN))(?: \d+)?')


async def in_thread(function, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


async def script(*arguments, **environment):
    """deploy/local/cluster; exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        str(SCRIPT), *arguments, env={**os.environ, **environment}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    output, _ = await process.communicate()
    return process.returncode, output.decode()


def pid(name, run_dir=RUN_DIR):
    return int((run_dir / "pids" / name).read_text())


def kill(name):
    """SIGKILL, as in a crash. PostgreSQL's children end by themselves."""
    os.kill(pid(name), signal.SIGKILL)


def runs(number):
    try:
        state = pathlib.Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def memory(name):
    """VmRSS in bytes."""
    status = pathlib.Path(f"/proc/{pid(name)}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE).group(1)) * 1024


def _get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return None, str(error)


async def get(name, path):
    """GET on the internal port: status (None: no answer) and text."""
    return await in_thread(_get, INTERNAL[name] + path)


async def is_ready(name):
    return (await get(name, "/readyz"))[0] == 200


async def becomes(condition, within_s=PATIENCE_S, what=""):
    """Waits until the condition, a function or a coroutine function, is true. Returns how long that took."""
    start = time.monotonic()
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return time.monotonic() - start
        assert time.monotonic() - start < within_s, f"not within {within_s} s: {what or condition.__doc__ or condition}"
        await asyncio.sleep(0.02)


async def all_ready(within_s=PATIENCE_S):
    for name in INTERNAL:
        await becomes(lambda name=name: is_ready(name), within_s, f"{name} is ready")


async def up():
    """Starts the processes that died, and waits until all are ready."""
    code, output = await script("up")
    assert code == 0, output
    await all_ready()


def parse_metrics(text):
    """{(name, labels): value}; raises on what is not the Prometheus text format."""
    samples, typed = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed, f"{name} has two types"
            typed[name] = kind
        elif not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line}"
            key = match.group(1), match.group(2) or ""
            assert key not in samples, f"given twice: {line}"
            samples[key] = float(match.group(3))
    for name, _ in samples:
        assert name in typed or re.sub(r"_(bucket|sum|count)$", "", name) in typed, f"{name} has no type"
    return samples, typed


async def metric(name, metric_name, labels=""):
    """The value of one metric, 0 if it is not there."""
    status, text = await get(name, "/metrics")
    assert status == 200
    return parse_metrics(text)[0].get((metric_name, labels), 0)
