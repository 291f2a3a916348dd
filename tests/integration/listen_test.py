"""Each listener of each service binds the address that it is told and no other. One that it cannot bind ends the process, with the
address and the reason in one line."""
import asyncio
import contextlib
import socket
import subprocess
import time

import pytest

from gateway_fixture import Gateway
from gateway_peers_fixture import BIN, PATIENCE_S, free_port, serve

LISTENERS = {"gateway": ("ws.listen", "grpc.listen", "internal.listen"), "im": ("http.listen", "grpc.listen", "internal.listen"),
             "push": ("internal.listen",), "router": ("grpc.listen", "internal.listen")}
EVERYWHERE = ["127.0.0.1", "127.0.0.2", "::1"]
FOREIGN = "192.0.2.77"  # an address for documents: nobody has it
HERE = {"127.0.0.1:{}": ["127.0.0.1"], "127.0.0.2:{}": ["127.0.0.2"], "[::1]:{}": ["::1"], "[::]:{}": EVERYWHERE}


def takes(host, port):
    try:
        socket.create_connection((host, port), PATIENCE_S).close()
        return True
    except ConnectionRefusedError:
        return False


def that_take(port):
    return [host for host in EVERYWHERE if takes(host, port)]


@contextlib.contextmanager
def router(**listen):
    """A router needs nothing to listen; its Redis is away."""
    options = {"node.name": "router-1", "redis.uri": "redis://127.0.0.1:1", "drain.timeout": "0",
               **{f"{name}.listen": value for name, value in listen.items()}}
    process = subprocess.Popen([BIN / "router", *(f"--{k}={v}" for k, v in options.items())], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def await_line(process, text):
    deadline = time.monotonic() + PATIENCE_S
    for line in process.stderr:
        if text in line:
            return line
        assert time.monotonic() < deadline
    raise AssertionError(f"the process ended without {text!r}")


def why_it_ended(process):
    """The line that says why, of a process that ends with 1."""
    _, log = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, log
    found = [line for line in log.splitlines() if "cannot listen" in line]
    assert len(found) == 1, log
    return found[0]


# ---- what it is told ----

@pytest.mark.parametrize("address", [*HERE, "localhost:{}"])
@pytest.mark.parametrize("name", ["grpc", "internal"])
def test_router_listens_where_it_is_told_and_nowhere_else(name, address):
    ports = {"grpc": free_port(), "internal": free_port()}
    listen = {other: f"127.0.0.1:{port}" for other, port in ports.items()}
    with router(**{**listen, name: address.format(ports[name])}) as process:
        await_line(process, "service is up")
        found = that_take(ports[name])
        if address == "localhost:{}":
            assert found and set(found) <= {"127.0.0.1", "::1"}
        else:
            assert found == HERE[address]


def test_grpc_on_all_ipv4_addresses_listens_on_ipv6_too():
    """gRPC takes 0.0.0.0 for [::]. HTTP and WebSocket do not."""
    grpc_port, internal = free_port(), free_port()
    with router(grpc=f"0.0.0.0:{grpc_port}", internal=f"0.0.0.0:{internal}") as process:
        await_line(process, "service is up")
        assert that_take(internal) == ["127.0.0.1", "127.0.0.2"]
        assert that_take(grpc_port) == EVERYWHERE


@pytest.mark.parametrize("address", [*HERE, "0.0.0.0:{}"])
def test_gateway_opens_websockets_where_it_is_told_with_all_workers(address):
    async def play():
        port = free_port()
        async with Gateway(**{"ws.listen": address.format(port), "ws.workers": "2"}):
            assert that_take(port) == HERE.get(address, ["127.0.0.1", "127.0.0.2"])
    asyncio.run(play())


# ---- what cannot be ----

@pytest.mark.parametrize("service", LISTENERS)
def test_an_address_of_another_form_is_an_invalid_option(service):
    for option in LISTENERS[service]:
        for wrong in "banana", "::1:80", "[::1]", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http", "[]:80":
            done = subprocess.run([BIN / service, f"--{option}={wrong}"], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
            assert done.returncode == 2
            assert done.stderr == f'{service}: the command line: {option} must be host:port or [IPv6]:port, not "{wrong}"\n'


@pytest.mark.parametrize("name", ["grpc", "internal"])
def test_a_port_that_is_taken_and_an_address_of_another_machine_are_named_with_the_reason(name):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        for address, why in {taken: "Address already in use", f"{FOREIGN}:{free_port()}": "Cannot assign requested address",
                             f"nowhere.invalid:{free_port()}": "does not resolve"}.items():
            listen = {"grpc": f"127.0.0.1:{free_port()}", "internal": f"127.0.0.1:{free_port()}", name: address}
            with router(**listen) as process:
                line = why_it_ended(process)
                assert f"address={address} " in line and why in line


def test_two_routers_do_not_share_a_port_by_mistake():
    port = free_port()
    with router(grpc=f"127.0.0.1:{port}", internal=f"127.0.0.1:{free_port()}") as first:
        await_line(first, "service is up")
        with router(grpc=f"127.0.0.1:{port}", internal=f"127.0.0.1:{free_port()}") as second:
            assert "Address already in use" in why_it_ended(second)


def test_a_gateway_that_cannot_listen_for_websockets_says_why_and_leaves():
    async def play():
        with socket.create_server(("127.0.0.1", 0)) as other:
            gateway = Gateway(**{"ws.listen": f"127.0.0.1:{other.getsockname()[1]}"})
            servers = [await serve(gateway.im, gateway.im_port), await serve(gateway.router, gateway.router_port)]
            gateway.start()
            code = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, gateway.process.wait), PATIENCE_S)
            for server in servers:
                await server.stop(0)
        gateway.log.seek(0)
        found = [line for line in gateway.log.read().splitlines() if "cannot listen" in line]
        assert code == 1 and len(found) == 1
        assert "Address already in use" in found[0] and gateway.options["ws.listen"] in found[0]
    asyncio.run(play())
