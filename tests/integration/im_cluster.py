"""What the tests of im share: PostgreSQL, Redis and Kafka of their own, im processes, an HTTP client, a reader of Kafka."""
import base64
import collections
import ctypes
import hashlib
import hmac
import http.client
import importlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "build" / "bin")).resolve()
SECRET = "0123456789abcdef0123456789abcdef"
PATIENCE_S = 30


def await_that(condition, what, seconds=PATIENCE_S):
    """Polls until the condition holds: another process gives no event to wait for."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return result


def free_ports(first, count):
    def is_free(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0
    while not all(is_free(port) for port in range(first, first + count)):
        first += count
    return first


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(uid, secret=SECRET, header=None, **claims):
    """A JWT; claims of None are left out."""
    claims = {"sub": uid, "iat": int(time.time()), "exp": int(time.time()) + 3600, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    head = encode(json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode())
    signed = head + b"." + encode(json.dumps(claims).encode())
    return (signed + b"." + encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())).decode()


def claims_of(text):
    payload = text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def token_id(text):
    """That of its family, as in libcommon/net/jwt.h."""
    signed, claims = text.rsplit(".", 1)[0], claims_of(text)
    family = claims.get("sid") or claims.get("jti") or encode(hashlib.sha256(signed.encode()).digest()[:16]).decode()
    return hashlib.sha256(f"{claims['sub']}\n{family}".encode()).digest()[:16]


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.read()
        is_json = "json" in (response.headers.get("Content-Type") or "")
        self.json = json.loads(self.text) if is_json and self.text else None

    def __repr__(self):
        return f"{self.status} {self.text.decode(errors='replace')}"


class Servers:
    """The three servers, or those of them that are named, in a folder of their own."""

    def __init__(self, *names):
        self.names = names
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skein-im-"))
        self.base = free_ports(26100, 100)
        self.environment = {**os.environ, "RUN_DIR": str(self.folder / "run"), "PORT_BASE": str(self.base),
                            "KAFKA_JARS": str(ROOT / "build" / "kafka"), "BIN": str(BIN)}
        self.folder.chmod(0o755)
        self.start_missing()
        lines = (self.folder / "run" / "env").read_text().splitlines()
        env = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        self.pg, self.redis, self.kafka = (env[name].strip("'\"") for name in ("SKEIN_PG", "SKEIN_REDIS", "SKEIN_KAFKA"))

    def cluster(self, *command):
        return subprocess.run([ROOT / "deploy" / "local" / "cluster", *command], env=self.environment, check=True,
                              capture_output=True, text=True, timeout=120)

    def start_missing(self):
        self.cluster("infra", *self.names)

    def pid(self, name):
        return int((self.folder / "run" / "pids" / name).read_text())

    def kill(self, name):
        """SIGKILL. For PostgreSQL it goes to the postmaster; its children then end by themselves."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        await_that(lambda: has_ended(pid), f"{name} is gone")

    def pause(self, name):
        os.kill(self.pid(name), signal.SIGSTOP)

    def go_on(self, name):
        os.kill(self.pid(name), signal.SIGCONT)

    def sql(self, statement):
        """Rows of strings."""
        done = subprocess.run(["psql", "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement, self.pg], check=True,
                              capture_output=True, text=True, timeout=60)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def session(self):
        return Session(self.pg)

    def forget(self, name):
        """A server that is down starts with an empty disk."""
        shutil.rmtree(self.folder / "run" / "data" / name)

    def close(self):
        self.cluster("down")
        shutil.rmtree(self.folder)


class Session:
    """A session of PostgreSQL, for transactions that stay open; rolled back at the end."""

    def __init__(self, uri):
        self.psql = subprocess.Popen(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", uri], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)

    def run(self, statements):
        self.psql.stdin.write(f"{statements}\n\\echo done\n")
        self.psql.stdin.flush()
        assert self.psql.stdout.readline() == "done\n", statements

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.psql.stdin.close()
        self.psql.wait()
        self.psql.stdout.close()


def has_ended(pid):
    """Also while nobody has reaped it."""
    try:
        return " Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


class Im:
    """An im process."""

    def __init__(self, servers, name="im-1", ready=True, **options):
        self.servers, self.name = servers, name
        self.http = free_ports(servers.base + 200, 3)
        self.internal = self.http + 1
        settings = {
            "node.name": name, "http.listen": f"127.0.0.1:{self.http}", "internal.listen": f"127.0.0.1:{self.internal}",
            "grpc.listen": f"127.0.0.1:{self.http + 2}", "pg.uri": servers.pg, "redis.uri": servers.redis,
            "kafka.brokers": servers.kafka, "auth.secret": SECRET,
        }
        settings.update({key.replace("__", "."): value for key, value in options.items()})
        self.conf = servers.folder / f"{name}.conf"
        self.conf.write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
        self.log = servers.folder / f"{name}.log"
        self.start(ready)

    def start(self, ready=True):
        """Also again, after a stop or a kill."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([BIN / "im", "--config", self.conf], stderr=log)
        if ready:
            self.await_ready()

    def await_ready(self):
        def answers():
            assert self.process.poll() is None, self.log.read_text()
            return self.is_ready()
        await_that(answers, f"{self.name} is ready")

    def is_ready(self):
        try:
            return self.internal_get("/readyz").status == 200
        except OSError:
            return False

    def internal_get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.internal, timeout=10)
        connection.request("GET", path)
        try:
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def metric(self, name):
        for line in self.internal_get("/metrics").text.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")

    def client(self, uid=None, **claims):
        return Client(self.http, token(uid, **claims) if uid else None)

    def stop(self):
        """Its exit code. A report of a sanitizer in its log is an error that shows it."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=PATIENCE_S)
        log = self.log.read_text(errors="replace")
        assert "Sanitizer" not in log, log[log.index("Sanitizer") - 100:][:8000]
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()


class Push:
    """A push process, which has partitions."""

    def __init__(self, servers, name):
        self.log = servers.folder / f"{name}.log"
        settings = {"node.name": name, "internal.listen": f"127.0.0.1:{free_ports(servers.base + 250, 1)}",
                    "pg.uri": servers.pg, "redis.uri": servers.redis, "kafka.brokers": servers.kafka}
        with self.log.open("w") as log:
            self.process = subprocess.Popen([BIN / "push", *(f"--{key}={value}" for key, value in settings.items())], stderr=log)
        await_that(lambda: "partition taken" in self.log.read_text(), f"{name} has partitions", 60)

    def close(self):
        self.process.kill()
        self.process.wait()


def run_im(servers, *arguments, **options):
    """Runs im to its end. Returns its exit code and its output."""
    settings = {"node.name": "im-once", "internal.listen": "127.0.0.1:1", "pg.uri": servers.pg,
                "kafka.brokers": servers.kafka, "auth.secret": SECRET, **options}
    command = [BIN / "im", *arguments, *(f"--{key}={value}" for key, value in settings.items())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


class Client:
    """One keep-alive connection of one user."""

    def __init__(self, port, bearer=None):
        self.port, self.bearer = port, bearer
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def call(self, method, path, body=None, headers=None):
        headers = {"Authorization": f"Bearer {self.bearer}", **(headers or {})} if self.bearer else headers or {}
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        try:
            self.connection.request(method, path, data, headers)
            return Answer(self.connection.getresponse())
        except (http.client.HTTPException, OSError):
            self.connection.close()
            raise

    def get(self, path, **headers):
        return self.call("GET", path, headers=headers)

    def post(self, path, body=None, **headers):
        return self.call("POST", path, body, headers)

    def send(self, key, to, text="hi", **fields):
        kind, name = to.split(":", 1)
        message = {"client_msg_id": key, "to": {kind: name}, "type": "text", "body": {"text": text}, **fields}
        return self.post("/v1/messages", message)


def proto_module(servers, name):
    """proto/NAME.proto as a Python module."""
    out = servers.folder / "python"
    if not out.exists():
        out.mkdir()
        protos = [str(path.relative_to(ROOT)) for path in (ROOT / "proto").glob("*.proto")]
        subprocess.run(["protoc", f"--proto_path={ROOT}", f"--python_out={out}", *protos], check=True, cwd=ROOT)
        sys.path.insert(0, str(out))
    return importlib.import_module(f"proto.{name}_pb2")


class KafkaMessage(ctypes.Structure):
    _fields_ = [("err", ctypes.c_int), ("rkt", ctypes.c_void_p), ("partition", ctypes.c_int32),
                ("payload", ctypes.c_void_p), ("len", ctypes.c_size_t), ("key", ctypes.c_void_p),
                ("key_len", ctypes.c_size_t), ("offset", ctypes.c_int64), ("private", ctypes.c_void_p)]


class KafkaReader:
    """Everything in a topic from the beginning, by key: (key, record, traceparent header or None)."""

    CONSUMER, OFFSET_BEGINNING = 1, -2

    def __init__(self, servers, partitions=12, topic="im.message", record="MessageRecord"):
        self.record_type = getattr(proto_module(servers, "record"), record)
        self.lib = lib = ctypes.CDLL("librdkafka.so.1")
        for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_topic_partition_list_new",
                     "rd_kafka_topic_partition_list_add"):
            getattr(lib, name).restype = ctypes.c_void_p
        lib.rd_kafka_consumer_poll.restype = ctypes.POINTER(KafkaMessage)
        conf, error = ctypes.c_void_p(lib.rd_kafka_conf_new()), ctypes.create_string_buffer(512)
        for key, value in {"bootstrap.servers": servers.kafka, "group.id": "test"}.items():
            lib.rd_kafka_conf_set(conf, key.encode(), value.encode(), error, len(error))
        self.handle = ctypes.c_void_p(lib.rd_kafka_new(self.CONSUMER, conf, error, len(error)))
        lib.rd_kafka_poll_set_consumer(self.handle)
        chosen = ctypes.c_void_p(lib.rd_kafka_topic_partition_list_new(partitions))
        for partition in range(partitions):
            at = lib.rd_kafka_topic_partition_list_add(chosen, topic.encode(), ctypes.c_int32(partition))
            # struct rd_kafka_topic_partition_s: topic, partition, offset
            ctypes.c_int64.from_address(at + 16).value = self.OFFSET_BEGINNING
        lib.rd_kafka_assign(self.handle, chosen)
        self.records = collections.defaultdict(list)

    def header(self, message, name):
        value, size = ctypes.c_void_p(), ctypes.c_size_t()
        headers = ctypes.c_void_p()
        if self.lib.rd_kafka_message_headers(message, ctypes.byref(headers)) != 0:
            return None
        if self.lib.rd_kafka_header_get_last(headers, name.encode(), ctypes.byref(value), ctypes.byref(size)) != 0:
            return None
        return ctypes.string_at(value, size.value).decode()

    def poll(self):
        message = self.lib.rd_kafka_consumer_poll(self.handle, 50)
        if not message:
            return
        found = message.contents
        if found.err == 0:
            record = self.record_type()
            record.ParseFromString(ctypes.string_at(found.payload, found.len))
            key = ctypes.string_at(found.key, found.key_len).decode()
            self.records[key].append((key, record, self.header(message, "traceparent")))
        self.lib.rd_kafka_message_destroy(message)

    def of(self, conversation_id, count):
        """The conversation's first `count` records, in the order of Kafka."""
        return self.until(conversation_id, lambda records: len(records) >= count)

    def until(self, conversation_id, is_enough):
        records = self.records[conversation_id]
        deadline = time.monotonic() + PATIENCE_S
        while not is_enough(records):
            assert time.monotonic() < deadline, f"{conversation_id} has {len(records)} records, not enough"
            self.poll()
        return records

    def close(self):
        self.lib.rd_kafka_consumer_close(self.handle)
        self.lib.rd_kafka_destroy(self.handle)
