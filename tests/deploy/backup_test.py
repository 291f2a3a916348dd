"""A dump of PostgreSQL while everything runs, and its restore, by the commands of docs/operate/docker.md as they stand there."""
import asyncio

import pytest
from compose import block_of
from traffic import CUT, REFUSED, UNAVAILABLE, in_thread

PASSWORD = "correct horse battery staple"
EVERYTHING_STOPS = {REFUSED, CUT, UNAVAILABLE, 1001, 1013}


def run_documented(project, section, word, folder):
    output = project.run("bash", "-e", "-o", "pipefail", "-c", project.as_documented(block_of(section, word)), cwd=folder)
    print(output)


async def send_until(stopped, alice, bob, texts):
    """Adds each text when its send was answered 200."""
    while not stopped.is_set():
        await alice.say(bob, str(len(texts)))
        texts.append(str(len(texts)))
        await asyncio.sleep(0.02)


async def login(skein, uid):
    return await skein.request("POST", "/v1/auth/login", body={"uid": uid, "password": PASSWORD})


async def test_a_dump_under_load_is_restored_and_clients_go_on(project, skein, tmp_path):
    from client import text_of, unique
    from phone import Phone
    alice, bob, carol, dave = await skein.users("alice", "bob", "carol", "dave")
    dora = unique("dora")
    (await skein.request("POST", "/v1/users", body={"uid": dora, "name": "Dora", "password": PASSWORD})).expect(201)
    phone = Phone(bob, gateway=0, may=EVERYTHING_STOPS)
    phone.start()
    await phone.is_connected()
    await carol.say(bob, "before")

    # The dump, while messages flow.
    texts, stopped = [], asyncio.Event()
    sending = asyncio.ensure_future(send_until(stopped, alice, bob, texts))
    while len(texts) < 20:
        await asyncio.sleep(0.02)
    before = len(texts)
    await in_thread(run_documented, project, "## Backup", "pg_dump", tmp_path)
    after = len(texts)
    while len(texts) < after + 20:
        await asyncio.sleep(0.02)
    stopped.set()
    await sending
    assert before < after

    # After the dump: what a restore takes away.
    lost = alice.draft(bob, "lost", key="lost-1")
    (await alice.post(lost)).expect(200)
    await dave.say(bob, "a conversation that begins after the dump")
    (await dave.request("POST", "/v1/auth/logout")).expect(204)
    while (await dave.request("GET", "/v1/endpoints")).status != 401:  # every im knows within 2 s
        await asyncio.sleep(0.1)
    await phone.has(len(texts) + 3)
    assert phone.repeats == phone.resets == 0

    await in_thread(run_documented, project, "### Restore", "pg_restore", tmp_path)
    await in_thread(project.await_healthy, 120)

    # Everything that was stored before the dump began is there, without a hole.
    history = await alice.read_all(bob)
    kept = len(history)
    print(f"{before} messages before the dump, {kept} restored, {len(texts) + 1} were stored in all")
    assert before <= kept <= after
    assert [(m["seq"], text_of(m)) for m in history] == [(i + 1, texts[i]) for i in range(kept)]
    assert [text_of(m) for m in await carol.read(bob)] == ["before"]
    assert await dave.read(bob) == []
    (await login(skein, dora)).expect(200)

    # The phone had a position and messages of after the dump. It gets a reset, and sees live what is new to it.
    await phone.is_connected()
    await carol.say(bob, "after")
    await phone.has(len(texts) + 4)
    assert text_of(phone.messages[-1]) == "after" and phone.resets == 1

    # Numbers of lost messages are given out again: a phone that has the lost message takes the new one for a repeat of it.
    tablet = await bob.connect(device="tablet")
    repeats = phone.repeats
    again = (await alice.post(lost)).expect(200).json
    assert again["seq"] == kept + 1 and not again.get("duplicate")
    assert text_of(await tablet.message()) == "lost"
    for n in range(kept + 2, len(texts) + 3):  # up to the first number that is new to the phone
        await alice.say(bob, f"number {n}")
    await phone.has(len(texts) + 5)
    assert text_of(phone.messages[-1]) == f"number {len(texts) + 2}"
    assert phone.repeats >= repeats + len(texts) + 1 - kept
    # A logout of after the dump is forgotten.
    await dave.endpoints()
    await phone.stop()


async def test_a_restore_of_a_dump_that_is_cut_off_leaves_an_empty_database(project, skein, tmp_path):
    """It is one transaction: nothing is half restored. The commands of the restore can be repeated."""
    alice, bob = await skein.users("alice", "bob")
    await alice.say(bob, "kept")
    await in_thread(run_documented, project, "## Backup", "pg_dump", tmp_path)
    dump = (tmp_path / "skein.dump").read_bytes()
    (tmp_path / "skein.dump").write_bytes(dump[:len(dump) * 3 // 4])
    with pytest.raises(AssertionError, match="pg_restore: error"):
        await in_thread(run_documented, project, "### Restore", "pg_restore", tmp_path)
    tables = await in_thread(project.sql, "select count(*) from pg_tables where schemaname = 'public'")
    assert tables == "0"
    (tmp_path / "skein.dump").write_bytes(dump)
    await in_thread(run_documented, project, "### Restore", "pg_restore", tmp_path)
    await in_thread(project.await_healthy, 120)
    assert [m["body"]["text"] for m in await bob.read(alice)] == ["kept"]
