"""Each rule about an observer's frames is broken by a history written by hand, and by nothing in a correct one."""
from histories import CONVERSATION, check, found, good, handed, life, stored, without

FLUSH = [(40, "flush")]


def wire(*events):
    """Everything comes 50 ms after the start, and by sync if it comes in no frame."""
    return timed(*((50, event) for event in events)) + handed("bob/observer", 1, 2, 3, at=50)


def timed(*events):
    """`events`: (ms, event)."""
    return good() + [life("bob/observer", habit=9)] + [f"{at} bob/observer {event}" for at, event in events]


def frame(offset, seq, connection=1):
    return f"F {connection} {offset} {CONVERSATION} {seq}"


# ---- offsets and order ----

def test_frames_in_order_of_offset_are_right():
    assert found(wire("C 1 - -", "H 1 e 4", frame(5, 1), frame(6, 2), frame(7, 3))) == []
    assert found(wire("C 1 e 4", "H 1 e 9", frame(5, 1), frame(6, 2))) == []


def test_a_hole_in_the_offsets_is_found():
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 1), frame(7, 2))) == ["wire"]
    assert found(wire("C 1 e 4", "H 1 e 9", frame(6, 2))) == ["wire"]


def test_a_frame_before_hello_is_found():
    assert found(wire("C 1 e 4", frame(5, 1), "H 1 e 4")) == ["wire"]


def test_an_offset_that_comes_again_is_found():
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 1), frame(5, 1))) == ["wire"]


def test_a_first_copy_out_of_order_is_found():
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 2), frame(6, 1))) == ["wire"]


def test_a_late_repeat_of_what_came_over_another_connection_is_counted():
    lines = good() + [life("bob/observer", habit=9)] + handed("bob/observer", 1, 2, 3)
    lines += [f"50 bob/observer {event}" for event in ("C 1 e 4", "H 1 e 4", frame(5, 3), frame(6, 1))]
    violations, figures = check(lines)
    assert not violations and figures.late_repeats == 1


def test_a_late_repeat_is_right():
    assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 1), frame(6, 2), frame(7, 1))) == []


def test_after_sync_more_it_goes_on_behind_the_head():
    assert found(wire("C 1 e 4", "H 1 e 90", frame(5, 1), "Y 1 5", frame(91, 3))) == []
    assert found(wire("C 1 e 4", "H 1 e 90", frame(5, 1), "Y 1 5", frame(92, 3))) == ["wire"]


def test_after_a_resync_any_offset_may_come_and_then_the_next():
    lines = "C 1 e 4", "H 1 e 4", frame(5, 1), "R 1 f", frame(2, 2)
    assert found(wire(*lines, frame(3, 3)), faults=FLUSH) == []
    assert found(wire(*lines, frame(4, 3)), faults=FLUSH) == ["wire"]


def test_a_head_below_the_position_of_its_epoch_is_found():
    assert found(wire("C 1 e 4", "H 1 e 4")) == []
    assert found(wire("C 1 e 4", "H 1 e 3")) == ["wire"]


# ---- sync_more ----

def test_sync_more_says_how_far_the_connection_had_got():
    assert found(wire("C 1 e 4", "H 1 e 90", frame(5, 1), frame(6, 2), "Y 1 6", frame(91, 3))) == []
    assert found(wire("C 1 e 4", "H 1 e 90", "Y 1 4", frame(91, 3))) == []
    for offset in (0, 4, 5, 7, 90, 91):
        assert found(wire("C 1 e 4", "H 1 e 90", frame(5, 1), frame(6, 2), f"Y 1 {offset}", frame(91, 3))) == ["sync more"]


def test_sync_more_comes_only_with_more():
    assert found(wire("C 1 e 4", "H 1 e 5", frame(5, 1), "Y 1 5", frame(6, 2))) == ["sync more"]


def test_sync_more_comes_only_to_a_connection_with_a_position():
    assert found(wire("C 1 - -", "H 1 e 4", "Y 1 4", frame(5, 1))) == ["sync more"]


# ---- another epoch: resync ----

def test_a_hello_with_another_epoch_is_followed_by_resync():
    assert found(wire("C 1 e 4", "H 1 f 9", "R 1 f", frame(10, 1)), faults=FLUSH) == []
    assert found(wire("C 1 e 4", "H 1 f 9", frame(5, 1)), faults=FLUSH) == ["resync"]
    assert found(wire("C 1 e 4", "H 1 f 9", "Y 1 4", frame(10, 1)), faults=FLUSH) == ["resync"]


def test_a_resync_that_never_comes_is_found():
    before = (1, "C 1 e 4"), (2, "H 1 e 4"), (20, frame(5, 1)), (20, frame(6, 2)), (20, frame(7, 3)), (41, "D 1")
    after = (50, "C 2 e 7"), (51, "H 2 f 0")
    healed = 40 + 6000
    assert found(timed(*before, *after, (healed + 1900, "D 2")) + taken(), faults=FLUSH) == []
    assert found(timed(*before, *after, (healed + 2100, "D 2")) + taken(), faults=FLUSH) == ["resync"]
    assert found(timed(*before, *after, (healed + 2100, "C 3 f 0"), (healed + 2100, "H 3 f 0")) + taken(), faults=FLUSH) == ["resync"]
    assert found(timed(*before, *after) + taken() + [f"{healed + 2100} bob/phone U up 0"], faults=FLUSH) == ["resync"]


def taken():
    return handed("bob/observer", 1, 2, 3)


def test_another_epoch_without_a_loss_of_redis_is_found():
    for faults in ([], [(40, "kill-push")], [(60, "flush")]):
        assert found(wire("C 1 e 4", "H 1 e 4", frame(5, 1), "R 1 f", frame(1, 2)), faults=faults) == ["resync"]
        assert found(wire("C 1 e 4", "H 1 f 4", "R 1 f", frame(5, 1)), faults=faults) == ["resync"]


def test_one_loss_of_redis_explains_one_epoch():
    lines = [(1, "C 1 e 4"), (2, "H 1 e 4"), (51, frame(5, 1)), (51, frame(6, 2)), (51, frame(7, 3)),
             (3000, "R 1 f")]
    assert found(timed(*lines) + taken(), faults=FLUSH) == []
    assert found(timed(*lines, (20000, "R 1 g")) + taken(), faults=FLUSH) == ["resync"]
    assert found(timed(*lines, (20000, "R 1 g")) + taken(), faults=[*FLUSH, (19000, "flush")]) == []


def test_an_epoch_that_a_reset_of_sync_gave_needs_a_loss_of_redis_too():
    before = [(1, "C 1 e 4"), (2, "H 1 e 4"), (20, frame(5, 1)), (30, "D 1")]
    after = [(50, "C 2 f 0"), (51, "H 2 f 0")]
    assert found(timed(*before) + taken() + timed(*after)[-2:], faults=FLUSH) == []
    assert found(timed(*before) + taken() + timed(*after)[-2:], faults=[]) == ["resync"]


def test_a_connection_that_broke_before_its_resync_is_followed_by_one_with_the_old_epoch():
    lines = timed((1, "C 1 e 4"), (2, "H 1 e 4"), (20, frame(5, 1)), (30, "D 1"), (9000, "C 2 e 5"), (9001, "H 2 f 0"), (9002, "D 2"),
                  (9500, "C 3 e 5"), (9501, "H 3 f 0"), (9501, "R 3 f"))
    assert found(lines[:-6] + taken() + lines[-6:], faults=FLUSH) == []


# ---- the same epoch: a resync needs a cause ----

AT_9_S = ["9000 bob/observer R 1 e", f"9000 bob/observer {frame(9, 3)}"]


def test_a_resync_in_the_same_epoch_needs_a_fault_that_explains_it():
    lines = timed((1, "C 1 e 4"), (2, "H 1 e 4"), (20, frame(5, 1))) + taken() + AT_9_S
    assert found(lines, faults=[]) == ["resync"]
    assert found(lines, faults=[(2000, "pause-im")]) == []
    assert found(lines, faults=[(1000, "hold", 5000, "gateway-1-im-*")]) == []


def test_a_fault_explains_no_resync_before_it_or_long_after_it_or_that_it_cannot_cause():
    lines = timed((1, "C 1 e 4"), (2, "H 1 e 4"), (20, frame(5, 1))) + taken() + AT_9_S
    for fault in ((9001, "pause-im"), (1000, "kill-router", 2000), (8500, "clock"), (8500, "kill-kafka"), (8500, "drain-gateway"),
                  (8500, "kill-push"), (8000, "hold", 8900, "im-1-kafka")):
        assert found(lines, faults=[fault]) == ["resync"]


def test_a_resync_before_every_frame_is_found():
    lines = [(1, "C 1 e 4"), (2, "H 1 e 4")]
    for offset, seq in enumerate((1, 2, 3, 1, 2, 3, 1, 2, 3), 5):
        lines += [(100, "R 1 e"), (100, frame(offset, seq))]
    assert found(timed(*lines) + taken(), faults=[(90, "pause-im")]) == ["resync"]
    assert found(timed(*lines) + taken(), faults=[]) == ["resync"]


# ---- in time ----

UP = (1, "C 1 e 4"), (2, "H 1 e 4")


def observed(*events):
    """The frames of `events` are handed over as they come."""
    lines = timed(*events)
    for at, event in events:
        if event.startswith("F"):
            lines += handed("bob/observer", int(event.rpartition(" ")[2]), at=at)
    return lines


def test_a_message_that_comes_soon_after_its_answer_is_in_time():
    lines = observed(*UP, (20, frame(5, 1)), (1900, frame(6, 2)), (2000, frame(7, 3)))
    violations, figures = check(lines, faults=[])
    assert not violations and figures.unexplained_ms == 2000 - 15
    assert found(lines, faults=[(60000, "kill-im")]) == []


def test_a_message_that_the_next_one_brings_half_a_minute_later_is_late():
    lines = observed(*UP, (20, frame(5, 1)), (30000, frame(6, 2)), (30000, frame(7, 3)))
    assert found(lines, faults=[]) == ["late"]
    assert found(lines, faults=[(40000, "flush")]) == ["late"]
    assert check(lines, faults=[])[1].unexplained_ms == 29985


def test_a_fault_explains_a_wait_until_its_bound_has_passed():
    def lines(at):
        return observed(*UP, (20, frame(5, 1)), (20, frame(6, 2)), (at, frame(7, 3)))
    for fault, healed in (((10, "flush"), 6010), ((10, "kill-push", 3000), 8010), ((10, "kill-im", 3000), 18000),
                          ((10, "hold", 5000, "push-1-kafka"), 15000), ((10, "hold", 5000, "push-gateway-1"), 8500), ((10, "clock"), 2010)):
        assert found(lines(healed + 1900), faults=[fault]) == []
        assert found(lines(healed + 2100), faults=[fault]) == ["late"]


def test_a_wait_that_began_long_before_the_fault_is_late():
    lines = observed(*UP, (20, frame(5, 1)), (20, frame(6, 2)), (9000, frame(7, 3)))
    assert found(lines, faults=[(1500, "kill-im")]) == []
    assert found(lines, faults=[(3000, "kill-im")]) == ["late"]


def test_what_comes_with_the_next_connection_was_late_on_the_one_before():
    def lines(lost_at):
        return observed(*UP, (20, frame(5, 1)), (20, frame(6, 2)), (lost_at, "D 1"), (30000, "C 2 e 6"), (30001, "H 2 e 7"),
                        (30050, frame(7, 3, 2)))
    assert found(lines(1500), faults=[]) == []
    assert found(lines(5000), faults=[]) == ["late"]


def test_what_was_missed_while_away_comes_soon_after_hello():
    def lines(at):
        return observed(*UP, (5, "D 1"), (30000, "C 2 e 4"), (30001, "H 2 e 7"), (at, frame(5, 1, 2)), (at, frame(6, 2, 2)),
                        (at, frame(7, 3, 2)))
    assert found(lines(31000), faults=[]) == []
    assert found(lines(33000), faults=[]) == ["late"]


def test_what_comes_by_sync_is_late_as_well():
    lines = observed(*UP, (20, frame(5, 1)), (20, frame(6, 2))) + handed("bob/observer", 3, at=30000)
    assert found(lines, faults=[]) == ["late"]


def test_a_message_without_an_answer_is_stored_when_a_later_one_is_answered():
    def lines(at):
        return without(observed(*UP, (20, frame(5, 1)), (at, frame(6, 2)), (at, frame(7, 3))), " k2 ")
    table = dict([stored(1), stored(2, key=""), stored(3)])
    assert found(lines(1500), table, faults=[]) == [] and found(lines(3000), table, faults=[]) == ["late"]
    violations, _ = check(lines(3000), table, faults=[])
    assert [violation.seq for violation in violations] == [2, 3]


def test_a_plain_send_has_the_same_bound():
    plain = [f"15 alice/plain A p1 ok {CONVERSATION} 3 m3 0"]
    table = dict(stored(seq) for seq in (1, 2)) | dict([stored(3, key="p1")])
    def lines(at):
        return without(observed(*UP, (20, frame(5, 1)), (20, frame(6, 2)), (at, frame(7, 3))), " k3 ") + plain
    assert found(lines(1500), table, faults=[]) == []
    assert found(lines(3000), table, faults=[]) == ["late"]


# ---- acks of the future, and clients that do not read ----

LIE = ["C 1 e 4", "H 1 e 4", "K 1"]


def test_an_ack_of_the_future_that_is_answered_with_an_error_is_right():
    lines = wire(*LIE, "K 1", "E 1 invalid_argument", "E 1 invalid_argument", frame(5, 1))
    violations, figures = check(lines)
    assert not violations and figures.lies == 2


def test_an_ack_of_the_future_without_an_error_is_found():
    lines = timed(*((50, event) for event in LIE)) + handed("bob/observer", 1, 2, 3, at=50)
    assert found(lines + ["2500 bob/observer D 1"], faults=[]) == ["lie"]
    assert found(lines + ["2500 bob/observer D 1"], faults=[(1000, "kill-gateway", 1500)]) == []
    assert found(lines + ["60 bob/observer D 1"], faults=[]) == []


def test_after_a_change_of_the_epoch_an_ack_of_the_future_is_an_error_too():
    flush = [(40, "flush")]
    for events in ["R 1 e2", "K 1"], ["K 1", "R 1 e2"]:
        for answer, violations in (["E 1 invalid_argument"], []), ([], ["lie"]):
            lines = timed((10, "C 1 e 4"), (10, "H 1 e 4"), *((50, event) for event in events + answer), (9000, "D 1"))
            assert found(lines + handed("bob/observer", 1, 2, 3, at=50), faults=flush) == violations
    assert found(wire("C 1 e 4", "H 1 e 4", "R 1 e2", "K 1", "E 1 invalid_argument", "E 1 invalid_argument"), faults=flush) == ["lie"]


def test_an_error_without_a_lie_is_found():
    assert found(wire(*LIE, "E 1 invalid_argument", "E 1 invalid_argument")) == ["lie"]
    assert found(wire(*LIE, "E 1 internal")) == ["lie"]


def test_a_client_that_does_not_read_waits_from_when_it_reads_again():
    def lines(last_at, *stall):
        begin = [life("bob/observer", habit=9), "10 bob/observer C 1 e 4", "11 bob/observer H 1 e 4", *stall]
        frames = [f"{at} bob/observer {frame(seq + 4, seq)}" for seq, at in ((1, 4000), (2, 4001), (3, last_at))]
        return good() + begin + frames + handed("bob/observer", 1, 2, 3, at=last_at)
    assert found(lines(4002), faults=[]) == ["late"]
    assert found(lines(4002, "20 bob/observer Z 4000"), faults=[]) == []
    assert found(lines(6100, "20 bob/observer Z 4000"), faults=[]) == ["late"]
