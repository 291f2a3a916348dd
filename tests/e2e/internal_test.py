"""The internal port of every process, and checks of the documents themselves."""
import pytest

import cluster
import schemas

CHECKS = {"im": {"postgres", "redis", "kafka", "lease"}, "push": {"postgres", "redis", "kafka", "gateways"}, "router": {"redis"},
          "gateway": {"router", "im"}}


@pytest.mark.parametrize("name", cluster.INTERNAL)
async def test_every_process_lives_and_is_ready(skein, name):
    base = cluster.INTERNAL[name]
    (await skein.request("GET", "/healthz", base=base)).expect(200)
    ready = (await skein.request("GET", "/readyz", base=base)).expect(200).json
    assert CHECKS[name.rsplit("-", 1)[0]] <= set(ready["checks"])


@pytest.mark.parametrize("name", cluster.INTERNAL)
async def test_the_metrics_of_every_process_are_prometheus_text(skein, name):
    answer = (await skein.request("GET", "/metrics", base=cluster.INTERNAL[name])).expect(200)
    samples, kinds = cluster.parse_metrics(answer.json)
    kind = name.rsplit("-", 1)[0]
    assert any(sample.startswith(f"skein_{kind}_") for sample, _ in samples)
    assert {"counter", "gauge"} <= set(kinds.values()) <= {"counter", "gauge", "histogram"}
    for sample, labels in samples:
        if kinds.get(sample) == "counter":
            assert sample.endswith("_total") and samples[sample, labels] >= 0, sample
    check_histograms(samples, kinds)
    assert answer.json.endswith("\n")


def check_histograms(samples, kinds):
    """Buckets of a histogram rise, and the last one, +Inf, is its count."""
    series = {}
    for (sample, labels), value in samples.items():
        if sample.endswith("_bucket"):
            *rest, bound = labels.rsplit("le=", 1)
            series.setdefault((sample.removesuffix("_bucket"), "".join(rest).rstrip(",")), []).append((bound.strip('",'), value))
    assert {name for name, _ in series} == {name for name, kind in kinds.items() if kind == "histogram"}
    for (name, labels), buckets in series.items():
        assert buckets[-1][0] == "+Inf" and buckets[-1][1] == samples[f"{name}_count", labels], name
        assert [b for _, b in buckets] == sorted(b for _, b in buckets), name
        assert [float(bound) for bound, _ in buckets] == sorted(float(bound) for bound, _ in buckets), name
        assert (f"{name}_sum", labels) in samples


async def test_metrics_count_what_happens(skein):
    async def counted():
        stored = [await cluster.metric(name, "skein_im_entries_total", 'outcome="stored"') for name in ("im-1", "im-2")]
        delivered = [await cluster.metric(name, "skein_gateway_deliveries_total") for name in ("gateway-1", "gateway-2")]
        return sum(stored), sum(delivered)
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    before = await counted()
    for i in range(10):
        await alice.say(bob, at=i % 2)
    await phone.messages(10)
    assert [after - was for was, after in zip(before, await counted(), strict=True)] == [10, 10]


STAGES = {"im": ["skein_im_batch_wait_seconds", "skein_im_batch_seconds"],
          "push": ["skein_push_record_age_seconds", "skein_push_order_seconds", "skein_push_append_seconds",
                   "skein_push_answer_seconds", "skein_push_total_seconds"],
          "gateway": ["skein_gateway_delivery_seconds"]}


async def test_every_stage_of_a_message_is_measured_once(skein):
    async def counted():
        return {stage: sum([await cluster.metric(f"{kind}-{i}", f"{stage}_count") for i in (1, 2)])
                for kind, stages in STAGES.items() for stage in stages}
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    before = await counted()

    async def all_counted():
        return await counted() == {stage: count + 10 for stage, count in before.items()}
    for i in range(10):  # one after the other: a batch of one each
        await alice.say(bob, at=i % 2)
        await phone.message()
    await cluster.becomes(all_counted)


async def test_the_internal_port_serves_nothing_else(skein):
    for base in cluster.INTERNAL.values():
        (await skein.request("GET", "/", base=base)).expect(404)
        (await skein.request("GET", "/debug/x", base=base)).expect(404)
        (await skein.request("POST", "/healthz", base=base)).expect(405)


def test_every_call_may_be_refused_for_its_rate():
    calls = {f"{method} {path}": call for path, operations in schemas.OPENAPI["paths"].items() if path.startswith("/v1/")
             for method, call in operations.items() if "responses" in call}
    assert [name for name, call in calls.items() if "429" not in call["responses"]] == []


def test_every_example_of_the_documents_is_one():
    faults = [f"{place}: {fault}" for place, fault in schemas.examples() if fault]
    assert not faults, "\n".join(faults)
    assert len(list(schemas.examples())) > 25


def test_the_documents_are_strict_about_what_the_services_say():
    """A schema that accepts everything proves nothing."""
    for name, schema in schemas.OPENAPI["components"]["schemas"].items():
        if name in ("Attributes", "Body", "TextBody", "MediaBody", "LocationBody", "Registration", "Login", "To", "Send", "Batch",
                    "NewGroup", "Edit", "NewMembers", "NewRole", "NewOwner", "GroupChange", "JoinRequest", "Mute", "Choices",
                    "ReadMark", "ProfileChange", "NewFriendRequest", "NewRemark", "NewReaction", "Broadcast", "Forward", "NewUser",
                    "UserChange", "KickOrder"):
            continue  # what clients send: unknown fields are ignored
        assert schema.get("type") != "object" or schema.get("additionalProperties") is False, name
    for frame in schemas.SERVER_FRAMES.values():
        for payload in frame["payload"].get("oneOf", [frame["payload"]]):
            assert payload["additionalProperties"] is False
