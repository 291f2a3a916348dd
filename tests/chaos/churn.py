"""Groups whose members come and go all the time, and in bursts of a hundred changes at once while the members send."""
import asyncio
import itertools
import json

import checker
import membership
import world

BURST = 100  # changes at once, in the first group
STORM = 120  # messages sent to it meanwhile
BURST_S = 1.5  # all changes of a burst start within this time
TRIES = 6
AGAIN = ("lost", "429", "503")
ENTRIES = """select seq, body from message join conversation using (no) where id = '{}' and fn.type_name(type) = 'system'"""


class Churn:
    """`groups` as world.settle() left them: id, group_id, core (uids; the first is the owner, the second an admin), pool."""

    def __init__(self, groups, people, asker, history, rng):
        self.groups, self.asker, self.history, self.rng = groups, asker, history, rng
        self.people = {person["uid"]: person for person in people}
        self.keys = itertools.count(1)
        self.answered = 0
        self.tasks = set()

    # -- one change --

    def _request(self, group, event, actor, uids, role):
        """Method, path and body."""
        path = f"/v1/groups/{group['group_id']}"
        if event == "added":
            return "POST", f"{path}/members", {"uids": list(uids)}
        if event == "removed":
            return "DELETE", f"{path}/members/{uids[0]}", None
        if event == "left":
            return "POST", f"{path}/leave", None
        return "PUT", f"{path}/members/{uids[0]}/role", {"role": role}

    async def attempt(self, group, event, actor, uids, role="member", at=None):
        """Sends the request once, to any im or to the one at this place. Returns done, a public error code, 429, 503, or lost."""
        key, name = f"c{next(self.keys)}", f"{actor}/changes"
        method, path, body = self._request(group, event, actor, uids, role)
        self.history.note(name, "G", key, group["id"], event, *uids)
        status, answer = await self.asker.once(self.people[actor], method, path, at, body)
        if status in (200, 204):
            code = "done"
        elif status is None:
            code = "lost"
        elif status in (429, 503):
            code = str(status)
        else:
            code = (answer or {}).get("code", str(status))
        self.history.note(name, "V", key, code)
        return code

    async def change(self, group, event, actor, uids, role="member"):
        """Repeats a change without an answer, unless the list of members shows that it was made."""
        for _ in range(TRIES):
            code = await self.attempt(group, event, actor, uids, role)
            if code not in AGAIN:
                self.answered += 1
                return
            await asyncio.sleep(self.rng.uniform(0.2, 1.5))
            listed = await self.members(group, patience=False)
            if event in ("added", "removed", "left") and listed is not None and \
                    all((uid in listed) == (event == "added") for uid in uids):
                return

    async def members(self, group, patience=True):
        """{uid: role}, as the owner sees it, or None without an answer if the caller does not insist."""
        owner, path, query = self.people[group["core"][0]], f"/v1/groups/{group['group_id']}/members", {"limit": 20}
        found = {}
        while True:
            if patience:
                page = await self.asker.get(owner, path, **query)
            else:
                status, page = await self.asker.once(owner, "GET", path, **query)
                if status != 200:
                    return None
            for member in page["members"]:
                found[member["uid"]] = member["role"]
            if "next_cursor" not in page:
                return found
            query["cursor"] = page["next_cursor"]

    def _chance_change(self, group):
        """One user of the pool is added, leaves, or is removed. Now and then one of the core gets another role."""
        rng, core, pool = self.rng, group["core"], group["pool"]
        uid, draw = rng.choice(pool), rng.random()
        if draw < 0.45:
            return self.change(group, "added", rng.choice(core + pool[:5]), [uid])
        if draw < 0.55:
            return self.change(group, "added", rng.choice(core), rng.sample(pool, 3))
        if draw < 0.83:
            return self.change(group, "removed", rng.choice(core[:2]), [uid])
        if draw < 0.97:
            return self.change(group, "left", uid, [uid])
        return self.change(group, "role", core[0], [core[2]], rng.choice(["admin", "member"]))

    # -- plain sends: those of non-members are refused --

    async def _send(self, group):
        uid = self.rng.choice(group["core"] + group["pool"])
        key, name = f"storm-{next(self.keys)}", f"{uid}/plain"
        text = f"storm {key}"
        self.history.note(name, "S", key, checker.text_hash(uid, "text", text))
        body = {"client_msg_id": key, "to": {"group": group["group_id"]}, "type": "text", "body": {"text": text}}
        status, answer = await self.asker.once(self.people[uid], "POST", "/v1/messages", body=body)
        if status == 200:
            self.history.note(name, "A", key, "ok", group["id"], answer["seq"], answer["msg_id"], int(answer["duplicate"]))
        else:
            code = (answer or {}).get("code") if status == 403 else status or "none"
            self.history.note(name, "A", key, code, group["id"], 0, "-", 0)

    # -- all of it --

    def _start(self, what):
        self.tasks = {task for task in self.tasks if not task.done() or task.exception()}
        self.tasks.add(asyncio.ensure_future(what))

    async def _after(self, seconds, what):
        await asyncio.sleep(seconds)
        await what

    def burst(self):
        """This many changes, with messages between them, all under way at once. They start within BURST_S."""
        group = self.groups[0]
        for what in [self._chance_change(group) for _ in range(BURST)] + [self._send(group) for _ in range(STORM)]:
            self._start(self._after(self.rng.uniform(0, BURST_S), what))

    async def begin(self):
        for group in self.groups:
            await self.change(group, "role", group["core"][0], [group["core"][1]], "admin")

    async def live(self):
        while True:
            group = self.rng.choice(self.groups)
            self._start(self._chance_change(group))
            self._start(self._send(group))
            await asyncio.sleep(self.rng.expovariate(world.CHANGES_PER_S))

    async def end(self):
        """Waits for the tasks under way. Raises the exception of a task that failed."""
        await asyncio.gather(*self.tasks)

    async def shuttle(self, groups, pause_s=world.SHUTTLE_PAUSE_S):
        """
        Adds the passenger to one group after the other, then removes it from one after the other, and so on. Each change follows
        the answer of the one before, at the same im: the events that it causes have an order (told.py).
        """
        for event in itertools.cycle(("added", "removed")):
            for group in groups:
                while await self.attempt(group, event, group["core"][0], group["pool"], at=0) in AGAIN:
                    await asyncio.sleep(2 * pause_s)
                await asyncio.sleep(pause_s)

    async def note_members(self, groups):
        for group in groups:
            listed = await self.members(group)
            owner = f"{group['core'][0]}/changes"
            self.history.note(owner, "B", group["id"], *(f"{uid}={role}" for uid, role in listed.items()))


async def owed(groups, query, has_forgotten):
    """(uid, conversation, seq): the last message that each user of the pools must get, by the entries so far."""
    found = []
    for group in groups:
        rows = (await query(ENTRIES.format(group["id"]))).splitlines()
        entries = [(int(seq), json.loads(body)) for seq, _, body in (row.partition("|") for row in rows)]
        last = int(await query(f"select last_seq from conversation where id = '{group['id']}'"))
        members = membership.Membership(group["core"] + group["first"], entries)
        for uid in group["pool"]:
            if not has_forgotten or members.is_now(uid):
                found.append((uid, group["id"], members.last(uid, last)))
    return found
