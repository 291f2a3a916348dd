"""Each rule about the inboxes at the end is broken by a history written by hand, and by nothing in a correct one."""
import checker
from histories import CONVERSATION, DEVICES, MEMBERS, found, good, life, stored, without


def inbox(*entries, head=None):
    head = (entries[-1][0] if entries else 0) if head is None else head
    return good() + [f"60 bob/sync I e {head}"] + \
        [f"60 bob/sync J {offset} {CONVERSATION} {seq} m{seq} h{seq}" for offset, seq in entries]


def test_an_inbox_that_ends_with_the_last_message_is_right():
    assert found(inbox((1, 1), (2, 2), (3, 3))) == []
    assert found(inbox((9, 2), (10, 3)), inbox_entries=2) == []
    assert found(inbox((1, 1), (2, 2), (3, 2), (4, 3))) == []


def test_an_inbox_with_a_hole_is_found():
    assert found(inbox((1, 1), (2, 3))) == ["sync"]
    assert found(inbox((1, 1), (3, 2), (4, 3))) == ["sync"]
    assert found(inbox((1, 1), (2, 2))) == ["sync"]


def test_an_entry_that_is_not_what_is_stored_is_found():
    lines = inbox((1, 1), (2, 2), (3, 3))
    assert found([line.replace(f"J 2 {CONVERSATION} 2 m2 h2", f"J 2 {CONVERSATION} 2 m2 other") for line in lines]) == ["sync"]


def test_an_inbox_ends_at_its_head():
    assert found(inbox((1, 1), (2, 2), (3, 3), head=2)) == []  # the third came later
    assert found(inbox((1, 1), (2, 2), (3, 3), head=4)) == ["sync"]


def test_an_empty_inbox_below_its_head_is_found():
    lines = ["0 bob/sync I e 3"]
    assert checker.check(checker.Run(MEMBERS, {}, {}, [["0 bob/sync I e 0"]]))[0] == []
    violations, _ = checker.check(checker.Run(MEMBERS, {}, {}, [lines]))
    assert [violation.rule for violation in violations] == ["sync"]
    assert found(inbox(head=3)) == ["sync"]


def test_a_conversation_that_is_absent_is_found():
    assert found(inbox()) == ["sync"]


def test_the_first_messages_of_a_conversation_are_owed():
    assert found(inbox((1, 2), (2, 3))) == ["sync"]
    assert found(inbox((1, 3))) == ["sync"]


def test_only_an_inbox_that_is_full_was_trimmed():
    assert found(inbox((9, 2), (10, 3))) == ["sync"]
    assert found(inbox((9, 2), (10, 3)), inbox_entries=3) == ["sync"]


def test_what_redis_lost_is_not_owed():
    for fault in ((50, "flush"), (5, "kill-redis", 50), (50, "restart-redis")):
        assert found(inbox(), faults=[fault]) == []
        assert found(inbox((1, 3)), faults=[fault]) == []


def test_what_was_sent_after_the_last_loss_of_redis_is_owed():
    for fault in ((5, "flush"), (50, "kill-push")):
        assert found(inbox(), faults=[fault]) == ["sync"]
        assert found(inbox((1, 2), (2, 3)), faults=[fault]) == ["sync"]


def test_what_was_sent_before_the_loss_and_answered_after_it_is_not_owed():
    assert found(inbox((1, 2), (2, 3)), faults=[(12, "flush")]) == []  # sent after 10 ms, answered after 15 ms


def test_without_the_time_of_a_send_its_answer_counts_20_s_later():
    def lines(at):
        answers = [f"{at} alice/phone A k{seq} ok {CONVERSATION} {seq} m{seq} 0" for seq in (1, 2, 3)]
        return without(without(inbox(), " S "), " A ") + answers
    assert found(lines(19000), faults=[(0, "flush")]) == []
    assert found(lines(21000), faults=[(0, "flush")]) == ["sync"]


def test_a_full_inbox_owes_nothing_that_is_older_than_its_first_entry():
    other = "u:bob:carol"
    members = {**MEMBERS, other: {"bob", "carol"}}
    table = dict(stored(seq) for seq in (1, 2, 3)) | {(other, 1): checker.Message("n1", "carol", "c1", "hc")}

    def rules(sent_at):
        lines = [f"{sent_at} carol/phone S c1 hc", f"{sent_at} carol/phone A c1 ok {other} 1 n1 0"]
        lines += inbox((9, 1), (10, 2), (11, 3)) + [life("carol/phone"), f"99999 bob/phone M {other} 1 n1 hc -"]
        run = checker.Run(members, DEVICES | {"carol/phone": "carol"}, table, [lines + [f"99999 carol/phone M {other} 1 n1 hc -"]],
                          inbox_entries=3)
        return sorted({violation.rule for violation in checker.check(run)[0]})
    assert rules(15 + 60000) == []
    assert rules(15 + 60001) == ["sync"]
