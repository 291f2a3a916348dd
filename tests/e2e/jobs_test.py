"""Jobs of admins as their users see them."""
import cluster
from client import text_of, unique

SYSTEM = "system"


async def ended(admin, number, at=0):
    async def job():
        return (await admin.request("GET", f"/v1/admin/jobs/{number}", at=at)).expect(200).json

    async def has_ended():
        return "ended_at" in await job()
    await cluster.becomes(has_ended, what=f"the end of job {number}")
    return await job()


async def broadcast(admin, text, uids=None, at=0):
    body = {"type": "text", "body": {"text": text}} | ({} if uids is None else {"uids": uids})
    return (await admin.request("POST", "/v1/admin/broadcast", body=body, at=at)).expect(202).json["job_id"]


def from_system(user):
    return "u:" + ":".join(sorted([user.uid, SYSTEM]))


async def test_a_broadcast_reaches_every_device_and_who_comes_later_and_is_a_message_like_any_other(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    admin = skein.user("root", scope="admin")
    devices = [await alice.connect(0, "phone"), await alice.connect(1, "tablet", "android", proto=True)]
    text = unique("news")
    job = await ended(admin, await broadcast(admin, text, [alice.uid, bob.uid, unique("nobody")]), at=1)
    assert (job["state"], job["total"], job["done"], job["failed"]) == ("done", 3, 2, 1)
    for device in devices:
        message = await device.message()
        assert (message["from"], message["conversation_id"], text_of(message)) == (SYSTEM, from_system(alice), text)
    [message] = await bob.sync_until(lambda found: found)
    assert (message["from"], text_of(message)) == (SYSTEM, text)
    [item] = (await bob.request("GET", "/v1/conversations")).expect(200).json["conversations"]
    assert (item["id"], item["unread"]) == (from_system(bob), 1)
    assert (await carol.sync_all())[0] == []


async def test_a_broadcast_without_uids_reaches_everyone_once_and_broadcasts_come_in_order(skein):
    users = await skein.users("alice", "bob", "carol")
    admin = skein.user("root", scope="admin")
    device = await users[0].connect()
    texts = [unique("first"), unique("second")]
    numbers = [await broadcast(admin, text, at=im) for im, text in enumerate(texts)]
    assert [(await ended(admin, number))["state"] for number in numbers] == ["done", "done"]
    assert [text_of(message) for message in await device.messages(2)] == texts
    for user in users:
        assert [text_of(message) for message in await user.sync_until(lambda found: len(found) >= 2)] == texts


async def test_an_export_holds_what_a_user_wrote_page_by_page(skein):
    alice, bob = await skein.users("alice", "bob")
    admin = skein.user("root", scope="admin")
    group = await alice.group(bob)
    for number in range(3):
        await alice.say(bob, f"direct {number}")
        await bob.say(alice, f"not mine {number}")
    sent = await alice.say(group, "group", mentions=[bob.uid])
    path = f"/v1/conversations/{group.conversation}/messages/{sent['seq']}/edit"
    (await alice.request("POST", path, body={"body": {"text": "group edited"}})).expect(200)
    number = (await admin.request("POST", f"/v1/admin/users/{alice.uid}/export")).expect(202).json["job_id"]
    job = await ended(admin, number, at=1)
    assert job["state"] == "done"
    items, query = [], {"limit": 3}
    while query:
        page = (await admin.request("GET", f"/v1/admin/jobs/{number}/output", query=query)).expect(200).json
        items += page["items"]
        query = {"limit": 3, "cursor": page["next_cursor"]} if "next_cursor" in page else None
    assert len(items) == job["done"] == job["total"]
    written = [item["value"] for item in items if item["kind"] == "message"]
    assert sorted(text_of(message) for message in written) == ["direct 0", "direct 1", "direct 2", "group", "group edited"]
    assert {message["from"] for message in written} == {alice.uid}
    assert [item["value"]["name"] for item in items if item["kind"] == "profile"] == [alice.uid]


async def test_a_deleted_user_is_gone_at_once_and_its_messages_keep_their_place_without_it(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    admin = skein.user("root", scope="admin")
    group = await alice.group(bob, carol)
    phone = await alice.connect(0)
    devices = [await bob.connect(0, "phone"), await bob.connect(1, "tablet", "android", proto=True)]
    await alice.say(bob, "direct")
    await alice.say(group, "in the group", mentions=[carol.uid])
    for device in devices:
        await device.messages(2)
    number = (await admin.request("DELETE", f"/v1/admin/users/{alice.uid}")).expect(202).json["job_id"]
    assert await phone.closed() == 4002

    async def is_refused():
        return [(await alice.request("GET", f"/v1/users/{bob.uid}", at=im)).status for im in range(len(cluster.HTTP))] == [401] * len(cluster.HTTP)
    await cluster.becomes(is_refused, 2, "the token is refused everywhere")
    (await bob.post(bob.draft(alice), at=1)).expect(404, "not_found", "to.user")
    for device in devices:  # alice, the owner, hands over and leaves
        handed, left = await device.messages(2)
        assert (handed["body"]["event"], handed["body"]["uid"], left["body"]["event"]) == ("owner", min(bob.uid, carol.uid), "left")
    assert (await ended(admin, number, at=1))["state"] == "done"

    async def names():
        """Nobody's device that was away is told of alice any more; an im may show what it remembers for half a second."""
        found = [entry for user in (bob, carol) for im in range(len(cluster.HTTP)) for entry in (await user.sync_all(at=im))[0]]
        return [entry for entry in found if alice.uid in (entry["from"], *entry.get("mentions", []))]

    async def is_nameless():
        return not await names()
    await cluster.becomes(is_nameless, 5, "nobody reads alice's name")
    for message in await carol.read(group):
        assert alice.uid not in str(message["body"] if "body" in message else "") and message["from"] != alice.uid
    [direct] = await bob.read(bob.conversation(alice))
    assert (direct["from"], direct["recalled"], "body" in direct) == ("deleted-user", True, False)
    assert (await bob.request("GET", f"/v1/users/{alice.uid}")).expect(200).json["name"] == "Deleted user"
