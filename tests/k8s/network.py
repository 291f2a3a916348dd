"""Who may talk to whom, computed from the NetworkPolicies as a cluster's network would."""
import ipaddress

from manifests import container, labels, matches, program

NAMESPACE = "kubernetes.io/metadata.name"
# What is not in our namespace: its labels (None: no pod), the labels of its namespace, its address.
OUTSIDE = {
    "ingress controller": ({"app.kubernetes.io/name": "ingress-nginx"}, {NAMESPACE: "ingress-nginx"}, "10.1.0.1"),
    "prometheus": ({"app.kubernetes.io/name": "prometheus"}, {NAMESPACE: "monitoring"}, "10.1.0.2"),
    "dns": ({"k8s-app": "kube-dns"}, {NAMESPACE: "kube-system"}, "10.1.0.3"),
    "pod of somebody else": ({"app.kubernetes.io/name": "gateway"}, {NAMESPACE: "elsewhere"}, "10.1.0.4"),
    "outside": (None, None, "192.0.2.1"),
}


class Peer:
    def __init__(self, name, its_labels, namespace, address, is_inside):
        self.name, self.labels, self.namespace, self.address, self.is_inside = name, its_labels, namespace, address, is_inside


def peers(manifests):
    inside = [Peer(program(w), labels(w), {NAMESPACE: w["metadata"]["namespace"]}, "10.0.0.1", True) for w in manifests.workloads()]
    return inside + [Peer(name, *what, False) for name, what in OUTSIDE.items()]


def is_peer(rule, peer):
    """Whether one entry of `from` or `to` means this peer. One with a podSelector alone means pods of the policy's namespace."""
    if "ipBlock" in rule:
        address = ipaddress.ip_address(peer.address)
        block = rule["ipBlock"]
        # Of pods a policy speaks by label; what an ipBlock means for them differs between networks.
        return not peer.is_inside and peer.labels is None and address in ipaddress.ip_network(block["cidr"]) and \
            not any(address in ipaddress.ip_network(hole) for hole in block.get("except", ()))
    if peer.labels is None:
        return False
    if "namespaceSelector" in rule:
        if not matches(rule["namespaceSelector"], peer.namespace):
            return False
    elif not peer.is_inside:
        return False
    return matches(rule.get("podSelector", {}), peer.labels)


def is_port(rule, port, protocol):
    return rule.get("port", port) == port and rule.get("protocol", "TCP") == protocol


def lets(rules, side, peer, port, protocol):
    """An absent `from`, `to` or `ports` means all."""
    return any((side not in rule or any(is_peer(entry, peer) for entry in rule[side])) and
               ("ports" not in rule or any(is_port(entry, port, protocol) for entry in rule["ports"])) for rule in rules)


def may_pass(manifests, peer, direction, other, port, protocol):
    """What the policies that select `peer` say. Without any, everything passes."""
    policies = [p["spec"] for p in manifests.of("NetworkPolicy")
                if direction in p["spec"]["policyTypes"] and matches(p["spec"]["podSelector"], peer.labels)]
    side = {"Ingress": "from", "Egress": "to"}[direction]
    return not policies or any(lets(policy.get(direction.lower(), ()), side, other, port, protocol) for policy in policies)


def ports_of(manifests):
    found = {("TCP", 53), ("UDP", 53), ("TCP", 5432), ("TCP", 6379), ("TCP", 9092), ("TCP", 443)}
    return found | {("TCP", port["containerPort"]) for w in manifests.workloads() for port in container(w).get("ports", ())}


def allowed(manifests, direction):
    """{(from, to, protocol, port)} of our pods as what one direction's policies say, whatever the other side's do."""
    everybody = peers(manifests)
    found = set()
    for one in filter(lambda peer: peer.is_inside, everybody):
        for other in everybody:
            names = (one.name, other.name) if direction == "Egress" else (other.name, one.name)
            found |= {(*names, *port) for port in ports_of(manifests) if may_pass(manifests, one, direction, other, port[1], port[0])}
    return found
