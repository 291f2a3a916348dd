"""The cluster's DNS: NAME.NAMESPACE.svc.cluster.local has the addresses of the ready pods that the Service selects. That is what
a headless Service's name has; of others a client takes any, which is what a Service's own address leads to."""
import socket
import struct
import threading

A, IN = 1, 1
NO_SUCH_NAME = 3
TTL_S = 5


def question_of(query):
    """The name, in lower case, the type, and the bytes of the question."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii").lower())
        at += 1 + query[at]
    kind, = struct.unpack_from("!H", query, at + 1)
    return ".".join(labels), kind, query[12:at + 5]


def answer_to(query, addresses_of):
    name, kind, question = question_of(query)
    addresses = addresses_of(name)
    found = addresses or [] if kind == A else []
    # An answer, authoritative, recursion available.
    flags = 0x8580 | (NO_SUCH_NAME if addresses is None else 0)
    head = query[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0)
    return head + question + b"".join(struct.pack("!HHHIH", 0xC00C, A, IN, TTL_S, 4) + socket.inet_aton(a) for a in found)


class Names:
    def __init__(self, domain):
        self.domain, self.addresses = domain, {}  # Service: addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("0.0.0.0", 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _addresses_of(self, name):
        service, _, domain = name.partition(".")
        return self.addresses.get(service) if domain == self.domain else None

    def _serve(self):
        while True:
            query, sender = self._socket.recvfrom(512)
            if not query:
                return
            self._socket.sendto(answer_to(query, self._addresses_of), sender)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", 53))
        self._thread.join(5)
        self._socket.close()
