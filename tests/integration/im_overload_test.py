"""im under more sends than can be stored or delivered: it refuses early, and stores soon what it accepts."""
import asyncio
import pathlib
import socket
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Im, Servers, await_that, run_im, token

SERVERS = None

# One statement takes this long and stores this many messages. So the capacity is small, and the same on every machine.
BATCH, STATEMENT_S = 4, 0.05
CONNECTIONS = 400
RETRY_AFTER = {"1", "2", "3"}


def setUpModule():
    global SERVERS
    SERVERS = Servers()
    code, output = run_im(SERVERS, "--migrate")
    assert code == 0, output


def tearDownModule():
    SERVERS.close()


class Redis:
    """The part of a Redis client that is needed here."""

    def __init__(self, uri):
        at = urllib.parse.urlparse(uri)
        self.socket = socket.create_connection((at.hostname, at.port), timeout=10)
        self.file = self.socket.makefile("rb")

    def call(self, *words):
        parts = [str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        line = self.file.readline()
        assert line[:1] in (b"+", b":", b"$"), line
        return line[1:].strip()

    def report(self, name, wait_ms):
        """Writes the load report of a push process (cluster/push_load.h)."""
        script = ("local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
                  "return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '|' .. string.format('%.0f', now))")
        self.call("EVAL", script, 1, "im:push:load", name, wait_ms)

    def close(self):
        self.socket.close()


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def post(self, path, body, bearer):
        head = (f"POST {path} HTTP/1.1\r\nHost: skein\r\nAuthorization: Bearer {bearer}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")
        self.writer.write(head.encode() + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        lines = answer.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        await self.reader.readexactly(int(headers["content-length"]))
        return int(lines[0].split()[1]), headers


class Load:
    """An open loop: sends at a rate whatever the answers are, each on a free connection."""

    def __init__(self, im, name):
        self.im, self.name, self.number = im, name, 0
        self.users = [f"{name}{i}" for i in range(16)]
        self.bearers = {uid: token(uid) for uid in self.users}
        for uid in self.users:
            im.client(uid).post("/v1/auth/refresh")

    async def open(self):
        self.free = [Connection(*await asyncio.open_connection("127.0.0.1", self.im.http)) for _ in range(CONNECTIONS)]
        self.forget()

    def forget(self):
        self.latencies, self.statuses, self.headers, self.tasks = [], [], [], []
        self.not_offered = self.in_time = 0

    async def send(self, connection, number):
        sender, peer = self.users[number % 16], self.users[(number // 16 + number + 1) % 16]
        body = (f'{{"client_msg_id":"{self.name}{number}","to":{{"user":"{peer}"}},"type":"text",'
                f'"body":{{"text":"overload"}}}}')
        start = time.monotonic()
        status, headers = await connection.post("/v1/messages", body.encode(), self.bearers[sender])
        end = time.monotonic()
        self.free.append(connection)
        self.statuses.append(status)
        if status == 200:
            self.latencies.append(end - start)
            self.in_time += end < self.until
        else:
            self.headers.append(headers)

    def start_one(self):
        self.number += 1
        self.tasks.append(asyncio.ensure_future(self.send(self.free.pop(), self.number)))

    async def at_once(self, count, seconds):
        """A closed loop: always the same number of sends under way."""
        self.forget()
        self.until = time.monotonic() + seconds
        while time.monotonic() < self.until:
            while CONNECTIONS - len(self.free) < count:
                self.start_one()
            await asyncio.sleep(0.002)
        await asyncio.gather(*self.tasks)
        return self.in_time / seconds

    async def at_rate(self, rate, seconds):
        self.forget()
        start = time.monotonic()
        self.until = start + seconds
        due = 0
        while time.monotonic() < self.until:
            for _ in range(int((time.monotonic() - start) * rate) - due):
                due += 1
                if self.free:
                    self.start_one()
                else:
                    self.not_offered += 1
            await asyncio.sleep(0.002)

    async def rest(self):
        await asyncio.gather(*self.tasks)

    def slowest(self, share=0.99):
        return sorted(self.latencies)[int(len(self.latencies) * share)]


class Overload(unittest.TestCase):
    def setUp(self):
        self.im = Im(SERVERS, limits__enabled="false", batch__max=BATCH, admission__store_target="200ms",
                     admission__free_rate="0")

    def tearDown(self):
        self.im.kill()
        SERVERS.sql("drop trigger if exists slow on message")

    def slow_down(self):
        SERVERS.sql(f"create or replace function slow() returns trigger language plpgsql as "
                    f"$$ begin perform pg_sleep({STATEMENT_S}); return null; end $$; "
                    f"create trigger slow after insert on message for each statement execute function slow()")

    def test_three_times_the_capacity_is_refused_early_and_what_is_accepted_is_stored_soon(self):
        self.slow_down()
        asyncio.run(self.overload())

    async def overload(self):
        load = Load(self.im, "over")
        await load.open()
        peak = await load.at_once(2 * BATCH, 2)
        await load.at_rate(3 * peak, 8)
        goodput, sent = load.in_time / 8, len(load.tasks)
        await load.rest()
        self.assertLess(load.not_offered, sent / 10, "the server did not answer in time")
        self.assertEqual(set(load.statuses), {200, 503})
        self.assertGreaterEqual(goodput, 0.8 * peak)
        self.assertLessEqual(load.slowest(), 1)
        self.assertLessEqual(load.slowest(0.5), 0.5)
        self.assertEqual({headers["retry-after"] for headers in load.headers}, RETRY_AFTER)
        await load.at_rate(0.3 * peak, 2) # it recovers
        await load.rest()
        await load.at_rate(0.3 * peak, 2)
        await load.rest()
        self.assertEqual(set(load.statuses), {200})
        self.assertLessEqual(load.slowest(), 0.5)

    def test_requests_over_their_limit_are_refused_at_once_and_all_waiting_ones_are_counted(self):
        im = Im(SERVERS, name="im-few", limits__requests="2")
        self.addCleanup(im.kill)
        for uid in ("few-a", "few-b"):
            im.client(uid).post("/v1/auth/refresh")
        statuses = []
        senders = [threading.Thread(target=lambda key=key: statuses.append(im.client("few-a").send(key, "user:few-b").status))
                   for key in "12"]
        with SERVERS.session() as session:
            session.run("begin; lock table message in exclusive mode;")
            for sender in senders:
                sender.start()
            await_that(lambda: im.metric("skein_im_http_requests_waiting") == 2, "two wait")
            await_that(lambda: im.metric('skein_im_postgres_waiting{class="sends"}') > 0, "their statement waits")
            answer = im.client("few-a").get("/v1/endpoints")
            self.assertEqual((answer.status, answer.json["code"]), (503, "unavailable"))
            self.assertIn(answer.headers["retry-after"], RETRY_AFTER)
            self.assertGreaterEqual(im.metric("skein_im_http_connections"), 2)
        for sender in senders:
            sender.join()
        self.assertEqual(statuses, [200, 200])
        await_that(lambda: im.metric("skein_im_http_requests_waiting") == 0, "nothing waits")
        await_that(lambda: im.metric("skein_im_redis_waiting") == 0, "no command of im's regular work waits either")

    def test_messages_waiting_for_push_count_as_long_as_push_makes_progress(self):
        redis, client = Redis(SERVERS.redis), self.im.client("push-a")
        self.im.client("push-b").post("/v1/auth/refresh")
        numbers = iter(range(1, 1000000))

        def send():
            return client.send(f"push{next(numbers)}", "user:push-b").status

        def send_while_push_is_behind():
            redis.report("push-1", 5000)
            redis.report("push-2", 0)
            return send()

        self.assertEqual({send() for _ in range(20)}, {200})
        await_that(lambda: send_while_push_is_behind() == 503, "sends are refused")
        await_that(lambda: send_while_push_is_behind() == 200, "some are let in")
        # No report any more: push counts as dead, and Kafka is the buffer.
        await_that(lambda: self.im.metric("skein_im_admission_refused_percent") == 0, "all are let in again", 5)
        self.assertEqual({send() for _ in range(50)}, {200})
        redis.close()

    def test_a_malformed_report_of_push_is_ignored(self):
        redis, client = Redis(SERVERS.redis), self.im.client("nonsense-a")
        self.im.client("nonsense-b").post("/v1/auth/refresh")
        for field, value in enumerate(("", "|", "x|y", "99999999999999999999|1", "5000", "-1|-1", "5000|99999999999999")):
            redis.call("HSET", "im:push:load", f"odd{field}", value)
        until, number = time.monotonic() + 0.5, 0
        while time.monotonic() < until:
            number += 1
            self.assertEqual(client.send(f"odd{number}", "user:nonsense-b").status, 200)
        redis.call("DEL", "im:push:load")
        redis.call("SET", "im:push:load", "not a hash")
        self.assertEqual(client.send("not-a-hash", "user:nonsense-b").status, 200)
        redis.call("DEL", "im:push:load")
        redis.close()


if __name__ == "__main__":
    unittest.main()
