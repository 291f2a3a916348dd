"""The checker finds each kind of violation in a history written by hand, and nothing in a correct one."""
import checker

CONVERSATION = "u:alice:bob"
MEMBERS = {CONVERSATION: {"alice", "bob"}}
DEVICES = {"alice/phone": "alice", "bob/phone": "bob"}


def stored(seq, **fields):
    message = {"msg_id": f"m{seq}", "sender": "alice", "key": f"k{seq}", "hash": f"h{seq}", **fields}
    return (CONVERSATION, seq), checker.Message(**message)


def life(device, number=1, origin=0, taken=0, at=0, habit=0):
    return f"{at} {device} L {number} {origin} {taken} {habit}"


def handed(device, *seqs, at=20):
    return [f"{at} {device} M {CONVERSATION} {seq} m{seq} h{seq} -" for seq in seqs]


def sent(*seqs):
    lines = []
    for seq in seqs:
        lines += [f"10 alice/phone W k{seq} {CONVERSATION}", f"10 alice/phone S k{seq} h{seq}",
                  f"15 alice/phone A k{seq} ok {CONVERSATION} {seq} m{seq} 0"]
    return lines


def start():
    return [life("alice/phone"), life("bob/phone")]


def good():
    return start() + sent(1, 2, 3) + handed("alice/phone", 1, 2, 3) + handed("bob/phone", 1, 2, 3)


def found(lines, table=None, late_ms=60000):
    """The rules that are violated."""
    if table is None:
        table = dict(stored(seq) for seq in (1, 2, 3))
    violations, _ = checker.check(checker.Run(MEMBERS, DEVICES, table, [lines], [(12, "kill-im")], late_ms))
    return sorted({violation.rule for violation in violations})


def without(lines, part):
    assert any(part in line for line in lines)
    return [line for line in lines if part not in line]


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


def test_a_device_that_has_just_connected_is_not_late():
    lines = start() + sent(1, 2, 3) + handed("alice/phone", 1, 2, 3) + ["11000 bob/phone U up 0"]
    assert found(lines + handed("bob/phone", 1, 2, 3, at=12000), late_ms=10000) == []


# ---- the wire ----

def wire(*events):
    return good() + [life("bob/observer", habit=9)] + [f"50 bob/observer {event}" for event in events] + \
        handed("bob/observer", 1, 2, 3)


def frame(offset, seq):
    return f"F 1 {offset} {CONVERSATION} {seq}"


def test_frames_in_order_of_offset_are_right():
    assert found(wire("C 1 - -", "H 1 e 4", frame(5, 1), frame(6, 2), frame(7, 3))) == []
    assert found(wire("C 1 e 4", "H 1 e 9", frame(5, 1), frame(6, 2))) == []


def test_a_hole_in_the_offsets_is_found():
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 1), frame(7, 2))) == ["wire"]
    assert found(wire("C 1 e 4", "H 1 e 9", frame(6, 2))) == ["wire"]


def test_an_offset_that_comes_again_is_found():
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 1), frame(5, 1))) == ["wire"]


def test_a_first_copy_out_of_order_is_found():
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 2), frame(6, 1))) == ["wire"]


def test_a_late_repeat_of_what_came_over_another_connection_is_counted():
    lines = good() + [life("bob/observer", habit=9)] + handed("bob/observer", 1, 2, 3)
    lines += [f"50 bob/observer {event}" for event in ("C 1 e 4", "H 1 e 4", frame(5, 3), frame(6, 1))]
    run = checker.Run(MEMBERS, DEVICES, dict(stored(seq) for seq in (1, 2, 3)), [lines])
    violations, figures = checker.check(run)
    assert not violations and figures.late_repeats == 1


def test_a_late_repeat_is_right():
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 1), frame(6, 2), frame(7, 1))) == []


def test_after_sync_more_it_goes_on_behind_the_head():
    assert found(wire("C 1 e 4", "H 1 e 90", frame(5, 1), "Y 1 5", frame(91, 3))) == []
    assert found(wire("C 1 e 4", "H 1 e 90", frame(5, 1), "Y 1 5", frame(92, 3))) == ["wire"]


def test_after_a_resync_any_offset_may_come_and_then_the_next():
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 1), "R 1 f", frame(2, 2), frame(3, 3))) == []
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 1), "R 1 f", frame(2, 2), frame(4, 3))) == ["wire"]


# ---- sync at the end ----

def inbox(*entries):
    return good() + ["60 bob/sync I e 3"] + [f"60 bob/sync J {offset} {CONVERSATION} {seq} m{seq} h{seq}" for offset, seq in entries]


def test_an_inbox_that_ends_with_the_last_message_is_right():
    assert found(inbox((1, 1), (2, 2), (3, 3))) == []
    assert found(inbox((9, 2), (10, 3))) == []
    assert found(inbox((1, 1), (2, 2), (3, 2), (4, 3))) == []


def test_an_inbox_with_a_hole_is_found():
    assert found(inbox((1, 1), (2, 3))) == ["sync"]
    assert found(inbox((1, 1), (3, 2), (4, 3))) == ["sync"]
    assert found(inbox((1, 1), (2, 2))) == ["sync"]


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
