"""The times that docs/operate/reliability.md promises are those that the tests assert: neither changes without the other."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import times
from bounds import BOUNDS, LINK_BOUNDS, Bound

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIME = re.compile(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))? (ms|s)\b")


def rows_of(text):
    """The cells of each row of the table below the heading Times."""
    section = text.split("\n## Times\n")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def times_in(text):
    """In seconds, in their order; of a range both ends."""
    return tuple(float(number) / (1000 if unit == "ms" else 1)
                 for first, last, unit in TIME.findall(text) for number in (first, last) if number)


def test_every_way_of_writing_a_time_is_read():
    assert times_in("5-8 s, up to 1 s; 100 ms (`x` 0.7-1.3 s), 3 seconds, 10 rows") == (5, 8, 1, 0.1, 0.7, 1.3)


def test_the_document_has_the_times_of_the_table():
    documented = [(row[0], times_in(row[1]), times_in(row[2]))
                  for row in rows_of((ROOT / "docs" / "operate" / "reliability.md").read_text())]
    assert documented == [tuple(row) for row in times.ROWS]


def test_the_bounds_of_chaos_are_those_of_the_document():
    """A fault of chaos has the bound of its row. What needs no time-out comes back as fast as without a fault (PROMPT_S)."""
    prompt, stream, router = Bound(times.PROMPT_S), Bound(times.STREAM_BREAKS_S), Bound(times.ROUTER_DIES_S)
    im = Bound(times.PROMPT_S, times.IM_DIES_S, times.LEASE_S + times.TAKEOVER_S)
    push = Bound(times.PUSH_DRAINS_S, times.PUSH_DIES_S)
    redis, kafka = Bound(times.BACKOFF_S + times.REDIS_FORGOT_S), Bound(times.KAFKA_BACK_S)
    broker = Bound(times.KAFKA_BACK_S, times.BROKER_DIES_S)
    assert BOUNDS == {
        "kill-gateway": stream, "pause-gateway": stream, "drain-gateway": prompt,
        "kill-im": im, "pause-im": im, "drain-im": prompt,
        "kill-push": push, "pause-push": push, "stuck-push": Bound(times.PUSH_DIES_S), "drain-push": Bound(times.PUSH_DRAINS_S),
        "kill-router": router, "pause-router": router, "drain-router": router,
        "kill-postgres": prompt, "pause-postgres": prompt, "restart-postgres": prompt,
        "kill-redis": redis, "restart-redis": redis, "pause-redis": redis, "flush": Bound(times.REDIS_FORGOT_S),
        "failover-redis": redis,
        "kill-kafka": kafka, "restart-kafka": kafka, "pause-kafka": kafka,
        "kill-broker": broker, "restart-broker": broker, "pause-broker": broker,
        "clock": prompt, "rolling-restart": Bound(times.PUSH_DIES_S),
    }
    assert LINK_BOUNDS == {"kafka": kafka, "redis": redis, "postgres": prompt}
