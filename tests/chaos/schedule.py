"""Which fault happens when: a pure function of the seed, the length and the kinds of faults, so that a run can be repeated.

One fault at a time (the contract promises to survive the death of any single process), each with time to heal before the next.
A cluster has one Kafka broker or three: `kafkas`. With three, each fault of Kafka is one of a single broker.
"""
import dataclasses
import functools
import random

SERVICES = ("gateway", "im", "push", "router")
COUNT = 2  # of each service
FIRST_AT_S = 4
SHORT_KINDS = 4  # of a short run
SHORT_S = 4  # the longest that a fault of a short run lasts


@dataclasses.dataclass(frozen=True)
class Fault:
    at_s: float  # after the clients began to send
    kind: str  # "kill-gateway"; the part before the dash is the action
    target: str  # a process, a link, or another target
    lasts_s: float
    detail: str = ""

    def __str__(self):
        return f"{self.at_s:6.1f} s  {self.kind:<16} {self.target:<20} {self.lasts_s:5.1f} s  {self.detail}".rstrip()


@dataclasses.dataclass(frozen=True)
class Kind:
    weight: float
    targets: tuple
    lasts_s: tuple  # at least, at most
    heals_s: float  # time for the cluster to go on normally before the next fault
    details: tuple = ("",)


def instances(service):
    return tuple(f"{service}-{i + 1}" for i in range(COUNT))


ALL = tuple(name for service in SERVICES for name in instances(service))
def brokers(kafkas):
    """As the cluster calls them."""
    return ("kafka",) if kafkas == 1 else tuple(f"kafka-{i + 1}" for i in range(kafkas))


def links(kafkas):
    """Names as in links.py; a star stands for any end."""
    of_kafka = brokers(kafkas) + (("kafka-*",) if kafkas > 1 else ())
    return tuple(f"{name}-{server}" for name in instances("im") + instances("push")
                 for server in ("postgres", "redis", *of_kafka)) + \
        tuple(f"{name}-redis" for name in instances("router")) + \
        tuple(f"{name}-{service}-*" for name in instances("gateway") for service in ("router", "im")) + \
        tuple(f"{side}-{name}" for side in ("push", "clients") for name in instances("gateway")) + \
        tuple(f"clients-{name}" for name in instances("im"))


@functools.lru_cache
def kinds_of(kafkas):
    """{kind: Kind} of such a cluster."""
    servers = {"postgres": ("postgres",), "redis": ("redis",), "kafka" if kafkas == 1 else "broker": brokers(kafkas)}
    return {
        **{f"kill-{service}": Kind(3, instances(service), (0.2, 14), 7) for service in SERVICES},
        **{f"pause-{service}": Kind(2, instances(service), (0.5, 15), 7) for service in SERVICES},
        **{f"drain-{service}": Kind(1, instances(service), (0, 0), 5) for service in SERVICES},
        **{f"kill-{server}": Kind(1, names, (0.2, 6), 9) for server, names in servers.items()},
        **{f"pause-{server}": Kind(1, names, (0.5, 10), 8) for server, names in servers.items()},
        **{f"restart-{server}": Kind(0.7, names, (0, 0), 9) for server, names in servers.items()},
        "flush": Kind(2, ("redis",), (0, 0), 6),
        "failover-redis": Kind(1, ("redis",), (1, 6), 9, ("killed", "stopped")),
        "delay": Kind(2, links(kafkas), (2, 10), 4, ("20 20", "100 100", "300 300", "900 200")),
        "cut": Kind(2, links(kafkas), (0.2, 8), 6),
        "hold": Kind(2, links(kafkas), (1, 14), 7),
        "stuck-push": Kind(1, instances("push"), (1, 6), 8),
        "clock": Kind(2, ALL, (3, 10), 5, ("+3600", "-3600", "+2", "-2")),
        "rolling-restart": Kind(0.3, ("all",), (0, 0), 6),
    }


KINDS = {**kinds_of(1), **kinds_of(3)}  # of all clusters; only their targets differ

# The time of a restart depends on the machine; this much is reserved for it.
TAKES_S = {"drain": 6, "restart": 6, "rolling": 45, "kill": 2, "stuck": 2, "failover": 8}


def means(name, kind):
    return kind == name or kind.startswith(name + "-")


def chosen(names, kafkas=1):
    """
    {kind: targets} for a list of names. A name is a kind, or its part before a dash, with the beginning of a target if needed:
    kill, pause-im, delay:push-1. None or empty: all.
    """
    all_kinds = kinds_of(kafkas)
    if not names:
        return {kind: what.targets for kind, what in all_kinds.items()}
    kinds = {}
    for given in names:
        name, _, beginning = given.partition(":")
        found = {kind: tuple(target for target in what.targets if target.startswith(beginning))
                 for kind, what in all_kinds.items() if means(name, kind)}
        if not any(found.values()):
            raise ValueError(f"there is no fault {name} {beginning}".rstrip() + f"; there are {', '.join(all_kinds)}")
        for kind, targets in found.items():
            if targets:
                kinds[kind] = tuple(dict.fromkeys(kinds.get(kind, ()) + targets))
    return kinds


def drawn(rng, at, name, targets, most_s=None):
    """One fault of this kind, and when the next one may happen."""
    kind = KINDS[name]
    least, most = kind.lasts_s[0], min(most_s or kind.lasts_s[1], kind.lasts_s[1])
    # Short faults matter as much as long ones: the logarithm is uniform.
    lasts = round(least * (most / least) ** rng.random(), 1) if least else 0.0
    fault = Fault(round(at, 1), name, rng.choice(targets), lasts, rng.choice(kind.details))
    return fault, at + lasts + TAKES_S.get(name.split("-")[0], 0) + kind.heals_s + rng.uniform(0, 3)


def schedule(seed, minutes, names=None, kafkas=1):
    """Faults in order, the last one healed when the minutes are over."""
    rng = random.Random(f"skein {seed}")
    kinds = chosen(names, kafkas)
    names = list(kinds)
    weights = [KINDS[name].weight for name in names]
    faults, at = [], float(FIRST_AT_S)
    while True:
        name = rng.choices(names, weights)[0]
        fault, at = drawn(rng, at, name, kinds[name])
        if at > 60 * minutes and faults:
            return faults
        faults.append(fault)


def seconds(faults):
    """A run with these faults lasts so long at least."""
    return max(fault.at_s + fault.lasts_s for fault in faults)


def rounds():
    """So many seeds in a row have every kind of fault in their short runs: the last of them those of a cluster with three brokers."""
    return -(-len(kinds_of(1)) // SHORT_KINDS) + 1


def short_kafkas(seed):
    return 3 if seed % rounds() == rounds() - 1 else 1


def short(seed):
    """What `make test` runs: a few kinds of faults, in turn with the seed, none of them long."""
    rng = random.Random(f"short {seed}")
    kinds = kinds_of(short_kafkas(seed))
    if short_kafkas(seed) == 1:
        names = list(kinds)[seed % rounds()::rounds() - 1]
    else:
        names = [name for name in kinds if name not in kinds_of(1)]
    rng.shuffle(names)
    faults, at = [], 1.0
    for name in names:
        fault, at = drawn(rng, at, name, kinds[name].targets, SHORT_S)
        faults.append(fault)
    return faults
