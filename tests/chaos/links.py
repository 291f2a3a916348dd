"""The links between processes that can be broken: each goes through a proxy of its own (proxy.c)."""
import schedule

# Ports of deploy/local/lib/settings.sh, from PORT_BASE on.
PORTS = {"im http": 0, "gateway ws": 10, "im grpc": 20, "router grpc": 30, "gateway grpc": 40, "postgres sql": 90,
         "redis resp": 91, "kafka broker": 92}
PROXIES_FROM = 100  # the proxies have the next hundred ports
LISTENERS_FROM = 160  # in these: those that Kafka's brokers open for the links to them
REPLICA = 199  # and that of a replica of Redis


def port_of(base, name, what):
    kind, _, number = name.partition("-")
    return base + PORTS[f"{kind} {what}"] + int(number or 1) - 1


def all_links(kafkas=1):
    """(name, from, to, what): from and to are the cluster's names."""
    def of(service):
        return schedule.instances(service)
    for name in of("im") + of("push"):
        yield f"{name}-postgres", name, "postgres", "sql"
        for broker in schedule.brokers(kafkas):
            yield f"{name}-{broker}", name, broker, "broker"
    for name in of("im") + of("push") + of("router"):
        yield f"{name}-redis", name, "redis", "resp"
    for gateway in of("gateway"):
        for router in of("router"):
            yield f"{gateway}-{router}", gateway, router, "grpc"
        for im in of("im"):
            yield f"{gateway}-{im}", gateway, im, "grpc"
        yield f"push-{gateway}", "push", gateway, "grpc"
        yield f"clients-{gateway}", "clients", gateway, "ws"
    for im in of("im"):
        yield f"clients-{im}", "clients", im, "http"


class Links:
    def __init__(self, base, kafkas=1):
        self.base, self.all = base, tuple(all_links(kafkas))
        self.ports = {name: base + PROXIES_FROM + i for i, (name, *_) in enumerate(self.all)}
        of_kafka = [name for name, _, _, what in self.all if what == "broker"]
        self.listeners = {name: base + LISTENERS_FROM + i for i, name in enumerate(of_kafka)}

    def table(self):
        """For the cluster's LINKS=."""
        return "".join(f"{source} {target} {what} {self.ports[name]} {self.listeners.get(name, '')}".rstrip() + "\n"
                       for name, source, target, what in self.all)

    def arguments(self):
        """For the proxy."""
        return [f"{name}:{self.ports[name]}:{self.listeners.get(name) or port_of(self.base, target, what)}"
                for name, _, target, what in self.all]

    def to_redis(self):
        return [name for name, _, target, _ in self.all if target == "redis"]

    def http_bases(self):
        return [f"http://127.0.0.1:{self.ports[f'clients-{im}']}" for im in schedule.instances("im")]

    def gateways(self):
        return [f"ws://127.0.0.1:{self.ports[f'clients-{name}']}/ws" for name in schedule.instances("gateway")]
