"""The manifests of deploy/k8s: rendered, compared with Kubernetes' schemas and with policies.py. Each policy also has to refuse
manifests in which one thing is wrong."""
import json
import re
import subprocess

import pytest
import yaml

from manifests import K8S, ROOT, TOOLS, VARIANTS, Manifests, container, copy_tree, labels, parse, pod, program, render, render_folder
from options import table, value
from policies import OWN_SECRETS, POLICIES

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONSTANT = re.compile(r"\$\{\w+:-([^}]*)\}")


@pytest.fixture(scope="session", params=VARIANTS)
def rendered(request):
    return Manifests(request.param)


# ---- schemas ----

def schema_answer(documents):
    done = subprocess.run([TOOLS / "venv" / "bin" / "python", "validate.py"], cwd=__file__.rpartition("/")[0], text=True,
                          input=json.dumps(documents), stdout=subprocess.PIPE, timeout=300, check=True)
    answer = json.loads(done.stdout)
    assert len(answer["versions"]) == 2
    return answer


def schema_faults(documents):
    return schema_answer(documents)["faults"]


def test_the_schemas_of_the_two_newest_versions_take_it(rendered):
    assert schema_faults(rendered.documents) == []


def test_the_schemas_refuse_what_is_wrong():
    changed = Manifests("production").copy()
    changed.one("Deployment", "im")["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    changed.one("Service", "im")["spec"]["ports"][0]["port"] = "http"
    changed.one("HorizontalPodAutoscaler", "push")["apiVersion"] = "autoscaling/v2beta1"
    faults = schema_faults(changed.documents)
    assert len(faults) == 6, faults


def test_every_overlay_and_component_is_rendered():
    there = {str(path.parent.relative_to(K8S)) for path in K8S.rglob("kustomization.yaml")}
    seen, waiting = set(), [part for parts in VARIANTS.values() for part in parts]
    while waiting:
        folder = (K8S / waiting.pop()).resolve()
        seen.add(folder)
        made = yaml.safe_load((folder / "kustomization.yaml").read_text())
        waiting += [folder / part for part in (*made.get("resources", ()), *made.get("components", ())) if (folder / part).is_dir()]
    assert there == {str(folder.relative_to(K8S)) for folder in seen if folder.is_relative_to(K8S)}
    files = {path for folder in seen if folder.is_relative_to(K8S) for path in folder.iterdir() if path.suffix in (".yaml", ".env")}
    used = " ".join(path.read_text() for path in files if path.name == "kustomization.yaml")
    unused = {path.name for path in files if path.name != "kustomization.yaml" and path.name not in used}
    assert unused == {"prometheus-adapter.yaml"}  # values for a chart of others


# ---- policies ----

@pytest.mark.parametrize("name", POLICIES)
def test_policy(rendered, name):
    assert list(POLICIES[name](rendered)) == []


def drop(path, *keys):
    """Removes an entry of a dictionary that `path` finds."""
    def change(m):
        for key in keys:
            del path(m)[key]
    return change


def put(path, **entries):
    def change(m):
        path(m).update(entries)
    return change


def of(name):
    return lambda m: container(m.workload(name))


def pod_of(name):
    return lambda m: pod(m.workload(name))


def options_of(service):
    return lambda m: m.one("ConfigMap", f"{service}-options")["data"]


def spec_of(kind, name):
    return lambda m: m.one(kind, name)["spec"]


def without(kind, name):
    return lambda m: m.documents.remove(m.one(kind, name))


def security_of(name):
    return lambda m: of(name)(m)["securityContext"]


def rename_job(m):
    m.one("Job", "migrate-v0.1.0")["metadata"]["name"] = "migrate"


def rule_of(policy, side):
    return lambda m: m.one("NetworkPolicy", policy)["spec"][side][0]


def notes_of(ingress):
    return lambda m: m.one("Ingress", ingress)["metadata"]["annotations"]


# POLICY: changes of which it has to refuse each. Of production, unless a pair names another.
WRONG = {
    "names_are_unique_in_one_namespace": [
        lambda m: m.documents.append(m.one("Service", "im")), put(lambda m: m.one("Service", "im")["metadata"], namespace="default")],
    "every_image_has_a_version": [
        put(of("im"), image="registry.example.com:5000/skein"), put(of("im"), image="skein:latest"), put(of("im"), image="skein:v0.0.9")],
    "nothing_is_privileged": [
        drop(pod_of("im"), "securityContext"), drop(of("push"), "securityContext"), put(security_of("im"), runAsUser=0),
        put(security_of("im"), readOnlyRootFilesystem=False), put(security_of("im"), privileged=True),
        put(security_of("im"), allowPrivilegeEscalation=True), put(security_of("im"), capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
        put(pod_of("im"), automountServiceAccountToken=True), drop(pod_of("migrate"), "enableServiceLinks"),
        put(pod_of("gateway"), hostNetwork=True), put(pod_of("gateway"), volumes=[{"name": "jwt", "hostPath": {"path": "/"}}]),
        put(lambda m: of("gateway")(m)["ports"][0], hostPort=8090)],
    "resources_are_asked_for_and_memory_is_limited": [
        drop(of("im"), "resources"), drop(lambda m: of("im")(m)["resources"]["requests"], "cpu"),
        drop(lambda m: of("push")(m)["resources"], "limits"), put(lambda m: of("im")(m)["resources"]["requests"], memory="2Gi")],
    "a_gateway_has_the_memory_that_its_options_let_it_take": [
        put(options_of("gateway"), SKEIN_QUEUE_STALLED_BYTES="1g"), put(lambda m: of("gateway")(m)["resources"]["limits"], memory="512Mi")],
    "probes_ask_what_they_should": [
        drop(of("im"), "livenessProbe"), drop(of("router"), "startupProbe"), put(lambda m: of("im")(m)["livenessProbe"], timeoutSeconds=1),
        put(lambda m: of("im")(m)["livenessProbe"], httpGet={"path": "/readyz", "port": "internal"}),
        put(lambda m: of("im")(m)["readinessProbe"], httpGet={"path": "/readyz", "port": "http"}),
        ("dev", put(lambda m: of("kafka")(m)["readinessProbe"], tcpSocket={"port": "nowhere"})), ("dev", drop(of("redis"), "readinessProbe"))],
    "every_option_is_known_and_takes_its_value": [
        put(options_of("im"), SKEIN_HTTP_LISTENS="0.0.0.0:8080"), put(options_of("push"), SKEIN_WS_URL="ws://x/ws"),
        put(options_of("im"), SKEIN_KAFKA_BROKERS_FILE="/run/skein/kafka"), put(options_of("im"), SKEIN_KAFKA_PARTITIONS="many"),
        put(options_of("im"), SKEIN_KAFKA_PARTITIONS="0"), put(options_of("im"), SKEIN_AUTH_REGISTRATION="no"),
        put(options_of("gateway"), SKEIN_DRAIN_TIMEOUT="11m"), put(options_of("gateway"), SKEIN_QUEUE_STALLED_BYTES="1"),
        put(options_of("router"), SKEIN_LOG_FORMAT="xml"), drop(options_of("push"), "SKEIN_INTERNAL_LISTEN"), put(options_of("im"), HTTP_LISTEN="x")],
    "secrets_are_files": [
        put(options_of("im"), SKEIN_AUTH_SECRET="0123456789abcdef"), put(options_of("im"), SKEIN_PG_URI_FILE="/run/skein/uri"),
        put(options_of("im"), SKEIN_PG_URI_FILE="/run/skein/postgres/url"),
        put(of("im"), env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "skein-jwt", "key": "key"}}}]),
        put(of("im"), envFrom=[{"configMapRef": {"name": "im-options"}}, {"secretRef": {"name": "skein-jwt"}}]),
        put(lambda m: pod_of("router")(m)["volumes"][0]["secret"], defaultMode=0o444)],
    "what_a_pod_refers_to_exists": [
        put(of("im"), envFrom=[{"configMapRef": {"name": "none"}}]), put(lambda m: pod_of("im")(m)["volumes"][0]["secret"], secretName="none"),
        ("dev", without("PersistentVolumeClaim", "kafka-data")), ("dev", without("Secret", "skein-jwt")),
        lambda m: of("im")(m)["volumeMounts"].pop()],
    "every_selector_matches": [
        put(lambda m: labels(m.workload("im")), **{"app.kubernetes.io/name": "imm"}),
        put(lambda m: pod_of("im")(m)["topologySpreadConstraints"][0], labelSelector={"matchLabels": {"app.kubernetes.io/part-of": "skein"}}),
        put(spec_of("Deployment", "im"), selector={"matchLabels": {"app.kubernetes.io/part-of": "skein"}}),
        put(spec_of("PodMonitor", "skein"), selector={"matchLabels": {"app.kubernetes.io/name": "im"}}),
        put(lambda m: spec_of("PodMonitor", "skein")(m)["podMetricsEndpoints"][0], port="http")],
    "every_service_leads_to_a_port": [
        put(lambda m: spec_of("Service", "im")(m)["selector"], **{"app.kubernetes.io/name": "imm"}),
        put(lambda m: spec_of("Service", "im")(m)["ports"][0], targetPort="grpc"),
        put(lambda m: spec_of("Service", "im-grpc")(m)["ports"][0], port=9201),
        without("Service", "gateway"), put(lambda m: spec_of("Service", "im")(m)["ports"][0], name="web")],
    "what_listens_has_its_port": [
        put(options_of("im"), SKEIN_GRPC_LISTEN="0.0.0.0:9201"), drop(options_of("gateway"), "SKEIN_GRPC_LISTEN"),
        put(options_of("router"), SKEIN_GRPC_LISTEN="127.0.0.1:9200")],
    "targets_are_headless_services": [
        put(options_of("gateway"), SKEIN_IM_TARGETS="dns:im:9200"), put(options_of("gateway"), SKEIN_IM_TARGETS="dns:router-grpc:9200"),
        put(options_of("im"), SKEIN_ROUTER_TARGETS="dns:router-grpc:9201"), drop(spec_of("Service", "router-grpc"), "clusterIP")],
    "time_to_end_fits_the_drain": [
        put(pod_of("gateway"), terminationGracePeriodSeconds=140), put(options_of("im"), SKEIN_DRAIN_TIMEOUT="1m"), drop(of("im"), "lifecycle"),
        put(options_of("gateway"), SKEIN_DRAIN_TIMEOUT="20s"), put(pod_of("push"), terminationGracePeriodSeconds=12)],
    "maintenance_takes_one_pod_at_a_time": [
        without("PodDisruptionBudget", "im"), put(spec_of("PodDisruptionBudget", "im"), maxUnavailable=2),
        put(spec_of("PodDisruptionBudget", "im"), selector={"matchLabels": {"app.kubernetes.io/part-of": "skein"}})],
    "autoscalers_have_targets_and_metrics": [
        put(lambda m: spec_of("HorizontalPodAutoscaler", "im")(m)["scaleTargetRef"], name="imm"),
        put(spec_of("Deployment", "gateway"), replicas=3), put(spec_of("HorizontalPodAutoscaler", "im"), minReplicas=1),
        put(lambda m: spec_of("HorizontalPodAutoscaler", "gateway")(m)["metrics"][0]["pods"], metric={"name": "skein_gateway_connects"}),
        put(lambda m: spec_of("HorizontalPodAutoscaler", "gateway")(m)["metrics"][0]["pods"], metric={"name": "skein_gateway_lag_ms"}),
        put(options_of("im"), SKEIN_KAFKA_PARTITIONS="8"), drop(lambda m: of("im")(m)["resources"]["requests"], "cpu")],
    "the_migration_is_a_job_of_its_version": [
        rename_job, drop(lambda m: m.of("Job")[0]["spec"], "ttlSecondsAfterFinished"), put(of("migrate"), command=["im"]),
        put(pod_of("migrate"), restartPolicy="Never"), put(of("migrate"), envFrom=[])],
    "the_way_in_is_open_for_long_and_does_not_buffer": [
        drop(notes_of("websocket"), "nginx.ingress.kubernetes.io/proxy-read-timeout"),
        drop(notes_of("websocket"), "nginx.ingress.kubernetes.io/proxy-buffering"),
        drop(notes_of("http"), "nginx.ingress.kubernetes.io/proxy-body-size"), drop(spec_of("Ingress", "websocket"), "tls"),
        put(options_of("gateway"), SKEIN_WS_URL="wss://other.example.com/ws"),
        ("production-names", put(lambda m: of("gateway")(m)["env"][1], value="wss://$(POD_NAME).example.com/ws"))],
    "every_gateway_that_may_be_has_a_name": [
        ("production-names", put(spec_of("HorizontalPodAutoscaler", "gateway"), maxReplicas=7)),
        ("production-names", without("Service", "gateway-3")), ("production-names", without("Service", "gateway-names")),
        ("production-names", put(lambda m: spec_of("Service", "gateway-3")(m)["selector"], **{"statefulset.kubernetes.io/pod-name": "gateway-2"})),
        ("production-names", lambda m: spec_of("Ingress", "gateway-names")(m)["rules"].pop())],
    "the_network_lets_through_what_it_should_and_nothing_else": [
        without("NetworkPolicy", "deny"), without("NetworkPolicy", "dns"), without("NetworkPolicy", "gateway"),
        drop(rule_of("im", "ingress"), "from"), drop(rule_of("im", "ingress"), "ports"), drop(rule_of("gateway", "egress"), "to"),
        put(rule_of("gateway", "ingress"), **{"from": [{"podSelector": {}}]}),
        put(rule_of("im", "ingress"), **{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}]}),
        put(rule_of("ingress-to-im", "ingress"), ports=[{"port": 9200}]), put(rule_of("to-kafka", "egress"), ports=[{"port": 443}]),
        put(spec_of("NetworkPolicy", "to-postgres"), podSelector={}), put(rule_of("to-postgres", "egress"), to=[{"ipBlock": {"cidr": "10.0.0.0/8"}}]),
        ("dev", put(spec_of("NetworkPolicy", "postgres"), policyTypes=["Egress"])), ("dev", without("NetworkPolicy", "redis"))],
}


def test_each_policy_has_manifests_to_refuse():
    assert set(WRONG) == set(POLICIES)


@pytest.mark.parametrize("name, number", [(name, number) for name, changes in WRONG.items() for number in range(len(changes))])
def test_policy_refuses(name, number):
    case = WRONG[name][number]
    variant, change = case if isinstance(case, tuple) else ("production", case)
    changed = Manifests(variant).copy()
    change(changed)
    assert list(POLICIES[name](changed)) != []


# ---- what stands in two places ----

def test_the_stores_of_dev_are_those_of_compose():
    dev = Manifests("dev")
    for name in ("postgres", "redis", "kafka"):
        there, here = COMPOSE["services"][name], container(dev.workload(name))
        assert here["image"] == CONSTANT.sub(r"\1", there["image"])
        assert here.get("args") == ([CONSTANT.sub(r"\1", str(word)) for word in there["command"]] if "command" in there else None)
        environment = {key: CONSTANT.sub(r"\1", str(given)) for key, given in there.get("environment", {}).items()}
        own = dev.environment(dev.workload(name))
        # Where the volume of secrets and that of the data are mounted differs.
        differ = {"POSTGRES_PASSWORD_FILE", "PGDATA", "KAFKA_LOG_DIRS"}
        assert {k: v for k, v in own.items() if k not in differ} == {k: v for k, v in environment.items() if k not in differ}
        test = there["healthcheck"]["test"][1:]
        assert name == "kafka" or here["readinessProbe"]["exec"]["command"] == test


def test_limits_by_address_are_lifted_as_in_compose():
    dev = Manifests("dev")
    for service in ("im", "gateway"):
        lifted = {k: v for k, v in COMPOSE["services"][service]["environment"].items()
                  if isinstance(v, str) and ("ADDRESS" in k or "REGISTER_BURST" in k)}
        assert lifted and lifted.items() <= dev.environment(dev.workload(service)).items()


def test_only_dev_has_secrets_and_its_documents_name_the_others():
    assert {s["metadata"]["name"].rpartition("-")[0] for s in Manifests("dev").of("Secret")} >= {"skein-jwt", "skein-postgres", "skein-redis"}
    page = (ROOT / "docs" / "operate" / "kubernetes.md").read_text()
    for variant in ("production", "production-names"):
        assert Manifests(variant).of("Secret") == []
        used = {v["secret"]["secretName"] for w in Manifests(variant).workloads() for v in pod(w).get("volumes", ()) if "secret" in v}
        used |= {entry["secretName"] for i in Manifests(variant).of("Ingress") for entry in i["spec"]["tls"]}
        assert used <= set(OWN_SECRETS)
        assert all(f"`{name}`" in page for name in used)


def test_every_secret_that_a_service_has_an_option_for_is_given():
    dev = Manifests("dev")
    for service in ("gateway", "im", "push", "router"):
        secrets = {option.variable + "_FILE" for option in table(service).values() if option.is_secret}
        assert secrets <= set(dev.environment(dev.workload(service)))


def test_a_changed_option_starts_new_pods_of_its_service_only(tmp_path):
    """The name of its ConfigMap, which the pods name, has a hash of the content."""
    copied = copy_tree(tmp_path)
    with (copied / "base" / "im.env").open("a") as file:
        file.write("SKEIN_BATCH_MAX=32\n")
    changed = Manifests("dev", parse(render_folder(copied / "overlays" / "dev")))
    differ = {program(w) for w in changed.workloads() if w["spec"]["template"] != Manifests("dev").workload(program(w))["spec"]["template"]}
    assert differ == {"im", "migrate"}


def test_rendering_twice_gives_the_same():
    before = render("production")
    render.cache_clear()
    assert render("production") == before


# ---- the document ----

def row(page, first):
    """The cells of the table's row that begins with this one."""
    return re.search(rf"^\| {re.escape(first)} \|(.*)\|$", page, re.MULTILINE).group(1).split(" | ")


@pytest.mark.parametrize("first, variant, service", [
    ("gateway (production)", "production", "gateway"), ("gateway (base)", "dev", "gateway"), ("im", "dev", "im"), ("push", "dev", "push"),
    ("router", "dev", "router")])
def test_the_document_says_how_long_a_drain_takes(first, variant, service):
    page = (ROOT / "docs" / "operate" / "kubernetes.md").read_text().split("\n## Draining\n")[1]
    workload = Manifests(variant).workload(service)
    pause, drain, _, grace = (cell.strip() for cell in row(page, first))
    sleep = container(workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {})
    assert (f"{sleep['seconds']} s" if sleep else "none: nobody calls it") == pause
    asked = value(service, Manifests(variant).environment(workload), "SKEIN_DRAIN_TIMEOUT")
    assert drain.partition(":")[0] == asked.replace("s", " s") and grace == f"{pod(workload)['terminationGracePeriodSeconds']} s"


@pytest.mark.parametrize("service", ["gateway", "im", "push"])
def test_the_document_says_how_services_scale(service):
    page = (ROOT / "docs" / "operate" / "kubernetes.md").read_text().split("\n## Scaling\n")[1]
    spec = Manifests("production").one("HorizontalPodAutoscaler", service)["spec"]
    by, counts, _ = (cell.strip() for cell in row(page, service))
    assert counts == f"{spec['minReplicas']} to {spec['maxReplicas']}"
    for metric in spec["metrics"]:
        if metric["type"] == "Pods":
            target = int(metric["pods"]["target"]["averageValue"])
            assert f"`{metric['pods']['metric']['name']}`, {target:,} " in by
        else:
            assert f"CPU, {metric['resource']['target']['averageUtilization']} %" in by


def test_the_document_names_the_versions_whose_schemas_were_asked():
    assert "fit the schemas of 1.36 and 1.37" in (ROOT / "docs" / "operate" / "kubernetes.md").read_text()
    assert {version.rpartition(".")[0] for version in schema_answer(Manifests("dev").of("Namespace"))["versions"]} == {"1.36", "1.37"}
