"""Runs in build/k8s-tools/venv. Objects come as a JSON list on stdin; prints a JSON object: the versions of Kubernetes that were
asked, and what their schemas refuse. Fields that a schema does not know are refused, too."""
import json
import sys

import kubernetes_validate
from kubernetes_validate.utils import all_versions

VERSIONS = list(dict.fromkeys(all_versions()))[-2:]  # each is there twice, for schemas that are strict and not
CUSTOM = {"PodMonitor"}  # of an operator, not of Kubernetes

faults = []
for document in json.load(sys.stdin):
    if document["kind"] in CUSTOM:
        continue
    for version in VERSIONS:
        name = f"{version}: {document['kind']} {document['metadata']['name']}"
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            faults.append(f"{name}: {'.'.join(str(part) for part in error.path)}: {error.message[:300]}")
        except kubernetes_validate.SchemaNotFoundError as error:
            faults.append(f"{name}: {error.message}")
json.dump({"versions": VERSIONS, "faults": faults}, sys.stdout)
