"""How libclient connects: servers that are silent, busy or elsewhere, moves, tokens, TLS; Skein is played by the test."""
import asyncio
import json
import time

from libclient_fixture import BOB, PATIENCE_S, Application, Skein, alone, certificate, problem, scenario, seqs


@scenario(ping_after_ms=200, pong_within_ms=200)
async def test_a_server_that_goes_silent_is_left_within_a_bounded_time(skein, app):
    started = time.monotonic()
    skein.current.answers_pings = False
    await skein.current.frame("ping")
    await app.status("waiting")
    assert time.monotonic() - started < PATIENCE_S / 2
    connection = await skein.connection()
    for _ in range(3):
        await connection.frame("ping")  # the client answers, so the connection stays
    await app.nothing_more()
    assert skein.waiting.empty()


@alone
async def test_a_gateway_that_says_nothing_is_left_for_the_next():
    async with Skein() as mute, Skein() as skein:
        mute.greets = False
        skein.gateways = ["ws://127.0.0.1:1/ws", mute.ws, skein.ws]
        async with Application(skein, open_within_ms=300) as app:
            await mute.connection()
            await skein.connection()
            await app.status("up")


@alone
async def test_an_im_that_is_down_is_passed_over_and_one_that_is_busy_is_asked_later():
    async with Skein() as skein:
        skein.endpoints_answers = [problem(503, "unavailable", **{"Retry-After": "1"})]
        async with Application(skein, bases=["http://127.0.0.1:1", skein.http]) as app:
            started = time.monotonic()
            await app.status("waiting")
            await skein.connection()
            assert time.monotonic() - started >= 0.9


@scenario()
async def test_told_to_move_it_goes_where_it_was_told(skein, app):
    async with Skein() as other:
        other.inbox = skein.inbox
        await skein.current.send(type="reconnect", after_ms=50, url=other.ws)
        await other.connection()
        await other.current.send(type="reconnect", after_ms=0)
        await skein.connection()


@scenario()
async def test_told_to_move_it_hears_from_the_old_gateway_until_the_new_one_says_hello(skein, app):
    old = skein.current
    async with Skein() as other:
        other.inbox, other.conversations, other.greets = skein.inbox, skein.conversations, False
        await old.send(type="reconnect", after_ms=0, url=other.ws)
        new = await other.connection()
        await skein.say(count=3)
        assert await app.messages(3) == [(BOB, 1), (BOB, 2), (BOB, 3)]
        await old.acked(3)
        await old.close(4001)  # as a gateway does when a newer connection replaces this one
        await other.greet(new)  # greets with the three messages once more
        await other.say()
        assert await app.messages(1) == [(BOB, 4)]
        await new.acked(4)


@scenario()
async def test_what_the_old_gateway_gave_meanwhile_is_acked_at_the_new_one(skein, app):
    old = skein.current
    async with Skein() as other:
        other.inbox, other.conversations, other.greets = skein.inbox, skein.conversations, False
        await old.send(type="reconnect", after_ms=0, url=other.ws)
        new = await other.connection()
        await skein.say(count=3)
        await app.messages(3)
        await old.acked(3)
        await other.greet(new)
        await new.acked(3)


@scenario()
async def test_a_client_that_finds_no_other_gateway_stays_until_it_is_closed(skein, app):
    old = skein.current
    skein.gateways = ["ws://127.0.0.1:1/ws"]
    await old.send(type="reconnect", after_ms=0, url="ws://127.0.0.1:1/ws")
    while sum(request.path.endswith("/endpoints") for request in skein.requests) < 4:
        await asyncio.sleep(0.01)
    await skein.say()
    assert await app.messages(1) == [(BOB, 1)]
    skein.gateways = None
    await old.close(1001)
    await skein.connection()


@scenario()
async def test_a_newer_login_of_the_device_ends_it(skein, app):
    await skein.current.close(4001)
    assert (await app.status("ended"))["reason"] == 1
    app.send()
    assert not (await app.next("accepted"))["is"]


@scenario(returns_when_replaced=True)
async def test_a_newer_login_of_the_device_does_not_end_it_if_it_wants_to_return(skein, app):
    await skein.current.close(4001)
    await skein.connection()


@scenario()
async def test_a_token_that_expired_is_asked_for_and_the_new_one_used(skein, app):
    skein.tokens = {"newer"}
    await skein.current.close(4002)
    await app.next("token_needed")
    app.do("token", token="newer")
    assert (await skein.connection()).token == "newer"
    await app.status("up")


@scenario()
async def test_a_token_that_is_refused_over_http_is_asked_for_and_no_send_is_lost(skein, app):
    skein.tokens = {"newer"}
    for i in range(3):
        app.send(f"k-{i}")
    await app.next("token_needed")
    app.do("token", token="newer")
    assert [(await app.next("sent"))["client_msg_id"] for _ in range(3)] == ["k-0", "k-1", "k-2"]


@alone
async def test_without_a_way_to_another_token_a_refused_one_ends_it():
    async with Skein() as skein, Application(skein, token="bad", never_asks_for_a_token=True) as app:
        assert (await app.status("ended"))["reason"] == 3


@alone
async def test_a_request_that_the_server_calls_wrong_is_not_tried_again():
    async with Skein() as skein:
        skein.endpoints_answers = [problem(400, "invalid_argument")]
        async with Application(skein) as app:
            assert (await app.status("ended"))["reason"] == 2


@scenario()
async def test_a_connection_that_sends_nonsense_is_left_and_nothing_breaks(skein, app):
    message = {"conversation_id": BOB, "seq": 1, "msg_id": "1", "from": "bob", "type": "text", "body": {}, "time": 1}
    for nonsense in ("{", "[]", "7", "{}", '{"type":7}', '{"type":"message"}', '{"type":"hello"}', '{"type":"resync"}',
                     json.dumps({"type": "message", "offset": 1, "message": message}),
                     json.dumps({"type": "message", "offset": "x", "message": message}),
                     json.dumps({"type": "message", "offset": "1", "message": {**message, "seq": 0}})):
        await skein.current.ws.send_str(nonsense)
        await skein.connection()
    await skein.current.ws.send_bytes(b"binary")
    await skein.connection()
    await skein.current.ws.send_str("[" * 100000)
    await skein.connection()
    await skein.current.send(type="something new", x=1)  # not nonsense
    assert (await app.next("frame"))["frame"]["type"] in ("hello", "something new")
    await skein.say(BOB)
    assert await app.messages(1) == [(BOB, 1)]


@alone
async def test_over_tls_it_trusts_only_the_certificates_it_was_given(tmp_path):
    context, trusted = certificate(tmp_path)
    async with Skein(context) as skein:
        async with Application(skein, ca_file=trusted) as app:
            await skein.connection()
            await app.status("up")
            await skein.say(BOB, 100)
            assert await app.messages(100) == seqs(BOB, 1, 100)
            app.send("k-1")
            await app.next("sent")
            await skein.current.send(type="reconnect", after_ms=0, url=skein.ws.replace("wss", "ws"))
            await skein.connection()  # over TLS again: the client does not follow to a plain ws:// url
        async with Application(skein) as app:
            await app.status("waiting")
            assert skein.waiting.empty()


@alone
async def test_two_hundred_clients_live_on_one_loop():
    count = 200
    async with Skein() as skein:
        async with Application(skein, clients=count) as app:
            connections = [await skein.connection() for _ in range(count)]
            assert len({c.query["device"] for c in connections}) == count
            message, = skein.store(BOB)
            for connection in connections:
                await connection.send(type="message", offset="1", message=message)
            got = {(await app.next("message"))["client"] for _ in range(count)}
            assert got == set(range(count))
            for i in range(count):
                app.send(f"k-{i}", client=i)
            assert len({(await app.next("sent"))["client_msg_id"] for _ in range(count)}) == count
            for connection in connections:
                connection.cut()
            for _ in range(count):
                await skein.connection()
