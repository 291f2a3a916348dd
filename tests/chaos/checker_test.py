"""The checker finds each kind of violation in a history written by hand, and nothing in a correct one."""
import checker
from histories import CONVERSATION, DEVICES, MEMBERS, check, found, good, handed, life, sent, start, stored, without

# ---- correct histories ----

def test_a_good_history_has_no_violation():
    assert found(good()) == []


def test_a_life_goes_on_behind_what_its_state_had_taken():
    lines = start() + sent(1, 2, 3) + handed("alice/phone", 1, 2, 3) + handed("bob/phone", 1, 2)
    lines += [life("bob/phone", 2, 1, 1)] + handed("bob/phone", 2, 3)
    assert found(lines) == []


def test_a_life_from_an_old_state_repeats_what_came_after_it():
    lines = start() + sent(1, 2, 3) + handed("alice/phone", 1, 2, 3) + handed("bob/phone", 1)
    lines += [life("bob/phone", 2, 1, 1)] + handed("bob/phone", 2, 3) + [life("bob/phone", 3, 1, 0)]
    lines += handed("bob/phone", 1, 2, 3)
    assert found(lines) == []


def test_a_plain_send_may_be_told_to_come_again():
    assert found(good() + [f"30 alice/plain A p1 503 {CONVERSATION} 0 - 0", f"30 alice/plain A p2 none {CONVERSATION} 0 - 0"]) == []


def test_a_repeated_answer_is_the_first_one():
    assert found(good() + [f"30 alice/phone A k1 ok {CONVERSATION} 1 m1 1"]) == []


# ---- violations ----

def test_a_message_that_never_comes_is_missing():
    assert found(without(good(), f"bob/phone M {CONVERSATION} 3")) == ["missing"]


def test_a_device_that_never_ran_is_missing():
    assert found(without(good(), "bob/phone")) == ["missing"]


def test_a_message_that_is_passed_over_is_a_hole():
    assert found(without(good(), f"bob/phone M {CONVERSATION} 2")) == ["hole"]


def test_a_message_that_comes_twice_in_a_life_is_a_repeat():
    assert found(good() + handed("bob/phone", 3)) == ["repeat"]


def test_messages_in_another_order_are_a_hole_and_a_repeat():
    lines = start() + sent(1, 2, 3) + handed("alice/phone", 1, 2, 3) + handed("bob/phone", 2, 1, 3)
    assert found(lines) == ["hole", "repeat"]


def test_a_life_that_forgets_what_its_state_had_taken_is_a_repeat():
    lines = good() + [life("bob/phone", 2, 1, 3)] + handed("bob/phone", 3)
    assert found(lines) == ["repeat"]


def test_a_life_that_begins_behind_what_came_is_a_hole():
    lines = start() + sent(1, 2, 3) + handed("alice/phone", 1, 2, 3) + handed("bob/phone", 1)
    lines += [life("bob/phone", 2, 1, 1)] + handed("bob/phone", 3)
    assert found(lines) == ["hole"]


def test_an_answered_message_that_is_not_stored_is_lost():
    assert found(good(), dict(stored(seq) for seq in (1, 2))) == ["lost", "phantom"]


def test_an_answer_with_another_message_s_place_is_lost():
    assert found(without(good(), " A k3 ") + [f"15 alice/phone A k3 ok {CONVERSATION} 2 m2 0"]) == ["lost"]


def test_two_answers_to_one_key_are_found():
    table = dict([*(stored(seq) for seq in (1, 2)), stored(3, key="k2")])
    lines = without(good(), "k3") + [f"30 alice/phone A k2 ok {CONVERSATION} 3 m3 0"]
    assert "two answers" in found(lines, table) and "twice" in found(lines, table)


def test_a_send_without_an_answer_is_found():
    assert found(without(good(), " A k2 ")) == ["unanswered"]


def test_a_send_that_was_refused_is_found():
    assert found(good() + [f"30 alice/phone W k9 {CONVERSATION}", "31 alice/phone A k9 not_member - 0 - 0"]) == ["refused"]
    assert found(good() + [f"30 alice/plain A p1 500 {CONVERSATION} 0 - 0"]) == ["refused"]


def test_a_body_that_is_not_what_was_sent_is_altered():
    table = dict([stored(1), stored(2, hash="other"), stored(3)])
    assert found(good(), table) == ["altered"]


def test_a_message_that_nobody_stored_is_a_phantom():
    assert found(good() + handed("bob/phone", 4)) == ["phantom"]


def test_a_message_for_somebody_else_is_a_leak():
    assert found(good() + [life("carol/phone")] + handed("carol/phone", 1)) == ["leak"]


def test_a_hole_in_the_seqs_of_the_table_is_found():
    assert "table" in found([], dict([stored(1), stored(3)]))


def test_two_messages_with_one_id_are_found():
    assert "table" in found(good(), dict([stored(1), stored(2, msg_id="m1"), stored(3)]))


def test_a_connected_device_that_waits_too_long_is_late():
    def lines(at):
        return start() + ["0 bob/phone U up 0"] + sent(1, 2, 3) + handed("alice/phone", 1, 2, 3) + \
            handed("bob/phone", 1, 2, 3, at=at)
    assert found(lines(9000), late_ms=10000) == []
    assert found(lines(12000), late_ms=10000) == ["late"]


def test_a_plain_send_whose_answer_is_in_a_later_history_is_late_too():
    plain = ["14 alice/plain S p1 h3", f"15 alice/plain A p1 ok {CONVERSATION} 3 m3 0"]
    table = dict([stored(1), stored(2), stored(3, key="p1")])

    def rules(at):
        lines = start() + ["0 bob/phone U up 0"] + sent(1, 2) + handed("alice/phone", 1, 2, 3) + handed("bob/phone", 1, 2) + \
            handed("bob/phone", 3, at=at)
        violations, figures = checker.check(checker.Run(MEMBERS, DEVICES, table, [lines, plain], late_ms=10000))
        assert figures.slowest_ms == at - 15
        return [violation.rule for violation in violations]
    assert rules(9000) == [] and rules(12000) == ["late"]


def test_a_device_that_has_just_connected_is_not_late():
    lines = start() + sent(1, 2, 3) + handed("alice/phone", 1, 2, 3) + ["11000 bob/phone U up 0"]
    assert found(lines + handed("bob/phone", 1, 2, 3, at=12000), late_ms=10000) == []


# ---- figures ----

def test_a_wait_is_blamed_on_the_fault_that_had_the_longest_part_of_it():
    faults = [(10, "flush"), (20, "kill-im"), (30, "pause-im")]
    blamed = checker.Checker(checker.Run({}, {}, {}, [], faults)).blamed
    assert [blamed(*times) for times in ((1, 9), (5, 25), (18, 29), (19, 40), (50, 60))] == \
        ["none", "flush", "kill-im", "kill-im", "pause-im"]


def test_the_longest_wait_goes_to_its_fault():
    run = checker.Run(MEMBERS, DEVICES, dict(stored(seq) for seq in (1, 2, 3)), [good()], [(12, "kill-im"), (90, "flush")])
    _, figures = checker.check(run)
    assert figures.recovery_ms == {"kill-im": 5} and figures.slowest_ms == 5
    assert (figures.sent, figures.answered, figures.handed, figures.lives) == (3, 3, 6, 2)


def test_the_hash_is_the_one_of_device_c():
    assert checker.text_hash("u001", "text", "message 1 of u001 ") == "8c8e4395"


def again(*copies):
    """k1 is sent and answered once more for each of these: 0 or 1, whether the answer calls it a duplicate."""
    lines = good()
    for copy in copies:
        lines += ["30 alice/phone S k1 h1", f"31 alice/phone A k1 ok {CONVERSATION} 1 m1 {copy}"]
    return lines


def test_a_message_that_is_sent_again_is_called_a_duplicate():
    assert found(again(1, 1)) == [] and check(again(1, 1))[1].repeats == 2
    assert found(again(0)) == ["duplicate"] and found(again(1, 0)) == ["duplicate"]


def test_two_answers_that_both_say_they_are_the_first_are_found():
    lines = good() + [f"30 alice/phone A k1 ok {CONVERSATION} 1 m1 0"]
    assert found(lines) == ["duplicate"]


def test_a_duplicate_at_another_place_is_found():
    assert "two answers" in found(good() + ["30 alice/phone S k1 h1", f"31 alice/phone A k1 ok {CONVERSATION} 2 m2 1"])
