"""A client that syncs has every message, each once and in order, whatever died in between."""
import asyncio
import json
import os
import random
import signal
import socket
import time
import urllib.parse

import cluster
from client import CUT, REFUSED, UNAVAILABLE, direct, text_of
from phone import Phone


class Talk:
    """Users who write to each other in pairs and in a group, and phones that read."""

    def __init__(self, people, group, may):
        self.people, self.group = people, group
        self.phones = [Phone(person, device, may=may) for person in people for device in ("phone", "laptop")]
        self.sent = {}  # conversation: the texts, by seq
        self._tasks = []
        self._goes_on = True

    @classmethod
    async def begin(cls, skein, may=(), count=4):
        """`may`: what the fault of the test may do to the phones. No fault of these tests may refuse a send."""
        people = await skein.users(*(f"p{i}" for i in range(count)))
        talk = cls(people, await people[0].group(*people[1:]), may)
        for phone in talk.phones:
            phone.start()
        for phone in talk.phones:
            await phone.is_connected()
        talk._tasks = [asyncio.ensure_future(talk._write(i)) for i in range(count)]
        return talk

    async def _write(self, me):
        person, other, number = self.people[me], self.people[(me + 1) % len(self.people)], 0
        while self._goes_on:
            to = self.group if number % 3 == 0 else other
            stored = await person.say(to, f"{me} {number}", at=number % 2)
            self.sent.setdefault(stored["conversation_id"], {})[stored["seq"]] = f"{me} {number}"
            number += 1
            await asyncio.sleep(random.uniform(0, 0.02))

    async def has_sent(self, count):
        await cluster.becomes(lambda: sum(map(len, self.sent.values())) >= count or self._raise(), 90, f"{count} messages are sent")

    def _raise(self):
        for task in self._tasks:
            if task.done() and task.exception():
                raise task.exception()

    def _expected(self, person):
        ours = {self.group.conversation, *(direct(person, other) for other in self.people)}
        return {conversation: [texts[seq] for seq in sorted(texts)] for conversation, texts in self.sent.items()
                if conversation in ours}

    async def end(self, within_s=60):
        """Stops all writers. Then each phone has exactly the messages that were answered 200, in order, each once."""
        self._goes_on = False
        await asyncio.gather(*self._tasks)
        for conversation, texts in self.sent.items():
            assert sorted(texts) == list(range(1, len(texts) + 1)), f"seqs of {conversation}"
        for phone in self.phones:
            expected = self._expected(phone.user)
            await phone.has(sum(map(len, expected.values())), within_s)
        for phone in self.phones:
            got = {}
            for message in phone.messages:
                got.setdefault(message["conversation_id"], []).append(text_of(message))
            assert got == self._expected(phone.user), phone.user.uid
            await phone.stop()


def redis(*words):
    """Sends one Redis command, for things that no client does."""
    url = urllib.parse.urlsplit(os.environ["SKEIN_REDIS"])
    with socket.create_connection((url.hostname, url.port)) as link:
        link.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words))
        assert link.recv(1000).startswith(b"+OK")


async def test_200_reconnects_during_a_stream_of_sends_miss_nothing_and_repeat_nothing(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = Phone(bob)
    phone.start()
    await phone.is_connected()
    sent = 0
    while phone.connects < 200:
        for _ in range(random.randrange(4)):
            await alice.say(bob, str(sent), at=sent % 2)
            sent += 1
        connects = phone.connects
        phone.drop()
        await cluster.becomes(lambda before=connects: phone.connects > before or phone._task.done(), 30, "connected again")
        if phone._task.done():
            break
    await phone.has(sent)
    assert [text_of(m) for m in phone.messages] == [str(i) for i in range(sent)]
    await phone.stop()


async def test_a_client_that_was_away_for_long_is_given_20_and_reads_the_rest(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = Phone(bob)
    phone.start()
    await phone.is_connected()
    await phone.stop()
    for start in range(0, 250, 50):
        (await alice.post_batch([alice.draft(bob, str(start + i)) for i in range(50)])).expect(200)
    await bob.sync_until(lambda found: len(found) == 250, limit=500)  # what comes later is live, too, and so repeated
    phone.start()
    await phone.has(250)
    await alice.say(bob, "250")
    await phone.has(251)
    assert [text_of(m) for m in phone.messages] == [str(i) for i in range(251)] and phone.repeats < 20
    await phone.stop()


class Listener:
    """`skeinctl listen`, which uses libclient: the messages that it prints, over restarts of the program."""

    def __init__(self, user, state):
        self.user, self.state = user, state
        self.messages = []
        self.process = self._reader = None

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            f"{os.environ['BIN']}/skeinctl", "listen", "--uid", self.user.uid, "--state", str(self.state), "--json",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=1 << 20)
        hello = asyncio.get_running_loop().create_future()
        self._reader = asyncio.ensure_future(self._read(hello))
        await asyncio.wait_for(hello, 30)

    async def _read(self, hello):
        async for line in self.process.stdout:
            printed = json.loads(line)
            if "conversation_id" in printed:
                self.messages.append(text_of(printed))
            elif printed["type"] == "hello" and not hello.done():
                hello.set_result(None)

    async def stop(self):
        self.process.send_signal(signal.SIGINT)
        await asyncio.wait_for(self._reader, 30)
        assert await self.process.wait() == 0


async def test_libclient_misses_nothing_over_restarts_dead_gateways_and_a_redis_that_forgets(skein, tmp_path):
    alice, bob = await skein.users("alice", "bob")
    listener = Listener(bob, tmp_path / "state")
    sent = 0

    async def say(count):
        nonlocal sent
        for _ in range(count):
            await alice.say(bob, str(sent))
            sent += 1

    await listener.start()
    await say(50)
    for name in "gateway-1", "gateway-2":
        cluster.kill(name)
        await say(30)
        await cluster.up()
    redis("FLUSHALL")
    await say(50)
    await listener.stop()
    await say(50)  # more than the 20 messages that a connection begins with
    await listener.start()
    await say(20)
    await cluster.becomes(lambda: len(listener.messages) >= sent, 60, "all have come")
    await listener.stop()
    assert listener.messages == [str(i) for i in range(sent)]


async def test_redis_that_forgets_everything_costs_resets_and_no_message(skein):
    talk = await Talk.begin(skein)
    for round in range(3):
        await talk.has_sent(150 * (round + 1))
        redis("FLUSHALL")
    await talk.has_sent(600)
    await talk.end()
    assert any(phone.resyncs for phone in talk.phones)


async def test_redis_that_comes_back_with_an_old_dump_costs_resets_and_no_message(skein):
    talk = await Talk.begin(skein, {UNAVAILABLE})  # no inbox can be read while Redis is away
    await talk.has_sent(150)
    redis("SAVE")
    await talk.has_sent(300)
    cluster.kill("redis")
    await cluster.up()
    await talk.has_sent(500)
    await talk.end()
    assert all(phone.resyncs for phone in talk.phones)
    for dump in (cluster.RUN_DIR / "data" / "redis").glob("dump.rdb"):
        dump.unlink()


async def test_users_of_a_gateway_that_is_killed_miss_nothing(skein):
    talk = await Talk.begin(skein, {REFUSED, CUT})
    for name in "gateway-1", "gateway-2":
        await talk.has_sent(sum(map(len, talk.sent.values())) + 150)
        cluster.kill(name)
        await talk.has_sent(sum(map(len, talk.sent.values())) + 150)
        await cluster.up()
    await talk.end()


async def test_a_push_that_is_killed_loses_nothing_and_keeps_the_order(skein):
    talk = await Talk.begin(skein)
    for name in "push-1", "push-2":
        await talk.has_sent(sum(map(len, talk.sent.values())) + 150)
        cluster.kill(name)
        await talk.has_sent(sum(map(len, talk.sent.values())) + 150)
        await cluster.up()
    await talk.end()


async def test_a_push_that_stands_still_for_10_s_loses_nothing_and_keeps_the_order(skein):
    talk = await Talk.begin(skein)
    await talk.has_sent(150)
    os.kill(cluster.pid("push-1"), signal.SIGSTOP)
    try:
        paused = time.monotonic()
        while time.monotonic() - paused < 10:  # past the session time-out: its partitions are taken over meanwhile
            await asyncio.sleep(0.5)
    finally:
        os.kill(cluster.pid("push-1"), signal.SIGCONT)
    await talk.has_sent(sum(map(len, talk.sent.values())) + 150)
    await talk.end()
