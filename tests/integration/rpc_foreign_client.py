"""A foreign gRPC client against the server of the rpc tests: rpc_foreign_client.py HOST:PORT. Exits with 0 when all checks hold."""
import socket
import sys

import grpc
from google.protobuf import descriptor_pb2

TARGET = sys.argv[1]
OPTIONS = [("grpc.enable_http_proxy", 0)]
SERVING = b"\x08\x01"
NOT_FOUND, UNIMPLEMENTED = 5, 12


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """A protobuf field: bytes, or a number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """{number: [values]} of a protobuf message of varints and bytes."""
    found, at = {}, 0

    def read():
        nonlocal at
        n = shift = 0
        while True:
            byte = message[at]
            at += 1
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n

    while at < len(message):
        key = read()
        if key & 7 == 0:
            value = read()
        else:
            assert key & 7 == 2, message
            length = read()
            value = message[at:at + length]
            at += length
        found.setdefault(key >> 3, []).append(value)
    return found


def status_of(call, *args, **kwargs):
    try:
        call(*args, timeout=10, **kwargs)
    except grpc.RpcError as error:
        return error
    raise AssertionError("no error")


def check_health(channel):
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"", timeout=10) == SERVING
    assert check(field(1, b"test.Unary"), timeout=10) == SERVING
    assert status_of(check, field(1, b"test.Nobody")).code() == grpc.StatusCode.NOT_FOUND
    assert status_of(check, b"\x0a\xff").code() == grpc.StatusCode.INVALID_ARGUMENT
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
    try:
        list(watch(b"", timeout=10))
        raise AssertionError("Watch is not served")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED


def check_reflection(channel):
    reflect = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    requests = [
        field(1, b"host") + field(7, b"*"),
        field(3, b"proto/router.proto"),
        field(4, b"skein.v1.Router"),
        field(4, b"skein.v1.Router.RegisterNode"),
        field(4, b"skein.v1.RouteChange.Op"),
        field(4, b"skein.v1.Verdict"),
        field(3, b"proto/none.proto"),
        field(4, b"skein.v1.Rout"),
        field(5, b"anything"),
    ]
    # Many at once: each message must get its own answer, in order, although streams merge waiting messages.
    answers = [fields(answer) for answer in reflect(iter(requests), timeout=10)]
    assert len(answers) == len(requests), len(answers)
    assert [answer[2][0] for answer in answers] == requests
    assert answers[0][1][0] == b"host"

    services = [fields(service)[1][0] for service in fields(answers[0][6][0])[1]]
    assert b"skein.v1.Router" in services and b"skein.v1.Gateway" in services, services

    def file_of(answer):
        (serialized,) = fields(answer[4][0])[1]
        return descriptor_pb2.FileDescriptorProto.FromString(serialized)

    for answer in answers[1:5]:
        assert file_of(answer).name == "proto/router.proto"
    assert "RegisterNode" in [method.name for method in file_of(answers[1]).service[0].method]
    assert file_of(answers[5]).name == "proto/delivery.proto"
    for answer, code in zip(answers[6:], (NOT_FOUND, NOT_FOUND, UNIMPLEMENTED), strict=True):
        assert fields(answer[7][0])[1][0] == code

    # So many that answers have to queue.
    crowd = [field(3, b"proto/router.proto")] * 5000
    assert len(list(reflect(iter(crowd), timeout=20))) == len(crowd)

    for garbage in (b"", b"\xff", field(7, 1)):
        try:
            list(reflect(iter([garbage]), timeout=10))
            raise AssertionError("not a request")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error


def check_calls(channel):
    assert channel.unary_unary("/test.Unary/Echo")(b"hello", timeout=10) == b"hello"
    error = status_of(channel.unary_unary("/test.Unary/Fail"), b"ERR_NOT_FRIEND")
    assert error.code() == grpc.StatusCode.PERMISSION_DENIED and error.details() == "ERR_NOT_FRIEND"
    assert ("skein-error", "not_friend") in [tuple(item) for item in error.trailing_metadata()]
    error = status_of(channel.unary_unary("/nothing"), b"")
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    call = channel.unary_unary("/test.Unary/Trace")
    assert call(b"", timeout=10, metadata=[("traceparent", trace)]) == trace.encode()
    assert call(b"", timeout=10, metadata=[("traceparent", "x" * 55)]) == b""


def check_streams(channel):
    for path in ("/test.Stream/Echo", "/test.Stream/Quick"):
        sent = [b"message %d, " % i for i in range(1000)]
        # The client half-closes: everything that it sent is answered, then the stream ends with OK.
        got = list(channel.stream_stream(path)(iter(sent), timeout=10))
        assert b"".join(got) == b"".join(sent), (path, len(got))
        assert list(channel.stream_stream(path)(iter([]), timeout=10)) == []


def check_hostile(channel):
    # Compressed: refused before it is unpacked.
    packed = channel.unary_unary("/test.Unary/Echo")
    error = status_of(packed, b"a" * 100000, compression=grpc.Compression.Gzip)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
    # Metadata over the limit costs the connection: one of its own.
    with grpc.insecure_channel(TARGET, options=OPTIONS + [("grpc.use_local_subchannel_pool", 1)]) as doomed:
        error = status_of(doomed.unary_unary("/test.Unary/Echo"), b"", metadata=[("big", "x" * 20000)])
        assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE), error
    host, port = TARGET.split(":")
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1000):
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            raw.sendall(garbage)
            while True:  # the server ends it
                try:
                    if not raw.recv(4096):
                        break
                except ConnectionResetError:
                    break
    assert packed(b"still there", timeout=10) == b"still there"


with grpc.insecure_channel(TARGET, options=OPTIONS) as opened:
    check_health(opened)
    check_reflection(opened)
    check_calls(opened)
    check_streams(opened)
    check_hostile(opened)
