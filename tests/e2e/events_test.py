"""Events: frames for users that are connected, stored nowhere."""
from client import direct


async def test_the_sender_is_told_on_all_its_devices_when_a_device_of_the_recipient_has_acked(skein):
    alice, bob = await skein.users("alice", "bob")
    devices = [await alice.connect(0, "phone"), await alice.connect(1, "tablet", "android", proto=True)]
    silent = await bob.connect(1, "laptop", "desktop", acks=False)
    for text in "one", "two":
        await alice.say(bob, text)
    await silent.messages(2)
    phone = await bob.connect(0, "phone")
    sent = await alice.say(bob, "three")
    await phone.message()
    for device in devices:  # only now: no device of bob had acked before
        assert await device.event("delivered") == {"type": "event", "kind": "delivered", "uid": bob.uid, "seq": sent["seq"],
                                                   "conversation_id": direct(alice, bob)}
    assert not [frame for frame in phone.log + silent.log if frame["type"] == "event"]


async def test_delivered_events_end_with_the_last_message_whichever_are_joined(skein):
    alice, bob = await skein.users("alice", "bob")
    device, _ = await alice.connect(0), await bob.connect(1)
    seqs = [(await alice.say(bob, str(n)))["seq"] for n in range(20)]
    told = []
    while seqs[-1] not in told:
        told.append((await device.event("delivered"))["seq"])
    assert set(told) <= set(seqs)
