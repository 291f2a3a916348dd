"""Processes and servers die under traffic: no answered send is lost, none is stored twice, and the cluster recovers."""
import asyncio
import time

import cluster
import times
from client import CUT, REFUSED, UNAVAILABLE, text_of
from presence_test import presence, told, watch


async def test_a_push_that_is_killed_loses_nothing_and_keeps_the_order(skein):
    alice, bob = await skein.users("alice", "bob")
    phone, mine = await bob.connect(1), await alice.connect(0)
    for i in range(300):
        await alice.say(bob, str(i), at=i % 2)
        if i == 100:
            cluster.kill("push-1")
        if i == 200:
            await cluster.up()
    assert [text_of(m) for m in await phone.messages(300)] == [str(i) for i in range(300)]
    assert [text_of(m) for m in await mine.messages(300)] == [str(i) for i in range(300)]


async def test_users_of_a_killed_gateway_come_back_elsewhere_and_read_what_they_missed(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    await alice.say(bob, "before")
    assert text_of(await phone.message()) == "before"
    dead = phone.hello["node"]
    cluster.kill(dead)
    await alice.say(bob, "while nobody is there")

    async def is_left_out():
        return dead not in [gateway["node"] for gateway in (await alice.endpoints())["gateways"]]
    await cluster.becomes(is_left_out, times.ROUTES_UNUSED_S, f"{dead} is not offered any more")
    again = await bob.connect(0)
    assert [text_of(m) for m in await bob.read(alice, after_seq=1)] == ["while nobody is there"]
    await alice.say(bob, "after")
    assert text_of(await again.message()) == "after"
    await cluster.up()


async def test_users_of_a_killed_gateway_go_offline_within_15_s_unless_they_are_back(skein):
    alice, bob, carol, dave = await skein.users("alice", "bob", "carol", "dave")
    watcher = await alice.connect(0)
    await watch(watcher, bob, carol, dave)
    gone, back = await bob.connect(1), await carol.connect(1)
    await told(watcher, bob, True)
    await told(watcher, carol, True)
    dead = gone.hello["node"]
    cluster.kill(dead)
    killed = time.time()
    await carol.connect(0)
    event = await told(watcher, bob, False, times.OFFLINE_AFTER_CRASH_S)
    assert abs(event["last_seen"] / 1000 - killed) < 4
    assert time.time() - killed >= 10
    await dave.connect(0)
    await told(watcher, dave, True)  # the next: nothing was told of carol
    assert [user["online"] for user in await presence(alice, bob, carol)] == [False, True]
    del back
    await cluster.up()


async def test_an_im_that_is_killed_stores_each_send_once_when_its_clients_ask_the_other(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(0)
    drafts = [alice.draft(bob, str(i)) for i in range(100)]
    tasks = []
    for i, draft in enumerate(drafts):
        tasks.append(asyncio.create_task(alice.insist(draft, {REFUSED, CUT}, tries=2)))
        if i == 50:
            cluster.kill("im-1")
            killed = time.monotonic()
        await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks)
    assert sorted(a["seq"] for a in answers) == list(range(1, 101))
    assert 50 <= len(alice.fruitless) <= 100 and {at for at, _ in alice.fruitless} == {0}, "the other im answers at once"
    assert len(await alice.read_all(bob, at=1)) == 100
    seen = {}
    while len(seen) < 100:  # unpublished messages come when its lease is over
        message = await phone.message(killed + times.UNPUBLISHED_S - time.monotonic())
        seen.setdefault(message["seq"], text_of(message))
    assert list(seen) == list(range(1, 101))  # the first copies
    await cluster.up()


async def test_inboxes_outlive_every_im(skein):
    alice, bob = await skein.users("alice", "bob")
    for i in range(3):
        await alice.say(bob, str(i))
    messages = await bob.sync_until(lambda found: len(found) == 3)
    _, epoch, offset = await bob.sync_all()
    for name in "im-1", "im-2":
        cluster.kill(name)
    await cluster.up()
    for at in 0, 1:  # their caches are empty
        assert await bob.sync_all(at=at) == (messages, epoch, offset)


async def test_after_redis_was_lost_sync_resets_and_the_list_leads_to_everything(skein):
    alice, bob = await skein.users("alice", "bob")
    for i in range(3):
        await alice.say(bob, str(i))
    await bob.sync_until(lambda found: len(found) == 3)
    _, epoch, offset = await bob.sync_all()
    cluster.kill("redis")
    answer = await bob.sync(epoch=epoch, offset=offset)
    assert answer.status == 503 and "Retry-After" in answer.headers
    await cluster.up()
    reset = (await bob.sync(epoch=epoch, offset=offset)).expect(200).json
    assert reset["reset"] and reset["epoch"] != epoch
    assert reset["conversations"] == [{"conversation_id": bob.conversation(alice), "last_seq": 3, "read_seq": 0}]
    await alice.say(bob, "after")

    async def has_it():
        return [text_of(m) for m in (await bob.sync_all(reset["epoch"], reset["next_offset"]))[0]] == ["after"]
    await cluster.becomes(has_it, times.REDIS_BACK_S, "the new inbox has what came after")


async def test_a_redis_that_is_killed_costs_no_message_and_connections_go_on(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    await alice.say(bob, "before")
    await phone.message()
    cluster.kill("redis")
    for i in range(20):
        await alice.say(bob, str(i))
    await cluster.up()

    async def comes_through():
        await alice.say(bob, "again")
        return phone.log[-1]["type"] == "message" and text_of(phone.log[-1]["message"]) == "again"
    await cluster.becomes(comes_through, times.REDIS_BACK_S, "the connection gets messages again")
    history = await alice.read_all(bob)
    assert [text_of(m) for m in history][1:21] == [str(i) for i in range(20)]
    assert "resync" in [frame["type"] for frame in phone.log], "a new inbox is announced"


async def test_while_postgres_is_away_sends_are_refused_and_nothing_answered_is_lost(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    stored = ["before"]
    await alice.say(bob, "before")
    cluster.kill("postgres")
    await cluster.becomes(lambda: _not_ready("im-1"), 10, "im is not ready")

    async def is_refused():
        """PostgreSQL's backends end a moment after the postmaster. Until then one may still store a message."""
        answer = await alice.post(alice.draft(bob, f"late {len(stored)}"))
        if answer.status == 200:
            stored.append(f"late {len(stored)}")
        return answer.status == 503 and "Retry-After" in answer.headers
    await cluster.becomes(is_refused, 30, "sends are refused")
    task = asyncio.create_task(alice.insist(alice.draft(bob, "meanwhile"), {UNAVAILABLE}, 60))
    await cluster.up()
    stored.append("meanwhile")
    assert (await task)["seq"] == len(stored)
    assert [text_of(m) for m in await phone.messages(len(stored))] == stored
    assert [text_of(m) for m in await alice.read_all(bob)] == stored


async def test_while_kafka_is_away_sends_are_stored_and_all_come_in_order_when_it_is_back(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    await alice.say(bob, "before")
    await phone.message()
    before = cluster.memory("im-1")
    cluster.kill("kafka")
    for i in range(200):
        await alice.say(bob, str(i), at=i % 2)
    assert cluster.memory("im-1") - before < 64 << 20
    await cluster.up()
    assert [text_of(m) for m in await phone.messages(200, times.KAFKA_BACK_S)] == [str(i) for i in range(200)]


async def _not_ready(name):
    return not await cluster.is_ready(name)
