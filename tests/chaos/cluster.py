"""The cluster of a chaos run, on deploy/local/cluster: its processes and proxies, and what faults do to them."""
import asyncio
import json
import os
import pathlib
import shutil
import signal
import time
import urllib.parse

import links

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
SCRIPT = ROOT / "deploy" / "local" / "cluster"
TRUTH = """copy (select id, seq, msg_id, sender, coalesce(client_msg_id, ''), fn.type_name(type), coalesce(body, '{}')
	from message join conversation using (no) order by 1, 2) to stdout"""


class Failed(Exception):
    """The cluster did not do what it was told."""


async def run(command, environment, within_s=120):
    process = await asyncio.create_subprocess_exec(*map(str, command), env=environment, stdin=asyncio.subprocess.DEVNULL,
                                                   stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), within_s)
    except TimeoutError as error:
        process.kill()
        raise Failed(f"{command[0]} did not end within {within_s} s") from error
    return process.returncode, output.decode(errors="replace")


class Proxies:
    """proxy.c, commanded line by line."""

    def __init__(self, binary):
        self.binary = binary
        self.process = None

    async def start(self, arguments):
        self.process = await asyncio.create_subprocess_exec(
            str(self.binary), *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True)
        await self._answer("start")

    async def tell(self, command):
        """The number in the answer, or 0."""
        self.process.stdin.write(f"{command}\n".encode())
        return await self._answer(command)

    async def _answer(self, command):
        answer = (await asyncio.wait_for(self.process.stdout.readline(), 10)).decode().strip()
        if answer != "ok" and not answer.startswith("ok "):
            raise Failed(f"chaos_proxy: {command}: {answer or 'it is gone'}")
        return int(answer[3:] or 0)

    async def stop(self):
        if self.process:
            self.process.stdin.close()
            await self.process.wait()


class Cluster:
    def __init__(self, options, has_clocks):
        self.run_dir, self.bin_dir, port_base = options.run_dir, options.bin, options.port_base
        self.links = links.Links(port_base, options.kafkas)
        self.proxies = Proxies(self.bin_dir / "chaos_proxy")
        self.port_base, self.has_clocks = port_base, has_clocks
        self.replica = None
        self.clocks = self.run_dir / "clocks"
        self.environment = {**os.environ, "RUN_DIR": str(self.run_dir), "PORT_BASE": str(port_base), "BIN": str(self.bin_dir),
                            "LINKS": str(self.run_dir / "links"), "LIMITS": "off", "KAFKAS": str(options.kafkas), "LOG_LIMIT": str(1 << 40),
                            "SERVICE_WRAPPER": str(HERE / "run_service"), "CHAOS_CLOCKS": str(self.clocks)}
        if options.sabotage:
            self.environment["SKEIN_SABOTAGE"] = options.sabotage
        self.environment.setdefault("KAFKA_JARS", str(ROOT / "build" / "kafka"))
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "SIZE", "GATEWAYS", "IMS", "PUSHES", "ROUTERS"):
            self.environment.pop(name, None)

    async def script(self, *arguments, within_s=180):
        code, output = await run([SCRIPT, *arguments], self.environment, within_s)
        if code:
            raise Failed(f"cluster {' '.join(arguments)}: {output[-3000:]}")
        return output

    # -- life --

    async def start(self):
        """Starts a new cluster without any data of the last one."""
        if self.run_dir.exists():
            await self.script("down")
            await self.script("clean-data")
            shutil.rmtree(self.run_dir / "logs", ignore_errors=True)
        self.clocks.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.clocks)
        self.clocks.mkdir()
        if self.has_clocks:
            for name in links.schedule.ALL:
                self.set_clock(name, "+0")
        (self.run_dir / "links").write_text(self.links.table())
        await self.proxies.start(self.links.arguments())
        await self.script("up")

    async def stop(self):
        for name in self.names():
            self.signal(name, signal.SIGCONT)
        await self.script("down")
        await self.stop_replica()
        await self.proxies.stop()

    def names(self):
        return [path.name for path in (self.run_dir / "pids").glob("*")]

    def settings(self):
        return dict(line.split("=", 1) for line in (self.run_dir / "env").read_text().splitlines())

    def services(self):
        """Their internal addresses."""
        return [pair.split("=", 1)[1] for pair in self.settings()["SKEIN_INTERNAL"].strip("'").split(",")]

    # -- processes --

    def pid(self, name):
        return int((self.run_dir / "pids" / name).read_text())

    def pid_if_any(self, name):
        try:
            return self.pid(name)
        except (FileNotFoundError, ValueError):
            return None

    def signal(self, name, number):
        try:
            os.kill(self.pid(name), number)
        except (ProcessLookupError, FileNotFoundError, ValueError):
            return False
        return True

    def children(self, name):
        """PostgreSQL's processes: stopping the postmaster alone does not stop its backends."""
        pid = self.pid(name)
        try:
            return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def signal_family(self, name, number):
        for pid in [self.pid(name), *self.children(name)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def stopped(self, name):
        """How many of its processes stand still; 0 if the first of them does not."""
        pid = self.pid_if_any(name)
        if pid is None or not is_stopped(pid):
            return 0
        return 1 + sum(map(is_stopped, self.children(name)))

    async def up(self):
        await self.script("up")

    # -- the clock of one service --

    def set_clock(self, name, offset):
        new = self.clocks / f"{name}.new"
        new.write_text(f"{offset}\n")
        new.rename(self.clocks / name)

    def has_fake_clock(self, name):
        """Whether the process has loaded libfaketime."""
        try:
            return "libfaketime" in pathlib.Path(f"/proc/{self.pid(name)}/maps").read_text()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return False

    # -- stores --

    def redis_port(self):
        return links.port_of(self.port_base, "redis", "resp")

    async def flush(self):
        """How many keys there were."""
        size = await redis_ask(self.redis_port(), "DBSIZE")
        await redis_ask(self.redis_port(), "FLUSHALL")
        return int(size)

    async def start_replica(self):
        """A second Redis that has everything that the first one has. It ends with this process."""
        if self.replica is None:
            server = shutil.which("redis-server") or str(ROOT / "build" / "redis" / "redis-server")
            self.replica = await asyncio.create_subprocess_exec(
                "setpriv", "--pdeathsig", "KILL", server, "--port", str(self.replica_port()), "--bind", "127.0.0.1", "--save", "",
                "--dir", str(self.run_dir / "data"), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL)
        await self.follow(self.replica_port(), self.redis_port())

    def _redis_pids(self):
        """{port: pid} of Redis and its replica. Another process on one of these ports is not touched."""
        return {self.redis_port(): self.pid_if_any("redis"), self.replica_port(): self.replica and self.replica.pid}

    async def _ask_ours(self, port, command):
        if f"process_id:{self._redis_pids()[port]}\r" not in await redis_ask(port, "INFO server"):
            raise Failed(f"the Redis on {port} is not of this cluster")
        return await redis_ask(port, command)

    def replica_port(self):
        return self.port_base + links.REPLICA

    async def stop_replica(self):
        if self.replica is not None:
            self.replica.kill()
            await self.replica.wait()
        self.replica = None

    async def follow(self, port, master):
        """Makes the Redis on `port` a replica, and waits until it has everything."""
        deadline = time.monotonic() + 20
        while True:
            try:
                await self._ask_ours(master, "CONFIG SET repl-diskless-sync-delay 0")
                await self._ask_ours(port, f"REPLICAOF 127.0.0.1 {master}")
                while "master_link_status:up" not in await redis_ask(port, "INFO replication"):
                    if time.monotonic() > deadline:
                        raise Failed(f"the replica on {port} has not got everything")
                    await asyncio.sleep(0.05)
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Failed(f"Redis on {master} and its replica on {port}: {error}") from error
                await asyncio.sleep(0.05)

    async def promote(self, port):
        """The replica on `port` answers at Redis' address from now on. How many keys it has."""
        await self._ask_ours(port, "REPLICAOF NO ONE")
        keys = await redis_ask(port, "DBSIZE")
        for name in self.links.to_redis():
            await self.proxies.tell(f"aim {name} {port}")
        return int(keys)

    async def query(self, statement):
        """psql's output."""
        uri = urllib.parse.urlsplit(self.settings()["SKEIN_PG"].strip("'"))
        environment = {**os.environ, "PGHOST": uri.hostname, "PGPORT": str(uri.port), "PGUSER": uri.username,
                       "PGPASSWORD": uri.password, "PGDATABASE": uri.path[1:], "PGCONNECT_TIMEOUT": "10"}
        code, output = await run(["psql", "-XAtq", "-c", statement], environment)
        if code:
            raise Failed(f"psql: {output[-500:]}")
        return output

    async def last_seqs(self):
        rows = (await self.query("select id, last_seq from conversation")).splitlines()
        return {name: int(seq) for name, _, seq in (row.rpartition("|") for row in rows)}


async def redis_ask(port, command):
    """The answer to one command, as text."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{command}\r\n".encode())
        line = (await asyncio.wait_for(reader.readline(), 10)).decode().strip()
        if line.startswith("$"):
            return (await asyncio.wait_for(reader.readexactly(int(line[1:])), 10)).decode()
    finally:
        writer.close()
    if line[:1] not in ("+", ":"):
        raise Failed(f"Redis on {port} answered {command} with {line!r}")
    return line[1:]


def is_stopped(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("T")
    except (FileNotFoundError, ProcessLookupError):
        return False


def unescaped(cell):
    """COPY's text format, as far as JSON bodies need it."""
    return cell.replace("\\\\", "\\")


def text_of(body):
    value = json.loads(unescaped(body))
    return value["text"] if isinstance(value, dict) and set(value) == {"text"} else "\x01"


def wall_ms():
    return int(time.time() * 1000)
