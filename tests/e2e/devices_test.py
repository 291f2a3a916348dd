"""Several devices of one user, the same device twice, and logout, over both gateways and both ims."""
import asyncio
import collections
import contextlib
import time
import urllib.parse

import pytest
import websockets

import cluster
import times
from client import Closed, text_of
from tokens import claims_of, mint

DEVICES = ["phone", "tablet", "laptop", "browser"]


async def closed_within(connection, seconds=times.REVOKED_S):
    start = time.monotonic()
    code = await connection.closed()
    assert time.monotonic() - start < seconds
    return code


def another_token(user, **claims):
    """Another token of the user."""
    now = int(time.time())
    return mint({"sub": user.uid, "iat": now, "exp": now + 3600, **claims})


async def log_out(user, at=0):
    (await user.request("POST", "/v1/auth/logout", at=at)).expect(204)


async def refused_everywhere(user, within_s=times.REVOKED_S):
    """Within this time every im answers 401, and every gateway, before the upgrade."""
    async def is_refused(at):
        return (await user.request("GET", "/v1/endpoints", at=at)).status == 401
    start = time.monotonic()
    for at in range(len(cluster.HTTP)):
        await cluster.becomes(lambda at=at: is_refused(at), within_s, f"im {at} refuses the token")
    assert time.monotonic() - start < within_s
    for at in range(len(cluster.HTTP)):
        (await user.request("POST", "/v1/auth/refresh", at=at)).expect(401, "unauthenticated")
    for gateway in range(len(cluster.WS)):
        query = {"device": "another", "platform": "ios", "token": user.token}
        (await user.skein.handshake(query, gateway=gateway)).expect(401, "unauthenticated", "")


# ---- the same device ----

@pytest.mark.parametrize("gateway", [0, 1])
@pytest.mark.parametrize("proto", [False, True])
async def test_the_same_device_again_closes_the_old_connection_at_once(skein, gateway, proto):
    alice, bob = await skein.users("alice", "bob")
    other = await alice.connect(gateway, "laptop", "desktop")
    old = await alice.connect(0, proto=proto)
    new = await alice.connect(gateway, proto=not proto)
    assert await closed_within(old) == 4001
    for text in "one", "two":
        await bob.say(alice, text)
    for connection in new, other:
        assert [text_of(m) for m in await connection.messages(2)] == ["one", "two"]
    await other.ping()


async def test_an_old_connection_that_ends_does_not_remove_the_new_route(skein):
    alice, bob = await skein.users("alice", "bob")
    old = None
    for turn in range(10):
        connection = await alice.connect(turn % 2)
        if old:
            assert await closed_within(old) == 4001
        await bob.say(alice, str(turn))
        assert text_of(await connection.message()) == str(turn)
        old = connection


async def test_a_stalled_connection_does_not_keep_its_own_device_out(skein):
    alice, bob = await skein.users("alice", "bob")
    stalled = await alice.connect(0)
    stalled.socket.transport.pause_reading()
    for _ in range(60):
        await bob.say(alice, "x" * 8000)
    start = time.monotonic()
    new = await alice.connect(1)
    assert time.monotonic() - start < times.REVOKED_S
    await bob.say(alice, "after")
    while text_of(await new.message()) != "after":
        pass  # the last messages may reach the inbox a moment after their 200
    stalled.socket.transport.resume_reading()
    with contextlib.suppress(Closed):  # 4001, or 4004 if its window was full before
        while True:
            await stalled.message()
    assert stalled.close_code in (4001, 4004, 1006)


async def test_devices_on_all_gateways_get_everything_also_what_the_others_send(skein):
    alice, bob = await skein.users("alice", "bob")
    own = [await alice.connect(i % len(cluster.WS), device, proto=i % 2 == 1) for i, device in enumerate(DEVICES)]
    for i, connection in enumerate(own):
        await connection.say(bob, f"from {DEVICES[i]}")
    await bob.say(alice, "to all")
    expected = [f"from {device}" for device in DEVICES] + ["to all"]
    for connection in own:
        assert [text_of(m) for m in await connection.messages(len(expected))] == expected
    await own[0].close()
    await bob.say(alice, "to the others")
    for connection in own[1:]:
        assert text_of(await connection.message()) == "to the others"


async def test_a_thousand_connects_of_one_user_leave_one_connection_a_device(skein):
    alice, bob = await skein.users("alice", "bob")
    codes, living = collections.Counter(), {}

    async def connect(number):
        device = DEVICES[number % len(DEVICES)]
        query = urllib.parse.urlencode({"device": device, "platform": "ios", "token": alice.token})
        async with websockets.connect(f"{cluster.WS[number // 2 % 2]}?{query}", ping_interval=None, open_timeout=60,
                                      compression=None) as socket:
            living[number] = device
            with contextlib.suppress(websockets.ConnectionClosed):
                async for frame in socket:
                    if '"stop"' in frame:
                        return
            del living[number]
            codes[socket.close_code] += 1

    tasks = [asyncio.ensure_future(connect(number)) for number in range(1000)]
    await cluster.becomes(lambda: sum(codes.values()) == 1000 - len(DEVICES), 60, "all but one of each device are closed")
    assert set(codes) == {4001} and sorted(living.values()) == sorted(DEVICES)
    phone = await alice.connect(0, "watch")
    await bob.say(alice, "stop")
    assert text_of(await phone.message()) == "stop"
    await asyncio.wait_for(asyncio.gather(*tasks), 20)  # the four remaining connections get it, too
    await cluster.all_ready()


# ---- the end of a token ----

async def test_logout_closes_all_connections_of_the_token_and_is_refused_everywhere(skein):
    alice, bob = await skein.users("alice", "bob")
    own = [await alice.connect(gateway, f"d{gateway}-{proto}", proto=proto)
           for gateway in range(len(cluster.WS)) for proto in (False, True)]
    await log_out(alice, at=1)
    start = time.monotonic()
    assert {await connection.closed() for connection in own} == {4002}
    assert time.monotonic() - start < times.REVOKED_S
    await refused_everywhere(alice, times.REVOKED_S - (time.monotonic() - start))
    (await alice.request("POST", "/v1/auth/logout")).expect(401, "unauthenticated")
    (await alice.post(alice.draft(bob))).expect(401)
    await bob.say(alice, "she reads it when she comes back")


async def test_logout_ends_the_family_and_leaves_the_other_tokens_of_the_user_alone(skein):
    alice, bob = await skein.users("alice", "bob")
    first, other = alice.token, another_token(alice, jti="other")
    phone = await alice.connect(0)
    alice.token = (await alice.request("POST", "/v1/auth/refresh", at=1)).expect(200).json["token"]
    laptop = await alice.connect(1, "laptop", "desktop")
    refreshed, alice.token = alice.token, other
    tablet = await alice.connect(1, "tablet", "ios")
    alice.token = refreshed
    await log_out(alice)
    for connection in phone, laptop:
        assert await closed_within(connection) == 4002
    for alice.token in first, refreshed:
        await refused_everywhere(alice)
    alice.token = other
    await alice.say(bob, "still here", at=1)
    assert text_of(await tablet.message()) == "still here"
    again = await alice.connect(0)
    await bob.say(alice, "and on the phone, with the other one")
    for connection in tablet, again:
        assert text_of(await connection.message()) == "and on the phone, with the other one"


async def test_a_connection_that_opens_during_a_logout_is_closed_like_the_others(skein):
    """Whatever the order of im's answer, the bind and the kick: after two seconds no connection is left."""
    for _ in range(5):
        alice, = await skein.users("alice")
        opening = [asyncio.ensure_future(alice.open(i % 2, f"d{i}")) for i in range(20)]
        await asyncio.wait(opening, return_when=asyncio.FIRST_COMPLETED)
        await log_out(alice)
        start = time.monotonic()
        outcomes = await asyncio.gather(*opening, return_exceptions=True)
        connections = [one for one in outcomes if not isinstance(one, websockets.InvalidStatusCode)]
        assert {one.status_code for one in outcomes if one not in connections} <= {401}
        assert {await connection.closed() for connection in connections} <= {4002}
        assert time.monotonic() - start < times.REVOKED_S


async def test_a_token_that_expires_ends_its_own_connections_only(skein):
    bob, = await skein.users("bob")
    alice = skein.user("alice", iat=int(time.time()) - 3600, exp=int(time.time()) + 4)
    expires = claims_of(alice.token)["exp"]
    phone = await alice.connect(0)
    alice.token = (await alice.request("POST", "/v1/auth/refresh")).expect(200).json["token"]
    laptop = await alice.connect(1, "laptop", "desktop")
    assert await phone.closed() == 4002
    assert time.time() - expires < times.REVOKED_S
    await bob.say(alice, "still here")
    assert text_of(await laptop.message()) == "still here"
