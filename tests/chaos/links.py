"""The links between processes that can be broken: each goes through a proxy of its own (proxy.c)."""
import itertools

import schedule

# Ports of deploy/local/lib/settings.sh, from PORT_BASE on.
PORTS = {"im http": 0, "gateway ws": 10, "im grpc": 20, "router grpc": 30, "gateway grpc": 40, "postgres sql": 90,
         "redis resp": 91, "kafka broker": 92}
PROXIES_FROM = 100  # the proxies have the next hundred ports


def port_of(base, name, what):
    kind, _, number = name.partition("-")
    return base + PORTS[f"{kind} {what}"] + int(number or 1) - 1


def all_links():
    """(name, from, to, what): from and to are the cluster's names."""
    def of(service):
        return schedule.instances(service)
    for name in of("im") + of("push"):
        yield f"{name}-postgres", name, "postgres", "sql"
        yield f"{name}-kafka", name, "kafka", "broker"
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
    def __init__(self, base):
        self.base = base
        self.ports = {name: base + PROXIES_FROM + i for i, (name, *_) in enumerate(all_links())}

    def table(self):
        """For the cluster's LINKS=."""
        return "".join(f"{source} {target} {what} {self.ports[name]}\n" for name, source, target, what in all_links())

    def arguments(self):
        """For the proxy."""
        kafka = itertools.count(port_of(self.base, "kafka", "broker") + 2)  # one listener for each: kafka_links in deploy/local
        return [f"{name}:{self.ports[name]}:{next(kafka) if target == 'kafka' else port_of(self.base, target, what)}"
                for name, _, target, what in all_links()]

    def http_bases(self):
        return [f"http://127.0.0.1:{self.ports[f'clients-{im}']}" for im in schedule.instances("im")]

    def gateways(self):
        return [f"ws://127.0.0.1:{self.ports[f'clients-{name}']}/ws" for name in schedule.instances("gateway")]
