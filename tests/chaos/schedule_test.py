"""A schedule is a function of its seed, has the requested faults, and leaves time to heal."""
import itertools

import pytest

import links
import schedule

SEEDS = range(40)


def test_the_same_seed_gives_the_same_schedule():
    assert schedule.schedule(7, 10) == schedule.schedule(7, 10)


def test_another_seed_gives_another():
    assert len({tuple(schedule.schedule(seed, 5)) for seed in SEEDS}) == len(SEEDS)


def test_a_longer_run_begins_as_a_shorter_one():
    short = schedule.schedule(3, 4)
    assert schedule.schedule(3, 12)[:len(short)] == short


def test_there_is_one_fault_at_a_time_with_time_to_heal():
    for seed in SEEDS:
        faults = schedule.schedule(seed, 10)
        for one, other in itertools.pairwise(faults):
            assert other.at_s + 0.1 > one.at_s + one.lasts_s + schedule.KINDS[one.kind].heals_s


def test_it_ends_in_time():
    for seed in SEEDS:
        faults = schedule.schedule(seed, 5)
        assert faults[-1].at_s + faults[-1].lasts_s < 300


@pytest.mark.parametrize("kafkas", [1, 3])
def test_every_kind_comes_up(kafkas):
    kinds = {fault.kind for seed in SEEDS for fault in schedule.schedule(seed, 10, None, kafkas)}
    assert kinds == set(schedule.kinds_of(kafkas))


def test_short_runs_of_consecutive_seeds_have_every_kind_on_the_cluster_that_has_it():
    for first in (0, 1, 7, 1000003):
        seeds = range(first, first + schedule.rounds())
        assert sorted(fault.kind for seed in seeds for fault in schedule.short(seed)) == sorted(schedule.KINDS)
        assert sum(schedule.short_kafkas(seed) == 3 for seed in seeds) == 1
        for seed in seeds:
            kinds = schedule.kinds_of(schedule.short_kafkas(seed))
            assert all(fault.target in kinds[fault.kind].targets for fault in schedule.short(seed))


def test_a_short_run_is_short_and_a_function_of_its_seed():
    for seed in SEEDS:
        faults = schedule.short(seed)
        assert faults == schedule.short(seed)
        assert 3 <= len(faults) <= schedule.SHORT_KINDS and all(fault.lasts_s <= schedule.SHORT_S for fault in faults)
        assert schedule.seconds(faults) < (120 if any(fault.kind == "rolling-restart" for fault in faults) else 60)
    assert len({tuple(schedule.short(seed)) for seed in SEEDS}) == len(SEEDS)


def test_of_three_brokers_one_at_a_time_breaks():
    faults = [fault for seed in SEEDS for fault in schedule.schedule(seed, 10, ["kill-broker", "pause-broker"], 3)]
    assert {fault.target for fault in faults} == {"kafka-1", "kafka-2", "kafka-3"}
    with pytest.raises(ValueError, match="no fault kill-broker"):
        schedule.schedule(1, 1, ["kill-broker"])


def test_only_the_chosen_kinds_come():
    kinds = {fault.kind for seed in SEEDS for fault in schedule.schedule(seed, 5, ["kill-im", "pause", "flush"])}
    assert kinds == {"kill-im", "flush"} | {kind for kind in schedule.kinds_of(1) if kind.startswith("pause-")}


def test_a_fault_can_be_bound_to_its_target():
    faults = [fault for seed in SEEDS for fault in schedule.schedule(seed, 5, ["delay:im-1", "kill-push:push-2"])]
    assert {fault.target for fault in faults} == {"im-1-postgres", "im-1-redis", "im-1-kafka", "push-2"}


def test_a_kind_that_is_named_twice_has_the_targets_of_both():
    faults = [fault for seed in SEEDS for fault in schedule.schedule(seed, 5, ["hold:push-1-postgres", "hold:router-2", "hold:push-1"])]
    assert {fault.target for fault in faults} == {"push-1-postgres", "push-1-redis", "push-1-kafka", "router-2-redis"}


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="no fault kil"):
        schedule.schedule(1, 1, ["kil"])


def test_a_short_run_has_one_fault_at_least():
    assert len(schedule.schedule(1, 0.01)) == 1


@pytest.mark.parametrize("kafkas", [1, 3])
def test_every_link_that_may_break_has_a_proxy(kafkas):
    names = [name for name, *_ in links.all_links(kafkas)]
    assert len(names) == len(set(names))
    for link in schedule.links(kafkas):
        assert any(name.startswith(link[:-1]) if link.endswith("*") else name == link for name in names), link


@pytest.mark.parametrize("kafkas", [1, 3])
def test_no_two_links_share_a_port_and_none_is_the_cluster_s(kafkas):
    made = links.Links(20000, kafkas)
    ports = [*made.ports.values(), *made.listeners.values(), 20000 + links.REPLICA]
    assert len(set(ports)) == len(ports) and all(20100 <= port < 20200 for port in ports)
    assert len(made.listeners) == 4 * kafkas and all(str(port) in made.table() for port in ports[:-1])
