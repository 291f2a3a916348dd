"""proxy.c between a client and an echo: what each command does to a connection."""
import asyncio
import os
import pathlib
import socket
import time

import pytest

import cluster

BIN = pathlib.Path(os.environ.get("BIN", cluster.ROOT / "build" / "bin"))
PATIENCE_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Scene:
    """An echo on one port, a proxy called `here` to it on another."""

    async def __aenter__(self):
        async def echo(reader, writer):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()
        self.server = await asyncio.start_server(echo, "127.0.0.1", 0)
        self.port = free_port()
        self.proxies = cluster.Proxies(BIN / "chaos_proxy")
        await self.proxies.start([f"here:{self.port}:{self.server.sockets[0].getsockname()[1]}"])
        return self

    async def __aexit__(self, *_):
        await self.proxies.stop()
        self.server.close()

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)


async def echoed(streams, data):
    reader, writer = streams
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), PATIENCE_S) == data


async def is_reset(streams):
    try:
        return await asyncio.wait_for(streams[0].read(1), PATIENCE_S) == b"" and False
    except ConnectionResetError:
        return True


def scene(test):
    """The test with a Scene, on a loop of its own."""
    def run():
        async def play():
            async with Scene() as made:
                await test(made)
        asyncio.run(play())
    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@scene
async def test_a_proxy_passes_bytes_both_ways(made):
    assert await echoed(await made.connect(), os.urandom(5_000_000))


@scene
async def test_an_end_is_passed_on(made):
    reader, writer = await made.connect()
    writer.write(b"last words")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b"last words"


@scene
async def test_a_delay_holds_both_ways_and_keeps_the_order(made):
    streams = await made.connect()
    await made.proxies.tell("delay here 150 100")
    start = time.monotonic()
    for number in range(5):
        streams[1].write(bytes([number]))
        await asyncio.sleep(0.01)
    assert await asyncio.wait_for(streams[0].readexactly(5), PATIENCE_S) == bytes(range(5))
    assert time.monotonic() - start >= 0.3


@scene
async def test_a_cut_resets_what_is_there_and_what_comes_until_it_is_healed(made):
    streams = await made.connect()
    assert await echoed(streams, b"before")
    await made.proxies.tell("cut h*")
    assert await is_reset(streams)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError, BrokenPipeError)):
        await echoed(await made.connect(), b"meanwhile")
    await made.proxies.tell("heal here")
    assert await echoed(await made.connect(), b"after")


@scene
async def test_a_held_connection_hears_nothing_and_is_reset_when_it_is_healed(made):
    quiet, talking = await made.connect(), await made.connect()
    assert await echoed(quiet, b"before") and await echoed(talking, b"before")
    await made.proxies.tell("hold here")
    talking[1].write(b"into the void")
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(talking[0].read(1), 0.3)
    await made.proxies.tell("heal here")
    assert await is_reset(talking)
    assert await echoed(quiet, b"it lost nothing")


@scene
async def test_a_target_that_is_not_there_is_a_reset(made):
    made.server.close()
    await made.server.wait_closed()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError, BrokenPipeError)):
        await echoed(await made.connect(), b"anybody?")


@scene
async def test_a_command_that_means_nothing_is_answered_so(made):
    with pytest.raises(cluster.Failed, match="what"):
        await made.proxies.tell("break here")
    with pytest.raises(cluster.Failed, match="what"):
        await made.proxies.tell("cut there")


@scene
async def test_each_command_counts_what_it_hits(made):
    one, other = await made.connect(), await made.connect()
    assert await echoed(one, b"a") and await echoed(other, b"b")
    await made.proxies.tell("delay here 1")
    assert await made.proxies.tell("hits here") == 0
    assert await echoed(one, b"a")
    assert await made.proxies.tell("hits here") == 2  # there and back
    await made.proxies.tell("heal here")
    await made.proxies.tell("hold here")
    assert await made.proxies.tell("hits here") == 0
    one[1].write(b"into the void")
    while not await made.proxies.tell("hits h*"):
        await asyncio.sleep(0.01)
    await made.proxies.tell("heal here")
    assert await is_reset(one)
    await made.proxies.tell("cut here")
    assert await made.proxies.tell("hits here") == 1
    assert await is_reset(other)


@scene
async def test_a_cut_of_a_link_that_nobody_uses_hits_nothing_until_somebody_comes(made):
    await made.proxies.tell("cut here")
    assert await made.proxies.tell("hits here") == 0
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError, BrokenPipeError)):
        await echoed(await made.connect(), b"meanwhile")
    assert await made.proxies.tell("hits here") == 1


@scene
async def test_a_link_that_is_aimed_elsewhere_resets_its_connections_and_leads_there(made):
    async def answer(reader, writer):
        await reader.read(1)
        writer.write(b"the other")
        writer.close()
    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    streams = await made.connect()
    assert await echoed(streams, b"before")
    await made.proxies.tell(f"aim here {other.sockets[0].getsockname()[1]}")
    assert await is_reset(streams)
    streams = await made.connect()
    streams[1].write(b"?")
    assert await asyncio.wait_for(streams[0].read(), PATIENCE_S) == b"the other"
    other.close()
