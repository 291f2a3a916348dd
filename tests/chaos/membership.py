"""Who was a member of a group at which seq, by the `system` entries of its conversation. Without I/O."""
import bisect
import collections

JOINS, LEAVES = {"added"}, {"removed", "left"}


def uids_of(event):
    """The users that the body of an entry names: those who joined, left, or got a role."""
    if event["event"] == "added":
        return event["uids"]
    return [event["actor"] if event["event"] == "left" else event["uid"]]


class Membership:
    """
    A user is a member from the seq of the entry that adds it up to the last seq before the entry that removes it. The first
    members are members from seq 1 on.
    """

    def __init__(self, first, entries):
        """`entries`: (seq, body) of all `system` entries, in any order."""
        self.spans = collections.defaultdict(list)  # uid: [first seq, seq after the last or None], in order
        self.roles = {}
        self.faults = []  # (seq, text): entries that change nothing
        for uid in first:
            self.spans[uid].append([1, None])
        for seq, body in sorted(entries, key=lambda entry: entry[0]):
            for uid in uids_of(body):
                self._apply(seq, body, uid)

    def _apply(self, seq, body, uid):
        event, is_member = body["event"], self.is_now(uid)
        if is_member == (event in JOINS):
            self.faults.append((seq, f"says {event} of {uid}, who is {'a' if is_member else 'no'} member then"))
        elif event in JOINS:
            self.spans[uid].append([seq, None])
        elif event in LEAVES:
            self.spans[uid][-1][1] = seq
            self.roles.pop(uid, None)
        elif event == "role":
            self.roles[uid] = body["role"]

    def _span_at(self, uid, seq):
        """The span that holds seq, or the next one, or None."""
        spans = self.spans.get(uid, ())
        at = max(0, bisect.bisect_right(spans, seq, key=lambda span: span[0]) - 1)
        while at < len(spans) and spans[at][1] is not None and spans[at][1] <= seq:
            at += 1
        return spans[at] if at < len(spans) else None

    def is_now(self, uid):
        return bool(self.spans.get(uid)) and self.spans[uid][-1][1] is None

    def members(self):
        return {uid for uid in self.spans if self.is_now(uid)}

    def was(self, uid, seq):
        span = self._span_at(uid, seq)
        return span is not None and span[0] <= seq

    def next_after(self, uid, seq):
        """The first later seq as of which the user is a member, or None."""
        span = self._span_at(uid, seq + 1)
        return max(span[0], seq + 1) if span else None

    def last(self, uid, last):
        """The last seq up to `last` as of which the user is a member, or 0."""
        spans = [span for span in self.spans.get(uid, ()) if span[0] <= last]
        if not spans:
            return 0
        return last if spans[-1][1] is None else min(last, spans[-1][1] - 1)

    def is_closed(self, uid, seq):
        """The user was a member as of seq, and was removed after it."""
        span = self._span_at(uid, seq)
        return span is not None and span[0] <= seq and span[1] is not None

    def was_ever(self, uid, is_member, since, until=None):
        """Whether the user was a member (or was not) as of some seq from `since` on and before `until`."""
        since = max(since, 1)
        return self.was(uid, since) == is_member or any(
            seq is not None and since < seq and (until is None or seq < until) for span in self.spans.get(uid, ()) for seq in span)
