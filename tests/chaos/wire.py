"""The frames of the observers, connection by connection, against contract 2.3 and 4: offsets, order, resync, sync_more, and
whether a message came in time."""
import collections

import bounds
import world

PROMPT_MS = 1000 * bounds.PROMPT_S


class Connection:
    """`position`: the epoch and the offset that the observer connected with, or None."""

    def __init__(self, position):
        self.position = position
        self.next = position[1] + 1 if position else None
        self.epoch = self.head = self.hello_ms = self.end_ms = None
        self.owes_resync_ms = None  # since hello had another epoch than the position
        self.lies = collections.deque()  # times of acks of the future, until they are answered
        self.is_free = False  # after a resync the next offset may be any
        self.seen = set()
        self.last = {}


class Wires:
    """`find` is told each violation, like Checker.find(). `figures` are the checker's."""

    def __init__(self, run, find, figures):
        self.run, self.find, self.figures = run, find, figures
        self.connections = {}  # (device, connection)
        self.of_device = collections.defaultdict(list)  # its connections, in order
        self.epochs = {}  # device: (the newest epoch that it was told, and when it was told first)
        self.told = collections.defaultdict(set)  # device: all epochs that it was told, or had by sync
        self.had = collections.defaultdict(set)  # device: (conversation, seq) that were handed over
        self.came_ms = collections.defaultdict(dict)  # device: {(conversation, seq): when it came first, in whichever way}
        self.stalls = collections.defaultdict(list)  # device: (from, to) in which it did not read
        self.excused = collections.Counter()  # (device, connection, fault): resyncs that the fault explains

    # -- events: the fields of the line after time, device and letter --

    def on_connect(self, at, name, connection, epoch, offset):
        if self.of_device[name]:
            self._end(at, name, self.of_device[name][-1])
        self.figures.flaps += name.endswith("/" + world.FLAPPER)
        wire = Connection((epoch, int(offset)) if offset != "-" else None)
        self.connections[name, connection] = wire
        self.of_device[name].append(wire)
        if wire.position and epoch not in self.told[name]:  # a reset of sync told it
            self._check_epoch(at, name, epoch)

    def on_end(self, at, name, connection):
        self._end(at, name, self.connections[name, connection])

    def _end(self, at, name, wire):
        if wire.end_ms is not None:
            return
        wire.end_ms = at
        if self._unexplained_ms(name, wire.owes_resync_ms, at, wire.owes_resync_ms) > PROMPT_MS:
            self.find("resync", f"did not come, and hello had the epoch {wire.epoch} instead of {wire.position[0]}", at, device=name)
        for since in wire.lies:
            if self._unexplained_ms(name, since, at) > PROMPT_MS:
                self.find("lie", "to an ack of the future no error came", since, device=name)

    def on_hello(self, at, name, connection, epoch, head):
        wire = self.connections[name, connection]
        wire.epoch, wire.head, wire.hello_ms = epoch, int(head), at
        if wire.next is None:
            wire.next = wire.head + 1
        self._check_epoch(at, name, epoch)
        if wire.position and wire.position[0] != epoch:
            wire.owes_resync_ms = at
        elif wire.position and wire.position[1] > wire.head:
            self.find("wire", f"hello has head {head}, below the offset {wire.position[1]} that was given out", at, device=name)

    def on_frame(self, at, name, connection, offset, conversation, seq):
        wire, offset = self.connections[name, connection], int(offset)
        self.came_ms[name].setdefault((conversation, seq), at)
        if wire.head is None:
            self.find("wire", "came before hello", at, conversation, seq, name)
        self._check_no_resync_is_owed(at, name, wire, f"a message with offset {offset}")
        if wire.is_free:
            wire.is_free = False
        elif offset != wire.next:
            self.find("wire", f"came with offset {offset}; {wire.next} was next on connection {connection}", at, conversation,
                      seq, name)
        wire.next = offset + 1
        last = wire.last.get(conversation, 0)
        if seq < last and (conversation, seq) not in wire.seen:
            if (conversation, seq) in self.had[name]:
                self.figures.late_repeats += 1  # contract 2.3: "a late repeat of an older one may occur"
            else:
                self.find("wire", f"came for the first time on connection {connection}, after {last}", at, conversation, seq,
                          name)
        wire.seen.add((conversation, seq))
        wire.last[conversation] = max(seq, last)

    def on_sync_more(self, at, name, connection, offset):
        wire, offset = self.connections[name, connection], int(offset)
        self.figures.sync_mores += 1
        self._check_no_resync_is_owed(at, name, wire, "sync_more")
        if not wire.position:
            self.find("sync more", f"came with {offset} on connection {connection}, which had given no position", at, device=name)
        elif not wire.is_free and offset != wire.next - 1:
            self.find("sync more", f"says {offset}; connection {connection} had got to {wire.next - 1}", at, device=name)
        elif offset >= wire.head:
            self.find("sync more", f"says {offset}, and the head was {wire.head}: there is nothing more", at, device=name)
        wire.next = wire.head + 1

    def on_resync(self, at, name, connection, epoch):
        wire = self.connections[name, connection]
        self.figures.resyncs += 1
        if wire.owes_resync_ms is None and epoch == wire.epoch:
            self._check_cause(at, name, connection)
        self._check_epoch(at, name, epoch)
        wire.owes_resync_ms = None
        wire.epoch, wire.is_free = epoch, True

    def on_lie(self, at, name, connection):
        self.connections[name, connection].lies.append(at)

    def on_error(self, at, name, connection, code):
        wire = self.connections[name, connection]
        if not wire.lies or code != "invalid_argument":
            self.find("lie", f"the error {code} came, and {len(wire.lies)} acks of the future had no answer", at, device=name)
        else:
            wire.lies.popleft()
            self.figures.lies += 1

    def on_stall(self, at, name, lasts_ms):
        self.figures.stalls += 1
        self.stalls[name].append((at, at + int(lasts_ms)))

    def on_message(self, at, name, conversation, seq):
        self.came_ms[name].setdefault((conversation, seq), at)
        self.had[name].add((conversation, seq))

    # -- how long --

    def _unexplained_ms(self, name, start, end, answered_ms=None):
        """The part of the time that no fault explains. A device that does not read waits from the time when it reads again.
        Nothing has started: 0."""
        if start is None:
            return 0
        for first, last in self.stalls[name]:
            if first <= end and start <= last:
                start = min(last, end)
        return bounds.unexplained_ms(self.run.faults, start, end, answered_ms)

    # -- why a resync --

    def _check_no_resync_is_owed(self, at, name, wire, what):
        if wire.owes_resync_ms is None:
            return
        self.find("resync", f"did not come before {what}, and hello had the epoch {wire.epoch} instead of {wire.position[0]}", at,
                  device=name)
        wire.owes_resync_ms = None

    def _check_epoch(self, at, name, epoch):
        """An inbox is made anew only if Redis has lost it."""
        known, since = self.epochs.get(name, (epoch, at))
        if known != epoch and not any(fault.kind in bounds.FORGETS and fault.start_ms <= at and fault.healed_ms() + PROMPT_MS >= since
                                      for fault in self.run.faults):
            self.find("resync", f"to the epoch {epoch}, after {known}: Redis has lost nothing meanwhile", at, device=name)
        self.epochs[name] = epoch, since if known == epoch else at
        self.told[name].add(epoch)

    def _check_cause(self, at, name, connection):
        self.figures.same_epoch_resyncs += 1
        for number, fault in enumerate(self.run.faults):
            if fault.may_resync() and fault.start_ms <= at <= fault.until_ms() + PROMPT_MS and \
                    self.excused[name, connection, number] < bounds.RESYNCS:
                self.excused[name, connection, number] += 1
                return
        self.find("resync", f"came on connection {connection} in the epoch that it had, and no fault explains it", at, device=name)

    # -- the end --

    def check(self, answered_ms, ended_ms):
        """`answered_ms`: {(conversation, seq): when the sender had its answer}."""
        for name, wires in self.of_device.items():
            self._end(ended_ms, name, wires[-1])
        known_ms = self._known_ms(answered_ms)
        for name, came in self.came_ms.items():
            for place, at in came.items():
                answered = known_ms.get(place, at)
                if at - answered > min(PROMPT_MS, self.figures.unexplained_ms):
                    self._check_wait(name, place, answered, at)

    def _known_ms(self, answered_ms):
        """When each message was stored at the latest: when it, or a later one of its conversation, was answered. Changes of members
        and sends without an answer have no other time."""
        known, earliest = {}, {}
        for conversation, seq in sorted(self.run.table, reverse=True):
            at = min(answered_ms.get((conversation, seq), float("inf")), earliest.get(conversation, float("inf")))
            if at < float("inf"):
                known[conversation, seq] = earliest[conversation] = at
        return known

    def _check_wait(self, name, place, answered, at):
        """An observer that is connected has a message in time, and on the connection that it has then."""
        for wire in self.of_device[name]:
            if wire.hello_ms is None:
                continue
            start, end = max(answered, wire.hello_ms), min(at, wire.end_ms)
            waited = self._unexplained_ms(name, start, end, answered)
            self.figures.unexplained_ms = max(self.figures.unexplained_ms, waited)
            if waited > PROMPT_MS:
                self.find("late", f"came {(at - answered) / 1000:.1f} s after its answer to an observer; it was connected for "
                          f"{(end - start) / 1000:.1f} s of it, and no fault explains {waited / 1000:.1f} s", at, *place, name)
