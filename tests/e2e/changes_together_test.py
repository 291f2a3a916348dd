"""Many changes at once, of every kind, in several conversations and over both im: they are stored in batches, and nobody sees that."""
import asyncio
import dataclasses

from client import Group, User
from reactions_test import path

GROUPS, TARGETS, RECALLED = 3, range(1, 12), range(1, 4)


@dataclasses.dataclass
class Change:
    group: Group
    who: User
    method: str
    path: str
    body: dict | None = None
    statuses: tuple = (200,)
    entry: str | None = None  # the type of the entry that the answer names


def changes_of(owner, member, admin, group):
    for seq in TARGETS:
        message = f"/v1/conversations/{group.conversation}/messages/{seq}"
        statuses = (200, 409) if seq in RECALLED else (200,)  # perhaps it is recalled before
        yield Change(group, member, "POST", path(group.conversation, seq), {"emoji": "👍"}, statuses, "reaction")
        yield Change(group, admin, "POST", path(group.conversation, seq), {"emoji": "🎉"}, statuses, "reaction")
        yield Change(group, owner, "POST", f"{message}/edit", {"body": {"text": f"edited {seq}"}}, statuses, "edit")
        yield Change(group, admin, "PUT", f"/v1/conversations/{group.conversation}/pins/{seq}", None, statuses)
        if seq in RECALLED:
            yield Change(group, owner, "POST", f"{message}/recall", None, (200,), "recall")
    yield Change(group, owner, "PUT", f"/v1/groups/{group.gid}/members/{member.uid}/role", {"role": "admin"}, (204,))
    yield Change(group, admin, "PATCH", f"/v1/groups/{group.gid}", {"name": "another name"})
    yield Change(group, admin, "PATCH", f"/v1/groups/{group.gid}", {"announcement": "all at once"})


async def assert_that_the_device_got(device, entries):
    """Each conversation's entries as they are in its history, in that order."""
    left = {conversation: list(found) for conversation, found in entries.items()}
    for message in await device.messages(sum(map(len, left.values()))):
        entry = left[message["conversation_id"]].pop(0)
        assert (message["seq"], message["msg_id"]) == (entry["seq"], entry["msg_id"])


async def test_changes_that_come_together_have_a_place_each_and_every_device_gets_them_in_order(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    groups = [await alice.group(bob, carol) for _ in range(GROUPS)]
    devices = [await bob.connect(), await carol.connect(gateway=1)]
    for group in groups:
        for seq in TARGETS:
            await alice.say(group, f"message {seq}")
        (await alice.request("PUT", f"/v1/groups/{group.gid}/members/{carol.uid}/role", body={"role": "admin"})).expect(204)
    wanted = [change for together in zip(*(changes_of(alice, bob, carol, group) for group in groups), strict=True) for change in together]
    answers = await asyncio.gather(*(change.who.request(change.method, change.path, body=change.body, at=number % 2)
                                     for number, change in enumerate(wanted)))
    entries = {group.conversation: await bob.read_all(group) for group in groups}
    for found in entries.values():
        assert [entry["seq"] for entry in found] == list(range(1, len(found) + 1))
    refused = 0
    for change, answer in zip(wanted, answers, strict=True):
        assert answer.status in change.statuses, (change, answer.status)
        refused += answer.status == 409
        if change.entry and answer.status == 200:
            entry = entries[change.group.conversation][answer.json["seq"] - 1]
            assert (entry["type"], entry["from"], entry["msg_id"]) == (change.entry, change.who.uid, answer.json["msg_id"])
    assert sum(map(len, entries.values())) == GROUPS * (len(TARGETS) + 1) + len(wanted) - refused
    for device in devices:
        await assert_that_the_device_got(device, entries)
