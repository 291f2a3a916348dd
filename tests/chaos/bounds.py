"""Which fault explains which disturbance, and for how long. The only table of it.

The figures are bounds of docs/operate/reliability.md, section Times. A fault explains a disturbance from its start until its
bounds have passed.
"""
import itertools
import typing

import schedule

PROMPT_S = 2  # a wait that no fault explains: the longest measured in four runs was 1.0 s
FORGETS = {"flush", "kill-redis", "restart-redis", "failover-redis"}  # these lose every inbox
INBOX_ENTRIES = 1000  # inbox.max_entries: an inbox that is trimmed keeps so many
RESYNCS = 5  # of one connection during one fault
UNDER_WAY_MS = 500  # an answer that was under way when its im died is recorded so long after the fault's start
FAULTS = 2  # that explain one wait: the second may happen before the bounds of the first have passed


class Bound(typing.NamedTuple):
    """Seconds until messages come live as before. The latest of these times counts."""
    healed: float  # after the fault has ended: the process runs again, the link is open
    began: float = 0  # after the fault's start
    old: float = 0  # after the fault has ended, for messages that were answered before it


BOUNDS = {
    "kill-gateway": Bound(3.5), "pause-gateway": Bound(3.5),  # keepalive of the stream to it 2 s + 1 s, sent again after 0.5 s
    "drain-gateway": Bound(2),  # its clients have moved when it ends
    # Callers use the other im. What it had stored and not published: the rest of a lease of 10 s, and 5 s.
    "kill-im": Bound(2, 5, 15), "pause-im": Bound(2, 5, 15),
    "drain-im": Bound(2),  # it publishes everything before it ends
    # Kafka's session 6 s and two rounds of a rebalance; one rebalance when it comes back.
    "kill-push": Bound(3, 8), "pause-push": Bound(3, 8), "stuck-push": Bound(8),
    "drain-push": Bound(3),
    "kill-router": Bound(3.5), "pause-router": Bound(3.5), "drain-router": Bound(3.5),  # no answer for 2.5 s: the next router
    "kill-postgres": Bound(2), "pause-postgres": Bound(2), "restart-postgres": Bound(2),  # backoff 1 s, then one query
    "kill-redis": Bound(7), "restart-redis": Bound(7),  # backoff 1 s; then the routes are bound again within 6 s
    "pause-redis": Bound(7),  # the gateways' keys have expired after 8 s: as above
    "flush": Bound(6),  # a renewal every 3 s finds the routes gone; they are bound again within 3 s
    "failover-redis": Bound(7),  # as if it was killed, twice
    "kill-kafka": Bound(10), "restart-kafka": Bound(10), "pause-kafka": Bound(10),  # socket.timeout.ms
    # Its session at the controller, and the clients' socket.timeout.ms. When it is back it leads its partitions again.
    "kill-broker": Bound(10, 20), "restart-broker": Bound(10, 20), "pause-broker": Bound(10, 20),
    "clock": Bound(2),  # nothing that delivers reads the wall clock
    "rolling-restart": Bound(8),  # the last one may be a push
}
LINKS = {"delay", "cut", "hold"}
# The same for a link, by its end.
LINK_BOUNDS = {"kafka": Bound(10),  # socket.timeout.ms; or a push's session of 6 s, and a rebalance
               "redis": Bound(7), "postgres": Bound(2)}
OTHER_LINK_BOUND = Bound(3.5)  # keepalive, or the next router or im of the list

# An inbox cannot be read (three tries of sync.timeout), a connection opens for so long that more messages come than are held,
# or a client does not ack: `resync` in the same epoch. Kafka and push only delay messages; a drain closes connections first.
RESYNC_KINDS = {"kill-gateway", "pause-gateway", "kill-im", "pause-im", "kill-router", "pause-router", "kill-postgres",
                "pause-postgres", "restart-postgres", "pause-redis", "rolling-restart", *FORGETS}


class Happened(typing.NamedTuple):
    """A fault as it happened."""
    start_ms: int
    kind: str
    end_ms: int = 0  # 0: at once
    target: str = ""
    hits: int = 1  # processes that were killed or stopped, keys that were lost ...: faults.py
    text: str = ""

    def healed_ms(self):
        return max(self.start_ms, self.end_ms)

    def lost_ms(self):
        """When it has lost every inbox, for the last time. A failover does so once more at its end."""
        return self.healed_ms() if self.kind == "failover-redis" else self.start_ms

    def until_ms(self, answered_ms=None):
        """The end of what it explains, of the delivery of a message that was answered at this time."""
        bound = bound_of(self.kind, self.target)
        is_old = answered_ms is not None and answered_ms <= self.start_ms + UNDER_WAY_MS
        return int(max(self.healed_ms() + 1000 * max(bound.healed, bound.old * is_old), self.start_ms + 1000 * bound.began))

    def may_resync(self):
        return self.kind in RESYNC_KINDS or (self.kind in LINKS and "-kafka" not in self.target)

    def needs_hits(self):
        return len(schedule.ALL) if self.kind == "rolling-restart" else 1


def bound_of(kind, target=""):
    if kind in LINKS:
        return next((bound for end, bound in LINK_BOUNDS.items() if f"-{end}" in target), OTHER_LINK_BOUND)
    return BOUNDS[kind]


def unexplained_ms(faults, start, end, answered_ms=None):
    """The part of the time from start to end that no fault explains, and no pair of faults."""
    parts = []
    for fault in faults:
        first, last = max(start, fault.start_ms), min(end, fault.until_ms(answered_ms))
        if first < last:
            parts.append((first, last))
    longest = max((last - first for first, last in parts), default=0)
    for (first, last), (other_first, other_last) in itertools.combinations(parts, FAULTS):
        both = max(0, min(last, other_last) - max(first, other_first))
        longest = max(longest, last - first + other_last - other_first - both)
    return max(0, end - start) - longest
