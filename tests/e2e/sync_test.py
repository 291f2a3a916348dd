"""GET /v1/sync: what a device missed, page by page, and the reset when its position is not valid any more."""
import asyncio

import pytest

import cluster
from client import text_of

OFFSETS_BEYOND = ["1", "9007199254740992", "9007199254740993", "9223372036854775808", "18446744073709551615", "9" * 20]


async def said(skein, count, **fields):
    """Two users with this many messages between them, all in bob's inbox."""
    alice, bob = await skein.users("alice", "bob")
    for start in range(0, count, 100):
        batch = [alice.draft(bob, str(i), **fields) for i in range(start, min(start + 100, count))]
        assert all("seq" in result for result in (await alice.post_batch(batch)).expect(200).json["results"])
    await bob.sync_until(lambda messages: len(messages) == count, limit=500)
    return alice, bob


def texts(page):
    return [text_of(entry["message"]) for entry in page["messages"]]


async def test_messages_sent_while_nobody_was_connected_are_in_the_inbox_of_both(skein):
    alice, bob = await said(skein, 5, mentions=["bob"])
    mine = await alice.sync_until(lambda messages: len(messages) == 5)
    theirs, _, _ = await bob.sync_all(at=1)
    assert mine == await alice.read(bob) and theirs == await bob.read(alice)
    assert all("client_msg_id" in m for m in mine) and not any("client_msg_id" in m for m in theirs)
    assert [text_of(m) for m in theirs] == list("01234")


async def test_pages_follow_one_another_through_next_offset_and_more(skein):
    _, bob = await said(skein, 25)
    first = (await bob.sync(limit=10)).expect(200).json
    assert texts(first) == [str(i) for i in range(10)]
    assert (first["head"], first["next_offset"], first["more"], first["hot"]) == ("25", "10", True, [])
    second = (await bob.sync(at=1, epoch=first["epoch"], offset=first["next_offset"], limit=10)).expect(200).json
    assert texts(second) == [str(i) for i in range(10, 20)] and second["more"]
    third = (await bob.sync(epoch=first["epoch"], offset=second["next_offset"], limit=10)).expect(200).json
    assert texts(third) == [str(i) for i in range(20, 25)]
    assert (third["next_offset"], third["more"]) == ("25", False)
    assert [e["offset"] for page in (first, second, third) for e in page["messages"]] == [str(i) for i in range(1, 26)]


async def test_at_the_edges_a_page_is_exact(skein):
    _, bob = await said(skein, 10)
    epoch = (await bob.sync()).expect(200).json["epoch"]
    for offset, limit, expected, more in [(0, 10, range(10), False), (0, 9, range(9), True), (9, 1, [9], False),
                                          (8, 1, [8], True), (10, 1, [], False), (10, 500, [], False), (0, 500, range(10), False)]:
        page = (await bob.sync(epoch=epoch, offset=offset, limit=limit)).expect(200).json
        assert (texts(page), page["more"], page["reset"]) == ([str(i) for i in expected], more, False)
        assert page["next_offset"] == str(offset + len(expected))


async def test_a_hundred_come_without_a_limit_and_five_hundred_at_most(skein):
    _, bob = await said(skein, 550)
    assert len((await bob.sync()).expect(200).json["messages"]) == 100
    page = (await bob.sync(limit=500)).expect(200).json
    assert len(page["messages"]) == 500 and page["more"]
    messages, _, _ = await bob.sync_all(limit=500)
    assert [m["seq"] for m in messages] == list(range(1, 551))


async def test_a_user_without_an_inbox_gets_one_whose_epoch_and_head_stay_valid(skein):
    alice, bob = await skein.users("alice", "bob")
    made = (await bob.sync()).expect(200).json
    assert (made["head"], made["next_offset"], made["more"], made["reset"], made["messages"]) == ("0", "0", False, False, [])
    for at in 0, 1:
        again = (await bob.sync(at=at, epoch=made["epoch"], offset=made["head"])).expect(200).json
        assert again == made
    await alice.say(bob, "first")
    await bob.sync_until(lambda messages: messages)
    after = (await bob.sync(epoch=made["epoch"], offset=made["head"])).expect(200).json
    assert texts(after) == ["first"] and after["epoch"] == made["epoch"]


async def test_a_new_user_may_begin_with_a_sync(skein):
    bob = skein.user("bob")
    assert (await bob.sync()).expect(200).json["head"] == "0"
    alice, = await skein.users("alice")
    await alice.say(bob)  # the user exists now


async def test_the_offsets_of_frames_are_those_of_sync_and_hello_tells_where_the_inbox_is(skein):
    alice, bob = await said(skein, 3)
    phone = await bob.connect()
    page = (await bob.sync()).expect(200).json
    assert (phone.hello["epoch"], phone.hello["head"]) == (page["epoch"], page["head"]) == (page["epoch"], "3")
    await alice.say(bob, "live")
    await phone.message()
    frame = phone.log[-1]
    after = (await bob.sync(epoch=page["epoch"], offset=page["next_offset"])).expect(200).json
    assert after["messages"] == [{"offset": frame["offset"], "message": frame["message"]}]


async def test_every_kind_of_conversation_is_in_one_inbox_in_the_order_of_each(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob, carol)
    await asyncio.gather(*(sender.say(to, f"{i}", at=i % 2) for i in range(10)
                           for sender, to in ((alice, bob), (carol, bob), (carol, group), (bob, bob))))
    messages = await bob.sync_until(lambda found: len(found) == 40)
    for conversation in {m["conversation_id"] for m in messages}:
        assert [m["seq"] for m in messages if m["conversation_id"] == conversation] == list(range(1, 11))
    assert len({m["conversation_id"] for m in messages}) == 4


async def test_nobody_reads_the_inbox_of_another(skein):
    _, bob = await said(skein, 1)
    eve, = await skein.users("eve")
    epoch = (await bob.sync()).expect(200).json["epoch"]
    page = (await eve.sync(epoch=epoch, offset=0, uid=bob.uid)).expect(200).json
    assert page["reset"] and page["epoch"] != epoch and page["head"] == "0" and page["conversations"] == []
    (await skein.request("GET", "/v1/sync")).expect(401, "unauthenticated")


# ---- resets ----

async def everything(skein):
    """bob with a conversation of each kind, and what a reset must list for them."""
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    silent, group = await alice.group(bob), await alice.group(bob, carol)
    await alice.group(carol)
    await alice.say(carol)
    await bob.say(bob, "a note")
    await alice.say(bob, "one")
    await bob.say(alice, "two")
    await alice.say(bob, "three")
    await carol.say(bob)
    for i in range(4):
        await alice.say(group, str(i))
    await bob.say(group, "last", at=1)
    expected = [(silent.conversation, 0, 0), (group.conversation, 5, 5), (bob.conversation(bob), 1, 1),
                (bob.conversation(alice), 3, 2), (bob.conversation(carol), 1, 0)]
    await bob.sync_until(lambda messages: len(messages) == 10)
    return alice, bob, [{"conversation_id": c, "last_seq": last, "read_seq": read} for c, last, read in expected]


def by_id(conversations):
    return sorted(conversations, key=lambda c: c["conversation_id"])


async def test_an_unknown_epoch_is_reset_and_every_conversation_is_listed(skein):
    alice, bob, expected = await everything(skein)
    known = (await bob.sync()).expect(200).json
    foreign = (await alice.sync()).expect(200).json["epoch"]
    for epoch in "x", "000000000000000", "0123456789abcde", "é" * 15, foreign:
        for offset in "0", "3", *OFFSETS_BEYOND:
            page = (await bob.sync(at=1, epoch=epoch, offset=offset)).expect(200).json
            assert (page["reset"], page["more"], page["messages"]) == (True, False, [])
            assert (page["epoch"], page["head"], page["next_offset"]) == (known["epoch"], "10", "10")
            assert by_id(page["conversations"]) == by_id(expected)


async def test_after_a_reset_nothing_is_missing(skein):
    alice, bob, _ = await everything(skein)

    async def go_on():
        for i in range(100):
            await alice.say(bob, f"meanwhile {i}", at=i % 2)
    sends = asyncio.create_task(go_on())
    reset = (await bob.sync(epoch="x", offset=0)).expect(200).json
    await sends
    pulled = {}
    for conversation in reset["conversations"]:
        for message in await bob.read_all(conversation["conversation_id"]):
            if message["seq"] <= conversation["last_seq"]:
                pulled[message["conversation_id"], message["seq"]] = message

    async def is_complete():
        followed, _, _ = await bob.sync_all(reset["epoch"], reset["next_offset"])
        seen = {**pulled, **{(m["conversation_id"], m["seq"]): m for m in followed}}
        return {seq for conversation, seq in seen if conversation == bob.conversation(alice)} == set(range(1, 104))
    await cluster.becomes(is_complete, 30, "the list and the entries after its head are all that there is")


async def test_a_trimmed_position_is_reset_and_a_kept_one_is_not(skein):
    alice, carol, bob = await skein.users("alice", "carol", "bob")
    epoch = (await bob.sync()).expect(200).json["epoch"]
    for sender in alice, carol:
        for _ in range(6):
            results = (await sender.post_batch([sender.draft(bob) for _ in range(100)])).expect(200).json["results"]
            assert all("seq" in result for result in results)
    # 1,100 is when an inbox of 1,000 is trimmed.

    async def all_are_in():
        return (await bob.sync(limit=1)).json["head"] == "1200"
    await cluster.becomes(all_are_in, 60)
    oldest = (await bob.sync(limit=1)).expect(200).json
    first = int(oldest["messages"][0]["offset"])
    assert 1000 <= 1200 - first + 1 <= 1100 and not oldest["reset"]
    lost = (await bob.sync(epoch=epoch, offset=first - 2)).expect(200).json
    assert lost["reset"] and (lost["epoch"], lost["next_offset"]) == (epoch, "1200")
    assert by_id(lost["conversations"]) == by_id(
        {"conversation_id": bob.conversation(sender), "last_seq": 600, "read_seq": 0} for sender in (alice, carol))
    assert (await bob.sync(epoch=epoch, offset=0)).expect(200).json["reset"]
    messages, _, _ = await bob.sync_all(epoch, first - 1, limit=500)
    assert len(messages) == 1200 - first + 1


# ---- bad requests ----

@pytest.mark.parametrize("query, field", [
    ({"epoch": "x"}, "offset"), ({"offset": "1"}, "epoch"), ({"epoch": "", "offset": "1"}, "epoch"),
    ({"epoch": "x" * 16, "offset": "1"}, "epoch"), ({"epoch": "é" * 16, "offset": "1"}, "epoch"),
    ({"epoch": "x" * 5000, "offset": "1"}, "epoch"),
    *(({"epoch": "x", "offset": offset}, "offset") for offset in
      ("", "-1", "-0", "+1", "x", "1x", "0x1", "1.0", "1e3", " 1", "1 ", "١", "0" * 21, "1" + "0" * 20, "9" * 1000)),
    *(({"limit": limit}, "limit") for limit in
      ("", "0", "-1", "501", "1000000000", "4294967297", "18446744073709551617", "x", "1.5", " 1", "+1", "1e2")),
], ids=str)
async def test_a_bad_parameter_is_refused_by_name(skein, query, field):
    bob, = await skein.users("bob")
    answer = (await bob.sync(**query)).expect(400, "invalid_argument", field)
    assert field in answer.json["detail"]


async def test_an_offset_past_the_head_of_a_known_epoch_is_refused(skein):
    bob, = await skein.users("bob")
    epoch = (await bob.sync()).expect(200).json["epoch"]
    for offset in OFFSETS_BEYOND:
        (await bob.sync(epoch=epoch, offset=offset)).expect(400, "invalid_argument", "offset")
    (await bob.sync(epoch=epoch, offset="0" * 20)).expect(200)


async def test_unknown_parameters_are_ignored_and_head_answers_without_a_body(skein):
    _, bob = await said(skein, 2)
    assert len((await bob.sync(foo="1", Limit="x")).expect(200).json["messages"]) == 2
    head = await bob.request("HEAD", "/v1/sync")
    assert not head.expect(200).bytes
    (await bob.request("POST", "/v1/sync", body={})).expect(405, "method_not_allowed")
