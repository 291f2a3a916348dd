"""What libclient hands over and sends, against a Skein that the test plays: gaps, resets, busy servers, restarts."""
import asyncio
import json
import time

from aiohttp import web

from libclient_fixture import BOB, GROUP, HOT, Application, Skein, alone, problem, scenario, seqs


# ---- messages ----

@scenario()
async def test_live_messages_are_handed_over_once_and_acked_cumulatively(skein, app):
    await skein.say(BOB, 2)
    await skein.say(GROUP)
    await skein.send_entry(2, skein.inbox[1])  # again
    await skein.send_entry(1, skein.inbox[0])
    await skein.say(BOB)
    assert await app.messages(4) == [(BOB, 1), (BOB, 2), (GROUP, 1), (BOB, 3)]
    await skein.current.acked(4)
    await app.nothing_more()


@scenario()
async def test_a_lost_connection_is_made_again_from_where_it_was(skein, app):
    await skein.say(BOB, 3)
    await app.messages(3)
    skein.current.cut()
    await app.status("waiting")
    connection = await skein.connection()
    skein.store(BOB, 2)  # stored without being sent: the next connection brings them
    assert (connection.query["epoch"], connection.query["offset"]) == ("e1", "3")
    await connection.close(1001)
    await skein.connection()
    assert await app.messages(2) == seqs(BOB, 4, 5)
    await app.nothing_more()


@scenario()
async def test_forty_connections_that_break_at_any_moment_lose_nothing_and_double_nothing(skein, app):
    for i in range(40):
        await skein.say(BOB, i % 4)
        skein.store(GROUP, i % 3)
        skein.current.cut()
        await skein.connection()
    total = len(skein.inbox)
    got = await app.messages(total)
    assert sorted(got) == sorted(seqs(BOB, 1, len(skein.conversations[BOB])) + seqs(GROUP, 1, len(skein.conversations[GROUP])))
    for conversation in (BOB, GROUP):
        mine = [seq for c, seq in got if c == conversation]
        assert mine == sorted(mine)
    await app.nothing_more()


@scenario()
async def test_messages_beyond_those_of_a_handshake_are_read_by_sync_before_live_ones(skein, app):
    skein.sync_gate.clear()
    skein.store(BOB, 55)
    skein.current.cut()
    await skein.connection()
    await skein.say(BOB, 3)
    assert await app.messages(20) == seqs(BOB, 1, 20)
    await app.nothing_more()
    skein.sync_gate.set()
    assert await app.messages(38) == seqs(BOB, 21, 58)
    await skein.current.acked(58)
    await app.nothing_more()


@scenario(max_held=5)
async def test_live_messages_beyond_the_hold_limit_are_read_again(skein, app):
    skein.sync_gate.clear()
    skein.store(BOB, 30)
    skein.current.cut()
    await skein.connection()
    await skein.say(BOB, 12)
    await app.messages(20)
    skein.sync_gate.set()
    assert await app.messages(22) == seqs(BOB, 21, 42)
    await app.nothing_more()


@scenario()
async def test_resync_reads_what_was_skipped(skein, app):
    await skein.say(BOB)
    skein.store(BOB, 25)
    await skein.current.send(type="resync", epoch=skein.epoch)
    assert await app.messages(26) == seqs(BOB, 1, 26)
    await skein.say(BOB)
    assert await app.messages(1) == [(BOB, 27)]


@scenario()
async def test_a_hole_in_the_offsets_is_read_without_being_told(skein, app):
    await skein.say(BOB)
    skein.store(BOB, 3)
    await skein.say(GROUP)
    assert await app.messages(5) == [*seqs(BOB, 1, 4), (GROUP, 1)]


@scenario()
async def test_a_hole_in_a_conversation_is_pulled_from_history(skein, app):
    await skein.say(BOB)
    skein.store(BOB, 15)
    del skein.inbox[1:]  # was never appended to the inbox
    await skein.say(BOB)
    assert await app.messages(17) == seqs(BOB, 1, 17)


@scenario()
async def test_messages_of_a_lost_inbox_are_read_from_history(skein, app):
    await skein.say(BOB, 2)
    await app.messages(2)
    skein.store(BOB, 13)
    skein.store(GROUP, 12)  # a conversation that is new to the client
    skein.lose_inbox()
    await skein.current.send(type="resync", epoch=skein.epoch)
    assert sorted(await app.messages(25)) == sorted(seqs(BOB, 3, 15) + seqs(GROUP, 1, 12))
    await skein.say(BOB)
    assert await app.messages(1) == [(BOB, 16)]
    await skein.current.acked(1)
    state = json.loads(await app.nothing_more())
    assert (state["epoch"], state["offset"]) == ("e2", "1")


@scenario()
async def test_messages_of_an_inbox_lost_while_away_or_twice_are_read_from_history_too(skein, app):
    await skein.say(BOB, 2)
    await app.messages(2)
    skein.current.cut()
    skein.store(BOB, 30)
    skein.lose_inbox()
    await skein.connection()
    skein.store(BOB, 1)
    skein.lose_inbox()
    await skein.current.send(type="resync", epoch=skein.epoch)
    await skein.say(BOB)
    assert await app.messages(32) == seqs(BOB, 3, 34)
    await app.nothing_more()


@scenario()
async def test_a_position_that_the_server_does_not_know_becomes_a_reset(skein, app):
    await skein.say(BOB, 3)
    await app.messages(3)
    skein.inbox.clear()  # the same epoch with fewer entries
    skein.store(BOB)
    skein.current.cut()
    await skein.connection()
    assert await app.messages(1) == [(BOB, 4)]


@scenario()
async def test_messages_of_hot_groups_come_live_and_by_sync(skein, app):
    skein.hot.add(HOT)
    await skein.say(HOT, 2)
    assert await app.messages(2) == seqs(HOT, 1, 2)
    skein.current.cut()
    skein.store(HOT, 12)
    await skein.connection()
    assert await app.messages(12) == seqs(HOT, 3, 14)
    await skein.say(HOT)
    assert await app.messages(1) == [(HOT, 15)]


@alone
async def test_a_first_start_may_begin_with_the_oldest_that_is_kept():
    async with Skein() as skein:
        skein.store(BOB, 25)
        async with Application(skein, starts_from_oldest=True) as app:
            assert await app.messages(25) == seqs(BOB, 1, 25)
        async with Application(skein) as app:
            await skein.connection()
            await app.status("up")
            await skein.say(BOB)
            assert await app.messages(1) == [(BOB, 26)]


@scenario()
async def test_sync_that_fails_is_asked_again(skein, app):
    skein.sync_answers = [problem(503, "unavailable"), problem(429, "rate_limited"), web.Response(text="{", status=200),
                          web.json_response({"epoch": 7})]
    skein.store(BOB, 3)
    await skein.current.send(type="resync", epoch=skein.epoch)
    assert await app.messages(3) == seqs(BOB, 1, 3)
    assert not skein.sync_answers


# ---- the program's own life ----

@alone
async def test_after_a_kill_it_goes_on_from_its_stored_state():
    async with Skein() as skein:
        state, handed = "", []
        for round_ in range(5):
            async with Application(skein, state=state, starts_from_oldest=True) as app:
                connection = await skein.connection()
                await skein.say(BOB, 7)
                await app.messages(7 if round_ == 0 else 12)
                await connection.acked(len(skein.inbox))
                await app.nothing_more()
                await app.kill()
                state, handed = app.state, handed + app.seen
            skein.store(BOB, 5)
        assert handed == seqs(BOB, 1, len(handed))


@alone
async def test_messages_that_were_not_taken_come_again():
    async with Skein() as skein:
        options = {"takes_explicitly": True, "starts_from_oldest": True}
        async with Application(skein, **options, max_untaken=3) as app:
            await skein.connection()
            await skein.say(BOB, 5)
            assert await app.messages(3) == seqs(BOB, 1, 3)
            await app.nothing_more()
            app.do("taken", delivery=2)
            assert await app.messages(2) == seqs(BOB, 4, 5)
            await skein.current.acked(2)
            state = await app.nothing_more()
        assert json.loads(state)["offset"] == "2"
        async with Application(skein, **options, state=state) as app:
            assert await app.messages(3) == seqs(BOB, 3, 5)


@alone
async def test_closed_in_a_callback_nothing_comes_after_it():
    async with Skein() as skein, Application(skein, close_at=2) as app:
        await skein.connection()
        app.send("k-1")
        await app.next("sent")
        await skein.say(BOB, 5)
        await app.next("closed")
        assert [e["on"] for e in app.passed_over].count("message") == 2
        assert await app.ended() == 0  # and nothing was left on its loop


@alone
async def test_sends_without_an_answer_are_given_back_at_the_end():
    async with Skein() as skein, Application(skein) as app:
        gate = asyncio.Event()

        async def wait(_):
            await gate.wait()
        skein.send_answers = [wait]
        for i in range(3):
            app.send(f"k-{i}")
        app.do("close")
        assert {(await app.next("sent"))["client_msg_id"] for _ in range(3)} == {"k-0", "k-1", "k-2"}
        await app.next("closed")
        gate.set()


@alone
async def test_a_state_or_an_option_that_is_not_valid_makes_no_client():
    async with Skein() as skein:
        for wrong in ({"state": "no"}, {"bases": []}, {"bases": ["ftp://x"]}, {"device": "a b"}, {"token": ""}, {"gateway": "http://x"}):
            process = await asyncio.create_subprocess_exec(
                Application.program, json.dumps({**Application(skein).options, **wrong}), stdin=asyncio.subprocess.PIPE)
            process.stdin.close()
            assert await process.wait() == 3


# ---- sends ----

@scenario()
async def test_sends_to_one_user_are_stored_in_their_order_over_busy_and_broken_servers(skein, app):
    async def cut(request):
        request.transport.abort()
        return web.Response()

    async def store_and_cut(request):
        skein.keys["k-1"] = len(skein.keys) + 1
        return await cut(request)
    skein.send_answers = [problem(503, "unavailable"), None, store_and_cut, problem(429, "rate_limited"), None, None, cut]
    for i in range(5):
        app.send(f"k-{i}")
    sent = [await app.next("sent") for _ in range(5)]
    assert [s["client_msg_id"] for s in sent] == [f"k-{i}" for i in range(5)]
    assert [s["seq"] for s in sent] == [1, 2, 3, 4, 5]
    assert [s["duplicate"] for s in sent] == [False, True, False, False, False]
    keys = [s["client_msg_id"] for s in skein.sends]
    assert keys == sorted(keys)  # one at a time, each repeated until it has an answer


@scenario()
async def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(skein, app):
    skein.send_answers = [problem(503, "unavailable", **{"Retry-After": "1"})]
    started = time.monotonic()
    app.send()
    assert "code" not in await app.next("sent")
    assert time.monotonic() - started >= 0.9
    assert len({s["client_msg_id"] for s in skein.sends}) == 1


@scenario()
async def test_a_refused_send_is_reported_and_the_next_goes_out(skein, app):
    skein.send_answers = [problem(403, "blocked"), problem(409, "idempotency_conflict")]
    for key in ("k-1", "k-2", "k-3"):
        app.send(key)
    assert [(await app.next("sent")).get("code") for _ in range(3)] == ["blocked", "idempotency_conflict", None]


@scenario()
async def test_a_slow_answer_to_one_user_does_not_stop_sends_to_another(skein, app):
    gate = asyncio.Event()

    async def wait(_):
        await gate.wait()
    skein.send_answers = [wait]
    app.send("k-1", to="bob")
    app.send("k-2", to="bob")
    app.send("k-3", to="carol")
    assert (await app.next("sent"))["client_msg_id"] == "k-3"
    gate.set()
    assert [(await app.next("sent"))["client_msg_id"] for _ in range(2)] == ["k-1", "k-2"]


@scenario(max_sends=2)
async def test_more_sends_than_may_wait_are_refused_at_once(skein, app):
    gate = asyncio.Event()

    async def wait(_):
        await gate.wait()
    skein.send_answers = [wait]
    for i in range(3):
        app.send(f"k-{i}")
    assert [(await app.next("accepted"))["is"] for _ in range(3)] == [True, True, False]
    app.do("send", message={"type": "text"})  # to nobody
    assert not (await app.next("accepted"))["is"]
    gate.set()
    await app.next("sent")


@scenario()
async def test_other_frames_go_both_ways(skein, app):
    app.do("frame", frame={"type": "typing", "conversation_id": BOB})
    assert (await app.next("accepted"))["is"]
    assert (await skein.current.frame("typing"))["conversation_id"] == BOB
    await skein.current.send(type="event", kind="read", conversation_id=BOB, uid="bob", seq=1)
    while (await app.next("frame"))["frame"]["type"] != "event":
        pass
    app.do("frame", frame={"type": "typing", "filler": "x" * 20000})
    assert not (await app.next("accepted"))["is"]
