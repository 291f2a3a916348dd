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


async def test_the_senders_are_told_of_what_a_device_has_read_over_http_when_it_acks_that(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    position = (await bob.sync()).json
    group = await alice.group(bob, carol)
    devices = [await alice.connect(0), await carol.connect(1)]
    last = [await alice.say(bob, str(n)) for n in range(23)][-1]
    hers = await carol.say(bob, "hers")
    await alice.say(group, "to the group")
    await bob.sync_until(lambda found: len(found) == 25)

    async def told(device, sender, sent):
        assert await device.event("delivered") == {"type": "event", "kind": "delivered", "uid": bob.uid, "seq": sent["seq"],
                                                   "conversation_id": direct(sender, bob)}
    phone = await bob.connect(1, acks=False, epoch=position["epoch"], offset=position["next_offset"])
    more = await phone.expect("sync_more")  # after 20 messages
    page = (await bob.sync(epoch=position["epoch"], offset=more["next_offset"])).json
    await phone.ack(page["next_offset"])
    await told(devices[1], carol, hers)
    while (event := await devices[0].event("delivered"))["seq"] != last["seq"]:
        assert event["conversation_id"] == direct(alice, bob)
    await phone.close()
    last = await alice.say(bob, "one more")
    await bob.sync_until(lambda found: len(found) == 26)
    tablet = await bob.connect(0, "tablet", "android", acks=False)  # without a position: it reads all over HTTP
    await tablet.ack(tablet.hello["head"])
    await told(devices[0], alice, last)
    laptop = await bob.connect(1, "laptop", "web", acks=False)
    await laptop.ack(laptop.hello["head"])  # nothing new: nobody is told again
    last = await alice.say(bob, "the last one")
    await laptop.message()
    await laptop.ack(laptop.log[-1]["offset"])
    await told(devices[0], alice, last)


async def test_delivered_events_end_with_the_last_message_whichever_are_joined(skein):
    alice, bob = await skein.users("alice", "bob")
    device, _ = await alice.connect(0), await bob.connect(1)
    seqs = [(await alice.say(bob, str(n)))["seq"] for n in range(20)]
    told = []
    while seqs[-1] not in told:
        told.append((await device.event("delivered"))["seq"])
    assert set(told) <= set(seqs)
