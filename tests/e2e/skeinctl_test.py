"""skeinctl, used by a person and by a script."""
import asyncio
import json
import os
import re

import cluster
from client import unique
from tokens import claims_of


async def start(*arguments):
    return await asyncio.create_subprocess_exec(
        f"{os.environ['BIN']}/skeinctl", *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE)


async def run(*arguments):
    process = await start(*arguments)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def must(*arguments):
    code, out, err = await run(*arguments)
    assert (code, err) == (0, ""), (code, out, err)
    return out


async def test_token_mints_a_token_that_every_service_takes(skein):
    uid = unique("carol")
    token = (await must("token", "--uid", uid, "--ttl", "10m")).strip()
    claims = claims_of(token)
    assert claims["sub"] == uid and "scope" not in claims and 590 < claims["exp"] - claims["iat"] <= 600
    (await skein.request("GET", "/v1/endpoints", token=token)).expect(200)
    (await skein.request("GET", "/v1/admin/nodes", token=token)).expect(403, "permission_denied")
    admin = json.loads(await must("token", "--uid", uid, "--scope", "admin", "--json"))
    (await skein.request("GET", "/v1/admin/nodes", token=admin["token"])).expect(200)
    assert admin["expires_at"] == claims_of(admin["token"])["exp"] * 1000


async def test_listen_prints_the_messages_that_send_sends(skein):
    alice, bob = unique("alice"), unique("bob")
    (await skein.user(bob.split("-")[0]).request("GET", "/v1/endpoints")).expect(200)
    for flags in (), ("--json",):
        listener = await start("listen", "--uid", bob, "--gateway", cluster.WS[1], "--count", "2", *flags)
        hello = (await listener.stdout.readline()).decode()
        assert bob in hello and ("epoch" in hello)
        sent = json.loads(await must("send", "--from", alice, "--to", bob, "two\nlines", "--json"))
        assert re.fullmatch(rf"stored in {sent['conversation_id']} as number {sent['seq'] + 1}, id \d+\n",
                            await must("send", "--from", alice, "--to", bob, "second"))
        first, second = [(await listener.stdout.readline()).decode() for _ in range(2)] if flags else ["", ""]
        rest = (await listener.communicate())[0].decode()
        assert listener.returncode == 0
        if flags:
            assert [json.loads(line)["body"]["text"] for line in (first, second)] == ["two\nlines", "second"]
        else:
            assert f"#{sent['seq']}  {alice}: two\nlines\n" in rest and f"#{sent['seq'] + 1}  {alice}: second\n" in rest


async def test_nodes_lists_the_gateways_with_their_connections(skein):
    alice, = await skein.users("alice")
    await alice.connect(0)

    async def is_counted():
        nodes = json.loads(await must("nodes", "--json"))["nodes"]
        assert {node["url"] for node in nodes} == set(cluster.WS)
        return any(node["connections"] > 0 for node in nodes if node["url"] == cluster.WS[0])
    await cluster.becomes(is_counted, 10, "the connection is counted")
    table = await must("nodes")
    assert table.startswith("NODE") and all(url in table for url in cluster.WS)


async def test_the_demo_shows_each_message_with_its_latency(skein):
    lines = await must("demo", "--messages", "4", "--pause", "1ms")
    assert len(re.findall(r"^  (?:Alice|Bob) .* \d+\.\d\d ms$", lines, re.MULTILINE)) == 4
    assert "median" in lines and "gateway-1" in lines and "gateway-2" in lines


async def test_a_wrong_call_is_explained_in_one_sentence(skein):
    for arguments, sentence in {
        ("token",): "--uid", ("token", "--uid", "no uid"): "no uid", ("token", "--uid", "a", "--ttl", "1"): "1",
        ("token", "--uid", "a", "--scope", "root"): "admin", ("send", "--from", "a", "text"): "--to",
        ("send", "--from", "a", "--to", "b"): "text", ("send", "--from", "a", "--to", unique("nobody"), "hi"): "user",
        ("listen", "--uid", "a", "--epoch", "x"): "--offset", ("listen", "--uid", "a", "--gateway", "http:"): "--gateway",
        ("nodes", "--all"): "--all", ("demo", "--messages", "0"): "--messages",
    }.items():
        code, out, err = await run(*arguments)
        assert code == 1 and out.strip() in ("", "Two people, two gateways:"), (arguments, out)
        assert err.count("\n") == 1 and sentence in err, (arguments, err)
    code, out, err = await run("dance")
    assert code == 2 and "no command dance" in err
    code, out, err = await run("--help")
    assert code == 0 and all(command in out for command in ("token", "send", "listen", "nodes", "demo"))
