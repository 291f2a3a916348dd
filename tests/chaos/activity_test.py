"""A run that did next to nothing, or whose faults hit nothing, is found."""
import activity
import histories

ALL = activity.Least(sends=3, stored=3, handed=6, frames=2, faults=1)


def busy():
    lines = histories.good() + [histories.life("bob/observer", habit=9), "18 bob/observer C 1 e 0", "18 bob/observer H 1 e 0"]
    lines += [f"20 bob/observer F 1 {seq} {histories.CONVERSATION} {seq}" for seq in (1, 2, 3)]
    return lines + histories.handed("bob/observer", 1, 2, 3)


def found(least, **fields):
    violations, _ = histories.check(busy(), least=least, **fields)
    return [(violation.rule, violation.text.split(";")[0]) for violation in violations]


def test_a_run_that_does_what_it_should_has_no_violation():
    assert found(ALL) == []


def test_too_few_of_anything_is_found():
    assert found(activity.Least(sends=4)) == [("idle", "3 sends of devices were answered")]
    assert found(activity.Least(stored=4)) == [("idle", "3 messages of senders are stored")]
    assert found(activity.Least(handed=7)) == [("idle", "6 messages were handed over to devices")]
    assert found(activity.Least(frames=4)) == [("idle", "3 frames came to observers")]
    assert found(activity.Least(plain=1)) == [("idle", "0 plain sends were answered")]
    assert found(activity.Least(changes=1)) == [("idle", "0 changes of members were answered")]
    assert found(activity.Least(made=1)) == [("idle", "0 changes of members were made")]
    assert found(activity.Least(events=1)) == [("idle", "0 events came to the passenger")]
    assert found(activity.Least(lies=1)) == [("idle", "0 acks of the future were answered")]
    assert found(activity.Least(repeats=1)) == [("idle", "0 repeated sends were answered")]
    assert found(activity.Least(stalls=1)) == [("idle", "0 times a client stalled")]
    assert found(activity.Least(flaps=1)) == [("idle", "0 connections of the flapper")]
    assert found(activity.Least(faults=2)) == [("idle", "1 faults happened")]


def test_an_empty_run_is_found():
    empty = histories.check([], {}, faults=[], least=ALL)[0]
    assert [violation.rule for violation in empty if violation.rule != "missing"] == ["idle"] * 5


def test_plain_sends_count_once_each():
    key, table = "plain-1", {**dict(histories.stored(seq) for seq in (1, 2, 3)), **dict([histories.stored(4, key="plain-1")])}
    lines = histories.good() + histories.handed("alice/phone", 4) + histories.handed("bob/phone", 4)
    lines += [f"30 alice/plain S {key} h4"] + 2 * [f"30 alice/plain A {key} ok {histories.CONVERSATION} 4 m4 {copy}" for copy in (0, 1)]
    _, figures = histories.check(lines, table)
    assert figures.plain_answered == 1


def test_a_repeated_answer_and_a_plain_send_are_no_sends_of_devices():
    lines = histories.good() + [f"30 alice/phone A k1 ok {histories.CONVERSATION} 1 m1 1",
                                f"30 alice/plain A k2 ok {histories.CONVERSATION} 2 m2 1"]
    _, figures = histories.check(lines)
    assert (figures.answered, figures.wanted_answered) == (5, 3)


def test_what_history_gives_at_the_end_is_not_handed_over_to_a_device():
    lines = histories.good() + [histories.life("bob/history", habit=9)] + histories.handed("bob/history", 1, 2, 3)
    _, figures = histories.check(lines)
    assert (figures.handed, figures.device_handed) == (9, 6)


def test_a_fault_that_hit_nothing_is_found():
    assert found(ALL, faults=[(12, "kill-im", 13, "im-1", 0)]) == [("no fault", "kill-im im-1 hit 0 of 1")]
    assert found(ALL, faults=[(12, "pause-postgres", 13, "postgres", 0)]) == [("no fault", "pause-postgres postgres hit 0 of 1")]
    assert found(ALL, faults=[(12, "pause-postgres", 13, "postgres", 9)]) == []


def test_a_rolling_restart_is_of_every_service():
    assert found(ALL, faults=[(12, "rolling-restart", 13, "all", 7)]) == [("no fault", "rolling-restart all hit 7 of 8")]
    assert found(ALL, faults=[(12, "rolling-restart", 13, "all", 8)]) == []


def test_the_least_is_a_third_of_what_the_plan_makes_one_expect():
    pair, notes = {"id": "u:a:b"}, {"id": "u:a:a"}
    plan = {"rate": 30, "users": [{"uid": "a", "devices": ["phone", "tablet"], "conversations": [pair, notes]},
                                  {"uid": "b", "devices": ["phone"], "conversations": [pair]}]}
    least = activity.expected(plan, plan["users"][1:], 10, 4)
    # Of 300 sends, 225 are to the pair with three devices, and 75 to the notes with two.
    assert (round(least.sends), round(least.stored), round(least.handed), round(least.frames), least.faults) == \
        (100, 100, (225 * 3 + 75 * 2) // 3, 75, 4)
    assert least.plain == 10 and least.changes > 10 > least.made > 0 and least.events > 0
    assert min(least.lies, least.repeats, least.flaps) > 0 and activity.expected(plan, [], 24, 4).stalls == 1
