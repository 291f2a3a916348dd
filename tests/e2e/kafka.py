"""Direct access to the cluster's Kafka: produces records that no service would, and reads what a topic holds."""
import ctypes
import os
import time

PATIENCE_S = 30
LIB = ctypes.CDLL("librdkafka.so.1")
for _name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_topic_new"):
    getattr(LIB, _name).restype = ctypes.c_void_p
PRODUCER, CONSUMER = 0, 1
END, TOPIC, VALUE, KEY, MSGFLAGS, HEADER = 0, 1, 4, 5, 7, 9  # of rd_kafka_vtype_t
COPY = 2
OFFSET_BEGINNING = -2
PARTITION_EOF = -191


class Message(ctypes.Structure):
    _fields_ = [("err", ctypes.c_int), ("rkt", ctypes.c_void_p), ("partition", ctypes.c_int32),
                ("payload", ctypes.c_void_p), ("len", ctypes.c_size_t), ("key", ctypes.c_void_p),
                ("key_len", ctypes.c_size_t), ("offset", ctypes.c_int64), ("private", ctypes.c_void_p)]


LIB.rd_kafka_consume.restype = ctypes.POINTER(Message)


def _handle(kind, **settings):
    conf, error = ctypes.c_void_p(LIB.rd_kafka_conf_new()), ctypes.create_string_buffer(512)
    for key, value in {"bootstrap.servers": os.environ["SKEIN_KAFKA"], **settings}.items():
        assert LIB.rd_kafka_conf_set(conf, key.replace("_", ".").encode(), value.encode(), error, len(error)) == 0, error.value
    return ctypes.c_void_p(LIB.rd_kafka_new(kind, conf, error, len(error)))


def produce(topic, records):
    """Produces (key, value, {header: value}), partitioned as by Java's client. Returns once Kafka has all of them."""
    handle = _handle(PRODUCER, partitioner="murmur2_random", message_max_bytes="4000000", acks="all")
    integer, size = ctypes.c_int, ctypes.c_size_t
    for key, value, headers in records:
        arguments = [integer(TOPIC), topic.encode(), integer(KEY), key, size(len(key)), integer(VALUE), value,
                     size(len(value)), integer(MSGFLAGS), integer(COPY)]
        for name, text in headers.items():
            arguments += [integer(HEADER), name.encode(), text, ctypes.c_ssize_t(len(text))]
        assert LIB.rd_kafka_producev(handle, *arguments, integer(END)) == 0
    assert LIB.rd_kafka_flush(handle, integer(PATIENCE_S * 1000)) == 0
    LIB.rd_kafka_destroy(handle)


def _headers(message):
    headers, found, at = ctypes.c_void_p(), {}, 0
    name, value, length = ctypes.c_char_p(), ctypes.c_void_p(), ctypes.c_size_t()
    if LIB.rd_kafka_message_headers(message, ctypes.byref(headers)) == 0:
        while LIB.rd_kafka_header_get_all(headers, ctypes.c_size_t(at), ctypes.byref(name), ctypes.byref(value),
                                          ctypes.byref(length)) == 0:
            found[name.value.decode()] = ctypes.string_at(value, length.value)
            at += 1
    return found


def read(topic, partition=0):
    """All records of a partition now: (key, value, headers)."""
    handle = _handle(CONSUMER, enable_partition_eof="true")
    at, records = ctypes.c_void_p(LIB.rd_kafka_topic_new(handle, topic.encode(), None)), []
    assert LIB.rd_kafka_consume_start(at, ctypes.c_int32(partition), ctypes.c_int64(OFFSET_BEGINNING)) == 0
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
        message = LIB.rd_kafka_consume(at, ctypes.c_int32(partition), 100)
        if not message:
            continue
        found = message.contents
        is_end = found.err == PARTITION_EOF
        if found.err == 0:
            records.append((ctypes.string_at(found.key, found.key_len), ctypes.string_at(found.payload, found.len),
                            _headers(message)))
        LIB.rd_kafka_message_destroy(message)
        if is_end:
            break
    LIB.rd_kafka_consume_stop(at, ctypes.c_int32(partition))
    LIB.rd_kafka_topic_destroy(at)
    LIB.rd_kafka_destroy(handle)
    return records
