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


def test_every_kind_comes_up():
    kinds = {fault.kind for seed in SEEDS for fault in schedule.schedule(seed, 10)}
    assert kinds == set(schedule.KINDS)


def test_only_the_chosen_kinds_come():
    kinds = {fault.kind for seed in SEEDS for fault in schedule.schedule(seed, 5, ["kill-im", "pause", "flush"])}
    assert kinds == {"kill-im", "flush"} | {kind for kind in schedule.KINDS if kind.startswith("pause-")}


def test_a_fault_can_be_bound_to_its_target():
    faults = [fault for seed in SEEDS for fault in schedule.schedule(seed, 5, ["delay:im-1", "kill-push:push-2"])]
    assert {fault.target for fault in faults} == {"im-1-postgres", "im-1-redis", "im-1-kafka", "push-2"}


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="no fault kil"):
        schedule.schedule(1, 1, ["kil"])


def test_a_short_run_has_one_fault_at_least():
    assert len(schedule.schedule(1, 0.01)) == 1


def test_every_link_that_may_break_has_a_proxy():
    names = [name for name, *_ in links.all_links()]
    assert len(names) == len(set(names))
    for link in schedule.LINKS:
        assert any(name.startswith(link[:-1]) if link.endswith("*") else name == link for name in names), link


def test_no_two_links_share_a_port_and_none_is_the_cluster_s():
    ports = links.Links(20000).ports.values()
    assert len(set(ports)) == len(ports) and all(20100 <= port < 20200 for port in ports)
