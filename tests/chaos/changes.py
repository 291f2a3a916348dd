"""Compares the requests for changes of a group's members, and their answers, with the `system` entries of its conversation."""
import bisect
import collections

import membership

DONE = "done"  # 200 or 204: the change was made, or there was nothing to change
AGAIN = {"lost", "429", "503"}
# For each answer: whether the named users were members, or were not, at some time between the request and the answer.
OUTCOMES = {("added", DONE): True, ("removed", DONE): False, ("left", DONE): False, ("role", DONE): True,
            ("removed", "not_found"): False, ("role", "not_found"): False, ("left", "not_member"): False}


class Change:
    def __init__(self, at, conversation, event, actor, uids):
        self.at, self.conversation, self.event, self.actor, self.uids = at, conversation, event, actor, uids


class Clock:
    """The bounds that clients' records give for the seq of a conversation at a time."""

    def __init__(self):
        self.answers, self.requests = [], []  # (at, seq) of the same messages, in any order
        self.floors, self.ceilings = [], []

    def settle(self):
        self.floors = self._lowest((at, -seq) for at, seq in self.answers)
        self.ceilings = self._lowest((-at, seq) for at, seq in self.requests)

    @staticmethod
    def _lowest(pairs):
        """The pairs whose second value is lower than that of every pair with a lower first value."""
        found = []
        for first, second in sorted(pairs):
            if not found or second < found[-1][1]:
                found.append((first, second))
        return found

    @staticmethod
    def _before(pairs, first):
        place = bisect.bisect_left(pairs, (first,))
        return pairs[place - 1][1] if place else None

    def before(self, at):
        """The highest seq that was answered before; 0: none."""
        return -(self._before(self.floors, at) or 0)

    def after(self, at):
        """The lowest seq whose message was sent after; None: none."""
        return self._before(self.ceilings, -at)


class Changes:
    """`find` is told each violation, like Checker.find(). `figures` are the checker's."""

    def __init__(self, run, find, figures):
        self.run, self.find, self.figures = run, find, figures
        self.asked = {}  # key: Change
        self.tries = collections.Counter()  # (conversation, event, actor, uid): how often the change was requested
        self.clocks = collections.defaultdict(Clock)  # by conversation
        self.answers = []  # (at, name, key, code): checked at the end, when all times are known

    def on_sent(self, sent_at, answered_at, conversation, seq):
        """A message, when it was sent (None: that is not known) and when it was answered."""
        self.clocks[conversation].answers.append((answered_at, seq))
        if sent_at is not None:
            self.clocks[conversation].requests.append((sent_at, seq))

    def on_ask(self, at, name, key, conversation, event, *uids):
        actor = name.split("/")[0]
        self.figures.changes_asked += 1
        self.asked[key] = Change(at, conversation, event, actor, uids)
        for uid in uids:
            self.tries[conversation, event, actor, uid] += 1

    def on_answer(self, at, name, key, code):
        self.figures.changes_answered += code not in AGAIN
        self.answers.append((at, name, key, code))

    def check_answers(self):
        for clock in self.clocks.values():
            clock.settle()
        for at, name, key, code in self.answers:
            change = self.asked[key]
            if (change.event, code) in OUTCOMES:
                self._check_uids(at, name, key, code, change.uids, OUTCOMES[change.event, code])
            elif code == "not_member":
                self._check_uids(at, name, key, code, [change.actor], False)
            elif code not in AGAIN:
                self.find("refused", f"{change.event} ({key}) of {', '.join(change.uids)} was answered {code}", at,
                          change.conversation, 0, name)

    def _check_uids(self, at, name, key, code, uids, is_member):
        """Checks that, by the entries, these users were members, or were not, at some time between request and answer."""
        change = self.asked[key]
        group, clock = self.run.churning[change.conversation], self.clocks[change.conversation]
        since, until = clock.before(change.at), clock.after(at)
        for uid in uids:
            if not group.was_ever(uid, is_member, since, until):
                self.find("change", f"{change.event} ({key}) was answered {code}, and {uid} was {'no' if is_member else 'a'} member "
                          f"from {since} to {until or 'the end'}", at, change.conversation, since, name)

    def on_members(self, at, name, conversation, *members):
        """Checks the list of members that im gives at the end: uid=role."""
        group = self.run.churning[conversation]
        listed = dict(member.split("=") for member in members)
        if len(listed) != len(members):
            self.find("members", "are listed more than once", at, conversation, 0, name)
        for uid in sorted(set(listed) ^ group.members()):
            self.find("members", f"{'hold' if uid in listed else 'lack'} {uid}; the entries say otherwise", at, conversation, 0,
                      name)
        for uid, role in listed.items():
            if role != "owner" and uid in group.members() and role != group.roles.get(uid, "member"):
                self.find("members", f"say that {uid} is {role}; the entries say {group.roles.get(uid, 'member')}", at,
                          conversation, 0, name)

    def check_entries(self):
        """Checks that each entry was requested and changed something, and that each message is from a member."""
        left = self.tries.copy()
        for (conversation, seq), stored in sorted(self.run.table.items()):
            group = self.run.churning.get(conversation)
            if not group:
                continue
            if stored.event:
                self.figures.changes_made += 1
                for uid in membership.uids_of(stored.event):
                    place = conversation, stored.event["event"], stored.sender, uid
                    left[place] -= 1
                    if left[place] < 0:
                        self.find("change", f"{place[1]} of {uid} by {place[2]} was asked for {self.tries[place]} times, and has "
                                  "one entry more", 0, conversation, seq)
            elif not group.was(stored.sender, seq):
                self.find("outsider", f"is from {stored.sender}, who is no member as of it", 0, conversation, seq)
        for conversation, group in self.run.churning.items():
            for seq, text in group.faults:
                self.find("change", text, 0, conversation, seq)
