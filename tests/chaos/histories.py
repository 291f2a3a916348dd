"""Histories written by hand, for the tests of the checker: alice sends three messages to bob, and both get them."""
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


def check(lines, table=None, faults=((12, "kill-im"),), **fields):
    """Violations and figures. `fields`: of checker.Run."""
    if table is None:
        table = dict(stored(seq) for seq in (1, 2, 3))
    return checker.check(checker.Run(MEMBERS, DEVICES, table, [lines], list(faults), **fields))


def found(lines, table=None, **fields):
    """The rules that are violated."""
    return sorted({violation.rule for violation in check(lines, table, **fields)[0]})


def without(lines, part):
    assert any(part in line for line in lines)
    return [line for line in lines if part not in line]
