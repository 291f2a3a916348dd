"""What a run must have done at least, so that it shows anything: sends, messages that came, frames, and faults that hit."""
import dataclasses

import world

MADE = 1 / 3  # of the changes of members that are asked for: the others find nothing to change
SHARE = 1 / 3  # of what the run's options make one expect: faults and a slow machine cost less


@dataclasses.dataclass
class Least:
    """The least that must have happened. Nothing is owed by default."""
    sends: float = 0  # of devices, answered
    stored: float = 0  # messages with a sender's key, in the table
    handed: float = 0  # to devices of clients.c
    frames: float = 0  # to observers
    plain: float = 0  # plain sends, answered
    changes: float = 0  # of members, answered
    made: float = 0  # of these, that changed something
    events: float = 0  # to the passenger's observer
    lies: float = 0  # acks of the future that were answered
    repeats: float = 0  # answers to messages that were sent again
    stalls: float = 0
    flaps: float = 0  # connections of the flapper
    faults: int = 0


def expected(plan, observers, seconds, faults):
    """
    Least for a run of this plan (world.py), in which clients send for so many seconds. A sender is any user, and chooses one of
    its conversations; all devices of the members get it. `observers`: the users that have one.
    """
    users, of_sends = plan["users"], {}
    sends = plan["rate"] * seconds * SHARE
    for person in users:
        for conversation in person["conversations"]:
            share = 1 / len(users) / len(person["conversations"])
            of_sends[conversation["id"]] = of_sends.get(conversation["id"], 0) + share
    handed = sum(of_sends[conversation["id"]] * len(person["devices"])
                 for person in users for conversation in person["conversations"])
    frames = sum(of_sends[conversation["id"]] for person in observers for conversation in person["conversations"])
    return Least(sends, sends, sends * handed, sends * frames, world.PLAIN_PER_S * seconds * SHARE,
                 world.CHANGES_PER_S * seconds * SHARE, world.CHANGES_PER_S * seconds * SHARE * MADE,
                 seconds / 2 / world.SHUTTLE_PAUSE_S * SHARE, seconds / 3 / world.LIE_EVERY_S * SHARE,
                 seconds / 3 / world.LIE_EVERY_S * SHARE, int(seconds / world.STALL_EVERY_S * SHARE),
                 seconds / 3 / world.FLAP_EVERY_S * SHARE, faults)


def check(run, figures, find):
    """`find` is told each violation, like Checker.find()."""
    least = run.least
    stored = sum(1 for message in run.table.values() if message.key)
    for what, number, wanted in (("sends of devices were answered", figures.wanted_answered, least.sends),
                                 ("messages of senders are stored", stored, least.stored),
                                 ("messages were handed over to devices", figures.device_handed, least.handed),
                                 ("frames came to observers", figures.frames, least.frames),
                                 ("plain sends were answered", figures.plain_answered, least.plain),
                                 ("changes of members were answered", figures.changes_answered, least.changes),
                                 ("changes of members were made", figures.changes_made, least.made),
                                 ("events came to the passenger", figures.events, least.events),
                                 ("acks of the future were answered", figures.lies, least.lies),
                                 ("repeated sends were answered", figures.repeats, least.repeats),
                                 ("times a client stalled", figures.stalls, least.stalls),
                                 ("connections of the flapper", figures.flaps, least.flaps),
                                 ("faults happened", len(run.faults), least.faults)):
        if number < wanted:
            find("idle", f"{number} {what}; a run with these options has {wanted:.0f} at least")
    for fault in run.faults:
        if fault.hits < fault.needs_hits():
            find("no fault", f"{fault.kind} {fault.target} hit {fault.hits} of {fault.needs_hits()}", fault.start_ms)
