"""The manifests of deploy/k8s as kustomize renders them, and what they refer to."""
import copy
import functools
import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
TOOLS = ROOT / "build" / "k8s-tools"
SERVICES = ("gateway", "im", "push", "router")
# Every overlay, and each with a component that no overlay has.
VARIANTS = {"dev": ["overlays/dev"], "production": ["overlays/production"],
            "production-names": ["overlays/production", "components/gateway-names"]}
KINDS_WITH_PODS = ("Deployment", "StatefulSet", "Job")


def kustomize():
    """The command that renders a folder."""
    own = TOOLS / "kustomize"
    return [str(own), "build"] if own.exists() else [shutil.which("kubectl"), "kustomize"]


def render_folder(folder):
    done = subprocess.run([*kustomize(), str(folder)], text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"{folder}: {done.stderr}"
    assert not done.stderr, f"{folder}: {done.stderr}"  # kustomize warns of what is deprecated
    return done.stdout


@functools.cache
def render(variant):
    """The text, as `kubectl apply -k` sends it. A component is added as a user does: to a copy of the overlay."""
    overlay, *components = VARIANTS[variant]
    if not components:
        return render_folder(K8S / overlay)
    with tempfile.TemporaryDirectory() as folder:
        copied = copy_tree(pathlib.Path(folder)) / overlay
        made = yaml.safe_load((copied / "kustomization.yaml").read_text())
        made["components"] += [f"../../{component}" for component in components]
        (copied / "kustomization.yaml").write_text(yaml.safe_dump(made))
        return render_folder(copied)


def copy_tree(folder):
    """deploy/k8s below another folder, with what it refers to."""
    for part in ("k8s", "docker", "grafana"):
        shutil.copytree(ROOT / "deploy" / part, folder / "deploy" / part)
    return folder / "deploy" / "k8s"


@functools.cache
def documents_of(variant):
    return parse(render(variant))


def parse(text):
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


class Manifests:
    """What was rendered, or a copy of it that a test has changed."""

    def __init__(self, variant, documents=None):
        self.variant = variant
        self.documents = documents or documents_of(variant)

    def copy(self):
        return Manifests(self.variant, copy.deepcopy(self.documents))

    def of(self, *kinds):
        return [document for document in self.documents if document["kind"] in kinds]

    def one(self, kind, name):
        """The object of this name; a generated one without the hash at the end of its name."""
        found = [d for d in self.of(kind) if d["metadata"]["name"] == name or re.fullmatch(name + "-[a-z0-9]{10}", d["metadata"]["name"])]
        assert len(found) == 1, f"{kind} {name}: {[d['metadata']['name'] for d in found]}"
        return found[0]

    def workloads(self):
        return self.of(*KINDS_WITH_PODS)

    def workload(self, name):
        """By the name of the program: the one of the label."""
        return next(workload for workload in self.workloads() if program(workload) == name)

    def selected(self, selector):
        """The workloads whose pods this label selector matches."""
        return [workload for workload in self.workloads() if matches(selector, labels(workload))]

    def environment(self, workload):
        """NAME: value, or the source of the value, as the container gets it: env is above envFrom."""
        found = {}
        for source in container(workload).get("envFrom", ()):
            name = source.get("configMapRef", {}).get("name")
            found.update(next((d.get("data", {}) for d in self.of("ConfigMap") if d["metadata"]["name"] == name), {}))
        found.update({entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(workload).get("env", ())})
        return found


def text_of(document):
    return f"{document['kind']} {document['metadata']['name']}"


def template(workload):
    return workload["spec"]["template"]


def pod(workload):
    return template(workload)["spec"]


def container(workload):
    one, = pod(workload)["containers"]
    return one


def labels(workload):
    return template(workload)["metadata"]["labels"]


def program(workload):
    return labels(workload)["app.kubernetes.io/name"]


def is_ours(workload):
    return labels(workload).get("app.kubernetes.io/component") != "store"


def ports(workload):
    return {port["name"]: port["containerPort"] for port in container(workload).get("ports", ())}


def matches(selector, its_labels):
    """A LabelSelector; an empty one matches all."""
    unknown = set(selector) - {"matchLabels", "matchExpressions"}
    assert not unknown, unknown
    for key, value in selector.get("matchLabels", {}).items():
        if its_labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "In", expression
        if its_labels.get(expression["key"]) not in expression["values"]:
            return False
    return True
