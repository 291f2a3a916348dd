"""Checks a run's histories and prints the result, and for each violation the path of its message through the logs."""
import collections
import json
import pathlib
import time

import activity
import bounds
import checker
import cluster
import membership
import world

SHOWN = 5  # violations printed in full; the others get one line each
LINES = 12  # of history around one


def load(out):
    plan = json.loads((out / "plan.json").read_text())
    table = {}
    with open(out / "table.tsv", encoding="utf-8") as rows:
        for row in rows:
            conversation, seq, msg_id, sender, key, kind, body = row.rstrip("\n").split("\t")
            event = json.loads(cluster.unescaped(body)) if kind == "system" else None
            table[conversation, int(seq)] = checker.Message(msg_id, sender, key,
                                                            checker.text_hash(sender, kind, cluster.text_of(body)), event)
    devices = {f"{person['uid']}/{device}": person["uid"] for person in plan["users"] for device in person["devices"]}
    members = world.members_of(plan)
    churning = {}
    for group in plan["churning"]:
        entries = [(seq, stored.event) for (conversation, seq), stored in table.items()
                   if conversation == group["id"] and stored.event]
        churning[group["id"]] = membership.Membership(group["core"] + group["first"], entries)
    histories = [out / "clients.history", out / "observers.history"]
    for history in histories[1:]:
        with open(history, encoding="ascii") as lines:
            for line in lines:
                name, event = line.split(" ", 3)[1:3]
                if event == "L":
                    devices[name] = name.split("/")[0]
    happened = [bounds.Happened(**fault) for fault in json.loads((out / "faults.json").read_text())]
    ran = json.loads((out / "run.json").read_text())
    least = activity.expected(plan, plan["users"][:world.OBSERVERS], ran["seconds"], ran["faults"])
    return checker.Run(members, devices, table, [open(path, encoding="ascii") for path in histories], happened,
                       churning=churning, least=least, passenger=plan["users"][world.PASSENGER]["uid"],
                       shuttles=tuple(group["id"] for group in world.groups_of(plan, is_shuttle=True)))


def clock(at_ms):
    return time.strftime("%H:%M:%S", time.localtime(at_ms / 1000)) + f".{at_ms % 1000:03d}"


def fault_around(happened, at_ms):
    text = "none"
    for fault in happened:
        if fault.start_ms <= at_ms:
            text = f"{' '.join(fault.text.split())} (from {clock(fault.start_ms)} to {clock(fault.end_ms)})"
    return text


def trace(run_dir, violation, stored):
    """The services' log lines of one message: stored, settled (im), taken, appended, answered (push), written out (gateway)."""
    conversation, seq = f"conversation={violation.conversation} ", f" seq={violation.seq} "
    msg_id = f" msg_id={stored.msg_id} " if stored else None
    found = []
    for log in sorted(pathlib.Path(run_dir, "logs").glob("*.log*")):
        with open(log, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                ended = line.rstrip("\n") + " "
                if (conversation in ended and seq in ended) or (msg_id and msg_id in ended):
                    found.append(line.rstrip())
    return sorted(found)[:40]


def around(out, violation):
    """The device's own lines of this message, and of its lives and connections nearby."""
    if not violation.device:
        return []
    lines = []
    for history in ("clients.history", "observers.history"):
        with open(out / history, encoding="ascii") as events:
            for line in events:
                fields = line.split()
                if fields[1] != violation.device:
                    continue
                if fields[2] in "LXUCHRYD" or violation.conversation in fields:
                    lines.append(line.rstrip())
    at = min(range(len(lines)), key=lambda i: abs(int(lines[i].split()[0]) - violation.at_ms), default=0)
    return lines[max(0, at - LINES):at + LINES // 2]


def show(violation, run, out, run_dir):
    stored = run.table.get((violation.conversation, violation.seq))
    print(f"\n  {line_of(violation)}")
    print(f"    fault: {fault_around(run.faults, violation.at_ms) if violation.at_ms else '-'}")
    if violation.conversation:
        for line in trace(run_dir, violation, stored):
            print(f"    log: {line[:230]}")
    for line in around(out, violation):
        print(f"    history: {line}")


def line_of(violation):
    at = clock(violation.at_ms) if violation.at_ms else "at the end"
    where = f"{violation.conversation} {violation.seq or ''}".strip()
    return f"{violation.rule.upper()}: {where} {violation.text}" + (f", {violation.device}" if violation.device else "") + f" ({at})"


def report(options, command):
    """Prints the report. Returns 0 if nothing was violated."""
    started = time.monotonic()
    run = load(options.out)
    run.late_ms = int(options.late * 1000)
    violations, figures = checker.check(run)
    print(f"\n{figures.sent} sends, {figures.answered} answers ({figures.duplicates} of them once more), {len(run.table)} messages stored, "
          f"{figures.handed} handed over in {figures.lives} lives, {figures.frames} frames observed "
          f"({figures.late_repeats} late repeats of what came over another connection); "
          f"checked in {time.monotonic() - started:.1f} s")
    print(f"{figures.changes_asked} changes of memberships asked for, {figures.changes_answered} answered, {figures.changes_made} made; "
          f"{figures.refused_outsiders} sends of removed members refused")
    print(f"observers: {figures.resyncs} resyncs, {figures.same_epoch_resyncs} of them in the same epoch; {figures.sync_mores} "
          f"sync_more; the longest wait that no fault explains {figures.unexplained_ms / 1000:.1f} s")
    print(f"least for this run: {run.least.sends:.0f} sends answered ({figures.wanted_answered}), {run.least.handed:.0f} handed over "
          f"to devices ({figures.device_handed}), {run.least.frames:.0f} frames ({figures.frames}), {run.least.plain:.0f} plain sends "
          f"answered ({figures.plain_answered}), {run.least.changes:.0f} changes of members answered ({figures.changes_answered}), "
          f"{run.least.events:.0f} events ({figures.events})")
    print(f"odd clients: {figures.lies} acks of the future answered with an error, {figures.repeats} repeated sends answered, "
          f"{figures.stalls} stalls, {figures.flaps} connections of the flapper")
    kinds = collections.Counter(fault.kind for fault in run.faults)
    print(f"{len(run.faults)} faults; the longest that a steady device waited for a message that was answered 200:")
    for kind in sorted(kinds):
        print(f"  {kind:<18} x{kinds[kind]:<3} {figures.recovery_ms.get(kind, 0) / 1000:6.1f} s")
    if figures.slowest:
        conversation, seq, device, at = figures.slowest
        print(f"the slowest: {figures.slowest_ms / 1000:.1f} s, {conversation} {seq} to {device} at {clock(at)}")
    if not violations:
        print("no violation")
        return 0
    for violation in violations[:SHOWN]:
        show(violation, run, options.out, options.run_dir)
    for violation in violations[SHOWN:SHOWN + 40]:
        print(f"  {line_of(violation)}")
    print(f"\n{len(violations)} violations; again with: {command}")
    return 1
