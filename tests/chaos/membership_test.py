"""Groups whose members come and go: the checker finds each kind of violation in a history written by hand, and nothing in a
correct one.

alice made the group with bob. The entry with seq n was sent or requested n seconds after the start, and answered 10 ms later.
1, 2: messages; 3: carol is added; 4: a message; 5: carol leaves; 6: a message; 7: alice adds carol again, and dave;
8: a message; 9: alice removes bob; 10: a message.
"""
import checker
import membership

GROUP = "g:1"
ADDED, LEFT, BACK, REMOVED = 3, 5, 7, 9
EVENTS = {ADDED: {"event": "added", "actor": "alice", "uids": ["carol"]}, LEFT: {"event": "left", "actor": "carol"},
          BACK: {"event": "added", "actor": "alice", "uids": ["carol", "dave"]},
          REMOVED: {"event": "removed", "actor": "alice", "uid": "bob"}}
GETS = {"alice": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "bob": [1, 2, 3, 4, 5, 6, 7, 8], "carol": [3, 4, 7, 8, 9, 10],
        "dave": [7, 8, 9, 10]}


def table(events=None, senders=None):
    events = EVENTS if events is None else events
    return {(GROUP, seq): checker.Message(f"m{seq}", events[seq]["actor"] if seq in events else (senders or {}).get(seq, "alice"),
                                          "" if seq in events else f"k{seq}", f"h{seq}", events.get(seq)) for seq in range(1, 11)}


def life(device, number=1, origin=0, taken=0, habit=0):
    return f"0 {device} L {number} {origin} {taken} {habit}"


def handed(device, *seqs, at=20):
    return [f"{at} {device} M {GROUP} {seq} m{seq} h{seq} -" for seq in seqs]


def asked(key, actor, event, *uids, at):
    return f"{at} {actor}/changes G {key} {GROUP} {event} {' '.join(uids)}"


def answered(key, actor, code, at):
    return f"{at} {actor}/changes V {key} {code}"


def changes():
    return [asked("c1", "alice", "added", "carol", at=3000), answered("c1", "alice", "done", 3010),
            asked("c2", "carol", "left", "carol", at=5000), answered("c2", "carol", "done", 5010),
            asked("c3", "alice", "added", "bob", "carol", "dave", at=7000), answered("c3", "alice", "lost", 7010),
            asked("c4", "alice", "removed", "bob", at=9000), answered("c4", "alice", "done", 9010)]


def sends():
    lines = []
    for seq in (1, 2, 4, 6, 8, 10):
        lines += [f"{1000 * seq} alice/plain S k{seq} h{seq}", f"{1000 * seq + 10} alice/plain A k{seq} ok {GROUP} {seq} m{seq} 0"]
    return lines


def asks(at, actor, event, uid, code):
    """One more change, requested at that time and answered 10 ms later."""
    return [asked("c9", actor, event, uid, at=at), answered("c9", actor, code, at + 10)]


def members(*lines):
    return [f"90 alice/changes B {GROUP} {' '.join(lines)}"]


def gets(uid, seqs):
    return [life(f"{uid}/phone")] + handed(f"{uid}/phone", *seqs)


def good(**others):
    """Every user gets the messages in GETS, or those in `others` for users that it names."""
    lines = changes() + sends()
    for uid, seqs in GETS.items():
        lines += gets(uid, others.get(uid, seqs))
    return lines + members("alice=owner", "carol=member", "dave=member")


def check(lines, stored=None, faults=(), devices=None):
    stored = stored or table()
    group = membership.Membership(["alice", "bob"], [(seq, message.event) for (_, seq), message in stored.items() if message.event])
    devices = devices or {f"{uid}/phone": uid for uid in GETS}
    return checker.check(checker.Run({}, devices, stored, [lines], list(faults), churning={GROUP: group}))


def found(lines, stored=None, faults=(), devices=None):
    return sorted({violation.rule for violation in check(lines, stored, faults, devices)[0]})


def without(lines, part):
    assert any(part in line for line in lines)
    return [line for line in lines if part not in line]


# ---- who is a member ----

def test_a_user_is_a_member_from_the_entry_that_adds_it_to_the_one_before_its_removal():
    group = membership.Membership(["alice", "bob"], EVENTS.items())
    for uid, seqs in GETS.items():
        assert [seq for seq in range(1, 11) if group.was(uid, seq)] == seqs
    assert group.members() == {"alice", "carol", "dave"}


def test_the_next_message_of_a_member_lies_in_one_of_its_spans():
    group = membership.Membership(["alice", "bob"], EVENTS.items())
    for uid, seqs in GETS.items():
        for after in range(12):
            later = [seq for seq in (*seqs, 11, 12) if seq > after and (seq <= 10 or uid != "bob")]
            assert group.next_after(uid, after) == (min(later) if later else None)
        for last in range(1, 11):
            assert group.last(uid, last) == max((seq for seq in seqs if seq <= last), default=0)


def test_a_span_is_closed_by_the_removal_that_ends_it():
    group = membership.Membership(["alice", "bob"], EVENTS.items())
    assert group.is_closed("carol", 4) and group.is_closed("bob", 8)
    assert not group.is_closed("carol", 8) and not group.is_closed("carol", 6) and not group.is_closed("bob", 10)


def test_whether_a_user_was_ever_a_member_since_a_seq():
    group = membership.Membership(["alice", "bob"], EVENTS.items())
    assert group.was_ever("carol", True, 5) and group.was_ever("carol", False, 4) and group.was_ever("bob", False, 3)
    assert not group.was_ever("alice", False, 0) and not group.was_ever("bob", True, 9) and not group.was_ever("carol", False, 7)
    assert group.was_ever("carol", False, 3, 6) and not group.was_ever("carol", False, 3, 5)


def test_an_entry_that_changes_nothing_is_a_fault():
    again = membership.Membership(["alice"], [(1, {"event": "added", "actor": "alice", "uids": ["alice"]})])
    gone = membership.Membership(["alice"], [(1, {"event": "removed", "actor": "alice", "uid": "bob"})])
    assert [seq for seq, _ in again.faults] == [1] and [seq for seq, _ in gone.faults] == [1]


# ---- correct histories ----

def test_a_good_history_has_no_violation():
    violations, figures = check(good())
    assert not violations
    assert (figures.changes_asked, figures.changes_answered, figures.changes_made) == (4, 3, 4)


def test_a_life_goes_on_behind_its_state_in_whichever_span_that_is():
    lines = good() + [life("carol/phone", 2, 1, 2)] + handed("carol/phone", 7, 8, 9, 10)
    lines += [life("carol/phone", 3, 1, 0)] + handed("carol/phone", 3, 4, 7, 8, 9, 10)
    assert found(lines) == []


def test_a_change_that_was_made_already_is_answered_in_the_same_way():
    for change in (asks(9500, "alice", "removed", "bob", "not_found"), asks(9500, "alice", "added", "dave", "done"),
                   asks(9500, "bob", "left", "bob", "not_member"), asks(6500, "alice", "removed", "carol", "done")):
        assert found(good() + change) == []


def test_a_removed_member_may_be_refused_its_send():
    violations, figures = check(good() + [f"30 carol/plain A s1 not_member {GROUP} 0 - 0"])
    assert not violations and figures.refused_outsiders == 1


def test_an_inbox_keeps_what_a_removed_member_had():
    lines = good() + ["60 bob/sync I e 8"] + [f"60 bob/sync J {seq} {GROUP} {seq} m{seq} h{seq}" for seq in GETS["bob"]]
    lines += ["60 carol/sync I e 6"]
    lines += [f"60 carol/sync J {at} {GROUP} {seq} m{seq} h{seq}" for at, seq in enumerate(GETS["carol"], 1)]
    assert found(lines) == []


def test_the_history_has_what_came_since_the_latest_join():
    def check_history(uid, *seqs):
        lines = good() + [life(f"{uid}/history", habit=9)] + handed(f"{uid}/history", *seqs)
        return found(lines, devices={f"{uid}/history": uid})
    assert check_history("alice", *GETS["alice"]) == [] and check_history("carol", 7, 8, 9, 10) == [] and check_history("bob") == []
    assert check_history("alice", *GETS["alice"][:-1]) == ["missing"] and check_history("carol", 7, 8, 9) == ["missing"]
    assert check_history("carol", 8, 9, 10) == ["hole"] and check_history("carol") == ["missing"]
    assert check_history("carol", 3, 4, 7, 8, 9, 10) == ["leak"] and check_history("bob", 1, 2) == ["leak"]


# ---- (a) a non-member gets nothing ----

def test_a_message_from_before_the_join_is_a_leak():
    assert found(good(dave=[6, 7, 8, 9, 10])) == ["leak"]


def test_a_message_from_between_two_memberships_is_a_leak():
    assert found(good(carol=[3, 4, 6, 7, 8, 9, 10])) == ["leak"]


def test_the_entry_that_removes_a_member_is_a_leak_to_it():
    assert found(good(bob=[1, 2, 3, 4, 5, 6, 7, 8, 9])) == ["leak"]


def test_a_frame_on_the_wire_to_a_non_member_is_a_leak():
    lines = [life("bob/observer", habit=9), "50 bob/observer C 1 e 0", "50 bob/observer H 1 e 0"]
    assert found(good() + lines + [f"50 bob/observer F 1 1 {GROUP} 8"]) == []
    assert found(good() + lines + [f"50 bob/observer F 1 1 {GROUP} 10"]) == ["leak"]


def test_an_entry_of_an_inbox_from_after_the_removal_is_a_leak():
    lines = ["60 bob/sync I e 8"] + [f"60 bob/sync J {seq} {GROUP} {seq} m{seq} h{seq}" for seq in GETS["bob"]]
    assert found(good() + lines) == []
    assert found(good() + lines + [f"60 bob/sync J 9 {GROUP} 9 m9 h9"]) == ["leak"]


# ---- (b) a member gets everything ----

def test_the_entry_that_adds_a_member_is_missing_if_it_does_not_come_to_it():
    assert found(good(dave=[8, 9, 10])) == ["hole"]


def test_the_last_message_of_a_membership_is_missing_if_it_does_not_come():
    assert found(good(bob=GETS["bob"][:-1])) == ["missing"]
    assert found(good(carol=GETS["carol"][:-1])) == ["missing"]


def test_a_message_missing_from_an_earlier_membership_is_a_hole():
    assert found(good(carol=[3, 7, 8, 9, 10])) == ["hole"]


def test_a_member_that_gets_nothing_misses_it():
    assert found(good(dave=[])) == ["missing"]


def test_an_inbox_without_a_message_of_the_membership_is_found():
    lines = ["60 carol/sync I e 3"] + [f"60 carol/sync J {at} {GROUP} {seq} m{seq} h{seq}" for at, seq in ((1, 3), (2, 7), (3, 8))]
    assert found(good() + lines) == ["sync"]  # 4 between, and 9, 10 at the end
    lines = ["60 bob/sync I e 1", f"60 bob/sync J 1 {GROUP} 7 m7 h7"]
    assert found(good() + lines) == ["sync"]


def test_messages_in_a_lost_inbox_of_a_removed_member_are_not_missed():
    lines = good(carol=[3, 7, 8, 9, 10], bob=[1, 2, 3])
    assert found(lines) == ["hole", "missing"]
    assert found(lines, faults=[(9500, "flush")]) == []
    assert found(lines, faults=[(9500, "kill-push")]) == ["hole", "missing"]


def test_a_loss_of_redis_excuses_nothing_that_came_after_it():
    lines = [line.replace("4010 alice", "50000 alice") for line in good(carol=[3, 7, 8, 9, 10])]
    assert found(lines, faults=[(9500, "flush")]) == ["hole"]


def test_a_device_that_comes_back_with_a_state_from_before_a_loss_of_redis_gets_a_reset_then():
    def back(stored_ms):
        """carol/phone stores its state with message 3, and comes back with it long after the loss at 9500."""
        lines = [line.replace("4010 alice", "50000 alice") for line in good(carol=[])]
        lines += [f"{stored_ms - 1} carol/phone L 1 0 0 2", f"{stored_ms} carol/phone M {GROUP} 3 m3 h3 -",
                  "45000 carol/phone L 2 1 1 2", "45001 carol/phone U up 0"]
        return lines + [f"60000 carol/phone M {GROUP} {seq} m{seq} h{seq} -" for seq in (7, 8, 9, 10)]
    assert found(back(9000), faults=[(9500, "flush")]) == []  # 4 was stored before the reset, which does not list its membership
    assert found(back(30000), faults=[(9500, "flush")]) == ["hole"]  # this state knows the new inbox


def test_a_loss_of_redis_excuses_nothing_of_a_membership_that_lasts():
    assert found(good(carol=[3, 4, 7, 9, 10]), faults=[(9500, "flush")]) == ["hole"]
    assert found(good(carol=[3, 4, 7, 8, 9]), faults=[(9500, "flush")]) == ["missing"]


def test_an_inbox_owes_the_messages_of_each_membership():
    def entries(*seqs):
        return [f"60 carol/sync I e {len(seqs)}"] + [f"60 carol/sync J {at} {GROUP} {seq} m{seq} h{seq}" for at, seq in enumerate(seqs, 1)]
    assert found(good() + entries(*GETS["carol"])) == []
    assert found(good() + entries(*GETS["carol"][1:])) == ["sync"] and found(good() + entries(7, 8, 9, 10)) == ["sync"]
    assert found(good() + entries()) == ["sync"]
    assert found(good() + entries(7, 8, 9, 10), faults=[(5000, "flush")]) == []
    assert found(good() + entries(10), faults=[(5000, "flush")]) == ["sync"]


# ---- (c) a change is its entry ----

def test_a_change_that_was_answered_is_seen_in_the_entries_between_request_and_answer():
    assert found(good() + asks(4500, "alice", "removed", "bob", "done")) == ["change"]  # was removed at 9 only
    assert found(good() + asks(6500, "bob", "left", "bob", "done")) == ["change"]  # was removed at 9 only
    assert found(good() + asks(8500, "alice", "removed", "dave", "done")) == ["change"]
    assert found(good() + asks(10500, "alice", "added", "bob", "done")) == ["change"]
    assert found(good() + asks(5500, "alice", "added", "dave", "done")) == ["change"]  # was added at 7 only


def test_refusing_a_member_as_if_it_were_none_is_found():
    assert found(good() + asks(8500, "alice", "removed", "dave", "not_found")) == ["change"]
    assert found(good() + asks(8500, "dave", "left", "dave", "not_member")) == ["change"]
    assert found(good() + asks(8500, "alice", "added", "dave", "not_member")) == ["change"]


def test_a_change_is_not_refused_with_anything_else():
    assert found(good() + asks(8500, "alice", "added", "dave", "500")) == ["refused"]


def test_an_entry_that_nobody_asked_for_is_found():
    for key in ("c1", "c2", "c3", "c4"):
        assert found([line for line in good() if f" {key}" not in line]) == ["change"]


def test_an_entry_that_names_somebody_else_was_not_asked_for():
    events = {**EVENTS, REMOVED: {"event": "removed", "actor": "alice", "uid": "dave"}}
    assert "change" in found(good(), table(events))


def test_an_entry_that_removes_a_non_member_is_found():
    events = {**EVENTS, 10: {"event": "removed", "actor": "alice", "uid": "bob"}}
    assert found(without(good(), " k10 ") + asks(10000, "alice", "removed", "bob", "done"), table(events)) == ["change"]


def test_one_change_with_two_entries_is_found():
    events = {**EVENTS, 8: {"event": "removed", "actor": "alice", "uid": "dave"}, 10: {"event": "added", "actor": "alice", "uids": ["dave"]}}
    lines = without(without(good(), " k8 "), " k10 ") + asks(8000, "alice", "removed", "dave", "done")
    rules = found(lines + [asked("c8", "alice", "added", "dave", at=10000)], table(events))
    assert "change" not in rules
    assert "change" in found(lines, table(events))


def test_a_member_s_send_is_not_refused():
    assert found(good() + [f"30 alice/plain A s1 not_member {GROUP} 0 - 0"]) == ["refused"]


def test_a_message_from_a_non_member_is_found():
    assert found(without(good(), " k6 "), table(senders={6: "carol"})) == ["outsider"]
    assert found(without(without(good(), " k8 "), " k10 "), table(senders={8: "carol", 10: "dave"})) == []


# ---- (d) the list ----

def test_the_list_of_members_is_what_the_entries_say():
    lines = without(good(), " B ")
    assert found(lines + members("alice=owner", "carol=member")) == ["members"]
    assert found(lines + members("alice=owner", "bob=member", "carol=member", "dave=member")) == ["members"]
    assert found(lines + members("alice=owner", "carol=member", "dave=member", "dave=member")) == ["members"]


def test_the_list_of_members_has_the_role_that_was_given_last():
    events = {**EVENTS, 10: {"event": "role", "actor": "alice", "uid": "dave", "role": "admin"}}
    lines = without(good(), " k10 ") + asks(10000, "alice", "role", "dave", "done")
    assert found(lines, table(events)) == ["members"]
    assert found(without(lines, " B ") + members("alice=owner", "carol=member", "dave=admin"), table(events)) == []
