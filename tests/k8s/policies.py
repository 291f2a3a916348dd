"""What must hold for every overlay. A policy yields its faults, one line each."""
import functools
import re

import yaml

from manifests import (K8S, ROOT, SERVICES, container, is_ours, labels, matches, pod, ports, program, template, text_of)
from network import allowed
from options import duration_ms, size, table, value

POLICIES = {}
# In production the operator makes these (docs/operate/kubernetes.md).
OWN_SECRETS = {"skein-jwt": {"key"}, "skein-postgres": {"uri"}, "skein-redis": {"uri"}, "chat-tls": set(), "chat-gateways-tls": set()}
# The public image of Kafka writes its configuration and logs beside its programs.
WRITES_TO_ITS_IMAGE = {"kafka"}
MEMORY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
CONNECTION_BYTES = 8 << 10  # of a gateway and its kernel, for each connection


def policy(function):
    POLICIES[function.__name__] = function
    return function


def memory(text):
    return int(text[:-2]) * MEMORY[text[-2:]]


def long_running(manifests):
    return manifests.of("Deployment", "StatefulSet")


@policy
def names_are_unique_in_one_namespace(m):
    seen = set()
    namespace, = m.of("Namespace")
    for document in m.documents:
        name = text_of(document)
        if name in seen:
            yield f"{name} is there twice"
        seen.add(name)
        if document["kind"] != "Namespace" and document["metadata"].get("namespace") != namespace["metadata"]["name"]:
            yield f"{name} is in another namespace"


@policy
def every_image_has_a_version(m):
    for workload in m.workloads():
        image = container(workload)["image"]
        name, _, tag = image.rpartition("/")[2].partition(":")
        if not name or tag in ("", "latest"):
            yield f"{text_of(workload)}: {image}"
    ours = {container(w)["image"] for w in m.workloads() if is_ours(w)}
    if len(ours) != 1:
        yield f"our services are of different versions: {ours}"


@policy
def nothing_is_privileged(m):
    for workload in m.workloads():
        one, name = container(workload), text_of(workload)
        together = {**pod(workload).get("securityContext", {}), **one.get("securityContext", {})}
        if together.get("runAsNonRoot") is not True or not together.get("runAsUser"):
            yield f"{name} may run as root"
        if together.get("readOnlyRootFilesystem") is not True and program(workload) not in WRITES_TO_ITS_IMAGE:
            yield f"{name} may write to its image"
        if together.get("allowPrivilegeEscalation") is not False or together.get("privileged"):
            yield f"{name} may gain privileges"
        if together.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name} has capabilities"
        if together.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name} has no seccomp profile"
        if pod(workload).get("automountServiceAccountToken") is not False:
            yield f"{name} can talk to the cluster's API"
        if pod(workload).get("enableServiceLinks") is not False:
            yield f"{name} gets variables named like its options from Services"
        if any(key in pod(workload) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name} shares a namespace of the host"
        if any("hostPath" in volume for volume in pod(workload).get("volumes", ())):
            yield f"{name} mounts a path of the host"
        if any("hostPort" in port for port in one.get("ports", ())):
            yield f"{name} takes a port of the host"


@policy
def resources_are_asked_for_and_memory_is_limited(m):
    for workload in m.workloads():
        asked = container(workload).get("resources", {})
        if not {"cpu", "memory"} <= set(asked.get("requests", ())) or "memory" not in asked.get("limits", ()):
            yield f"{text_of(workload)}: {asked}"
        elif memory(asked["requests"]["memory"]) > memory(asked["limits"]["memory"]):
            yield f"{text_of(workload)} asks for more memory than it may have"


@policy
def a_gateway_has_the_memory_that_its_options_let_it_take(m):
    gateway = m.workload("gateway")
    environment, limit = m.environment(gateway), memory(container(gateway)["resources"]["limits"]["memory"])
    takes = size(value("gateway", environment, "SKEIN_QUEUE_STALLED_BYTES")) + \
        size(value("gateway", environment, "SKEIN_WS_HANDSHAKE_BYTES")) + \
        int(value("gateway", environment, "SKEIN_WS_MAX_CONNECTIONS")) * CONNECTION_BYTES
    if takes > limit:
        yield f"{takes >> 20} MiB of {limit >> 20}"


@policy
def probes_ask_what_they_should(m):
    for workload in long_running(m):
        name, one = text_of(workload), container(workload)
        for kind, path in (("startup", "/healthz"), ("liveness", "/healthz"), ("readiness", "/readyz")):
            probe = one.get(f"{kind}Probe", {})
            asked = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("exec")
            if not asked:
                yield f"{name} has no {kind} probe"
            elif is_ours(workload) and asked != {"path": path, "port": "internal"}:
                yield f"{name}: the {kind} probe asks {asked}"
            elif "port" in asked and asked["port"] not in ports(workload):
                yield f"{name}: the {kind} probe asks port {asked['port']}"
            elif is_ours(workload) and probe.get("timeoutSeconds", 1) < 2:
                yield f"{name}: the {kind} probe is given less than 2 s"


@policy
def every_option_is_known_and_takes_its_value(m):
    for workload in filter(is_ours, m.workloads()):
        service = {"migrate": "im"}.get(program(workload), program(workload))
        known, environment = table(service), m.environment(workload)
        for variable, given in environment.items():
            option = known.get(variable.removesuffix("_FILE"))
            if not variable.startswith("SKEIN_"):
                if variable != "POD_NAME":
                    yield f"{text_of(workload)}: {variable} is not an option"
            elif not option or (variable.endswith("_FILE") and not option.is_secret):
                yield f"{text_of(workload)}: {service} has no option {variable}"
            elif not variable.endswith("_FILE") and not option.takes(given):
                yield f"{text_of(workload)}: {variable}={given} is not {option.kind}"
        for option in known.values():
            if option.is_required and not {option.variable, option.variable + "_FILE"} & set(environment):
                yield f"{text_of(workload)}: {option.variable} is required"


@policy
def secrets_are_files(m):
    for workload in m.workloads():
        mounts = {mount["mountPath"]: mount["name"] for mount in container(workload).get("volumeMounts", ())}
        volumes = {volume["name"]: volume for volume in pod(workload).get("volumes", ())}
        for variable, given in m.environment(workload).items():
            is_secret = is_ours(workload) and any(variable == option.variable and option.is_secret
                                                  for service in SERVICES for option in table(service).values())
            if is_secret or (isinstance(given, dict) and "secretKeyRef" in given) or variable.endswith("PASSWORD"):
                yield f"{text_of(workload)}: {variable} has a secret"
            if not variable.endswith("_FILE"):
                continue
            folder, _, file = given.rpartition("/")
            source = volumes.get(mounts.get(folder), {}).get("secret")
            if not source or file not in secret_keys(m, source["secretName"]):
                yield f"{text_of(workload)}: {variable}={given} is not in a Secret"
            elif source.get("defaultMode") != 0o440:
                yield f"{text_of(workload)}: others can read the Secret {source['secretName']}"
        if any("secretRef" in source for source in container(workload).get("envFrom", ())):
            yield f"{text_of(workload)} has a whole Secret in its environment"


def secret_keys(m, name):
    """The keys of a Secret: of one that the overlay makes, or that the operator has to."""
    found = [secret for secret in m.of("Secret") if secret["metadata"]["name"] == name]
    return set(found[0]["data"]) if found else OWN_SECRETS.get(name, set())


@policy
def what_a_pod_refers_to_exists(m):
    used = set()
    for workload in m.workloads():
        name, one = text_of(workload), container(workload)
        wanted = [("ConfigMap", source["configMapRef"]["name"]) for source in one.get("envFrom", ()) if "configMapRef" in source]
        for volume in pod(workload).get("volumes", ()):
            wanted += [(kind, volume[source][key]) for kind, source, key in (
                ("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName"),
                ("PersistentVolumeClaim", "persistentVolumeClaim", "claimName")) if source in volume]
        used |= set(wanted)
        for kind, wanted_name in wanted:
            there = {document["metadata"]["name"] for document in m.of(kind)} | (set(OWN_SECRETS) if kind == "Secret" and not m.of(kind) else set())
            if wanted_name not in there:
                yield f"{name}: there is no {kind} {wanted_name}"
        volumes = {volume["name"] for volume in pod(workload).get("volumes", ())}
        if volumes != {mount["name"] for mount in one.get("volumeMounts", ())}:
            yield f"{name} has volumes and mounts that do not fit"
    for document in m.of("ConfigMap", "Secret", "PersistentVolumeClaim"):
        if (document["kind"], document["metadata"]["name"]) not in used and "grafana_dashboard" not in document["metadata"]["labels"]:
            yield f"nobody uses {text_of(document)}"


@policy
def every_selector_matches(m):
    for workload in m.workloads():
        own = labels(workload)
        if workload["kind"] != "Job" and not matches(workload["spec"]["selector"], own):
            yield f"{text_of(workload)} does not select its own pods"
        if workload["kind"] != "Job" and m.selected(workload["spec"]["selector"]) != [workload]:
            yield f"{text_of(workload)} selects pods of others"
        for spread in pod(workload).get("topologySpreadConstraints", ()):
            if m.selected(spread["labelSelector"]) != [workload]:
                yield f"{text_of(workload)} is spread against other pods"
    for monitor in m.of("PodMonitor"):
        found = m.selected(monitor["spec"]["selector"])
        if {program(workload) for workload in found} != set(SERVICES):
            yield f"{text_of(monitor)} does not select the four services"
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            if any(ports(workload).get(endpoint["port"]) != 9100 for workload in found) or endpoint["path"] != "/metrics":
                yield f"{text_of(monitor)}: {endpoint}"


@policy
def every_service_leads_to_a_port(m):
    for service in m.of("Service"):
        selector = dict(service["spec"]["selector"])
        selector.pop("statefulset.kubernetes.io/pod-name", None)  # a label that each pod gets for itself
        found = m.selected({"matchLabels": selector})
        if len(found) != 1:
            yield f"{text_of(service)} selects {len(found)} workloads"
        for port in service["spec"]["ports"]:
            if any(ports(workload).get(port["targetPort"]) != port["port"] for workload in found):
                yield f"{text_of(service)}: port {port}"
    for ingress in m.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                service = next((s for s in m.of("Service") if s["metadata"]["name"] == backend["name"]), None)
                if not service or backend["port"]["name"] not in [port["name"] for port in service["spec"]["ports"]]:
                    yield f"{text_of(ingress)}: {backend}"


@policy
def what_listens_has_its_port(m):
    for workload in filter(is_ours, long_running(m)):
        environment = m.environment(workload)
        listens = {variable.removeprefix("SKEIN_").removesuffix("_LISTEN").lower(): given
                   for variable, given in environment.items() if variable.endswith("_LISTEN")}
        if listens != {name: f"0.0.0.0:{port}" for name, port in ports(workload).items()}:
            yield f"{text_of(workload)} listens on {listens} and has the ports {ports(workload)}"


@policy
def targets_are_headless_services(m):
    for workload in filter(is_ours, m.workloads()):
        for variable, given in m.environment(workload).items():
            if not variable.endswith("_TARGETS"):
                continue
            scheme, name, port = given.split(":")
            found = [s for s in m.of("Service") if s["metadata"]["name"] == name and s["spec"].get("clusterIP") == "None" and
                     int(port) in [p["port"] for p in s["spec"]["ports"]]]
            right = variable.removeprefix("SKEIN_").removesuffix("_TARGETS").lower()
            if scheme != "dns" or not found or [program(w) for w in m.selected({"matchLabels": found[0]["spec"]["selector"]})] != [right]:
                yield f"{text_of(workload)}: {variable}={given}"


@policy
def time_to_end_fits_the_drain(m):
    """After preStop and drain.timeout a gateway waits 3 s for clients that stay; then each has some seconds for the rest."""
    called = {program(w) for service in m.of("Service") for w in m.selected({"matchLabels": service["spec"]["selector"]})}
    for workload in filter(is_ours, long_running(m)):
        service = program(workload)
        pause_s = container(workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if service in called and pause_s < 3:
            yield f"{text_of(workload)} stops to listen before those that call it know"
        drain_s = duration_ms(value(service, m.environment(workload), "SKEIN_DRAIN_TIMEOUT")) / 1000
        given_s = pod(workload).get("terminationGracePeriodSeconds", 30)
        least_s = pause_s + drain_s + (10 if service == "gateway" else 5)
        if given_s < least_s:
            yield f"{text_of(workload)}: {given_s} s of {least_s}"
        if service == "gateway" and drain_s * 500 < min(int(value(service, m.environment(workload), "SKEIN_WS_MAX_CONNECTIONS")), 60_000) \
                and m.of("HorizontalPodAutoscaler"):
            yield f"{text_of(workload)}: {drain_s} s are too short to move its clients, 500 a second"


@policy
def maintenance_takes_one_pod_at_a_time(m):
    for workload in filter(is_ours, long_running(m)):
        budgets = [b for b in m.of("PodDisruptionBudget") if workload in m.selected(b["spec"]["selector"])]
        if [b["spec"].get("maxUnavailable") for b in budgets] != [1]:
            yield f"{text_of(workload)} has {len(budgets)} budgets"
    for budget in m.of("PodDisruptionBudget"):
        if len(m.selected(budget["spec"]["selector"])) != 1:
            yield f"{text_of(budget)} selects {len(m.selected(budget['spec']['selector']))} workloads"


@policy
def autoscalers_have_targets_and_metrics(m):
    rules = yaml.safe_load((K8S / "components" / "autoscaling" / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    for scaler in m.of("HorizontalPodAutoscaler"):
        name, spec = text_of(scaler), scaler["spec"]
        found = [w for w in long_running(m) if (w["kind"], w["metadata"]["name"]) ==
                 (spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])]
        if len(found) != 1:
            yield f"{name} has no target"
            continue
        workload, = found
        if "replicas" in workload["spec"]:
            yield f"{name}: an apply would set the number of {text_of(workload)}"
        if not 2 <= spec["minReplicas"] < spec["maxReplicas"]:
            yield f"{name}: {spec['minReplicas']} to {spec['maxReplicas']}"
        for metric in spec["metrics"]:
            if metric["type"] == "Pods":
                wanted = metric["pods"]["metric"]["name"]
                if not wanted.startswith(f"skein_{program(workload)}_") or wanted not in gauges():
                    yield f"{name}: no gauge {wanted} in the services"
                expressions = [re.search(r'__name__=~"([^"]+)"', rule["seriesQuery"]).group(1) for rule in rules]
                if not any(re.fullmatch(expression, wanted) for expression in expressions):
                    yield f"{name}: prometheus-adapter does not have {wanted}"
            elif "cpu" not in container(workload)["resources"]["requests"]:
                yield f"{name}: {text_of(workload)} asks for no share of CPU"
        partitions = int(value("im", m.environment(m.workload("migrate")), "SKEIN_KAFKA_PARTITIONS"))
        if program(workload) == "push" and spec["maxReplicas"] > partitions:
            yield f"{name}: more pushes than the {partitions} partitions"


@functools.cache
def gauges():
    source = "".join(path.read_text() for path in (ROOT / "services").rglob("*.c"))
    return set(re.findall(r'metrics_gauge(?:_fn)?\("(skein_\w+)"', source))


@policy
def the_migration_is_a_job_of_its_version(m):
    job, = m.of("Job")
    tag = container(job)["image"].rpartition(":")[2]
    if job["metadata"]["name"] != f"migrate-{tag}":
        yield f"{job['metadata']['name']}: an upgrade to {tag} would change a Job, which cannot be"
    if not job["spec"].get("ttlSecondsAfterFinished") or template(job)["spec"]["restartPolicy"] != "OnFailure":
        yield "it stays, or is not tried again"
    if container(job)["command"] != ["im", "--migrate"] or container(job)["envFrom"] != container(m.workload("im"))["envFrom"]:
        yield "it is not what im would run"


@policy
def the_way_in_is_open_for_long_and_does_not_buffer(m):
    prefix, gateway = "nginx.ingress.kubernetes.io/", m.workload("gateway")
    environment = m.environment(gateway)
    heartbeat_s = duration_ms(value("gateway", environment, "SKEIN_WS_HEARTBEAT")) / 1000
    hosts = set()
    for ingress in m.of("Ingress"):
        notes, rules = ingress["metadata"]["annotations"], ingress["spec"]["rules"]
        paths = {path["path"] for rule in rules for path in rule["http"]["paths"]}
        certified = [host for entry in ingress["spec"].get("tls", ()) for host in entry["hosts"]]
        for rule in rules:
            if rule["host"] not in certified and "*." + rule["host"].partition(".")[2] not in certified:
                yield f"{text_of(ingress)}: {rule['host']} has no certificate"
        if "/v1" in paths:
            if int(notes.get(prefix + "proxy-body-size", "1m").removesuffix("m")) << 20 < 100 * size(
                    value("im", m.environment(m.workload("im")), "SKEIN_LIMITS_BODY")):
                yield f"{text_of(ingress)} refuses a batch that im takes"
            continue
        hosts |= {rule["host"] for rule in rules}
        for side in ("read", "send"):
            if int(notes.get(prefix + f"proxy-{side}-timeout", "60")) < 10 * heartbeat_s:
                yield f"{text_of(ingress)} cuts connections"
        if notes.get(prefix + "proxy-buffering") != "off" or notes.get(prefix + "proxy-request-buffering") != "off":
            yield f"{text_of(ingress)} buffers"
    url = environment["SKEIN_WS_URL"]
    host = re.fullmatch(r"wss?://([^/:]+)(:\d+)?/ws", url).group(1)
    if m.of("Ingress") and host not in hosts and \
            host.replace("$(POD_NAME)", "gateway-0") not in hosts:
        yield f"clients are given {url}, and no Ingress has it"


@policy
def every_gateway_that_may_be_has_a_name(m):
    """Where each gateway has its own name: as many Services and hosts as replicas at most, each for its pod."""
    gateway = m.workload("gateway")
    if gateway["kind"] != "StatefulSet":
        return
    scaler = m.one("HorizontalPodAutoscaler", "gateway")
    names = [f"gateway-{i}" for i in range(scaler["spec"]["maxReplicas"])]
    services = [s["metadata"]["name"] for s in m.of("Service")
                if s["spec"]["selector"].get("statefulset.kubernetes.io/pod-name") == s["metadata"]["name"]]
    rules = m.one("Ingress", "gateway-names")["spec"]["rules"]
    hosts = [rule["host"].partition(".")[0] for rule in rules
             if [path["backend"]["service"]["name"] for path in rule["http"]["paths"]] == [rule["host"].partition(".")[0]]]
    if services != names or hosts != names:
        yield f"{len(names)} gateways, names for {services} and {hosts}"
    if gateway["spec"]["serviceName"] not in [s["metadata"]["name"] for s in m.of("Service") if s["spec"].get("clusterIP") == "None"]:
        yield "the StatefulSet has no Service"


# ---- the network ----

TALKS = {
    "gateway": {"im:9200", "router:9200"},
    "im": {"router:9200"},
    "push": {"gateway:9200"},
    "router": {"gateway:9200"},
}
STORES = {"im": ("postgres", "redis", "kafka"), "push": ("postgres", "redis", "kafka"), "router": ("redis",), "migrate": ("postgres", "kafka")}
STORE_PORTS = {"postgres": 5432, "redis": 6379, "kafka": 9092}
WAY_IN = {"ingress controller": {"im:8080", "gateway:8090"}, "prometheus": {f"{service}:9100" for service in SERVICES}}


def should_talk(m):
    """{(from, to, protocol, port)}"""
    talks = {one: set(others) for one, others in TALKS.items()}
    has_stores = any(not is_ours(workload) for workload in m.workloads())
    for one, stores in STORES.items():
        talks.setdefault(one, set()).update(f"{store if has_stores else 'outside'}:{STORE_PORTS[store]}" for store in stores)
    if m.of("Ingress"):
        talks.update(WAY_IN)
    found = {(one, other.partition(":")[0], "TCP", int(other.partition(":")[2])) for one, others in talks.items() for other in others}
    return found | {(program(w), "dns", protocol, 53) for w in m.workloads() for protocol in ("TCP", "UDP")}


@policy
def the_network_lets_through_what_it_should_and_nothing_else(m):
    """On both sides: what may leave one pod is what may enter the other."""
    inside = {program(workload) for workload in m.workloads()}
    for direction, side in (("Egress", 0), ("Ingress", 1)):
        are = allowed(m, direction)
        should = {talk for talk in should_talk(m) if talk[side] in inside}
        for one, other, protocol, port in sorted(should - are):
            yield f"{direction} keeps {one} from {other} at {protocol} {port}"
        for one, other, protocol, port in sorted(are - should):
            yield f"{direction} lets {one} reach {other} at {protocol} {port}"
