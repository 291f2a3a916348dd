"""Administration on the running cluster: what one im is told, the other im and the gateways do within two seconds."""
import asyncio
import time

import pytest

import cluster
import times
from client import text_of, unique
from tokens import claims_of, mint


@pytest.fixture
def admin(skein):
    return skein.user("ops", scope="admin")


async def change(admin, user, at=0, **fields):
    return (await admin.request("PATCH", f"/v1/admin/users/{user.uid}", at=at, body=fields)).expect(200).json


async def is_refused(user, at):
    return (await user.request("GET", "/v1/endpoints", at=at)).status == 401


async def refused_everywhere(user, within_s=times.REVOKED_S):
    deadline = time.monotonic() + within_s
    for at in range(len(cluster.HTTP)):
        while not await is_refused(user, at):
            assert time.monotonic() < deadline, f"im {at} takes the token still"
            await asyncio.sleep(0.02)


async def welcome_everywhere(user, within_s=times.REVOKED_S):
    deadline = time.monotonic() + within_s
    for at in range(len(cluster.HTTP)):
        while await is_refused(user, at):
            assert time.monotonic() < deadline, f"im {at} refuses the token still"
            await asyncio.sleep(0.02)


async def audit_of(admin, target):
    entries = (await admin.request("GET", "/v1/admin/audit", query={"actor": admin.uid, "limit": 200})).expect(200).json["audit"]
    return [entry["action"] for entry in reversed(entries) if entry.get("target") == target.uid]


async def test_a_disabled_user_is_out_within_two_seconds_and_comes_back(skein, admin):
    alice, bob = await skein.users("alice", "bob")
    own = [await alice.connect(gateway, f"d{gateway}") for gateway in range(len(cluster.WS))]
    phone = await bob.connect(0)
    start = time.monotonic()
    assert (await change(admin, alice, disabled=True))["disabled"]
    assert {await connection.closed() for connection in own} == {4002}
    assert time.monotonic() - start < times.REVOKED_S
    await refused_everywhere(alice, times.REVOKED_S - (time.monotonic() - start))
    (await alice.post(alice.draft(bob))).expect(401, "unauthenticated")
    for gateway in range(len(cluster.WS)):
        query = {"device": "late", "platform": "ios", "token": alice.token}
        (await skein.handshake(query, gateway=gateway)).expect(401, "unauthenticated", "")
    sent = await bob.say(alice, "for later")  # she is a user still
    await phone.message()
    await change(admin, alice, at=1, disabled=False)
    await welcome_everywhere(alice)
    again = await alice.connect(1)
    assert [text_of(one) for one in await alice.sync_until(lambda found: found)] == ["for later"]
    await bob.say(alice, "welcome back")
    assert text_of(await again.message()) == "welcome back"
    assert sent["seq"] == 1
    assert await audit_of(admin, alice) == ["user.change", "user.change"]


async def test_a_login_of_a_disabled_user_fails_as_a_wrong_password_does(skein, admin):
    alice = skein.user("alice")
    made = (await admin.request("POST", "/v1/admin/users", body={"uid": alice.uid, "name": "Alice", "password": "secret1"})).expect(201)
    assert made.json["disabled"] is False and made.json["bot"] is False
    login = {"uid": alice.uid, "password": "secret1"}
    (await skein.request("POST", "/v1/auth/login", at=1, body=login)).expect(200)
    await change(admin, alice, disabled=True)
    (await skein.request("POST", "/v1/auth/login", at=1, body=login)).expect(401, "unauthenticated")
    await change(admin, alice, disabled=False, password="secret2")
    (await skein.request("POST", "/v1/auth/login", at=1, body=login)).expect(401, "unauthenticated")
    (await skein.request("POST", "/v1/auth/login", body={**login, "password": "secret2"})).expect(200)


async def test_a_logout_of_all_tokens_leaves_a_later_login_alone(skein, admin):
    alice = skein.user("alice")
    (await admin.request("POST", "/v1/admin/users", body={"uid": alice.uid, "name": "Alice", "password": "secret1"})).expect(201)
    old = [mint({"sub": alice.uid, "exp": int(time.time()) + 3600, **claims}) for claims in ({}, {"iat": int(time.time())})]
    connections = []
    for number, alice.token in enumerate(old):
        connections.append(await alice.connect(number, f"d{number}"))
    start = time.monotonic()
    (await admin.request("POST", f"/v1/admin/users/{alice.uid}/logout", at=1)).expect(204)
    login = {"uid": alice.uid, "password": "secret1"}
    new = (await skein.request("POST", "/v1/auth/login", body=login)).expect(200).json["token"]
    alice.token = new
    phone = await alice.connect(0, "new")
    assert {await connection.closed() for connection in connections} == {4002}
    assert time.monotonic() - start < times.REVOKED_S
    for alice.token in old:
        await refused_everywhere(alice)
    alice.token = new
    await welcome_everywhere(alice)
    await phone.ping()
    (await admin.request("POST", f"/v1/admin/users/{unique('nobody')}/logout")).expect(404, "not_found", "uid")


async def test_a_kick_closes_a_device_or_all_of_them_with_4001(skein, admin):
    alice, = await skein.users("alice")
    phone, laptop = await alice.connect(0, "phone"), await alice.connect(1, "laptop", "desktop")
    kick = {"uid": alice.uid}
    (await admin.request("POST", "/v1/admin/kick", body={**kick, "device": "phone"})).expect(204)
    assert await phone.closed() == 4001
    await laptop.ping()
    again = await alice.connect(0, "phone")
    (await admin.request("POST", "/v1/admin/kick", at=1, body=kick)).expect(204)
    assert {await again.closed(), await laptop.closed()} == {4001}
    (await admin.request("POST", "/v1/admin/kick", body=kick)).expect(204)  # there are none
    (await admin.request("POST", "/v1/admin/kick", body={"uid": unique("nobody")})).expect(404, "not_found", "uid")
    await alice.connect(1)


async def test_a_bot_is_a_user_with_a_token_of_its_own(skein, admin):
    bob, = await skein.users("bob")
    bot = skein.user("bot")
    answer = (await admin.request("POST", "/v1/admin/users", body={"uid": bot.uid, "name": "Weather", "bot": True})).expect(201)
    made = answer.json
    assert made["bot"] and answer.headers["Cache-Control"] == "no-store"
    bot.token = made["token"]
    assert claims_of(bot.token)["exp"] > time.time() + 10 * 365 * 86400
    socket, phone = await bot.connect(1, "server", "bot"), await bob.connect(0)
    await bob.say(bot, "sun?")
    assert text_of(await socket.message()) == "sun?"
    await phone.message()
    await bot.say(bob, "sun")
    assert text_of(await phone.message()) == "sun"
    assert (await bob.request("GET", f"/v1/users/{bot.uid}")).expect(200).json["bot"] is True
    (await bot.request("POST", "/v1/auth/refresh")).expect(400, "invalid_argument")
    (await bot.request("POST", "/v1/auth/logout")).expect(204)
    assert await socket.closed() == 4002
    await refused_everywhere(bot)


async def test_a_message_as_a_user_arrives_as_one_of_that_user(skein, admin):
    alice, bob = await skein.users("alice", "bob")
    own, phone = await alice.connect(0), await bob.connect(1)
    message = {"from": alice.uid, **alice.draft(bob, "in her name")}
    sent = (await admin.request("POST", "/v1/admin/messages", body=message)).expect(200).json
    for connection in own, phone:
        found = await connection.message()
        assert (found["from"], text_of(found), found["seq"]) == (alice.uid, "in her name", sent["seq"])
    again = (await admin.request("POST", "/v1/admin/messages", at=1, body=message)).expect(200).json
    assert again == {**sent, "duplicate": True}
    assert await audit_of(admin, alice) == ["message.send", "message.send"]


async def test_the_audit_and_the_users_are_read_in_pages(skein, admin):
    users = [skein.user(f"paged-{n}") for n in range(3)]
    for number, user in enumerate(users):
        (await admin.request("POST", "/v1/admin/users", at=number % 2, body={"uid": user.uid, "name": "P"})).expect(201)
    for path, noun, key, query in (("/v1/admin/audit", "audit", "target", {"actor": admin.uid}), ("/v1/admin/users", "users", "uid", {})):
        found, cursor = [], {}
        while cursor is not None and len(found) < 2000:
            page = (await admin.request("GET", path, query={"limit": 2 if query else 200, **query, **cursor})).expect(200).json
            found += [entry[key] for entry in page[noun]]
            cursor = {"cursor": page["next_cursor"]} if "next_cursor" in page else None
        assert sorted(uid for uid in found if uid.startswith("paged-") and uid in {user.uid for user in users}) == \
            sorted(user.uid for user in users), noun
    stats = (await admin.request("GET", "/v1/admin/stats", at=1)).expect(200).json
    assert stats["gateways"] == len(cluster.WS) and set(stats["estimates"]) == {"users", "conversations", "groups", "messages"}
