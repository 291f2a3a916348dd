"""An event that comes after a later one of the same im is found."""
import histories
import membership

GROUPS = ("g:1", "g:2", "g:3")


def found(*events, faults=()):
    """`events`: (ms, the rest of a T line)."""
    lines = histories.good() + [histories.life("bob/observer", habit=9), "18 bob/observer C 1 e 0", "18 bob/observer H 1 e 0"]
    lines += histories.handed("bob/observer", 1, 2, 3) + [f"{at} bob/observer T {event}" for at, event in events]
    violations, figures = histories.check(lines, faults=faults, passenger="bob", shuttles=GROUPS,
                                          churning={group: membership.Membership((), ()) for group in GROUPS})
    return [violation.rule for violation in violations], figures.events


def turn(*steps, connection=1):
    return [(1000 + at, f"{connection} {step}") for at, step in enumerate(steps)]


def test_turns_in_order_are_right():
    steps = [f"{op} {group}" for op in ("added", "removed") for group in GROUPS]
    assert found(*turn(*steps, *steps)) == ([], 12)


def test_an_event_after_a_later_one_is_found():
    assert found(*turn("added g:1", "added g:3", "added g:2")) == (["event"], 3)
    assert found(*turn("removed g:3", "added g:2", "added g:1", "added g:3")) == (["event"], 4)


def test_a_dropped_event_and_a_repeated_one_are_not_out_of_order():
    assert found(*turn("added g:1", "added g:3", "removed g:2", "removed g:2")) == ([], 4)


def test_another_connection_begins_anew():
    assert found(*turn("added g:2"), *turn("added g:1", connection=2)) == ([], 2)


def test_a_fault_explains_it_for_its_time():
    events = turn("added g:1", "added g:3", "added g:2")
    assert found(*events, faults=[(900, "kill-push", 1001)]) == ([], 3)
    late = [(at + 20000, event) for at, event in events]
    assert found(*late, faults=[(900, "kill-push", 1001)]) == (["event"], 3)


def test_events_of_other_groups_and_to_others_do_not_count():
    assert found(*turn("added g:3", "added g:9", "removed g:1")) == ([], 2)
    lines = ["1000 alice/phone T 1 added g:3", "1001 alice/phone T 1 added g:1"]
    violations, figures = histories.check(histories.good() + lines, passenger="bob", shuttles=GROUPS)
    assert not violations and figures.events == 0
