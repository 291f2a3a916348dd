"""What Kubernetes does and `podman play kube` does not: Jobs, probes, preStop, the endpoints of Services."""
import base64
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import yaml

from engine import FOLDER, NETWORK
from manifests import container, matches, pod, ports, program, template
from names import Names

PLAYED = ("ConfigMap", "PersistentVolumeClaim", "Deployment")


class Pod:
    """One pod of a workload, and what its probes found."""

    def __init__(self, podman, workload, found):
        self.podman, self.workload, self.name = podman, workload, found["Name"]
        self.container = f"{self.name}-{container(workload)['name']}"
        self.infra = found["InfraId"]
        self.address = self._find_address()
        self.is_started = self.is_ready = False
        self.failures = {"startup": 0, "liveness": 0, "readiness": 0}
        self.due = dict.fromkeys(self.failures, 0.0)
        self.dead = []  # times at which the kubelet would have restarted it
        self.last = {}  # kind: what the last failure was
        self.is_stopped = False  # on purpose

    def _find_address(self):
        return self.podman.json("inspect", self.infra)[0]["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]

    def inspect(self):
        return self.podman.json("inspect", self.container)[0]

    def websocket(self):
        return f"ws://{self.address}:{ports(self.workload)['ws']}/ws"

    def logs(self):
        done = self.podman.run("logs", "--tail", "20", self.container, output=False, check=False)
        return done.stdout + done.stderr

    def _number(self, port):
        return ports(self.workload).get(port, port)

    def _ask(self, probe):
        """Why it failed, or None."""
        timeout_s = probe.get("timeoutSeconds", 1)
        try:
            if "httpGet" in probe:
                get = probe["httpGet"]
                with urllib.request.urlopen(f"http://{self.address}:{self._number(get['port'])}{get['path']}", timeout=timeout_s):
                    return None
            if "tcpSocket" in probe:
                socket.create_connection((self.address, self._number(probe["tcpSocket"]["port"])), timeout_s).close()
                return None
            done = self.podman.run("exec", self.container, *probe["exec"]["command"], output=False, check=False, timeout=timeout_s + 5)
            return None if done.returncode == 0 else (done.stdout + done.stderr)[-500:] or f"exit code {done.returncode}"
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode()}"
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)

    def _probe(self, kind):
        """Asks if it is time. Returns whether the probe has reached its threshold of failures or of successes, else None."""
        probe = container(self.workload)[f"{kind}Probe"]
        if time.monotonic() < self.due[kind]:
            return None
        why = self._ask(probe)
        self.due[kind] = time.monotonic() + probe.get("periodSeconds", 10)
        if why is None:
            self.failures[kind] = 0
            return True
        self.failures[kind] += 1
        self.last[kind] = why
        return False if self.failures[kind] >= probe.get("failureThreshold", 3) else None

    def step(self):
        if self.is_stopped:
            self.is_started = self.is_ready = False
            self.failures = dict.fromkeys(self.failures, 0)
            return
        if not self.is_started:
            outcome = self._probe("startup")
            self.is_started = bool(outcome)
            if outcome is False:
                self.dead.append(f"startup: {self.last['startup']}")
            return
        ready = self._probe("readiness")
        self.is_ready = self.is_ready if ready is None else ready
        if self._probe("liveness") is False:
            self.dead.append(f"liveness: {self.last['liveness']}")
            self.failures["liveness"] = 0

    def stop(self):
        """As the kubelet ends a pod: out of the endpoints, preStop, SIGTERM, and SIGKILL after the rest of the grace period."""
        self.is_stopped, self.is_ready = True, False
        pause_s = container(self.workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        time.sleep(pause_s)
        grace_s = pod(self.workload).get("terminationGracePeriodSeconds", 30) - pause_s
        start = time.monotonic()
        self.podman.run("stop", "--time", grace_s, self.container, timeout=grace_s + 60)
        return time.monotonic() - start, grace_s

    def start(self):
        """As another pod in its place: the address is another one, too."""
        self.podman.run("start", self.container)
        self.address = self._find_address()
        self.is_stopped = False


class Cluster:
    def __init__(self, podman, manifests):
        self.podman, self.manifests = podman, manifests
        self.namespace = manifests.of("Namespace")[0]["metadata"]["name"]
        self.pods, self.names, self.threads = [], None, []
        self._is_over = threading.Event()

    # -- up and down --

    def up(self):
        """Plays the workloads as they are; a Job, which podman 4.3 does not know, as the pod that it would make."""
        self.names = Names(f"{self.namespace}.svc.cluster.local")
        self._make_secrets()
        file = FOLDER / "played.yaml"
        file.write_text(yaml.safe_dump_all([*self.manifests.of(*PLAYED), self._pod_of_job()]))
        self.podman.run("play", "kube", "--network", NETWORK, file, timeout=600)
        by_name = {workload["metadata"]["name"]: workload for workload in self.manifests.of("Deployment")}
        self.pods = [Pod(self.podman, by_name[found["Name"].rpartition("-pod-")[0]], found)
                     for found in self.podman.json("pod", "ps", "--format", "json") if found["Name"] != self.job_name]
        self.threads = [threading.Thread(target=self._keep_probing, args=(one,), daemon=True) for one in self.pods]
        for thread in self.threads:
            thread.start()

    def down(self):
        self._is_over.set()
        for thread in self.threads:
            thread.join(20)
        if self.names:
            self.names.close()

    def _make_secrets(self):
        """podman 4.3 writes a Secret's values into the volume in base64, as they stand in the manifest. So it gets them plain."""
        for secret in self.manifests.of("Secret"):
            plain = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
            file = self.podman.folder / "secret"
            file.write_text(yaml.safe_dump({**secret, "data": plain}))
            self.podman.run("secret", "create", secret["metadata"]["name"], file)
            file.unlink()

    @property
    def job_name(self):
        return self.manifests.of("Job")[0]["metadata"]["name"]

    def _pod_of_job(self):
        job, = self.manifests.of("Job")
        made = template(job)
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.job_name, **made["metadata"]}, "spec": made["spec"]}

    def job(self):
        """What podman says of the Job's container."""
        name = container(self.manifests.of("Job")[0])["name"]
        return self.podman.json("inspect", f"{self.job_name}-{name}")[0]

    # -- probes and endpoints --

    def _keep_probing(self, one):
        while not self._is_over.wait(0.2):
            one.step()
            self._publish()

    def _publish(self):
        self.names.addresses = {
            service["metadata"]["name"]: [one.address for one in self.pods
                                          if one.is_ready and matches({"matchLabels": service["spec"]["selector"]},
                                                                      template(one.workload)["metadata"]["labels"])]
            for service in self.manifests.of("Service")}

    def of(self, name):
        return [one for one in self.pods if program(one.workload) == name]

    def await_ready(self, within_s):
        """Returns how long it took."""
        start = time.monotonic()
        while waiting := [one for one in self.pods if not one.is_ready]:
            assert time.monotonic() - start < within_s, "\n".join(f"{one.name}: {one.last}\n{one.logs()}" for one in waiting)
            time.sleep(0.2)
        return time.monotonic() - start

    # -- what is seen --

    def connections(self):
        """{(from, to, port)}: TCP connections from pods to others that are open now, by program."""
        programs = {one.address: program(one.workload) for one in self.pods}
        found = set()
        for one in self.pods:
            pid = self.podman.json("inspect", one.infra)[0]["State"]["Pid"]
            lines = subprocess.run(["nsenter", "--target", str(pid), "--net", "ss", "--no-header", "--tcp", "--numeric", "state", "established"],
                                   text=True, stdout=subprocess.PIPE, check=True).stdout.splitlines()
            own = set(ports(one.workload).values())
            for line in lines:
                (_, own_port), (other, port) = (word.rpartition(":")[::2] for word in line.split()[2:4])
                other = other.strip("[]").removeprefix("::ffff:")  # gRPC's sockets are of IPv6
                if int(own_port) not in own and other in programs and other != one.address:
                    found.add((program(one.workload), programs[other], int(port)))
        return found
