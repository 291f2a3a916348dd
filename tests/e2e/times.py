"""The table Times of docs/operate/reliability.md in a form that tests read. tests/lint/times_test.py compares the two.

What tests/chaos/bounds.py has too comes from there. Seconds.
"""
import pathlib
import sys
import typing

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
from bounds import BOUNDS, OTHER_LINK_BOUND, PROMPT_S

NODE_LIFE_S, NODE_LEAST_S, NODES_READ_S = 8, 5, 1  # a gateway's key in Redis; how often its readers look
ROUTES_UNUSED_S = NODE_LIFE_S + NODES_READ_S
OFFLINE_AFTER_CRASH_S = 15
STREAM_BREAKS_S = OTHER_LINK_BOUND.healed
SILENCE_S = 60
NO_ACK_S, NO_ACK_AT_MOST_S = 20, 30
PUSH_DIES_S, PUSH_DRAINS_S = BOUNDS["kill-push"].began, BOUNDS["drain-push"].healed
GIVE_UP_S = 30
IM_DIES_S = BOUNDS["kill-im"].began
LEASE_S, TAKEOVER_S = 10, 5
UNPUBLISHED_S = LEASE_S + TAKEOVER_S
LANE_RESTS_S, LOCK_PATIENCE_S = 0.1, 2  # after a statement whose answer was lost
EARLY_RECORD_S, MISSING_NUMBER_S, INBOX_READ_S = 0.1, 0.2, 2
ROUTER_DIES_S = BOUNDS["kill-router"].healed
REDIS_FORGOT_S = BOUNDS["flush"].healed
BACKOFF_S = 1
REDIS_BACK_S, KAFKA_BACK_S = BOUNDS["kill-redis"].healed, BOUNDS["kill-kafka"].healed
BROKER_DIES_S, LOG_LOST_S = 20, 10
REVOKED_S = 2
DRAIN_S = 20


class Row(typing.NamedTuple):
    fault: str
    noticed_s: tuple  # every time in the column "noticed by", in the order of the text; of a range both ends
    bound_s: tuple  # the same of the column "bound"


ROWS = [
    Row("none", (), (PROMPT_S,)),
    Row("a gateway dies: its routes are no longer used", (3, NODE_LIFE_S), (NODE_LEAST_S, NODE_LIFE_S, NODES_READ_S)),
    Row("a gateway dies: its users who do not come back go offline", (10, 3), (OFFLINE_AFTER_CRASH_S, 10)),
    Row("a gateway's host is cut off: a stream to it breaks", (2, 1, 0.1, 0.5), (STREAM_BREAKS_S,)),
    Row("a gateway stands still (stopped, or a turn of its loop over 1 s) and goes on", (), (NODE_LIFE_S,)),
    Row("a client vanishes without closing", (54, 60), (SILENCE_S,)),
    Row("a client does not ack, or does not answer a ping", (10,), (NO_ACK_S, NO_ACK_AT_MOST_S)),
    Row("a push dies: its partitions are taken over", (6, 0.5), (PUSH_DIES_S,)),
    Row("a push drains and comes back", (), (PUSH_DRAINS_S,)),
    Row("a gateway is registered and does not answer", (), (GIVE_UP_S,)),
    Row("an im dies: clients of others", (), (IM_DIES_S,)),
    Row("an im dies: messages it had stored and not published", (LEASE_S, 3, 0.7, 1.3), (TAKEOVER_S,)),
    Row("a connection to PostgreSQL breaks under a statement that stores", (), (LANE_RESTS_S, LOCK_PATIENCE_S)),
    Row("an im freezes past its lease: it stores nothing more", (), ()),
    Row("a record is missing or out of order", (0.1,), (EARLY_RECORD_S,)),
    Row("a number is missing on a connection", (0.2,), (MISSING_NUMBER_S, INBOX_READ_S)),
    Row("a router dies or freezes: routes", (2.5, 8), (ROUTER_DIES_S,)),
    Row("Redis forgot the routes", (3, 3), (REDIS_FORGOT_S,)),
    Row("Redis is away", (), (BACKOFF_S,)),
    Row("Redis fails over to a replica at the same address", (), (BACKOFF_S, REDIS_FORGOT_S)),
    Row("PostgreSQL is away", (5,), (BACKOFF_S,)),
    Row("one of three Kafka brokers dies, or freezes", (KAFKA_BACK_S,), (BROKER_DIES_S,)),
    Row("a broker that was frozen answers that an offset does not exist", (), (LOG_LOST_S,)),
    Row("Kafka is away", (), ()),
    Row("a token is logged out, or a user is disabled, logged out or deleted", (0.5,), (REVOKED_S,)),
    Row("a gateway drains", (), (DRAIN_S,)),
]
