"""The dev overlay, run: its workloads as they were rendered, by podman. The tests run in this order, on one cluster."""
import asyncio
import time

from kubelet import PLAYED
from manifests import Manifests, container, pod, program
from policies import SERVICES, memory, should_talk

UP_S = 180


def text_of(message):
    return message["body"]["text"]


async def in_thread(function, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def test_every_workload_comes_up_as_it_was_rendered_and_its_probes_say_so(cluster):
    print(f"ready after {cluster.up_s:.1f} s")
    assert cluster.up_s < UP_S
    wanted = {w["metadata"]["name"]: w["spec"]["replicas"] for w in Manifests("dev").of("Deployment")}
    assert {name: len(cluster.of(name)) for name in wanted} == wanted
    assert cluster.manifests.of(*PLAYED) == Manifests("dev").of(*PLAYED)
    assert {kind for kind in ("StatefulSet", "DaemonSet", "Pod", "CronJob") if cluster.manifests.of(kind)} == set()


def test_the_migration_ended_well(cluster):
    state = cluster.job()["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0), state


def test_no_probe_would_have_restarted_a_container(cluster):
    assert {one.name: one.dead for one in cluster.pods if one.dead} == {}


def test_the_containers_have_the_rights_and_limits_of_the_manifests(cluster):
    for one in cluster.pods:
        found, asked = one.inspect(), container(one.workload)
        user = pod(one.workload)["securityContext"]
        assert found["Config"]["User"] == f"{user['runAsUser']}:{user['runAsGroup']}"
        assert found["HostConfig"]["ReadonlyRootfs"] == asked["securityContext"]["readOnlyRootFilesystem"]
        assert found["EffectiveCaps"] in ([], None) and found["BoundingCaps"] in ([], None)
        assert found["HostConfig"]["Memory"] == memory(asked["resources"]["limits"]["memory"])
        assert not found["HostConfig"]["Privileged"]


async def test_two_users_on_two_gateways_exchange_messages(skein):
    alice, bob = await skein.users("alice", "bob")
    phones = [await alice.connect(gateway=0), await bob.connect(gateway=1)]
    assert {phone.hello["node"] for phone in phones} == {"gateway-pod-0", "gateway-pod-1"}
    await alice.say(bob, "hi bob")
    assert text_of(await phones[1].message()) == "hi bob"
    await bob.say(alice, "hi alice")
    assert [text_of(await phones[0].message()) for _ in range(2)] == ["hi bob", "hi alice"]


async def test_skeinctl_in_a_pod_mints_tokens_and_gateways_are_offered_by_their_url(cluster, skein):
    one = cluster.of("im")[0]
    user = skein.user("carol")
    user.token = (await in_thread(cluster.podman.run, "exec", one.container, "skeinctl", "token", "--uid", user.uid)).strip()
    urls = [gateway["url"] for gateway in (await user.endpoints())["gateways"]]
    assert urls == [Manifests("dev").environment(cluster.of("gateway")[0].workload)["SKEIN_WS_URL"]] * 2


async def test_the_services_talk_to_whom_the_policies_let_and_to_nobody_else(cluster, skein):
    """Every pair that the policies allow is seen while a user logs in on two devices, one takes the place of the other, and both write."""
    should = {(one, other, port) for one, other, protocol, port in should_talk(cluster.manifests) if other != "dns" and one != "migrate"}
    alice, bob = await skein.users("alice", "bob")
    seen = set()
    deadline = time.monotonic() + 60
    while seen != should:
        assert time.monotonic() < deadline, f"not seen: {should - seen}"
        first = await alice.connect(gateway=0)
        await alice.connect(gateway=1)  # the same device: router has the first closed
        await bob.say(alice)
        assert await first.closed() == 4001
        seen |= await in_thread(cluster.connections)
        assert seen <= should, f"policies do not allow: {seen - should}"


async def test_what_the_autoscalers_ask_for_is_exported(cluster):
    wanted = {metric["pods"]["metric"]["name"]: scaler["spec"]["scaleTargetRef"]["name"]
              for scaler in Manifests("production").of("HorizontalPodAutoscaler") for metric in scaler["spec"]["metrics"] if metric["type"] == "Pods"}
    assert len(wanted) == 2
    from cluster import get, parse_metrics
    for name, service in wanted.items():
        for one in cluster.of(service):
            status, text = await get(one.name, "/metrics")
            samples, types = parse_metrics(text)
            assert status == 200 and types[name] == "gauge" and (name, "") in samples


async def test_a_gateway_that_ends_moves_its_clients_within_its_time(cluster, skein):
    from cluster import WS
    victim = cluster.of("gateway")[0]
    alice, bob = await skein.users("alice", "bob")
    phone = await alice.connect(gateway=0)
    assert phone.hello["node"] == victim.name
    stopping = asyncio.ensure_future(in_thread(victim.stop))
    await phone.expect("reconnect")
    again = await alice.connect(gateway=1)
    await bob.say(alice, "still there")
    assert text_of(await again.message()) == "still there"
    await phone.close()
    took_s, given_s = await stopping
    state = (await in_thread(victim.inspect))["State"]
    print(f"{victim.name} ended after {took_s:.1f} s of {given_s}")
    assert state["ExitCode"] == 0 and took_s < given_s
    await in_thread(victim.start)
    await in_thread(cluster.await_ready, 60)
    WS[0] = victim.websocket()
    back = await alice.connect(gateway=0, device="tablet")
    await bob.say(alice, "and here")
    assert text_of(await back.message()) == "and here"


async def test_a_store_that_is_away_makes_pods_not_ready_and_restarts_none(cluster, skein):
    ours = [one for service in SERVICES for one in cluster.of(service)]
    users = [one for one in ours if program(one.workload) != "gateway"]

    def restarts():
        return {one.name: one.inspect()["RestartCount"] for one in ours}
    before = await in_thread(restarts)
    redis, = cluster.of("redis")
    await in_thread(redis.stop)
    deadline = time.monotonic() + 60
    while still := [one.name for one in users if one.is_ready]:
        assert time.monotonic() < deadline, still
        await asyncio.sleep(0.2)
    await asyncio.sleep(12)  # a liveness probe more
    await in_thread(redis.start)
    await in_thread(cluster.await_ready, 90)
    assert {one.name: one.dead for one in cluster.pods if one.dead} == {}
    assert await in_thread(restarts) == before
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(gateway=1)
    await alice.say(bob, "again")
    assert text_of(await phone.message()) == "again"
