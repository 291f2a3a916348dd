"""The package in a system with systemd: installed, started, broken, upgraded and removed, in this order. The stores are outside."""
import asyncio
import os
import re
import shutil
import subprocess
import time
import urllib.request

import pytest

from conftest import HERE, ROOT
from deb_test import UNITS

SERVICES = ("router", "im", "push", "gateway")
ENABLED = [f"skein-{service}.service" for service in SERVICES]
READY_S = 60
EXPOSURE_MAX = 3.0
SECRETS = "/etc/skein/secrets"
# Of the range of ports: what listens, at which distance from the first one.
PORTS = {"im": {"http": 0, "grpc": 20, "internal": 50}, "gateway": {"ws": 10, "grpc": 40, "internal": 60},
         "router": {"grpc": 30, "internal": 70}, "push": {"internal": 80}}


def port(stores, service, what, number=1):
    return stores.base + PORTS[service][what] + number - 1


def address(stores, service, what, number=1):
    return f"127.0.0.1:{port(stores, service, what, number)}"


def settings(stores, service, number=1):
    """What a test's administrator changes: ports, since this machine may have a cluster of its own, and where the stores are."""
    listen = {f"{what}.listen": address(stores, service, what, number) for what in PORTS[service]}
    routers, ims = address(stores, "router", "grpc"), address(stores, "im", "grpc")
    more = {"im": {"redis.uri": stores.redis, "kafka.brokers": stores.kafka, "router.targets": routers, "limits.enabled": "off"},
            "push": {"redis.uri": stores.redis, "kafka.brokers": stores.kafka},
            "router": {"redis.uri": stores.redis},
            "gateway": {"ws.url": f"ws://{address(stores, 'gateway', 'ws', number)}/ws", "router.targets": routers, "im.targets": ims}}
    return {**listen, **more[service]}


def configure(system, service, values, number=""):
    """Changes lines of the file that the package brought, and adds the others."""
    text = system.read(f"/etc/skein/{service}.conf")
    for name, value in values.items():
        line = f"{name} = {value}"
        text, found = re.subn(rf"^{re.escape(name)} = .*$", line, text, flags=re.MULTILINE)
        text += "" if found else line + "\n"
    system.write(f"/etc/skein/{service}{number}.conf", text)


def is_ready(stores, service, number=1):
    try:
        with urllib.request.urlopen(f"http://{address(stores, service, 'internal', number)}/readyz", timeout=3) as answer:
            return answer.status == 200
    except OSError:
        return False


def becomes(condition, within_s, what):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what()}"
        time.sleep(0.1)


def all_ready(system, stores):
    becomes(lambda: all(is_ready(stores, service) for service in SERVICES), READY_S,
            lambda: "".join(system.run("systemctl", "status", "--no-pager", unit, check=False) for unit in ENABLED))


def failed(system):
    return system.run("systemctl", "list-units", "--failed", "--no-legend", "--plain")


def main_pids(system, units=ENABLED):
    return {unit: system.show(unit, "MainPID") for unit in units}


@pytest.fixture
def running(system, stores):
    """The services, ready; they are what the tests of the first start have left."""
    system.run("systemctl", "start", "skein.target")
    all_ready(system, stores)
    # The clients of tests/e2e take the cluster from here.
    os.environ.update(RUN_DIR=str(HERE), SKEIN_HTTP=f"http://{address(stores, 'im', 'http')}", SKEIN_INTERNAL="none=none",
                      SKEIN_WS=",".join(f"ws://{address(stores, 'gateway', 'ws', number)}/ws" for number in (1, 2)), SKEIN_JWT_SECRET=system.read(f"{SECRETS}/jwt"))
    return system


async def in_thread(function, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


# ---- installing ----

def install(system, package, *options):
    shutil.copy(package, system.path("/root/"))
    return system.apt("install", *options, f"/root/{package.name}")


def test_apt_installs_the_package_and_nothing_runs_yet(system, packages):
    for name in ("skein", "libskeinclient0"):
        install(system, packages[name])
    assert system.run("dpkg", "--audit") == ""
    assert system.run("getent", "passwd", "skein").split(":")[5:] == ["/", "/usr/sbin/nologin\n"]
    assert system.run("id", "-nG", "skein") == "skein\n"
    for unit in UNITS:
        if "@" not in unit:
            assert system.show(unit, "ActiveState", "LoadState", "UnitFileState") == {
                "ActiveState": "inactive", "LoadState": "loaded",
                "UnitFileState": "static" if "migrate" in unit else "disabled"}, unit
    assert failed(system) == ""
    for path in ("/usr/sbin/skein-im", "/etc/skein/im.conf", "/lib/systemd/system/skein-im.service"):
        assert system.run("stat", "-c", "%U:%G", path) == "root:root\n"
    assert "libskeinclient.so.0" in system.run("ldconfig", "-p")


@pytest.mark.parametrize("program", [*(f"skein-{service}" for service in SERVICES), "skeinctl"])
def test_a_program_runs_and_says_what_it_is(system, packages, program):
    version = subprocess.run(["dpkg-deb", "--field", packages["skein"], "Version"], text=True, stdout=subprocess.PIPE, check=True).stdout.strip()
    assert "not found" not in system.run("ldd", system.run("which", program).strip())
    assert program.removeprefix("skein-") in system.run(program, "--help")
    described = system.run(program, "--version").split()[1]
    assert described.removesuffix("-dirty").split("-g")[-1].removeprefix("v") in version


def test_no_unit_has_a_mistake_and_each_is_little_exposed(system):
    for unit in UNITS:
        name = unit.replace("@", "@2")
        assert system.run("systemd-analyze", "verify", "--man=no", name) == ""
        if name.endswith(".service"):
            told = system.run("systemd-analyze", "security", "--no-pager", "--offline=true", name)
            exposure = float(re.search(r"Overall exposure level for .*: ([0-9.]+)", told).group(1))
            print(f"{name}: exposure {exposure}")
            assert exposure <= EXPOSURE_MAX, told


def test_a_stop_has_the_time_of_a_drain(system):
    """TimeoutStopSec is longer than drain.timeout; the gateway's leaves 3 s for clients that stay and some for the rest."""
    for service, more_s in (("gateway", 5), ("im", 5), ("push", 5), ("router", 2)):
        drain_s = int(re.search(r"--drain.timeout.*?(\d+)s ", system.run(f"skein-{service}", "--help").replace("0 to 10m", "")).group(1))
        for unit in (f"skein-{service}.service", f"skein-{service}@2.service"):
            found = system.show(unit, "TimeoutStopUSec", "KillMode", "Restart", "User")
            stop_s = int(re.fullmatch(r"(\d+)s", found.pop("TimeoutStopUSec")).group(1))
            assert stop_s >= drain_s + more_s
            assert found == {"KillMode": "mixed", "Restart": "on-failure", "User": "skein"}


# ---- the first start ----

@pytest.mark.parametrize("unit, missing", [("skein-im", "pg-uri"), ("skein-gateway", "jwt"), ("skein-push", "pg-uri"), ("skein-migrate", "pg-uri")])
def test_without_its_secret_a_unit_is_not_started_and_says_which_file_it_wants(system, unit, missing):
    system.run("systemctl", "start", unit)
    line, = set(system.journal(unit).splitlines())  # im wants skein-migrate, which is skipped then, too
    assert line.endswith(f"was skipped because of an unmet condition check (ConditionPathExists={SECRETS}/{missing}).")
    assert line in system.run("systemctl", "status", "--no-pager", "--full", unit, check=False)
    assert system.show(unit, "ActiveState", "NRestarts") == {"ActiveState": "inactive", "NRestarts": "0"}


def test_an_option_that_is_not_valid_is_named_and_not_tried_again(system):
    """It is the service that says so, and the exit status 2 that ends it."""
    before = system.read("/etc/skein/router.conf")
    system.write("/etc/skein/router.conf", before + "no.such = option\n")
    system.run("systemctl", "start", "skein-router")
    becomes(lambda: system.show("skein-router", "ActiveState") == "failed", 10, lambda: system.journal("skein-router"))
    assert system.show("skein-router", "ExecMainStatus", "NRestarts") == {"ExecMainStatus": "2", "NRestarts": "0"}
    assert re.search(r'router\.conf:\d+: there is no option "no\.such"', system.journal("skein-router"))
    system.write("/etc/skein/router.conf", before)
    system.run("systemctl", "reset-failed", "skein-router")


def test_a_wrong_password_is_said_and_after_a_restart_with_the_right_one_all_are_ready(system, stores):
    system.run("skeinctl", "secrets", SECRETS)
    assert system.run("stat", "-c", "%a %U", SECRETS, f"{SECRETS}/jwt").splitlines() == ["700 root", "600 root"]
    for service in SERVICES:
        configure(system, service, settings(stores, service))
    system.write(f"{SECRETS}/pg-uri", re.sub(r":[^:@/]+@", ":hunter2@", stores.pg) + "\n", 0o600)
    system.run("systemctl", "enable", "--now", *ENABLED)
    becomes(lambda: "password authentication failed" in system.journal("skein-migrate"), 30, lambda: system.journal("skein-migrate"))
    assert "hunter2" not in system.run("journalctl", "--no-pager")
    assert not is_ready(stores, "im")
    system.write(f"{SECRETS}/pg-uri", stores.pg + "\n", 0o600)
    begun = time.monotonic()
    system.run("systemctl", "restart", "skein.target")
    all_ready(system, stores)
    print(f"ready {time.monotonic() - begun:.1f} s after the start")
    assert system.show("skein-migrate", "ActiveState", "SubState") == {"ActiveState": "active", "SubState": "exited"}
    assert system.run("systemctl", "is-enabled", *ENABLED, "skein.target").split() == ["enabled"] * 5


def status_of(running, pid):
    return dict(line.split(":\t", 1) for line in running.read(f"/proc/{pid}/status").splitlines())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_privilege_and_sees_its_secrets_alone(running, service):
    unit = f"skein-{service}"
    pid = running.show(unit, "MainPID")
    status = status_of(running, pid)
    assert status["Uid"].split() == [running.run("id", "-u", "skein").strip()] * 4
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    mounts = running.read(f"/proc/{pid}/mountinfo").splitlines()
    assert next(line for line in mounts if line.split()[4] == "/").split()[5].startswith("ro")
    secrets = {"gateway": {"jwt"}, "im": {"jwt", "pg-uri"}, "push": {"pg-uri"}, "router": set()}[service]
    variables = dict(pair.split("=", 1) for pair in running.read(f"/proc/{pid}/environ").split("\0") if pair)
    files = {value for name, value in variables.items() if name.endswith("_FILE")}
    assert {os.path.basename(path) for path in files} == secrets
    for path in files:
        mode = running.run("nsenter", "--target", pid, "--mount", "--", "stat", "-c", "%a", path).strip()
        assert mode in ("400", "440"), "nobody else reads it, and the service cannot write it"
    for secret in ("jwt", "postgres"):
        assert running.read(f"{SECRETS}/{secret}") not in running.read(f"/proc/{pid}/environ") + running.read(f"/proc/{pid}/cmdline")


def test_a_gateway_may_have_as_many_descriptors_as_this_machine_allows(running):
    limits = running.read(f"/proc/{running.show('skein-gateway', 'MainPID')}/limits")
    soft = int(re.search(r"Max open files +(\d+)", limits).group(1))
    of_systemd = int(re.search(r"Max open files +\d+ +(\d+)", running.read("/proc/1/limits")).group(1))
    assert running.show("skein-gateway", "LimitNOFILE") == "1048576"
    assert soft == 1048576 or soft == of_systemd, "systemd gives what it can where it may not raise its own limit"


def skeinctl(running, *words):
    return running.run("skeinctl", *words, SKEIN_HTTP=os.environ["SKEIN_HTTP"], SKEIN_WS=os.environ["SKEIN_WS"],
                       SKEIN_AUTH_SECRET_FILE=f"{SECRETS}/jwt")


def test_skeinctl_on_the_host_takes_the_key_from_its_file(running):
    assert len(skeinctl(running, "token", "--uid", "alice").split(".")) == 3
    # The services have just started: im reads the list of gateways once a second.
    becomes(lambda: skeinctl(running, "nodes", "--json").count('"node"') == 1, 10, lambda: skeinctl(running, "nodes", "--json"))


async def test_messages_go_through(running, skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect()
    for i in range(20):
        await alice.say(bob, f"message {i}")
    assert [message["body"]["text"] for message in await phone.messages(20)] == [f"message {i}" for i in range(20)]


# ---- faults ----

@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_is_started_again(running, stores, service):
    unit = f"skein-{service}"
    before = running.show(unit, "MainPID", "NRestarts")
    begun = time.monotonic()
    running.run("kill", "-KILL", before["MainPID"])
    becomes(lambda: running.show(unit, "MainPID") not in ("0", before["MainPID"]), 20, lambda: running.journal(unit))
    all_ready(running, stores)
    print(f"{unit}: ready {time.monotonic() - begun:.1f} s after SIGKILL")
    assert int(running.show(unit, "NRestarts")) == int(before["NRestarts"]) + 1


def test_reload_takes_the_options_that_may_change(running, stores):
    pid = running.show("skein-im", "MainPID")
    configure(running, "im", {**settings(stores, "im"), "log.level": "debug"})
    running.run("systemctl", "reload", "skein-im")
    becomes(lambda: "option=log.level" in running.journal("skein-im"), 10, lambda: running.journal("skein-im")[-2000:])
    assert running.show("skein-im", "MainPID") == pid


def test_after_a_start_without_postgres_all_become_ready_when_it_is_there(running, stores):
    """skein-migrate fails and is tried again; im and push wait."""
    running.run("systemctl", "stop", "skein.target")
    stores.postgres_stops()
    since = running.run("date", "+%Y-%m-%d %H:%M:%S").strip()
    try:
        running.run("systemctl", "start", "skein.target")
        becomes(lambda: "Failed with result" in running.journal("skein-migrate", since), 30, lambda: running.journal("skein-migrate"))
        assert running.show("skein-im", "ActiveState") == "active"
        assert not is_ready(stores, "im")
    finally:
        stores.postgres_starts()
    begun = time.monotonic()
    all_ready(running, stores)
    print(f"ready {time.monotonic() - begun:.1f} s after PostgreSQL")


def runs_into(running, unit, status):
    """Starts the unit, which ends with this status. What it said."""
    since = running.run("date", "+%Y-%m-%d %H:%M:%S").strip()
    running.run("systemctl", "start", unit)
    becomes(lambda: running.show(unit, "ExecMainStatus") == status, 20, lambda: running.journal(unit, since))
    told = running.journal(unit, since)
    running.run("systemctl", "stop", unit)
    running.run("systemctl", "reset-failed", unit, check=False)
    return told


def test_a_port_that_is_taken_is_named(running, stores):
    configure(running, "router", {**settings(stores, "router"), "node.name": "router-2"}, "-2")
    assert address(stores, "router", "grpc") in runs_into(running, "skein-router@2", "1")


def test_an_empty_secret_is_named(running, stores):
    running.run("systemctl", "stop", "skein-push")
    running.write(f"{SECRETS}/pg-uri", "", 0o600)
    try:
        assert re.search(r"SKEIN_PG_URI_FILE: \S+/pg-uri is empty", runs_into(running, "skein-push", "2"))
    finally:
        running.write(f"{SECRETS}/pg-uri", stores.pg + "\n", 0o600)


def test_the_password_of_redis_comes_from_a_file_as_the_documentation_says(running, stores):
    page = (ROOT / "docs" / "operate" / "packages.md").read_text()
    before = running.read("/etc/skein/router.conf")
    folder = "/etc/systemd/system/skein-router.service.d"
    running.run("mkdir", folder)
    running.write(f"{folder}/override.conf", re.search(r"```ini\n(.*?)```", page, re.DOTALL).group(1))
    running.write(f"{SECRETS}/redis-uri", stores.redis + "\n", 0o600)
    configure(running, "router", {"redis.uri": "redis://127.0.0.1:1/0"})
    running.run("systemctl", "daemon-reload")
    running.run("systemctl", "restart", "skein-router")
    all_ready(running, stores)
    running.run("rm", "-r", folder)
    running.run("systemctl", "daemon-reload")
    running.write("/etc/skein/router.conf", before)
    running.run("systemctl", "restart", "skein-router")
    all_ready(running, stores)


# ---- stopping ----

async def test_stop_drains_a_gateway_whose_clients_go_to_a_further_one(running, stores, skein):
    """skein-gateway@2 reads gateway-2.conf. A client is told to go, and gets on the other one what was sent meanwhile."""
    from phone import Phone
    configure(running, "gateway", {**settings(stores, "gateway", 2), "node.name": "gateway-2"}, "-2")
    await in_thread(running.run, "systemctl", "start", "skein-gateway@2")
    await in_thread(becomes, lambda: is_ready(stores, "gateway", 2), 30, lambda: running.journal("skein-gateway@2"))
    alice, bob = await skein.users("alice", "bob")
    while len((await alice.endpoints())["gateways"]) < 2:
        await asyncio.sleep(0.1)
    phone = Phone(bob, gateway=0)
    phone.start()
    await phone.is_connected()
    phone.gateway = 1  # where it goes if it is told no other place
    begun = time.monotonic()
    stopping = asyncio.ensure_future(in_thread(running.run, "systemctl", "stop", "skein-gateway"))
    sent = 0
    while not stopping.done() or sent < 20:
        await alice.say(bob, str(sent))
        sent += 1
        await asyncio.sleep(0.02)
    await stopping
    print(f"the gateway drained in {time.monotonic() - begun:.1f} s")
    await phone.has(sent)
    assert [message["body"]["text"] for message in phone.messages] == [str(i) for i in range(sent)]
    # Without a URL the client asks im: router may not have seen the new gateway yet.
    assert len(phone.told) == 1 and phone.told[0] in (f"ws://{address(stores, 'gateway', 'ws', 2)}/ws", None)
    assert phone.connects == 2
    await phone.stop()
    found = running.show("skein-gateway", "Result", "ExecMainStatus", "ActiveState")
    assert found == {"Result": "success", "ExecMainStatus": "0", "ActiveState": "inactive"}


def test_stop_of_the_target_drains_all_gateways_first(running, stores):
    running.run("systemctl", "start", "skein-gateway")
    all_ready(running, stores)
    begun = time.monotonic()
    running.run("systemctl", "stop", "skein.target")
    units = [*ENABLED, "skein-gateway@2.service"]
    becomes(lambda: all(running.show(unit, "ActiveState") == "inactive" for unit in units), 60, lambda: main_pids(running, units))
    print(f"everything drained in {time.monotonic() - begun:.1f} s")
    left = {}
    for unit in units:
        found = running.show(unit, "Result", "ExecMainStatus", "ExecMainExitTimestampMonotonic")
        left[unit] = int(found.pop("ExecMainExitTimestampMonotonic"))
        assert found == {"Result": "success", "ExecMainStatus": "0"}, unit
    assert left["skein-gateway.service"] < left["skein-im.service"] < left["skein-router.service"]


# ---- upgrading and removing ----

@pytest.fixture(scope="session")
def newer(packages, tmp_path_factory):
    """The package with a higher version, and other defaults in two configuration files."""
    folder = tmp_path_factory.mktemp("newer")
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", packages["skein"], tree], check=True)
    control = (tree / "DEBIAN/control").read_text()
    (tree / "DEBIAN/control").write_text(re.sub(r"^(Version: .*)$", r"\1+newer", control, flags=re.MULTILINE))
    for name in ("im", "push"):
        with (tree / f"etc/skein/{name}.conf").open("a") as file:
            file.write("# of the newer version\n")
    package = folder / "skein_newer_amd64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, package], stdout=subprocess.DEVNULL, check=True)
    return package


def test_an_upgrade_restarts_what_runs_migrates_and_keeps_what_was_changed(running, stores, newer, packages):
    changed = running.read("/etc/skein/im.conf")
    subprocess.run(["dpkg-deb", "--extract", packages["skein"], newer.parent / "first"], check=True)
    running.write("/etc/skein/push.conf", (newer.parent / "first/etc/skein/push.conf").read_text())  # as nobody had changed it
    running.run("systemctl", "stop", "skein-push")
    before = main_pids(running)
    migrations = running.journal("skein-migrate").count("schema and topics are up to date")
    install(running, newer, "-o", "Dpkg::Options::=--force-confold")
    assert running.read("/etc/skein/im.conf") == changed
    assert running.read("/etc/skein/im.conf.dpkg-dist").endswith("# of the newer version\n")
    assert running.read("/etc/skein/push.conf").endswith("# of the newer version\n")
    after = main_pids(running)
    assert after["skein-push.service"] == "0", "what was stopped stays stopped"
    for unit in ENABLED:
        if "push" not in unit:
            assert after[unit] not in ("0", before[unit]), unit
    assert running.journal("skein-migrate").count("schema and topics are up to date") == migrations + 1
    assert running.run("systemctl", "is-enabled", *ENABLED).split() == ["enabled"] * 4
    configure(running, "push", settings(stores, "push"))
    running.run("systemctl", "start", "skein-push")
    all_ready(running, stores)


async def test_messages_go_through_after_the_upgrade(running, skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect()
    await alice.say(bob, "still here")
    assert (await phone.message())["body"]["text"] == "still here"


def test_removing_stops_the_services_and_purging_takes_configuration_and_secrets(running):
    running.run("systemctl", "start", "skein-gateway@2")
    running.apt("remove", "skein")
    assert running.run("find", "/proc", "-maxdepth", "1", "-user", "skein") == ""
    assert "/etc/skein/im.conf\n" in running.run("find", "/etc/skein")
    assert running.run("sh", "-c", "command -v skein-im; true") == ""
    running.apt("purge", "skein", "libskeinclient0")
    left = running.run("find", "/", "-xdev", "-name", "*skein*", "-not", "-path", "/proc/*", "-not", "-path", "/root/*",
                       "-not", "-path", "/var/log/*", "-not", "-path", "/var/cache/*")
    assert left == ""
    assert running.run("getent", "passwd", "skein") != "", "Debian keeps users: files of theirs may be left"
    assert failed(running) == ""
