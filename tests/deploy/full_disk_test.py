"""A disk is full, and has room again: nothing that was answered is lost, and nobody has to do anything else.

The volumes of PostgreSQL and Kafka are small file systems of their own (tmpfs), so this is a project of its own, with one
process of each service.
"""
import asyncio
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest
from compose import Project, block_of
from traffic import UNAVAILABLE, in_thread

SIZES_MB = {"postgres": 300, "kafka": 200}
OVERRIDE = """volumes:
  postgres: {{driver_opts: {{type: none, o: bind, device: {folder}/postgres}}}}
  kafka: {{driver_opts: {{type: none, o: bind, device: {folder}/kafka}}}}
"""
BACK_WITHIN_S = 60


class Disk:
    """A file system of a store."""

    def __init__(self, folder):
        self.folder, self.filler = folder, folder / "filler"

    def fill(self):
        with self.filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):  # ENOSPC
            while True:
                file.write(b"\0" * 4096)

    def make_room(self):
        self.filler.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def disks():
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="skein-disks-"))
    folder.chmod(0o755)
    made = {}
    try:
        for name, size in SIZES_MB.items():
            (folder / name).mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=1777", "tmpfs", folder / name], check=True)
            made[name] = Disk(folder / name)
        (folder / "override.yml").write_text(OVERRIDE.format(folder=folder))
        yield made
    finally:
        for disk in made.values():
            subprocess.run(["umount", disk.folder], check=True)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def small(project, disks):
    """With the key of the first project, put there before the first start as docs/operate/docker.md says ("Secrets")."""
    folder = disks["postgres"].folder.parent
    one_each = dict.fromkeys(("SKEIN_GATEWAYS", "SKEIN_IMS", "SKEIN_PUSHES", "SKEIN_ROUTERS"), "1")
    made = Project(project.daemon, "skein-test-disk", folder / "override.yml", **one_each)
    (folder / "my-key").write_text(project.secret("jwt"))
    try:
        made.run("bash", "-e", "-c", made.as_documented(block_of("## Secrets", "docker volume create")), cwd=folder)
        made.up()
        yield made
    finally:
        made.remove()


@pytest.fixture
def here(small, monkeypatch):
    """The clients of tests/e2e use the small project."""
    import cluster
    monkeypatch.setattr(cluster, "HTTP", [small.http])
    monkeypatch.setattr(cluster, "WS", [small.ws])
    return small


def restarts(project, service):
    return sum(container["RestartCount"] for container in project.containers(service))


async def test_postgres_with_a_full_disk_stores_nothing_more_and_goes_on_when_there_is_room(here, skein, disks):
    alice, bob = await skein.users("alice", "bob")
    before = restarts(here, "im")
    stored, refused, full_since = [], 0, None
    disks["postgres"].fill()
    try:
        deadline = time.monotonic() + 60
        draft = alice.draft(bob, "0".zfill(4000))
        while full_since is None or time.monotonic() < full_since + 5:
            assert time.monotonic() < deadline, f"{len(stored)} messages fit on a full disk"
            outcome = await alice.attempt("POST", "/v1/messages", body=draft)
            if outcome == UNAVAILABLE:
                refused += 1
                full_since = full_since or time.monotonic()
                await asyncio.sleep(0.1)
                continue
            stored.append(outcome.expect(200).json["seq"])
            draft = alice.draft(bob, str(len(stored)).zfill(4000))
    finally:
        disks["postgres"].make_room()
    start = time.monotonic()
    stored.append((await alice.insist(draft, {UNAVAILABLE}, within_s=BACK_WITHIN_S))["seq"])
    print(f"{len(stored)} messages stored, {refused} sends answered 503; stored again {time.monotonic() - start:.1f} s after there was room")
    assert stored == list(range(1, len(stored) + 1))
    assert [int(m["body"]["text"]) for m in await bob.read_all(alice)] == list(range(len(stored)))
    assert "No space left on device" in here.compose("logs", "im"), "im says why it refuses"
    assert restarts(here, "im") == before
    await in_thread(here.await_healthy, BACK_WITHIN_S)


async def test_kafka_with_a_full_disk_delays_messages_and_loses_none(here, skein, disks):
    from client import text_of
    from phone import Phone
    alice, bob = await skein.users("alice", "bob")
    phone = Phone(bob, gateway=0)
    phone.start()
    await phone.is_connected()
    before, sent = restarts(here, "kafka"), 0
    disks["kafka"].fill()
    try:
        deadline = time.monotonic() + 60
        while restarts(here, "kafka") < before + 2:  # it cannot start either
            assert time.monotonic() < deadline, "Kafka does not mind"
            await alice.say(bob, str(sent))  # stored and answered: im keeps the record for Kafka
            sent += 1
            await asyncio.sleep(0.05)
    finally:
        disks["kafka"].make_room()
    start = time.monotonic()
    await phone.has(sent, within_s=BACK_WITHIN_S)
    print(f"{sent} messages; all there {time.monotonic() - start:.1f} s after there was room")
    assert [text_of(message) for message in phone.messages] == [str(n) for n in range(sent)]
    await phone.stop()
    await in_thread(here.await_healthy, BACK_WITHIN_S)
