"""A connection gets what it missed without asking: from the position in its handshake, and when a full window has room again."""
import asyncio
import random

import cluster
from client import text_of

WINDOW_MESSAGES = 256
INBOX_KEEPS = 1000


async def say_many(alice, bob, count, start=0):
    """Sends the numbers from `start` on."""
    for first in range(start, start + count, 100):
        batch = [alice.draft(bob, str(i)) for i in range(first, min(first + 100, start + count))]
        assert all("seq" in result for result in (await alice.post_batch(batch)).expect(200).json["results"])


async def in_inbox(bob, count):
    await bob.sync_until(lambda messages: len(messages) == count, limit=500)


def numbers(messages):
    return [int(text_of(message)) for message in messages]


async def test_a_client_that_comes_back_gets_what_it_missed_and_then_what_comes(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect()
    epoch, offset = phone.hello["epoch"], phone.hello["head"]
    await phone.close()
    await say_many(alice, bob, 20)
    await in_inbox(bob, 20)
    for gateway, proto in (0, False), (1, True):
        back = await bob.connect(gateway, f"d{gateway}", proto=proto, epoch=epoch, offset=offset)
        assert numbers(await back.messages(20)) == list(range(20))
        await back.ping()
        assert [frame["type"] for frame in back.log] == ["hello"] + ["message"] * 20 + ["pong"]
    await alice.say(bob, "20")
    assert text_of(await back.message()) == "20"


async def test_its_own_messages_that_it_missed_carry_its_key(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await alice.connect()
    await phone.close()
    await alice.say(bob, "0", key="mine")
    await bob.say(alice, "1")
    await in_inbox(alice, 2)
    back = await alice.connect(1, epoch=phone.hello["epoch"], offset=phone.hello["head"])
    own, other = await back.messages(2)
    assert own["client_msg_id"] == "mine" and "client_msg_id" not in other


async def test_of_more_than_20_the_rest_is_read_over_http(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect()
    await phone.close()
    await say_many(alice, bob, 45)
    await in_inbox(bob, 45)
    back = await bob.connect(1, epoch=phone.hello["epoch"], offset=phone.hello["head"])
    assert numbers(await back.messages(20)) == list(range(20))
    more = await back.expect("sync_more")
    rest, _, offset = await bob.sync_all(back.hello["epoch"], more["next_offset"])
    assert numbers(rest) == list(range(20, 45))
    await back.ack(offset)
    await alice.say(bob, "45")
    assert text_of(await back.message()) == "45"
    await back.ping()


async def test_a_position_of_another_user_or_of_no_inbox_is_told_to_sync(skein):
    alice, bob = await skein.users("alice", "bob")
    theirs = await alice.connect()
    for epoch, offset in (theirs.hello["epoch"], 0), ("0" * 15, 0), ("x", 7):
        phone = await bob.connect(epoch=epoch, offset=offset)
        assert (await phone.expect("resync"))["epoch"] == phone.hello["epoch"]
    phone = await bob.connect(epoch=phone.hello["epoch"], offset=1)
    await phone.expect("resync")
    await alice.say(bob)
    await phone.message()


async def test_a_full_window_stops_and_goes_on_where_it_stopped(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1, acks=False)
    count = WINDOW_MESSAGES + 150
    await say_many(alice, bob, count)
    await in_inbox(bob, count)
    assert numbers(await phone.messages(WINDOW_MESSAGES)) == list(range(WINDOW_MESSAGES))
    await phone.ping()
    assert [frame["type"] for frame in phone.log].count("message") - phone.repeats == WINDOW_MESSAGES
    await phone.ack(int(phone.hello["head"]) + WINDOW_MESSAGES)
    assert numbers(await phone.messages(150)) == list(range(WINDOW_MESSAGES, count))
    assert "resync" not in [frame["type"] for frame in phone.log]


class Device:
    """A correct client: keeps its position, syncs when it is told to, hands out each message once."""

    def __init__(self, user):
        self.user, self.epoch, self.offset = user, None, 0
        self.seen = []

    def take(self, message):
        if message["seq"] not in self.seen:
            self.seen.append(message["seq"])

    async def read(self, offset):
        messages, _, offset = await self.user.sync_all(self.epoch, offset)
        for message in messages:
            self.take(message)
        self.offset = max(self.offset, int(offset))

    async def stay(self, gateway, seconds):
        position = {} if self.epoch is None else {"epoch": self.epoch, "offset": self.offset}
        connection = await self.user.connect(gateway, **position)
        await asyncio.sleep(seconds)
        await connection.close()
        if self.epoch is None:
            self.epoch, self.offset = connection.hello["epoch"], int(connection.hello["head"])
        assert connection.hello["epoch"] == self.epoch
        for frame in connection.log:
            if frame["type"] == "message":
                self.take(frame["message"])
                self.offset = max(self.offset, int(frame["offset"]))
            elif frame["type"] in ("sync_more", "resync"):
                await self.read(frame.get("next_offset", self.offset))


async def test_many_reconnects_in_a_stream_of_messages_miss_nothing(skein):
    alice, bob = await skein.users("alice", "bob")
    device = Device(bob)
    await device.stay(0, 0)
    count = 0
    is_over = False

    async def talk():
        nonlocal count
        while not is_over and count < INBOX_KEEPS - 100:
            size = random.choice([1, 1, 1, 30])
            await say_many(alice, bob, size, count)
            count += size
            await asyncio.sleep(0.02)
    talking = asyncio.create_task(talk())
    for i in range(40):
        await device.stay(i % len(cluster.WS), random.random() * 0.1)
    is_over = True
    await talking
    await in_inbox(bob, count)
    while len(device.seen) < count:
        before = len(device.seen)
        await device.stay(0, 1)
        assert len(device.seen) > before, "nothing more comes"
    assert device.seen == list(range(1, count + 1))
