"""Clients that follow the contract, all the time, while processes are replaced. Nothing may be lost, come twice or out of order,
and no client may see an error that the contract does not name."""
import asyncio
import time

from client import CUT, REFUSED, UNAVAILABLE, Answer, direct
from phone import Phone

USERS = 12
REST_S = 0.1
PATIENCE_S = 60
# An im that drains, and what is then asked of it: a client asks the other one.
MAY = {REFUSED, CUT, UNAVAILABLE}


class Traffic:
    """
    Users in a ring: each writes to the next one, every other over its WebSocket. User 0 also writes to a group of all. An editor
    writes to user 0, and changes what it wrote. A guest comes and goes in a second group, to which user 1 writes.
    """

    def __init__(self, skein):
        self.skein = skein
        self.is_over = False
        self.sent = {}  # (conversation, uid): how many messages were answered 200
        self.tasks = []
        self.visits = 0  # how often the guest came and went

    async def __aenter__(self):
        self.users = await self.skein.users(*(f"user{i}" for i in range(USERS)))
        self.editor, self.guest = await self.skein.users("editor", "guest")
        self.everybody = await self.users[0].group(*self.users[1:])
        self.visited = await self.users[1].group(self.users[2])
        self.phones = [Phone(user, gateway=i % 2, may=MAY) for i, user in enumerate(self.users)]
        for phone in self.phones:
            phone.start()
        for phone in self.phones:
            await phone.is_connected()
        ring = [(i, self.users[(i + 1) % USERS]) for i in range(USERS)]
        works = [self._write(i, user, direct(self.users[i], user)) for i, user in ring]
        works += [self._write(i, group, group.conversation) for i, group in ((0, self.everybody), (1, self.visited))]
        works += [self._edit(), self._visit()]
        self.tasks = [asyncio.ensure_future(work) for work in works]
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for phone in self.phones:
            await phone.stop()

    async def _ask(self, user, method, path, **arguments):
        """Repeats a request at one im after the other, as docs/build/protocol.md tells a client."""
        deadline = time.monotonic() + PATIENCE_S
        number, outcome = 0, None
        while not isinstance(outcome, Answer):
            assert time.monotonic() < deadline, f"{method} {path}: still {outcome}"
            outcome = await user.attempt(method, path, at=number % 2, **arguments)
            number += 1
        assert outcome.status in (200, 204), f"{method} {path}: {outcome.bytes[:500]!r}"
        return outcome.json

    async def _write(self, i, to, conversation):
        phone, key = self.phones[i], (conversation, self.users[i].uid)
        self.sent[key] = 0
        while not self.is_over:
            draft = phone.user.draft(to, str(self.sent[key]))
            await (phone.send(draft) if i % 2 else phone.user.insist(draft, MAY, within_s=PATIENCE_S))
            self.sent[key] += 1
            await asyncio.sleep(REST_S)

    async def _edit(self):
        key = (direct(self.editor, self.users[0]), self.editor.uid)
        self.sent[key] = 0
        while not self.is_over:
            stored = await self.editor.insist(self.editor.draft(self.users[0], str(self.sent[key])), MAY, within_s=PATIENCE_S)
            self.sent[key] += 1
            path = f"/v1/conversations/{key[0]}/messages/{stored['seq']}"
            await self._ask(self.editor, "POST", f"{path}/edit", body={"body": {"text": "better"}})
            await self._ask(self.editor, "POST", f"{path}/recall")
            query = {"after_seq": stored["seq"] - 1, "limit": 1}
            page = await self._ask(self.editor, "GET", f"/v1/conversations/{key[0]}/messages", query=query)
            assert page["messages"][0]["recalled"] and "body" not in page["messages"][0]
            await asyncio.sleep(REST_S)

    async def _visit(self):
        path = f"/v1/groups/{self.visited.gid}/members"
        while not self.is_over:
            await self._ask(self.users[1], "POST", path, body={"uids": [self.guest.uid]})
            members = await self._ask(self.users[2], "GET", path)
            assert self.guest.uid in [member["uid"] for member in members["members"]]
            await self._ask(self.users[1], "DELETE", f"{path}/{self.guest.uid}")
            self.visits += 1
            await asyncio.sleep(REST_S)

    def _fail_with_a_client(self):
        for task in [*self.tasks, *(phone._task for phone in self.phones)]:
            if task.done() and not task.cancelled() and task.exception():
                raise task.exception()

    def _received(self, phone, key):
        """The texts of one sender in one conversation, as the application got them."""
        return [m["body"]["text"] if "body" in m else None for m in phone.messages
                if (m["conversation_id"], m["from"]) == key and m["type"] == "text"]

    def _readers(self, key):
        conversation = key[0]
        if conversation == self.everybody.conversation:
            return self.phones
        if conversation == self.visited.conversation:
            return self.phones[1:3]
        return [phone for phone in self.phones if phone.user.uid in conversation.split(":")]

    async def flows(self, least=5, mix=""):
        """From now on every sender gets this many messages stored, and they reach all their readers."""
        wanted = {key: count + least for key, count in self.sent.items()}
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self._fail_with_a_client()
            late = [key for key, count in wanted.items()
                    if any(len(self._received(phone, key)) < count for phone in self._readers(key))]
            if not late:
                return
            assert time.monotonic() < deadline, f"{mix}: these do not go on: {late}"
            await asyncio.sleep(0.05)

    async def end(self):
        """Stops the senders. Every reader must have everything, once and in order (Phone looks at seq and offset as they come)."""
        self.is_over = True
        await asyncio.gather(*self.tasks)
        deadline = time.monotonic() + PATIENCE_S
        for key, count in self.sent.items():
            for phone in self._readers(key):
                while len(self._received(phone, key)) < count:
                    self._fail_with_a_client()
                    assert time.monotonic() < deadline, f"{phone.user.uid} has not all of {key}"
                    await asyncio.sleep(0.05)
                texts = self._received(phone, key)
                if key[1] == self.editor.uid:  # what came by sync may have lost its body already
                    assert len(texts) == count
                else:
                    assert texts == [str(n) for n in range(count)]
