"""Registration, login, and tokens over HTTP and in the WebSocket handshake."""
import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time

import pytest
import websockets

import cluster
from client import text_of, unique
from tokens import claims_of, mint, segment

HOUR = 3600
PASSWORD = "correct horse battery"


def in_s(seconds):
    return int(time.time()) + seconds


async def register(skein, uid, name="Alice", password=PASSWORD, at=0):
    return await skein.request("POST", "/v1/users", at=at, body={"uid": uid, "name": name, "password": password})


async def login(skein, uid, password=PASSWORD, at=0):
    return await skein.request("POST", "/v1/auth/login", at=at, body={"uid": uid, "password": password})


# ---- accounts ----

async def test_a_registered_user_can_log_in_at_any_im_and_send(skein):
    uid, (bob,) = unique("alice"), await skein.users("bob")
    user = (await register(skein, uid, "Алиса \U0001f600")).expect(201).json
    assert user["uid"] == uid and user["name"] == "Алиса \U0001f600" and abs(user["created_at"] / 1000 - time.time()) < 60
    for at in range(len(cluster.HTTP)):
        answer = (await login(skein, uid, at=at)).expect(200).json
        claims = claims_of(answer["token"])
        assert claims["sub"] == uid and claims["exp"] > time.time() + HOUR
        assert answer["expires_at"] == claims["exp"] * 1000, "expires_at is when the token expires"
        alice = skein.user("alice")
        alice.uid, alice.token = uid, answer["token"]
        await alice.say(bob, at=1 - at)
        await (await alice.connect(at)).ping()


async def test_a_wrong_password_and_a_wrong_uid_look_the_same(skein):
    uid = unique("alice")
    (await register(skein, uid)).expect(201)
    come = skein.user("comes-with-a-token")
    await come.endpoints()
    answers = [await login(skein, uid, "wrong"), await login(skein, unique("nobody")), await login(skein, come.uid),
               await login(skein, uid, PASSWORD + " "), await login(skein, uid, "")]
    for answer in answers:
        answer.expect(401, "unauthenticated", "")
    assert len({a.json["detail"] for a in answers}) == 1


async def test_a_uid_is_taken_once(skein):
    uid = unique("alice")
    (await register(skein, uid)).expect(201)
    for at in range(len(cluster.HTTP)):
        (await register(skein, uid, password="other password", at=at)).expect(409, "already_exists", "uid")
    (await login(skein, uid)).expect(200)
    come = skein.user("comes-with-a-token")
    await come.endpoints()
    (await register(skein, come.uid)).expect(409, "already_exists", "uid")


async def test_of_registrations_of_one_uid_at_once_one_succeeds(skein):
    uid = unique("alice")
    answers = await asyncio.gather(*(register(skein, uid, at=i % 2) for i in range(8)))
    assert sorted(a.status for a in answers) == [201] + [409] * 7


async def test_the_shortest_and_the_longest_names_and_passwords_are_taken(skein):
    for uid, name, password in [
            (secrets.token_hex(4), "A", "123456"), (unique("x" * 51), "n" * 128, "p" * 128),
            (unique("A.z_0-"), "\u00e9" * 128, "\u00e9" * 64), (unique("n"), "日" * 128, "\x01\n\r\t\x7f ")]:
        (await register(skein, uid, name, password)).expect(201)
        (await login(skein, uid, password)).expect(200)


async def test_guessing_passwords_is_slowed_down(skein):
    uid = unique("alice")
    (await register(skein, uid)).expect(201)
    answers = [await login(skein, uid, f"guess {i}", at=i % 2) for i in range(14)]
    assert [a.status for a in answers[:10]] == [401] * 10, "each im counts what the other one has seen"
    for answer in answers[11:]:  # one may have come back in the time of ten hashes
        answer.expect(429, "rate_limited")
        assert 1 <= int(answer.headers["Retry-After"]) <= 31
    (await login(skein, unique("somebody-else"))).expect(401)


# ---- tokens ----

async def refresh(user, at=0):
    """The new token; the user keeps the old one."""
    answer = (await user.request("POST", "/v1/auth/refresh", at=at)).expect(200).json
    assert answer["expires_at"] == claims_of(answer["token"])["exp"] * 1000
    return answer["token"]


async def test_refresh_gives_a_new_token_and_the_old_one_stays(skein):
    bob, = await skein.users("bob")
    alice = skein.user("alice", iat=in_s(-100))
    before = alice.token
    alice.token = await refresh(alice, at=1)
    claims = claims_of(alice.token)
    assert claims["sub"] == alice.uid
    assert claims_of(before)["exp"] < claims["exp"] <= claims["iat"] + HOUR + 100, "it lives as long as its predecessor, from now"
    await alice.say(bob)
    alice.token = before
    await alice.say(bob)


@pytest.mark.parametrize("scope", [None, "user", "admin", "chat admin read"])
async def test_refresh_keeps_the_user_and_the_scope(skein, scope):
    alice = skein.user("alice", **({"scope": scope} if scope else {}))
    claims = claims_of(await refresh(alice))
    assert (claims["sub"], claims.get("scope")) == (alice.uid, scope)


async def test_a_refreshed_token_belongs_to_the_family_and_does_not_outlive_it(skein):
    day = 24 * HOUR
    old = skein.user("alice", jti="j1", iat=in_s(-30 * day + 600), exp=in_s(HOUR))
    first, last = claims_of(old.token), in_s(600)
    for _ in range(3):
        old.token = await refresh(old)
        claims = claims_of(old.token)
        assert claims["sid"] == "j1" and claims["jti"] != "j1"
        assert claims["exp"] == first["iat"] + 30 * day and abs(claims["exp"] - last) < 30
    ended = skein.user("alice", jti="j2", iat=in_s(-30 * day - 5), exp=in_s(HOUR))
    await ended.endpoints()
    (await ended.request("POST", "/v1/auth/refresh")).expect(401, "unauthenticated", "")
    named = skein.user("alice", jti="j3", sid="s3")
    assert claims_of(await refresh(named))["sid"] == "s3"


async def test_a_token_without_iat_cannot_be_refreshed(skein):
    alice = skein.user("alice")
    alice.token = mint(good(alice.uid))
    await alice.endpoints()
    (await alice.request("POST", "/v1/auth/refresh")).expect(401, "unauthenticated", "")


async def test_a_short_token_stays_short(skein):
    alice = skein.user("alice", iat=in_s(-5), exp=in_s(55))
    for _ in range(2):
        alice.token = await refresh(alice)
        claims = claims_of(alice.token)
        assert claims["exp"] - claims["iat"] <= 60


async def test_a_valid_token_makes_its_user_exist(skein):
    alice, = await skein.users("alice")
    by_http, by_socket, by_send = skein.user("http"), skein.user("socket"), skein.user("send")
    for user in by_http, by_socket, by_send:
        (await alice.post(alice.draft(user))).expect(404, "not_found", "to.user")
    await by_http.endpoints()
    await by_socket.connect(1)
    await by_send.say(alice)
    for user in by_http, by_socket, by_send:
        await alice.say(user)


UNSIGNED = segment({"alg": "none", "typ": "JWT"}) + b"."


def good(uid):
    return {"sub": uid, "exp": in_s(HOUR)}


def tampered(uid):
    head, _, signature = mint(good(uid)).split(".")
    return ".".join([head, segment({"sub": uid, "exp": in_s(9 * HOUR)}).decode(), signature])


def _hs512(uid):
    signed = segment({"alg": "HS512"}) + b"." + segment(good(uid))
    return (signed + b"." + segment(hmac.new(cluster.SECRET.encode(), signed, hashlib.sha512).digest())).decode()


BAD_TOKENS = {
    "expired": lambda uid: mint({"sub": uid, "exp": in_s(-1)}),
    "expired long ago": lambda uid: mint({"sub": uid, "exp": 1}),
    "not valid yet": lambda uid: mint({**good(uid), "nbf": in_s(HOUR)}),
    "another key": lambda uid: mint(good(uid), secret="another secret of some length"),
    "the empty key": lambda uid: mint(good(uid), secret=""),
    "alg none, no signature": lambda uid: (UNSIGNED + segment(good(uid)) + b".").decode(),
    "alg none, right signature": lambda uid: mint(good(uid), {"alg": "none", "typ": "JWT"}),
    "alg NONE": lambda uid: mint(good(uid), {"alg": "NONE"}),
    "alg RS256, signed with our key": lambda uid: mint(good(uid), {"alg": "RS256", "typ": "JWT"}),
    "alg HS512 in the header": lambda uid: mint(good(uid), {"alg": "HS512"}),
    "signed as HS512": _hs512,
    "no alg": lambda uid: mint(good(uid), {"typ": "JWT"}),
    "alg is no text": lambda uid: mint(good(uid), {"alg": ["HS256"]}),
    "critical headers": lambda uid: mint(good(uid), {"alg": "HS256", "crit": ["b64"], "b64": False}),
    "changed after signing": tampered,
    "no exp": lambda uid: mint({"sub": uid}),
    "exp null": lambda uid: mint({"sub": uid, "exp": None}),
    "exp text": lambda uid: mint({"sub": uid, "exp": str(in_s(HOUR))}),
    "exp negative": lambda uid: mint({"sub": uid, "exp": -in_s(HOUR)}),
    "exp beyond time": lambda uid: mint({"sub": uid, "exp": 10**30}),
    "exp infinite": lambda uid: mint(b'{"sub":"%s","exp":1e999}' % uid.encode()),
    "nbf text": lambda uid: mint({**good(uid), "nbf": "now"}),
    "no sub": lambda uid: mint({"exp": in_s(HOUR)}),
    "sub null": lambda uid: mint({"sub": None, "exp": in_s(HOUR)}),
    "sub a number": lambda uid: mint({"sub": 7, "exp": in_s(HOUR)}),
    "sub empty": lambda uid: mint({"sub": "", "exp": in_s(HOUR)}),
    "sub no uid": lambda uid: mint({"sub": uid + " ", "exp": in_s(HOUR)}),
    "sub too long": lambda uid: mint({"sub": "x" * 65, "exp": in_s(HOUR)}),
    "sub with NUL": lambda uid: mint(b'{"sub":"%s\\u0000","exp":%d}' % (uid.encode(), in_s(HOUR))),
    "sub twice": lambda uid: mint(b'{"sub":"%s","sub":"root","exp":%d}' % (uid.encode(), in_s(HOUR))),
    "a payload that is a list": lambda uid: mint([good(uid)]),
    "a payload that is not JSON": lambda uid: mint(b"hello"),
    "a payload that is not UTF-8": lambda uid: mint(b'{"sub":"\xff","exp":%d}' % in_s(HOUR)),
    "a deep payload": lambda uid: mint(b'{"sub":"%s","exp":%d,"x":%s%s}' % (uid.encode(), in_s(HOUR), b"[" * 100, b"]" * 100)),
    "over 4 KiB": lambda uid: mint({**good(uid), "pad": "x" * 4096}),
    "nothing": lambda uid: "",
    "dots": lambda uid: "..",
    "two segments": lambda uid: mint(good(uid)).rsplit(".", 1)[0],
    "four segments": lambda uid: mint(good(uid)) + ".x",
    "no signature": lambda uid: mint(good(uid)).rsplit(".", 1)[0] + ".",
    "half a signature": lambda uid: mint(good(uid))[:-20],
    "padding": lambda uid: mint(good(uid)) + "=",
    "not base64url": lambda uid: "!!!." + mint(good(uid)).split(".", 1)[1],
    "garbage": lambda uid: base64.b64encode(bytes(range(256))).decode(),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_a_bad_token_is_401_without_a_reason_and_makes_no_user(skein, name):
    alice, = await skein.users("alice")
    uid = unique("eve")
    token = BAD_TOKENS[name](uid)
    refused = []
    for at in range(len(cluster.HTTP)):
        refused.append(await skein.request("GET", "/v1/endpoints", at=at, token=token))
        refused.append(await skein.request("POST", "/v1/messages", at=at, token=token, body=alice.draft(alice)))
        refused.append(await skein.request("POST", "/v1/auth/refresh", at=at, token=token))
    query = {"device": "d", "platform": "ios"}
    handshakes = [await skein.handshake({**query, "token": token}), await skein.handshake(query, token=token, gateway=1)]
    for answer in refused + handshakes:
        answer.expect(401, "unauthenticated", "")
    assert len({a.json.get("detail") for a in refused}) == 1 and len({a.json.get("detail") for a in handshakes}) == 1
    (await alice.post({**alice.draft(alice), "to": {"user": uid}})).expect(404, "not_found")


async def test_other_claims_of_a_good_token_do_no_harm(skein):
    bob, = await skein.users("bob")
    for claims in {"iat": in_s(0), "nbf": in_s(-1), "jti": "x", "scope": "a b"}, {"exp": time.time() + HOUR + 0.5}, \
            {"exp": in_s(10**9), "aud": ["x"], "nested": {"a": [1]}}, {"pad": "x" * 2900}:
        alice = skein.user("alice", **claims)
        assert len(alice.token) <= 4096
        await alice.say(bob)
        await (await alice.connect()).ping()
    alice = skein.user("alice")
    alice.token = mint(good(alice.uid), {"typ": "JWT", "alg": "HS256", "kid": "1"})
    await alice.say(bob)
    await alice.connect(in_header=True)


async def test_only_the_bearer_scheme_is_taken(skein):
    alice = skein.user("alice")
    for value, status in [(f"bearer {alice.token}", 200), (f"BEARER  {alice.token}", 200), (f"Bearer {alice.token} \t", 200),
                          (f"Basic {alice.token}", 401), (alice.token, 401), ("Bearer", 401), ("", 401), (f"Bearer {alice.token} x", 401)]:
        (await skein.request("GET", "/v1/endpoints", headers={"Authorization": value})).expect(status)
    (await skein.request("GET", "/v1/endpoints", query={"token": alice.token})).expect(401)


# ---- the WebSocket handshake ----

async def test_a_bad_token_is_answered_401_before_the_upgrade(skein):
    for gateway in cluster.WS:
        for url in f"{gateway}?device=d&platform=ios", f"{gateway}?device=d&platform=ios&token=x":
            with pytest.raises(websockets.InvalidStatusCode) as caught:
                await websockets.connect(url)
            assert caught.value.status_code == 401
    for token in None, "x":
        answer = await skein.handshake({"device": "d", "platform": "ios"}, token=token)
        assert (answer.expect(401, "unauthenticated").json["detail"]) == "a valid token is required"


GOOD_QUERY = {"device": "phone", "platform": "ios"}
BAD_QUERIES = {
    "no device": {"device": None}, "an empty device": {"device": ""}, "a long device": {"device": "x" * 65},
    "a device with a blank": {"device": "a b"}, "a device with NUL": {"device": "a\0"}, "a foreign device": {"device": "é"},
    "no platform": {"platform": None}, "an unknown platform": {"platform": "IOS"}, "an empty platform": {"platform": ""},
    "an epoch without offset": {"epoch": "abc"}, "an offset without epoch": {"offset": "1"},
    "an empty epoch": {"epoch": "", "offset": "1"}, "a long epoch": {"epoch": "x" * 16, "offset": "1"},
    "a long offset": {"epoch": "x", "offset": "1" * 21}, "an offset that is no number": {"epoch": "x", "offset": "-1"},
    "an empty offset": {"epoch": "x", "offset": ""}, "ack 2": {"ack": "2"}, "ack empty": {"ack": ""}, "ack true": {"ack": "true"},
}


@pytest.mark.parametrize("name", BAD_QUERIES)
async def test_bad_parameters_are_answered_400_before_the_upgrade(skein, name):
    alice = skein.user("alice")
    query = {k: v for k, v in {**GOOD_QUERY, **BAD_QUERIES[name]}.items() if v is not None}
    answer = await skein.handshake(query, token=alice.token)
    answer.expect(400, "invalid_argument")
    names = [*BAD_QUERIES[name], "query"] if "NUL" in name else BAD_QUERIES[name]
    assert any(wrong in answer.json["detail"] for wrong in names), answer.json


async def test_the_longest_parameters_are_taken(skein):
    alice = skein.user("alice")
    connection = await alice.connect(device="D" * 64, platform="mini", epoch="é" * 15, offset="9" * 20, ack=0)
    await connection.expect("resync")


async def test_a_request_that_is_no_upgrade_is_refused(skein):
    alice = skein.user("alice")
    for headers in {"Upgrade": "h2c"}, {"Connection": "close"}, {"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": "x"}, \
            {"Sec-WebSocket-Protocol": "chat, soap"}:
        (await skein.handshake(GOOD_QUERY, token=alice.token, headers=headers)).expect(400, "invalid_argument")
    (await skein.handshake(GOOD_QUERY, token=alice.token, method="POST")).expect(405)
    (await skein.handshake(GOOD_QUERY, token=alice.token, path="/nothing")).expect(404)


async def test_the_known_subprotocol_of_an_offer_is_picked_and_json_without_one(skein):
    alice = skein.user("alice")
    url = f"{cluster.WS[0]}?device=d&platform=ios&token={alice.token}"
    for offer, picked in [(["soap", "skein.v1.proto"], "skein.v1.proto"), (["skein.v1.json", "soap"], "skein.v1.json"), (None, None)]:
        async with websockets.connect(url, subprotocols=offer) as socket:
            assert socket.subprotocol == picked
            hello = await socket.recv()
            assert isinstance(hello, bytes) == (picked == "skein.v1.proto")
            if not picked:
                assert json.loads(hello)["type"] == "hello"


# ---- the end of a token ----

async def test_a_connection_is_closed_when_its_token_expires_within_two_seconds(skein):
    bob, = await skein.users("bob")
    alice = skein.user("alice", exp=in_s(3))
    expires = claims_of(alice.token)["exp"]
    connections = [await alice.connect(0), await alice.connect(1, "laptop", "desktop", proto=True)]
    await bob.say(alice, "in time")
    for connection in connections:
        assert text_of(await connection.message()) == "in time"
    for connection in connections:
        assert await connection.closed() == 4002
        assert -0.1 < time.time() - expires < 2
    (await alice.request("GET", "/v1/endpoints")).expect(401)
    (await skein.handshake(GOOD_QUERY, token=alice.token)).expect(401)


async def test_every_part_of_a_signature_counts(skein):
    alice = skein.user("alice")
    head, payload, signature = alice.token.split(".")
    other = {True: "B", False: "A"}
    for wrong in other[signature[0] == "A"] + signature[1:], signature[:20] + other[signature[20] == "A"] + signature[21:], \
            signature[:40], signature + "AAAA":
        (await skein.request("GET", "/v1/endpoints", token=f"{head}.{payload}.{wrong}")).expect(401)
