"""make up LISTEN=: a cluster for a phone in the same network. The phone is a network namespace with a cable to this machine."""
import asyncio
import contextlib
import os
import re
import subprocess
import sys

import pytest

import cluster
from cluster_test import another, pids, read_env
from tokens import mint

PATIENCE_S = 20
NOWHERE = "no interface of this machine has an address that other machines could use"


def ip(*arguments):
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=10).stdout


class Phone:
    """`host` is this machine's address on the cable. Everything else of this machine is reached through it."""

    def __init__(self):
        number = os.getpid()
        self.space, self.cable = f"skein-phone-{number}", f"skph{number}"
        self.host = f"198.18.{number // 64 % 256}.{number % 64 * 4 + 1}"  # a range for tests of networks (RFC 2544)

    def open(self):
        ip("netns", "add", self.space)

    def plug_in(self):
        own = self.host.rsplit(".", 1)[0] + f".{int(self.host.rsplit('.', 1)[1]) + 1}"
        ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        ip("address", "add", f"{self.host}/30", "dev", self.cable)
        ip("link", "set", self.cable, "up")
        for device, address in ("lo", None), ("eth0", f"{own}/30"):
            if address:
                ip("-n", self.space, "address", "add", address, "dev", device)
            ip("-n", self.space, "link", "set", device, "up")
        ip("-n", self.space, "route", "add", "default", "via", self.host)

    def unplug(self):
        # The end of a namespace takes its devices along, but later.
        subprocess.run(["ip", "link", "del", self.cable], check=False, stderr=subprocess.DEVNULL, timeout=10)
        ip("netns", "del", self.space)

    async def start(self, *command, **environment):
        return await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", self.space, *command, env={**os.environ, **environment}, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)

    async def reaches(self, host, ports):
        """Those of the ports that take a connection from here."""
        code = ("import socket, sys\n"
                "for port in sys.argv[2:]:\n"
                "    with socket.socket() as probe:\n"
                "        probe.settimeout(5)\n"
                "        probe.connect_ex((sys.argv[1], int(port))) or print(port)\n")
        probe = await self.start(sys.executable, "-c", code, host, *map(str, ports))
        output, _ = await probe.communicate()
        assert probe.returncode == 0, output
        return sorted(map(int, output.split()))


@pytest.fixture
def phone():
    if os.geteuid():
        pytest.skip("a network namespace needs root")
    made = Phone()
    try:
        made.open()
    except subprocess.CalledProcessError as why:
        pytest.skip(f"no network namespace can be made here: {why.stderr.strip()}")
    try:
        made.plug_in()
        yield made
    finally:
        made.unplug()


@contextlib.asynccontextmanager
async def listening(phone, uid, env, http):
    """skeinctl listen on the phone, from a base URL that a person typed in. Gives a function that waits for its next line."""
    run = await phone.start(f"{os.environ['BIN']}/skeinctl", "listen", "--uid", uid,
                            SKEIN_HTTP=http, SKEIN_JWT_SECRET=env["SKEIN_JWT_SECRET"])

    async def next_line(pattern):
        while True:
            line = (await asyncio.wait_for(run.stdout.readline(), PATIENCE_S)).decode()
            assert line, "skeinctl has ended"
            if found := re.search(pattern, line):
                return found
    try:
        yield next_line
    finally:
        run.kill()
        await run.wait()


def ports_of_cluster(env):
    """The ports of this cluster in which somebody listens, and which of them are for clients."""
    first = min(int(url.rsplit(":", 1)[1]) for url in env["SKEIN_HTTP"].split(","))
    sockets = subprocess.run(["ss", "-Hltn"], check=True, capture_output=True, text=True, timeout=10).stdout
    bound = {int(line.split()[3].rsplit(":", 1)[1]) for line in sockets.splitlines()}
    public = [int(re.search(r":(\d+)(/ws)?$", url).group(1)) for url in f"{env['SKEIN_HTTP']},{env['SKEIN_WS']}".split(",")]
    return sorted(port for port in bound if first <= port < first + 100), sorted(public)


def told_for_other_machines(output):
    found = re.search(r"^From other machines \(LISTEN=\S+\): (\S+) (\S+)$", output, re.MULTILINE)
    return [urls.split(",") for urls in found.groups()] if found else None


async def serves_this_machine(skein, env):
    """The addresses of RUN_DIR/env work here: a send over the first im is answered."""
    skein.from_any_address()
    token = mint({"sub": "here", "exp": 4102444800}, secret=env["SKEIN_JWT_SECRET"])
    draft = {"client_msg_id": os.urandom(8).hex(), "to": {"user": "here"}, "type": "text", "body": {"text": "hi"}}
    (await skein.request("POST", "/v1/messages", token=token, body=draft, base=env["SKEIN_HTTP"].split(",")[0])).expect(200)
    return (await skein.request("GET", "/v1/endpoints", token=token, base=env["SKEIN_HTTP"].split(",")[0])).expect(200).json


@pytest.mark.parametrize("how", ["one address", "all addresses"])
async def test_a_phone_in_the_same_network_gets_messages_and_reaches_no_store(skein, phone, how):
    async with another(LISTEN=phone.host if how == "one address" else "0.0.0.0", GATEWAYS="2") as (run_dir, script):
        code, output = await script("up")
        assert code == 0, output
        env, (http, ws) = read_env(run_dir), told_for_other_machines(output)
        assert len(http) == 1 and len(ws) == 2
        host = re.fullmatch(r"http://([\d.]+):\d+", http[0]).group(1)
        if how == "one address":
            assert host == phone.host and env["SKEIN_HTTP"] == http[0] and env["SKEIN_WS"] == ",".join(ws)
        else:
            assert host != "127.0.0.1" and env["SKEIN_HTTP"].startswith("http://127.0.0.1:")

        given = await serves_this_machine(skein, env)
        assert sorted(gateway["url"] for gateway in given["gateways"]) == ws

        async with listening(phone, "here", env, http[0]) as next_line:
            gateway = (await next_line(r"^connected to (gateway-\d) as here")).group(1)
            await serves_this_machine(skein, env)
            await next_line('"hi"|hi$')
            # Its gateway drains: the reconnect frame names the other one, by an address that the phone reaches.
            code, output = await script("restart", gateway)
            assert code == 0, output
            other = (await next_line(r"^connected to (gateway-\d) as here")).group(1)
            assert other != gateway
            await serves_this_machine(skein, env)
            await next_line('"hi"|hi$')

        bound, public = ports_of_cluster(env)
        assert len(bound) > 10
        assert await phone.reaches(host, bound) == public
    await cluster.all_ready()


async def test_listen_is_kept_until_another_one_is_named(skein, phone):
    async with another(SIZE="small") as (run_dir, script):
        code, output = await script("up")
        assert code == 0 and told_for_other_machines(output) is None, output
        bound, public = ports_of_cluster(read_env(run_dir))
        assert await phone.reaches(phone.host, bound) == []

        before = pids(run_dir)
        code, output = await script("up", LISTEN=phone.host)
        assert code == 0, output
        changed = {name for name, pid in pids(run_dir).items() if before[name] != pid}
        assert changed == {"im-1", "gateway-1"}, "nobody else listens for clients"
        env = read_env(run_dir)
        assert env["SKEIN_WS"].startswith(f"ws://{phone.host}:")
        await serves_this_machine(skein, env)

        before = pids(run_dir)
        code, output = await script("up")
        assert code == 0 and "nothing was changed" in output and told_for_other_machines(output), output
        code, output = await script("status")
        assert code == 0 and told_for_other_machines(output), output
        assert pids(run_dir) == before and read_env(run_dir) == env
        assert await phone.reaches(phone.host, bound) == public

        # The machine changes its network: nothing is stopped for an address that cannot be listened on.
        ip("address", "del", f"{phone.host}/30", "dev", phone.cable)
        code, output = await script("up")
        assert code == 1 and output.startswith(f"cluster: LISTEN={phone.host}: ") and output.count("\n") == 1
        assert pids(run_dir) == before and (await script("status"))[0] == 0
        code, output = await script("up", LISTEN="127.0.0.1")
        assert code == 0 and told_for_other_machines(output) is None, output
        assert await phone.reaches(phone.host, bound) == []
    await cluster.all_ready()


async def test_an_address_that_is_not_ours_is_refused_in_one_sentence(skein):
    async with another() as (run_dir, script):
        for wrong in "198.51.100.7", "127.1", "fe80::1", "224.0.0.1", "[::1]", "0.0.0.0:80", "localhost", "$(id)":
            code, output = await script("up", LISTEN=wrong)
            assert code == 1 and output.startswith(f"cluster: LISTEN={wrong}: 0.0.0.0, ::, or one of this machine's addresses: "), output
            assert "127.0.0.1" in output and output.count("\n") == 1
            assert not pids(run_dir)


async def test_a_machine_without_a_network_says_so(skein, phone):
    ip("-n", phone.space, "link", "set", "eth0", "down")
    async with another() as (run_dir, _):
        for everywhere in "0.0.0.0", "::":
            up = await phone.start(str(cluster.SCRIPT), "up", RUN_DIR=str(run_dir), LISTEN=everywhere)
            output = (await up.communicate())[0].decode()
            assert up.returncode == 1 and output.startswith(f"cluster: LISTEN={everywhere}: {NOWHERE}"), output
            assert output.count("\n") == 1 and not pids(run_dir)


async def test_ipv6_alone_serves_too(skein):
    async with another(LISTEN="::1", SIZE="small") as (run_dir, script):
        code, output = await script("up")
        assert code == 0, output
        env = read_env(run_dir)
        assert env["SKEIN_HTTP"].startswith("http://[::1]:") and env["SKEIN_WS"].startswith("ws://[::1]:")
        given = await serves_this_machine(skein, env)
        assert [gateway["url"] for gateway in given["gateways"]] == env["SKEIN_WS"].split(",")
        demo = await asyncio.create_subprocess_exec(
            f"{os.environ['BIN']}/skeinctl", "demo", env={**os.environ, **env}, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT)
        said = (await demo.communicate())[0].decode()
        assert demo.returncode == 0 and "on gateway-1" in said, said
    await cluster.all_ready()
