"""A push drains or is killed: another one takes its partitions over soon, in order and without a loss."""
import asyncio
import itertools
import time

import cluster
import times
from client import text_of
from phone import Phone

RECEIVERS = 16  # enough conversations for the partitions of both pushes


class Stream:
    """One user writes to many, one after the other. Records how long each message took from its 200 to its reader."""

    @classmethod
    async def begin(cls, skein):
        self = cls()
        self.writer, *readers = await skein.users("writer", *(f"reader{i}" for i in range(RECEIVERS)))
        self.phones = [Phone(reader) for reader in readers]
        for phone in self.phones:
            phone.start()
        for phone in self.phones:
            await phone.is_connected()
        self.sent_at = [[] for _ in readers]
        self.waits, self._goes_on = [[] for _ in readers], True
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._watch())]
        return self

    async def _write(self):
        for number in itertools.count():
            for phone, sent_at in zip(self.phones, self.sent_at, strict=True):
                if not self._goes_on:
                    return
                await self.writer.say(phone.user, str(number), at=number % 2)
                sent_at.append(time.monotonic())
                await asyncio.sleep(0.005)

    def _look(self):
        for phone, sent_at, waits in zip(self.phones, self.sent_at, self.waits, strict=True):
            waits += [time.monotonic() - at for at in sent_at[len(waits):len(phone.messages)]]

    async def _watch(self):
        while True:
            self._look()
            await asyncio.sleep(0.005)

    async def all_get(self, more):
        """Waits until each reader has this many more messages than now, or until one sees a violation."""
        wanted = [len(phone.messages) + more for phone in self.phones]
        for phone, count in zip(self.phones, wanted, strict=True):
            await phone.has(count)

    async def end(self):
        """Checks that everything sent has come, in order, each once. Returns the longest wait."""
        self._goes_on = False
        await self._tasks[0]
        for phone, sent_at in zip(self.phones, self.sent_at, strict=True):
            await phone.has(len(sent_at))
            assert [text_of(m) for m in phone.messages] == [str(i) for i in range(len(sent_at))]
        self._look()
        self._tasks[1].cancel()
        for phone in self.phones:
            await phone.stop()
        return max(map(max, self.waits))


async def test_a_push_that_is_restarted_stops_nobody_for_long_and_loses_nothing(skein):
    stream = await Stream.begin(skein)
    await stream.all_get(5)
    restart = asyncio.create_task(cluster.script("restart", "push-1"))
    code, output = await restart
    assert code == 0, output
    await stream.all_get(5)
    wait_s = await stream.end()
    print(f"restart of a push: the longest wait was {wait_s * 1000:.0f} ms")
    assert wait_s < times.PUSH_DRAINS_S


async def test_a_push_that_is_killed_and_not_replaced_is_taken_over_in_order_and_without_a_loss(skein):
    stream = await Stream.begin(skein)
    await stream.all_get(5)
    cluster.kill("push-2")
    await stream.all_get(5)  # conversations of the dead push, too
    wait_s = await stream.end()
    await cluster.up()
    print(f"a push killed: the longest wait was {wait_s * 1000:.0f} ms")
    assert wait_s < times.PUSH_DIES_S
