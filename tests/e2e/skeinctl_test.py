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
            assert f"#{sent['seq']}  {alice}: two\\nlines\n" in rest and f"#{sent['seq'] + 1}  {alice}: second\n" in rest


async def test_listen_says_why_it_cannot_go_on(skein, monkeypatch, tmp_path):
    bob = unique("bob")
    for state, why in (tmp_path, "Is a directory"), (tmp_path / "no" / "state", "No such file or directory"):
        code, _, err = await run("listen", "--uid", bob, "--state", str(state))
        assert (code, err) == (1, f"skeinctl: {state}: {why}\n")
    monkeypatch.setenv("SKEIN_JWT_SECRET", "a-secret-of-another-cluster")
    listener = await start("listen", "--uid", bob)
    try:
        while b"the server refuses the token" not in (line := await listener.stderr.readline()):
            assert line, "it ended"
    finally:
        listener.kill()
        await listener.wait()


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
        ("token",): "--uid", ("token", "--uid", "a", "--ttl", "1"): "1", ("token", "--uid", "a", "--scope", "root"): "admin",
        ("send", "--from", "a", "text"): "--to", ("send", "--from", "a", "--to", "b"): "TEXT",
        ("send", "--from", "a", "--to", "b", "--group", "c", "hi"): "give exactly one of --to, --group",
        ("listen", "--uid", "a", "--epoch", "x"): "--offset", ("listen", "--uid", "a", "--count", "x"): "--count",
        ("nodes", "--all"): "no option --all here: see skeinctl nodes --help", ("demo", "--messages", "0"): "--messages",
        ("groups", "show", "g", "more"): "unexpected argument \"more\": see skeinctl groups show --help",
        ("nodes", "--json=yes"): "--json takes no value", ("groups", "members", "g", "--limit"): "--limit needs a value",
        ("groups", "members", "g", "--as", "a", "--token", "t"): "token", ("nodes", "--token", "a b"): "no JWT",
        ("dance",): "no command dance", ("groups", "dance"): "no command groups dance", ("completion", "fish"): "bash",
    }.items():
        code, out, err = await run(*arguments)
        assert (code, out) == (2, ""), (arguments, out)
        assert err.startswith("skeinctl: ") and err.count("\n") == 1 and sentence in err, (arguments, err)
    for arguments, sentence in {
        ("token", "--uid", "no uid"): "\"no uid\" is no uid: 1-64 of A-Z a-z 0-9 _ . -",
        ("listen", "--uid", "a", "--gateway", "http:"): "SKEIN_HTTP, --device, --gateway, --epoch, --offset or the state is not valid",
        ("send", "--from", "a", "--to", unique("nobody"), "hi"): "not_found: there is no such user (to.user)",
        ("groups", "members", "a b", "--as", "a"): "invalid_argument: gid must be 1 to 64 of A-Z a-z 0-9 _ . -",
        ("nodes", "--token", await must_of_user()): "permission_denied: the token has no scope admin",
    }.items():
        assert await run(*arguments) == (1, "", f"skeinctl: {sentence}\n")


async def must_of_user():
    return (await must("token", "--uid", unique("carol"))).strip()


async def test_a_group_is_shown_page_by_page_and_dissolved_by_its_owner(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    await alice.request("PATCH", "/v1/users/me", body={"name": "Alice"})
    group = await alice.group(bob, carol)
    shown = await must("groups", "show", group.gid, "--as", bob.uid)
    assert f"group_id: {group.gid}\n" in shown and f"owner: {alice.uid}\n" in shown
    table = (await must("groups", "members", group.gid, "--as", bob.uid)).splitlines()
    assert [line.split()[0] for line in table] == ["UID", *sorted(user.uid for user in (alice, bob, carol))]
    whole = json.loads(await must("groups", "members", group.gid, "--as", bob.uid, "--json"))
    code, out, err = await run("groups", "members", group.gid, "--as", bob.uid, "--limit", "2", "--json")
    first = json.loads(out)
    assert (code, err) == (0, "") and first["members"] == whole["members"][:2] and "next_cursor" not in whole
    rest = json.loads(await must("groups", "members", group.gid, "--as", bob.uid, "--cursor", first["next_cursor"], "--json"))
    assert rest == {"members": whole["members"][2:]}
    assert await run("groups", "dissolve", group.gid, "--as", bob.uid) == \
        (1, "", "skeinctl: permission_denied: the caller's role in the group does not allow this\n")
    assert await must("groups", "dissolve", group.gid, "--token", alice.token) == f"{group.gid} is dissolved\n"


async def test_a_message_with_the_same_key_is_stored_once(skein):
    alice, bob = await skein.users("alice", "bob")
    words = "send", "--from", alice.uid, "--to", bob.uid, "--key", "k-1", "--json", "--", "--hi"
    first, again = [json.loads(await must(*words)) for _ in range(2)]
    assert again == {**first, "duplicate": True}
    stored, = await bob.read(alice)
    assert stored["body"] == {"text": "--hi"}
