"""Changes of a group's members: who may make them, what everybody is told, and who gets which message."""
import itertools

import pytest

from client import unique

GROUPS = "/v1/groups"


def members_path(group, uid=None, what=""):
    return f"{GROUPS}/{group.gid}/members" + (f"/{uid}" if uid else "") + (f"/{what}" if what else "")


async def add(actor, group, *users):
    return await actor.request("POST", members_path(group), body={"uids": [user.uid for user in users]})


async def remove(actor, group, user):
    return await actor.request("DELETE", members_path(group, user.uid))


async def make(actor, group, user, role):
    return await actor.request("PUT", members_path(group, user.uid, "role"), body={"role": role})


async def leave(actor, group):
    return await actor.request("POST", f"{GROUPS}/{group.gid}/leave")


async def roles(reader, group, **query):
    answer = (await reader.request("GET", members_path(group), query=query)).expect(200).json
    return {member["uid"]: member["role"] for member in answer["members"]}


async def test_an_added_member_is_told_and_gets_the_messages_from_then_on(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob)
    phone, bobs = await carol.connect(), await bob.connect(gateway=1)
    await alice.say(group, "before")
    assert (await bobs.message())["body"] == {"text": "before"}
    (await add(alice, group, carol, bob, carol)).expect(204)
    assert (await phone.event("group")) == {"type": "event", "kind": "group", "op": "added", "group_id": group.gid}
    for connection in phone, bobs:
        entry = await connection.message()
        assert (entry["type"], entry["from"], entry["seq"]) == ("system", alice.uid, 2)
        assert entry["body"] == {"event": "added", "actor": alice.uid, "uids": [carol.uid]}
    await bob.say(group, "hello carol")
    assert (await phone.message())["body"] == {"text": "hello carol"}
    assert [m["type"] for m in await carol.read(group)] == ["text", "system", "text"]
    await carol.say(group, "hello")


async def test_adding_a_member_again_changes_nothing(skein):
    alice, bob = await skein.users("alice", "bob")
    group = await alice.group(bob)
    (await add(alice, group, bob, alice)).expect(204)
    assert await alice.read(group) == []


async def test_members_are_listed_page_by_page_with_their_roles(skein):
    alice, *others = await skein.users("alice", *[f"m{i}" for i in range(6)])
    group = await alice.group(*others[:5])
    (await make(alice, group, others[0], "admin")).expect(204)
    expected = {user.uid: "member" for user in others[1:5]} | {alice.uid: "owner", others[0].uid: "admin"}
    assert await roles(others[1], group) == expected
    pages, query = [], {"limit": 2}
    while query:
        page = (await alice.request("GET", members_path(group), query=query)).expect(200).json
        pages.append([member["uid"] for member in page["members"]])
        query = {"limit": 2, "cursor": page["next_cursor"]} if "next_cursor" in page else None
    assert [len(page) for page in pages] == [2, 2, 2] and list(itertools.chain(*pages)) == sorted(expected)
    (await others[5].request("GET", members_path(group))).expect(403, "not_member")
    (await alice.request("GET", f"{GROUPS}/nothing/members")).expect(404, "not_found")
    for query, field in ({"limit": 0}, "limit"), ({"limit": 201}, "limit"), ({"cursor": "!"}, "cursor"), ({"cursor": ""}, "cursor"):
        (await alice.request("GET", members_path(group), query=query)).expect(400, "invalid_argument", field)


async def test_a_removed_member_gets_nothing_any_more_and_reads_nothing(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob, carol)
    phone, bobs = await carol.connect(), await bob.connect(gateway=1)
    await alice.say(group, "to all")
    assert (await phone.message())["seq"] == 1
    (await remove(alice, group, carol)).expect(204)
    await phone.event("group", op="removed")
    await alice.say(group, "to the others")
    await alice.say(carol, "alone")
    assert (await phone.message())["body"] == {"text": "alone"}
    _, entry, last = await bobs.messages(3)
    assert entry["body"] == {"event": "removed", "actor": alice.uid, "uid": carol.uid}
    assert last["body"] == {"text": "to the others"}
    (await carol.history(group)).expect(403, "not_member")
    (await carol.post(carol.draft(group))).expect(403, "not_member")
    (await remove(alice, group, carol)).expect(404, "not_found")
    assert carol.uid not in await roles(bob, group)


async def test_a_member_leaves_and_the_owner_does_not(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob, carol)
    (await leave(bob, group)).expect(204)
    entry, = await carol.read(group)
    assert entry["body"] == {"event": "left", "actor": bob.uid} and entry["from"] == bob.uid
    (await leave(bob, group)).expect(403, "not_member")
    (await leave(alice, group)).expect(409, "failed_precondition")
    (await remove(carol, group, carol)).expect(204)
    assert await roles(alice, group) == {alice.uid: "owner"}
    (await add(alice, group, bob)).expect(204)
    (await bob.history(group)).expect(200)


async def test_the_role_decides_who_may_change_members(skein):
    alice, bob, carol, dave, erin = await skein.users("alice", "bob", "carol", "dave", "erin")
    group = await alice.group(bob, carol, dave)
    (await make(bob, group, carol, "admin")).expect(403, "permission_denied")
    (await remove(bob, group, carol)).expect(403, "permission_denied")
    (await make(alice, group, bob, "admin")).expect(204)
    entry, = await dave.read(group)
    assert entry["body"] == {"event": "role", "actor": alice.uid, "uid": bob.uid, "role": "admin"}
    (await make(alice, group, bob, "admin")).expect(204)
    assert len(await dave.read(group)) == 1
    (await make(bob, group, carol, "admin")).expect(403, "permission_denied")
    (await remove(bob, group, alice)).expect(403, "permission_denied")
    (await remove(bob, group, carol)).expect(204)
    (await make(alice, group, alice, "member")).expect(409, "failed_precondition")
    (await make(alice, group, erin, "admin")).expect(404, "not_found")
    (await add(erin, group, erin)).expect(403, "not_member")
    (await make(alice, group, bob, "member")).expect(204)
    (await remove(bob, group, dave)).expect(403, "permission_denied")


@pytest.mark.parametrize("join, status", [("invite", 204), ("open", 204), ("approval", 403)])
async def test_members_add_members_unless_joins_are_approved(skein, join, status):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob, join=join)
    assert (await add(bob, group, carol)).status == status
    (await add(alice, group, carol)).expect(204)


async def test_nobody_is_added_when_one_does_not_exist(skein):
    alice, bob = await skein.users("alice", "bob")
    group, nobody = await alice.group(), skein.user("nobody")
    answer = (await add(alice, group, bob, nobody)).expect(404, "not_found", "uids")
    assert nobody.uid in answer.json["detail"]
    assert await roles(alice, group) == {alice.uid: "owner"}
    for gid in "nothing", unique("nothing"):
        (await alice.request("POST", f"{GROUPS}/{gid}/members", body={"uids": [bob.uid]})).expect(404, "not_found")


async def test_a_bad_field_is_named(skein):
    alice, bob = await skein.users("alice", "bob")
    group = await alice.group(bob)
    for uids in None, [], "x", {}, [1], [None], ["a b"], ["u"] * 1001:
        (await alice.request("POST", members_path(group), body={"uids": uids})).expect(400, "invalid_argument", "uids")
    for role in None, "", "owner", "Admin", 1, []:
        answer = await alice.request("PUT", members_path(group, bob.uid, "role"), body={"role": role})
        answer.expect(400, "invalid_argument", "role")
    assert await alice.read(group) == []
