"""Three brokers. One after the other freezes or dies; im and push go on with the other two."""
import ctypes
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import ROOT, Im, Push, Servers, await_that, free_ports, run_im

PRODUCER = 0 # rd_kafka_type_t
BROKERS = 3
STANDS_STILL_S = 6 # the other two notice after 2 s
CATCHES_UP_S = 60 # clients give a broker up after 10 s, and push has to find its group's new coordinator
PACE_S = 0.02
LOG_TAIL = 3000 # of each process, when messages do not arrive
OLDEST_REPEAT_MS = 30000 # repeats of uncommitted records are younger; a topic read from its beginning has older ones

SERVERS = IM = KAFKA = None
PUSHES = []


class Partition(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int32), ("err", ctypes.c_int), ("leader", ctypes.c_int32), ("replica_count", ctypes.c_int),
                ("replicas", ctypes.c_void_p), ("in_sync_count", ctypes.c_int), ("in_sync", ctypes.c_void_p)]


class Topic(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("partition_count", ctypes.c_int), ("partitions", ctypes.POINTER(Partition)),
                ("err", ctypes.c_int)]


class Metadata(ctypes.Structure):
    """struct rd_kafka_metadata"""
    _fields_ = [("broker_count", ctypes.c_int), ("brokers", ctypes.c_void_p), ("topic_count", ctypes.c_int),
                ("topics", ctypes.POINTER(Topic)), ("asked_id", ctypes.c_int32), ("asked_name", ctypes.c_char_p)]


class Brokers:
    """Each broker is a controller as well. Settings are those of the local cluster, with three copies of everything."""

    def __init__(self, servers):
        self.folder = servers.folder / "brokers"
        self.folder.mkdir()
        ports = free_ports(servers.base + 300, 2 * BROKERS)
        self.ports, controllers = range(ports, ports + BROKERS), range(ports + BROKERS, ports + 2 * BROKERS)
        self.uris = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        self.voters = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(controllers))
        self.processes = [None] * BROKERS
        for i in range(BROKERS):
            self.write_conf(i, f"127.0.0.1:{self.ports[i]}", f"127.0.0.1:{controllers[i]}")
            format = self.command("kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", self.conf(i))
            subprocess.run(format, check=True, capture_output=True)
            self.start(i)
        for i in range(BROKERS):
            self.await_up(i)
        self.open_client()

    def write_conf(self, i, address, controller):
        template = (ROOT / "deploy" / "config" / "kafka.properties").read_text()
        settings = dict(line.split("=", 1) for line in template.splitlines() if "=" in line and not line.startswith("#"))
        settings.update({
            "node.id": str(i + 1), "log.dirs": str(self.folder / str(i)), "controller.quorum.voters": self.voters,
            "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}", "advertised.listeners": f"PLAINTEXT://{address}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "default.replication.factor": "3", "min.insync.replicas": "2", "offsets.topic.replication.factor": "3",
        })
        self.conf(i).write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    def open_client(self):
        self.lib = ctypes.CDLL("librdkafka.so.1")
        self.lib.rd_kafka_conf_new.restype = self.lib.rd_kafka_new.restype = ctypes.c_void_p
        conf, error = ctypes.c_void_p(self.lib.rd_kafka_conf_new()), ctypes.create_string_buffer(512)
        self.lib.rd_kafka_conf_set(conf, b"bootstrap.servers", self.uris.encode(), error, len(error))
        self.client = ctypes.c_void_p(self.lib.rd_kafka_new(PRODUCER, conf, error, len(error)))

    def conf(self, i):
        return self.folder / f"{i}.properties"

    def log(self, i):
        return self.folder / f"{i}.log"

    def command(self, program, *arguments):
        return ["java", "-Xms256m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                f"-Dlog4j.configuration=file:{ROOT}/deploy/config/kafka-log4j.properties",
                "-cp", f"{ROOT}/build/kafka/*", program, *map(str, arguments)]

    def start(self, i):
        with self.log(i).open("w") as log:
            self.processes[i] = subprocess.Popen(self.command("kafka.Kafka", self.conf(i)), stdout=log, stderr=log)

    def await_up(self, i):
        await_that(lambda: "Kafka Server started" in self.log(i).read_text(), f"broker {i} is up", 60)

    def signal(self, i, number):
        self.processes[i].send_signal(number)

    def are_in_sync(self):
        """Whether every replica of every partition is in sync."""
        metadata = ctypes.POINTER(Metadata)()
        if self.lib.rd_kafka_metadata(self.client, 1, None, ctypes.byref(metadata), 5000) != 0:
            return False
        topics = metadata.contents.topics[:metadata.contents.topic_count]
        partitions = [partition for topic in topics for partition in topic.partitions[:topic.partition_count]]
        in_sync = bool(partitions) and all(each.in_sync_count == each.replica_count for each in partitions)
        self.lib.rd_kafka_metadata_destroy(metadata)
        return in_sync

    def close(self):
        self.lib.rd_kafka_destroy(self.client)
        for process in self.processes:
            process.kill()
            process.wait()


def setUpModule():
    global SERVERS, IM, KAFKA
    SERVERS = Servers()
    KAFKA = Brokers(SERVERS)
    SERVERS.kafka = KAFKA.uris
    code, output = run_im(SERVERS, "--migrate", **{"kafka.replication": "3"})
    assert code == 0, output
    IM = Im(SERVERS, limits__enabled="false")
    PUSHES.extend(Push(SERVERS, f"push-{n}") for n in (1, 2))


def tearDownModule():
    for process in (*PUSHES, KAFKA, SERVERS):
        process.close()
    IM.kill()


class Sender:
    """Sends from one user to the other at a pace, until it is stopped. A refused send is tried again under the same key."""

    def __init__(self, name):
        self.uids = [f"{name}-a", f"{name}-b"]
        for uid in self.uids:
            IM.client(uid).post("/v1/auth/refresh")
        self.sent = 0
        self.is_over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client = IM.client(self.uids[0])
        while not self.is_over:
            if client.send(str(self.sent), f"user:{self.uids[1]}").status == 200:
                self.sent += 1
            time.sleep(PACE_S)

    def stop(self):
        self.is_over = True
        self.thread.join()


class Inbox:
    """The messages that a user has got so far, read by a device that polls sync."""

    def __init__(self, uid):
        self.client, self.position, self.entries = IM.client(uid), {}, []
        self.newest = 0

    def read(self):
        more = True
        while more:
            query = "&".join(f"{key}={value}" for key, value in {**self.position, "limit": 500}.items())
            page = self.client.get(f"/v1/sync?{query}").json
            assert not page["reset"], page
            self.entries += [(int(entry["message"]["seq"]), int(entry["message"]["time"])) for entry in page["messages"]]
            self.position = {"epoch": page["epoch"], "offset": page["next_offset"]}
            more = page["more"]
        self.newest = max([self.newest, *(seq for seq, _ in self.entries[-1000:])])
        return self.newest


class KafkaBrokers(unittest.TestCase):
    def test_a_frozen_or_dead_broker_costs_a_pause_and_no_message_and_repeats_no_old_record(self):
        sender = Sender("brokers")
        self.addCleanup(sender.stop)
        await_that(lambda: sender.sent > 0, "messages are stored")
        inbox = Inbox(sender.uids[1])

        def catches_up(what):
            wanted = sender.sent + 10
            try:
                await_that(lambda: inbox.read() >= wanted, f"messages arrive: {what}", CATCHES_UP_S)
            except AssertionError:
                print(f"{sender.sent} sent, {inbox.newest} arrived, {wanted} wanted")
                for log in (*(push.log for push in PUSHES), *map(KAFKA.log, range(BROKERS))):
                    print(f"---- {log.name}\n{log.read_text()[-LOG_TAIL:]}")
                raise

        for i in range(BROKERS):
            KAFKA.signal(i, signal.SIGSTOP)
            time.sleep(STANDS_STILL_S)
            catches_up(f"broker {i} stands still")
            KAFKA.signal(i, signal.SIGCONT)
            catches_up(f"broker {i} goes on")
            await_that(KAFKA.are_in_sync, "all three have everything", 60)
        KAFKA.signal(0, signal.SIGKILL)
        catches_up("broker 0 is dead")
        sender.stop()
        await_that(lambda: inbox.read() == sender.sent, "all have arrived", CATCHES_UP_S)
        self.check(inbox, sender.sent)

    def check(self, inbox, sent):
        newest, newest_ms = inbox.entries[0]
        for seq, time_ms in inbox.entries[1:]:
            if seq > newest:
                self.assertEqual(seq, newest + 1)
                newest, newest_ms = seq, time_ms
            else:
                self.assertLess(newest_ms - time_ms, OLDEST_REPEAT_MS, f"{seq} came again after {newest}")
        self.assertEqual(newest, sent)
