"""GET /v1/conversations/{id}/messages: pages in both directions, and who may read."""
import pytest

from client import direct, unique


async def said(skein, count):
    """Two users with this many messages between them."""
    alice, bob = await skein.users("alice", "bob")
    texts = [str(i) for i in range(1, count + 1)]
    for start in range(0, count, 100):
        batch = [alice.draft(bob, text) for text in texts[start:start + 100]]
        results = (await alice.post_batch(batch)).expect(200).json["results"]
        assert [r["seq"] for r in results] == list(range(start + 1, start + len(batch) + 1))
    return alice, bob


def seqs(answer):
    return [m["seq"] for m in answer.expect(200).json["messages"]]


def cursor(answer):
    return answer.json.get("next_cursor")


async def test_without_bounds_the_newest_come_ascending(skein):
    alice, bob = await said(skein, 60)
    page = await bob.history(alice)
    assert seqs(page) == list(range(11, 61)) and cursor(page) == "11"
    page = await bob.history(alice, limit=3)
    assert seqs(page) == [58, 59, 60] and cursor(page) == "58"


async def test_forward_by_the_cursor_to_the_end(skein):
    alice, bob = await said(skein, 25)
    after, read = 0, []
    while after is not None:
        page = await bob.history(alice, after_seq=after, limit=10)
        read += seqs(page)
        after = cursor(page)
    assert read == list(range(1, 26))


async def test_backward_by_the_cursor_to_the_beginning(skein):
    alice, bob = await said(skein, 25)
    page = await bob.history(alice, limit=10)
    read = seqs(page)
    while cursor(page):
        page = await bob.history(alice, before_seq=cursor(page), limit=10)
        read = seqs(page) + read
    assert read == list(range(1, 26))


async def test_at_the_edges_there_is_no_cursor(skein):
    alice, bob = await said(skein, 10)
    for query, expected, more in [
            ({"after_seq": 0, "limit": 10}, range(1, 11), None), ({"after_seq": 0, "limit": 9}, range(1, 10), "9"),
            ({"after_seq": 9}, [10], None), ({"after_seq": 10}, [], None), ({"after_seq": 2**63 - 1}, [], None),
            ({"before_seq": 0}, [], None), ({"before_seq": 1}, [], None), ({"before_seq": 2}, [1], None),
            ({"before_seq": 11, "limit": 10}, range(1, 11), None), ({"before_seq": 11, "limit": 1}, [10], "10"),
            ({"before_seq": 2**63 - 1, "limit": 2}, [9, 10], "9"),
            ({"limit": 200}, range(1, 11), None), ({"limit": 1}, [10], "10")]:
        page = await bob.history(alice, **query)
        assert (seqs(page), cursor(page)) == (list(expected), more), query


async def test_up_to_200_messages_are_one_page(skein):
    alice, bob = await said(skein, 210)
    assert seqs(await bob.history(alice, after_seq=0, limit=200)) == list(range(1, 201))
    assert seqs(await bob.history(alice, limit=200)) == list(range(11, 211))
    assert len(await bob.read_all(alice)) == 210


@pytest.mark.parametrize("query, field", [
    ({"after_seq": 1, "before_seq": 5}, "before_seq"), ({"limit": 0}, "limit"), ({"limit": 201}, "limit"),
    ({"limit": -1}, "limit"), ({"limit": "ten"}, "limit"), ({"limit": ""}, "limit"), ({"limit": "1.5"}, "limit"),
    ({"limit": "99999999999999999999"}, "limit"), ({"after_seq": -1}, "after_seq"), ({"after_seq": "x"}, "after_seq"),
    ({"after_seq": "9223372036854775808"}, "after_seq"), ({"before_seq": -1}, "before_seq"), ({"before_seq": "1 "}, "before_seq"),
    ({"before_seq": "0x1"}, "before_seq"),
], ids=str)
async def test_a_bad_bound_or_limit_is_refused_by_name(skein, query, field):
    alice, bob = await skein.users("alice", "bob")
    (await bob.history(alice, **query)).expect(400, "invalid_argument", field)


async def test_a_conversation_in_which_nobody_spoke_is_empty(skein):
    alice, bob = await skein.users("alice", "bob")
    group = await alice.group(bob)
    for conversation in bob, alice, group:
        for query in {}, {"after_seq": 0}, {"before_seq": 10}:
            page = await alice.history(conversation, **query)
            assert seqs(page) == [] and cursor(page) is None


async def test_strangers_are_refused_whatever_there_is_to_read(skein):
    alice, bob = await said(skein, 1)
    eve, = await skein.users("eve")
    group = await alice.group(bob)
    await alice.say(group)
    for conversation in direct(alice, bob), f"u:{alice.uid}:{alice.uid}", group:
        (await eve.history(conversation)).expect(403, "not_member")
    (await eve.post(eve.draft(group))).expect(403, "not_member")


async def test_a_conversation_that_does_not_exist_is_not_found(skein):
    alice, = await skein.users("alice")
    nobody = unique("nobody")
    for conversation in "g:" + unique("none"), "u:" + ":".join(sorted([alice.uid, nobody])):
        (await alice.history(conversation)).expect(404, "not_found")
    (await alice.history("r:a-room")).expect(404, "not_found")


@pytest.mark.parametrize("conversation", [
    "x", "u:", "u:a", "u:b:a", "u:a:b:c", "u::a", "u:a:", "g:", "g:a:b", "G:a", "g:%20", "g:" + "x" * 65, "g:%C3%A9", "g:%00",
    "u:a:" + "b" * 65, "%FF", "g:%zz",
])
async def test_a_malformed_conversation_id_is_refused(skein, conversation):
    alice, = await skein.users("alice")
    answer = await alice.request("GET", f"/v1/conversations/{conversation}/messages")
    answer.expect(400, "invalid_argument", "id")


async def test_members_read_a_group_from_its_beginning_whatever_its_rule_for_later_ones(skein):
    alice, bob = await skein.users("alice", "bob")
    for rule in "all", "since_join":
        group = await alice.group(bob, history=rule)
        for i in range(3):
            await alice.say(group, str(i))
        assert len(await bob.read(group)) == 3


async def test_a_send_answered_200_is_in_the_history_of_every_im_at_once(skein):
    alice, bob = await skein.users("alice", "bob")
    for i in range(20):
        sent = await alice.say(bob, str(i), at=i % 2)
        message = (await bob.read(alice, at=1 - i % 2, limit=1))[-1]
        assert (message["seq"], message["msg_id"], message["time"]) == (sent["seq"], sent["msg_id"], sent["time"])


async def test_what_a_message_replies_to_comes_when_it_is_asked_for_as_it_stands_at_every_im(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    path = f"/v1/conversations/{conversation}/messages"
    for text in "whole", "x" * 20000, "cleared", "recalled", "first":
        await alice.say(bob, text)
    await alice.say(bob, "expires", expire_s=1)
    await alice.say(bob, type="custom", body={"x": "y" * 3000})
    for seq in range(1, 8):
        await bob.say(alice, reply_to=seq)
    (await alice.request("POST", f"{path}/4/recall")).expect(200)
    (await alice.request("POST", f"{path}/5/edit", body={"body": {"text": "second"}})).expect(200)
    for user in alice, bob:
        await user.sync_until(lambda messages: len(messages) == 16 and messages[5].get("expired"))
    expected = {1: {"body": {"text": "whole"}}, 2: {"body": {"text": "x" * 200}, "shortened": True}, 3: {"body": {"text": "cleared"}},
                4: {"recalled": True}, 5: {"body": {"text": "second"}, "edited": True}, 6: {"expired": True}, 7: {"shortened": True}}

    async def check(user, expected):
        for at in 0, 1:
            history = await user.read(conversation, at=at, replies="true")
            synced, _, _ = await user.sync_all(at=at, replies="true")
            for messages in history, synced:
                shown = {message["reply_to"]: message["reply"] for message in messages if "reply_to" in message}
                told = {seq: {name: value for name, value in reply.items() if name not in ("seq", "msg_id", "from", "type")}
                        for seq, reply in shown.items()}
                assert told == expected
                assert all(reply["seq"] == seq for seq, reply in shown.items())
    await check(bob, expected)
    (await bob.request("DELETE", path, query={"up_to_seq": 3})).expect(204)
    await check(bob, {**expected, **{seq: {} for seq in (1, 2, 3)}})
    await check(alice, expected)
    assert not any("reply" in message for message in await bob.read(alice) + (await bob.sync_all())[0])
    for value in "", "1", "no":
        (await bob.history(alice, replies=value)).expect(400, "invalid_argument", "replies")
        (await bob.sync(replies=value)).expect(400, "invalid_argument", "replies")
