"""A frozen gateway does not delay the users of other gateways, and its own users lose no message.

tests/integration/push_gateways_test.c tests the limit of what push keeps for such a gateway.
"""
import asyncio
import os
import signal
import statistics
import time

import cluster
import times
from phone import Phone

# Half of the time after which a silent gateway counts as dead and its routes are no longer used, and twice the time that a
# message may take without a fault: what waits for the frozen gateway is late.
FROZEN_S = times.NODE_LIFE_S / 2
SENDERS, EACH = 2, 100
PUSHES = [name for name in cluster.INTERNAL if name.startswith("push-")]


async def total(name):
    return sum([await cluster.metric(push, name) for push in PUSHES])


async def flood(sender, group):
    results = (await sender.post_batch([sender.draft(group) for _ in range(EACH)])).expect(200).json["results"]
    assert not [result for result in results if "error" in result]


async def latencies(sender, receiver, connection, until):
    """Sends a message every few milliseconds. Returns the seconds from each send to its frame, in the order of arrival."""
    found = []
    while not until.is_set():
        start = time.monotonic()
        await sender.say(receiver, "x")
        await connection.message()
        found.append(time.monotonic() - start)
        await asyncio.sleep(0.005)
    return found


async def test_a_frozen_gateway_holds_up_nobody_else_and_loses_nothing(skein):
    bob, carol, dave, *senders = await skein.users("bob", "carol", "dave", *(f"sender{i}" for i in range(SENDERS)))
    group = await bob.group(*senders)
    phone, carols = Phone(bob, gateway=1), await carol.connect(0)
    phone.start()
    await phone.is_connected()
    first = (await bob.say(group))["seq"]
    phone.last[group.conversation] = first - 1
    await phone.has(1)
    pauses = await total("skein_push_pauses_total")
    is_over, frozen = asyncio.Event(), cluster.pid("gateway-2")
    os.kill(frozen, signal.SIGSTOP)
    try:
        end = time.monotonic() + FROZEN_S
        measuring = asyncio.create_task(latencies(dave, carol, carols, is_over))
        await asyncio.gather(*(flood(sender, group) for sender in senders))
        await asyncio.sleep(max(0, end - time.monotonic()))
        is_over.set()
        found = await measuring  # the last message, too, came past the frozen gateway
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert await total("skein_push_pauses_total") == pauses
    await phone.has(1 + SENDERS * EACH)  # the phone checks order and holes
    await cluster.becomes(lambda: is_zero("skein_push_in_flight"), what="all is answered")
    await phone.stop()
    p99 = statistics.quantiles(found, n=100)[98]
    print(f"{len(found)} messages past a frozen gateway: median {statistics.median(found) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, "
          f"max {max(found) * 1000:.0f} ms")
    assert max(found) < times.PROMPT_S


async def is_zero(name):
    return await total(name) == 0
