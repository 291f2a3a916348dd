"""Processes drain and restart under traffic. A client that follows the contract sees no error and loses no message."""
import asyncio
import itertools
import time

import cluster
import times
from client import CUT, REFUSED, UNAVAILABLE, text_of
from phone import Phone

PHONES = 300


async def phones(skein, names, gateways):
    users = await skein.users(*names)
    found = [Phone(user, gateway=gateway) for user, gateway in zip(users, gateways, strict=True)]
    for at in range(0, len(found), 30):
        for phone in found[at:at + 30]:
            phone.start()
        for phone in found[at:at + 30]:
            await phone.is_connected()
    return found


def texts_from(phone, sender):
    return [text_of(m) for m in phone.messages if m["from"] == sender.uid]


async def test_a_gateway_that_drains_sends_300_connections_elsewhere_and_nothing_is_lost(skein):
    alice, = await skein.users("alice")
    all_phones = await phones(skein, [f"user{i}" for i in range(PHONES)], [0] * PHONES)
    old, sent = cluster.pid("gateway-1"), [0] * PHONES
    log = cluster.RUN_DIR / "logs" / "gateway-1.log"
    logged = len(log.read_text())
    start, left_s = time.monotonic(), None
    restart = asyncio.ensure_future(cluster.script("restart", "gateway-1"))
    for i in itertools.cycle(range(PHONES)):
        await alice.say(all_phones[i].user, str(sent[i]))
        sent[i] += 1
        if left_s is None and not cluster.runs(old):
            left_s = time.monotonic() - start
        if restart.done():
            break
    code, output = await restart
    assert code == 0, output
    assert left_s < times.DRAIN_S
    assert "service has left" in log.read_text()[logged:]
    for at in range(0, PHONES, 30):  # each sees its own message, where it is now
        await asyncio.gather(*(phone.user.say(alice) for phone in all_phones[at:at + 30]))
    for i, phone in enumerate(all_phones):
        await phone.has(sent[i] + 1)
        assert texts_from(phone, alice) == [str(n) for n in range(sent[i])]
        assert phone.told == [cluster.WS[1]] and phone.connects == 2
    for phone in all_phones:
        await phone.stop()


async def test_a_rolling_restart_shows_no_error_to_anybody_and_every_message_comes_once_and_in_order(skein):
    count = 20
    everybody = await phones(skein, [f"user{i}" for i in range(count)], [i % 2 for i in range(count)])
    restart = asyncio.ensure_future(cluster.script("rolling-restart"))
    sent = [0] * count

    async def keep_sending(i):
        phone, recipient = everybody[i], everybody[(i + 1) % count].user
        while not restart.done():
            draft = phone.user.draft(recipient, str(sent[i]))
            # An im that drains answers what it has. Then it listens no more, and answers 503 until it is ready again. The other one
            # takes the same request at once.
            answer = await (phone.send(draft) if i % 2 else phone.user.insist(draft, {REFUSED, CUT, UNAVAILABLE}, tries=2))
            sent[i] += 1
            assert answer["seq"] == sent[i]
            await asyncio.sleep(0.2)
    await asyncio.gather(*(keep_sending(i) for i in range(count)))
    code, output = await restart
    assert code == 0, output
    assert [line.split()[0] for line in output.splitlines()[:-1]] == list(cluster.INTERNAL)
    for i, phone in enumerate(everybody):
        sender = (i - 1) % count
        await phone.has(sent[sender] + sent[i])  # clients come back to it, too
        assert texts_from(phone, everybody[sender].user) == [str(n) for n in range(sent[sender])]
        assert phone.lost_sends == 0, "a gateway that drains answers the sends that it has"
        assert [at for at, why in phone.user.fruitless if why == CUT].count(0) <= 1, "it had one request under way"
        await phone.stop()
