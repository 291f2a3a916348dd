"""Events as they come to an observer. The events that one im emits one after the other come in this order on a connection.

Churn.shuttle() adds a user to some groups in turn and removes it from them in turn, always at the same im. An event may be
dropped (contract 4: not kept), so the next one may be a later step of the turn. A step back is an event out of order.
"""
import bounds

PROMPT_MS = 1000 * bounds.PROMPT_S


class Told:
    """`find` is told each violation, like Checker.find(). `figures` are the checker's."""

    def __init__(self, run, find, figures):
        self.run, self.find, self.figures = run, find, figures
        steps = [(op, conversation) for op in ("added", "removed") for conversation in run.shuttles]
        self.places = {step: place for place, step in enumerate(steps)}
        self.last = {}  # (device, connection): (place, when it came)

    def on_event(self, at, name, connection, op, conversation):
        place = self.places.get((op, conversation))
        if place is None or name.split("/")[0] != self.run.passenger:
            return
        self.figures.events += 1
        before, since = self.last.get((name, connection), (place, at))
        self.last[name, connection] = place, at
        if (place - before) % len(self.places) > len(self.places) // 2 and not self._is_explained(since, at):
            steps = list(self.places)
            self.find("event", f"of the group: {op} came after {' '.join(steps[before])} on connection {connection}", at,
                      conversation, 0, name)

    def _is_explained(self, since, at):
        """Any fault may lose events, or make one im's overtake another's."""
        return any(fault.start_ms <= at and fault.until_ms() + PROMPT_MS >= since for fault in self.run.faults)
