"""Every fault has its bounds, and explains what lies within them."""
import schedule
from bounds import BOUNDS, FORGETS, LINKS, RESYNC_KINDS, Happened, bound_of, unexplained_ms


def test_every_kind_of_fault_has_bounds():
    assert set(BOUNDS) | LINKS == set(schedule.KINDS)
    assert RESYNC_KINDS | FORGETS < set(schedule.KINDS)
    for kind, what in schedule.KINDS.items():
        assert all(2 <= max(bound_of(kind, target)) <= (20 if "broker" in kind else 15) for target in what.targets)


def test_a_link_has_the_bounds_of_its_end():
    for target, healed in (("push-1-kafka", 10), ("im-1-kafka-3", 10), ("im-1-kafka-*", 10), ("im-2-redis", 7), ("im-1-postgres", 2), ("gateway-1-router-*", 3.5),
                           ("clients-gateway-2", 3.5)):
        assert bound_of("hold", target).healed == healed
    assert Happened(0, "cut", 0, "im-1-redis").may_resync() and not Happened(0, "cut", 0, "im-1-kafka").may_resync()
    assert not Happened(0, "cut", 0, "im-1-kafka-*").may_resync()


def test_a_fault_explains_from_its_start_until_the_latest_of_its_bounds():
    assert Happened(1000, "flush").until_ms() == 7000
    assert Happened(1000, "kill-push", 2000).until_ms() == 9000 and Happened(1000, "kill-push", 15000).until_ms() == 18000
    faults = [Happened(1000, "flush")]
    for start, end, left in ((0, 900, 900), (0, 5000, 1000), (2000, 7000, 0), (2000, 9000, 2000), (8000, 9000, 1000), (5000, 4000, 0)):
        assert unexplained_ms(faults, start, end) == left


def test_a_lease_explains_only_what_was_answered_before():
    faults = [Happened(1000, "kill-im", 3000)]
    assert unexplained_ms(faults, 900, 20000, 900) == 100 + 2000
    assert unexplained_ms(faults, 1600, 20000, 1600) == 14000


def test_two_faults_may_explain_one_wait_and_three_may_not():
    faults = [Happened(0, "flush"), Happened(5000, "flush"), Happened(10000, "flush")]  # 0-6 s, 5-11 s, 10-16 s
    assert unexplained_ms(faults, 0, 11000) == 0
    assert unexplained_ms(faults, 0, 16000) == 4000
    assert unexplained_ms(faults, 4000, 30000) == 26000 - (16000 - 5000)


def test_nothing_explains_without_a_fault():
    assert unexplained_ms([], 3, 10) == 7
