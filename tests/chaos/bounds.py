"""Which fault explains which disturbance, and for how long. The only table of it.

The figures are bounds of docs/operate/reliability.md, section Times, in seconds after the fault has ended (the process runs
again, the link is open). A fault explains a disturbance from its start until then.
"""
import bisect
import typing

import schedule

PROMPT_S = 2  # a wait that no fault explains: a measured wait without a fault is below 1 s
FORGETS = {"flush", "kill-redis", "restart-redis"}  # these lose every inbox
INBOX_ENTRIES = 1000  # inbox.max_entries: an inbox that is trimmed keeps so many
RESYNCS = 5  # of one connection during one fault

# Until messages come live as before.
AFTER_S = {
    "kill-gateway": 3.5, "pause-gateway": 3.5,  # keepalive of the stream to it 2 s + 1 s, sent again after 0.5 s
    "drain-gateway": 2,  # its clients have moved when it ends
    "kill-im": 15, "pause-im": 15,  # what it had stored and not published: a lease of 10 s, and 5 s
    "drain-im": 2,  # it publishes everything before it ends
    "kill-push": 8, "pause-push": 8, "stuck-push": 8,  # Kafka's session 6 s, and two rounds of a rebalance
    "drain-push": 3,  # a rebalance when it leaves and one when it comes back
    "kill-router": 3.5, "pause-router": 3.5, "drain-router": 3.5,  # no answer for 2.5 s: the next router
    "kill-postgres": 2, "pause-postgres": 2, "restart-postgres": 2,  # backoff 1 s, then one query
    "kill-redis": 7, "restart-redis": 7,  # backoff 1 s; then the routes are bound again within 6 s
    "pause-redis": 7,  # after 8 s the gateways' keys have expired: as above
    "flush": 6,  # a renewal every 3 s finds the routes gone; bound again within 3 s
    "kill-kafka": 20, "restart-kafka": 20, "pause-kafka": 20,  # sessions end, and socket.timeout.ms 10 s
    "clock": 2,  # nothing that delivers reads the wall clock
    "rolling-restart": 8,  # the last one may be a push
}
LINKS = {"delay", "cut", "hold"}
# The same for a link, by its end.
LINK_AFTER_S = {"kafka": 10,  # socket.timeout.ms; a push's session ends after 6 s, rebalance 2 s
                "redis": 7, "postgres": 2}
OTHER_LINK_AFTER_S = 3.5  # keepalive, or the next router or im of the list

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

    def until_ms(self):
        """The end of what it explains."""
        return self.healed_ms() + int(1000 * after_s(self.kind, self.target))

    def may_resync(self):
        return self.kind in RESYNC_KINDS or self.kind in LINKS and not self.target.endswith("-kafka")

    def needs_hits(self):
        return len(schedule.ALL) if self.kind == "rolling-restart" else 1


def after_s(kind, target=""):
    if kind in LINKS:
        return LINK_AFTER_S.get(target.rpartition("-")[2], OTHER_LINK_AFTER_S)
    return AFTER_S[kind]


class Explained:
    """The times that at least one of these faults explains."""

    def __init__(self, faults):
        self.spans = []  # (start, end), in order, without overlap
        for start, end in sorted((fault.start_ms, fault.until_ms()) for fault in faults):
            if self.spans and start <= self.spans[-1][1]:
                self.spans[-1] = self.spans[-1][0], max(end, self.spans[-1][1])
            else:
                self.spans.append((start, end))

    def unexplained_ms(self, start, end):
        """The part of this time that no fault explains."""
        left = max(0, end - start)
        at = max(0, bisect.bisect_right(self.spans, (start,)) - 1)
        while at < len(self.spans) and self.spans[at][0] < end:
            left -= max(0, min(end, self.spans[at][1]) - max(start, self.spans[at][0]))
            at += 1
        return left
