"""Friends and blocks, as all devices of both sides see them."""
import cluster
from client import text_of


async def both(alice, bob):
    """Two devices of alice, one of bob, on both gateways."""
    return [await alice.connect(0, "phone"), await alice.connect(1, "tablet", "android", proto=True), await bob.connect(1)]


async def ask(who, other, note=""):
    return (await who.request("POST", "/v1/friends/requests", body={"to": other.uid, "note": note})).expect(201).json["request_id"]


async def told(devices, alice, bob, op, request_id=None):
    """Each device gets this event as its next one about friends."""
    for device, other in zip(devices, (bob, bob, alice), strict=True):
        expected = {"type": "event", "kind": "friend", "op": op, "uid": other.uid}
        assert await device.event("friend") == expected | ({"request_id": request_id} if request_id else {})


async def test_all_devices_of_both_follow_a_friendship_from_its_request_to_its_end(skein):
    alice, bob = await skein.users("alice", "bob")
    devices = await both(alice, bob)
    first = await ask(alice, bob)
    await told(devices, alice, bob, "request", first)
    (await bob.request("POST", f"/v1/friends/requests/{first}/reject")).expect(200)
    await told(devices, alice, bob, "rejected", first)
    second = await ask(bob, alice)
    await told(devices, alice, bob, "request", second)
    (await alice.request("POST", f"/v1/friends/requests/{second}/accept")).expect(200)
    await told(devices, alice, bob, "accepted", second)
    (await alice.request("DELETE", f"/v1/friends/{bob.uid}")).expect(204)
    await told(devices, alice, bob, "removed")


async def test_a_repeated_call_tells_nobody_again(skein):
    alice, bob = await skein.users("alice", "bob")
    devices = await both(alice, bob)
    number = await ask(alice, bob)
    (await alice.request("POST", "/v1/friends/requests", body={"to": bob.uid})).expect(200)
    await told(devices, alice, bob, "request", number)
    for _ in range(2):
        (await bob.request("POST", f"/v1/friends/requests/{number}/accept")).expect(200)
    await told(devices, alice, bob, "accepted", number)
    (await bob.request("DELETE", f"/v1/friends/{alice.uid}")).expect(204)
    await told(devices, alice, bob, "removed")


async def test_a_block_holds_for_the_next_message_at_every_im_and_over_websocket(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    phone, blocked = await alice.connect(), await bob.connect()
    (await alice.request("PUT", f"/v1/blocks/{bob.uid}")).expect(204)
    for im in range(len(cluster.HTTP)):
        (await bob.post(bob.draft(alice), at=im)).expect(403, "blocked", "to.user")
    await blocked.post(alice)
    assert (await blocked.expect("error"))["code"] == "blocked"
    await carol.say(alice, "hello")
    assert text_of(await phone.message()) == "hello"
    (await alice.request("DELETE", f"/v1/blocks/{bob.uid}")).expect(204)
    await bob.say(alice, "again")
    assert text_of(await phone.message()) == "again"
