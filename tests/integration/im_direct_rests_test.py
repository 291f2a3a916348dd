"""The list of a user with 10,000 one-to-one conversations: those at rest lie beside the user, and what moves them takes them away.

SEED=N repeats the random operations; SECONDS=N makes them longer than 6 s.
"""
import os
import pathlib
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "chaos"))
from im_api_fixture import ImTest
from im_cluster import ROOT, Im, Servers, await_that, run_im
from seed import seed_of

SECONDS = float(os.environ.get("SECONDS", "6"))
FIRST, SECOND = "heavy-a", "heavy-b"  # users with many conversations, and one with each other
PEERS = {FIRST: 10_000, SECOND: 1_500}
WRITERS = 3
PAGE = 50

# What a list shows, from the entries alone: the last one that moves a conversation, unless it was hidden since.
EXACT = """select d.no, d.is_pinned, m.msg_id as moved_id from direct_member d cross join lateral (select m.seq, m.msg_id from message m
 where m.no = d.no and m.type not between 30 and 39 order by m.seq desc limit 1) m where d.uid = '{uid}' and m.seq > d.hidden_seq"""
ORDER = "order by e.is_pinned desc, e.moved_id desc, e.no desc"


def setUpModule():
    ImTest.servers = Servers()
    code, output = run_im(ImTest.servers, "--migrate")
    assert code == 0, output
    ImTest.im = Im(ImTest.servers, limits__enabled="off")
    for uid, peers in PEERS.items():
        ImTest.servers.sql(f"""
            insert into account (uid, name) select '{uid}', 'x' union all select 'peer-' || lpad(n::text, 5, '0'), 'x'
                from generate_series(1, {peers}) n on conflict do nothing;
            insert into conversation (kind, id, last_seq, counted, moved_seq, moved_id) select 1, 'u:{uid}:' || p, 1, 1, 1,
                fn.id_at(fn.now_ms() - 7200000) + row_number() over () from (select 'peer-' || lpad(n::text, 5, '0')
                from generate_series(1, {peers}) n union all select '{SECOND}' where '{uid}' = '{FIRST}') p (p);
            insert into direct_member (uid, no) select u, no from conversation, unnest(array[fn.first_of(id), fn.second_of(id)]) u
                where id like 'u:{uid}:%';
            insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, client_msg_id, body)
                select no, 1, moved_id, fn.now_ms() - 7200000, 1, fn.entry_key(no, '{uid} seed'), 1, '{uid}', 'seed', '{{"text":"x"}}'
                from conversation where id like 'u:{uid}:%';
            """)
    ImTest.servers.sql("vacuum analyze")


def tearDownModule():
    ImTest.stop_im()


def peer(number):
    return f"peer-{number:05}"


class Rests(ImTest):
    def setUp(self):
        self.a, self.b, self.c = (self.im.client(uid) for uid in (FIRST, SECOND, peer(1)))

    def rest(self, *uids):
        """Begins the rest of everything: also of what moves this second."""
        for uid in uids:
            self.servers.sql(f"select fn.direct_rests_begin('{uid}', 0, 100000, -1000)")

    def resting(self, uid, where="true"):
        (count,), = self.servers.sql(f"select count(*) from direct_rest r join conversation c using (no) where r.uid = '{uid}' and {where}")
        return int(count)

    def end_all(self):
        self.servers.sql("delete from direct_rest; update conversation set is_at_rest = false where is_at_rest")

    def exact(self, uid):
        return [row[0] for row in self.servers.sql(f"select c.id from ({EXACT.format(uid=uid)}) e join conversation c using (no) {ORDER}")]

    def listed(self, client, limit=200):
        """All pages; with what a client sees of them."""
        found, cursor = [], ""
        while cursor is not None:
            page = self.check(client.get(f"/v1/conversations?limit={limit}{cursor and '&cursor=' + cursor}"), 200)
            found += [one["id"] for one in page["conversations"]]
            cursor = page.get("next_cursor")
        return found

    def check_copies(self):
        """Every row of direct_rest is the place of its conversation, which knows of it."""
        self.assertEqual(self.servers.sql("select r.uid, c.id from direct_rest r left join conversation c using (no) where c.no is null or not"
                                          " c.is_at_rest or (c.moved_seq, c.moved_id) <> (r.moved_seq, r.moved_id)"), [])

    def test_a_long_list_is_followed_by_a_walk_and_shows_the_same_after_it(self):
        self.end_all()
        before = self.exact(FIRST)
        self.assertEqual(self.listed(self.a), before)
        await_that(lambda: self.resting(FIRST) == len(before), "everything is at rest that was for an hour")
        self.assertEqual(self.listed(self.a), before)
        self.check_copies()
        self.assertEqual(self.resting(peer(1)), 0)

    def test_what_moves_a_conversation_ends_its_rest_and_nothing_else_does(self):
        self.servers.sql("update direct_member set is_pinned = false where is_pinned")
        conversation = f"u:{FIRST}:{SECOND}"
        this = f"c.id = '{conversation}'"
        where = f"/v1/conversations/{conversation}"
        seq = self.check(self.a.send("moves", f"user:{SECOND}"), 200)["seq"]

        def at_rest():
            return self.resting(FIRST, this), self.resting(SECOND, this)

        def both_rest():
            self.rest(FIRST, SECOND)
            self.assertEqual(at_rest(), (1, 1))
        both_rest()
        for method, path, body in (("POST", f"/messages/{seq}/edit", {"body": {"text": "y"}}), ("POST", f"/messages/{seq}/reactions", {"emoji": "x"}),
                                   ("PATCH", "", {"pinned": True}), ("PATCH", "", {"pinned": False}), ("PUT", "/read", {"seq": seq}),
                                   ("DELETE", "", None), ("DELETE", "/messages", None)):
            self.assertLess(self.a.call(method, where + path, body).status, 300)
            self.assertEqual(at_rest(), (1, 1), (method, path))
        self.assertNotIn(conversation, self.listed(self.a))  # hidden
        self.check(self.a.call("PUT", f"/v1/blocks/{SECOND}"), 204)
        self.check(self.b.send("refused", f"user:{FIRST}"), 403, "blocked")
        self.check(self.a.call("DELETE", f"/v1/blocks/{SECOND}"), 204)
        self.assertEqual(at_rest(), (1, 1))
        self.check(self.a.send("moves", f"user:{SECOND}"), 200)  # a repeat
        self.assertEqual(at_rest(), (1, 1))
        for client, move in ((self.b, lambda: self.b.send("again", f"user:{FIRST}")), (self.a, lambda: self.b.call("PUT", f"{where}/pins/{seq}"))):
            self.check(move(), 200)
            self.assertEqual(at_rest(), (0, 0))
            self.assertEqual(self.listed(client)[0], conversation)
            both_rest()
        self.check_copies()

    def test_a_walk_waits_for_no_lock(self):
        self.end_all()
        with self.servers.session() as other:
            other.run(f"begin; update conversation set last_seq = last_seq where id = 'u:{SECOND}:{peer(7)}';")
            self.rest(SECOND)
            self.assertEqual(self.resting(SECOND), PEERS[SECOND])  # and one more is with the other heavy user
            self.assertEqual(self.resting(SECOND, f"c.id = 'u:{SECOND}:{peer(7)}'"), 0)
        self.end_all()
        with self.servers.session() as other:
            other.run(f"begin; update account set name = name where uid = '{SECOND}';")
            self.rest(SECOND)
            self.assertEqual(self.resting(SECOND), 0)

    def test_lists_are_exact_while_everything_moves(self):
        self.rest(FIRST, SECOND)
        given = os.environ.get("SEED") or str(seed_of(ROOT)[0])
        print(f"SEED={given}")
        moving = [Writer(self.im, random.Random(f"{given}/{number}")) for number in range(WRITERS)]
        walkers = [threading.Thread(target=self.walk, args=(moving[0],)) for _ in range(2)]
        rng, deadline, compared = random.Random(given), time.monotonic() + SECONDS, 0
        try:
            for thread in (*moving, *walkers):
                thread.start()
            while time.monotonic() < deadline:
                self.compare_a_page(rng)
                compared += 1
            self.compare_all_pages(moving)
        finally:
            for writer in moving:
                writer.is_over.set()
            for thread in (*moving, *walkers):
                thread.join()
        self.assertEqual([fault for writer in moving for fault in writer.faults], [])
        print(f"{sum(len(writer.touched) for writer in moving)} operations, {compared} pages")
        self.check_copies()
        for uid, client in ((FIRST, self.a), (SECOND, self.b)):
            self.assertEqual(self.listed(client), self.exact(uid))
            self.assertGreater(self.resting(uid), PEERS[uid] / 2)

    def walk(self, writer):
        """Both users, again and again; two of these threads meet each other, too."""
        with self.servers.session() as session:
            while not writer.is_over.is_set():
                for uid, peers in PEERS.items():
                    for after in range(0, peers, 500):
                        session.run(f"do $$ begin perform fn.direct_rests_begin('{uid}', (select min(no) - 1 from direct_member where uid ="
                                    f" '{uid}') + {after}, 500, -1000); end $$;")

    def compare_a_page(self, rng):
        """A page from a random place on, with the exact one, in one statement: as of the same moment."""
        uid = rng.choice([FIRST, SECOND])
        exact, place = EXACT.format(uid=uid), "null::boolean as is_pinned, null::bigint as moved_id, null::bigint as no"
        if rng.random() < 0.7:
            place = f"is_pinned, moved_id, no from exact offset {rng.randrange(PEERS[uid] - 100)} limit 1"
        (found, expected), = self.servers.sql(f"""
            with exact as materialized ({exact}), p as materialized (select {place})
            select array(select l.place from p, fn.conversation_list('{uid}', p.is_pinned, p.moved_id, p.no, {PAGE}) l),
                array(select concat_ws('.', e.is_pinned::integer, e.moved_id, e.no) from p, exact e
                    where p.no is null or (e.is_pinned, e.moved_id, e.no) < (p.is_pinned, p.moved_id, p.no)
                    order by e.is_pinned desc, e.moved_id desc, e.no desc limit {PAGE})""")
        self.assertEqual(found, expected)

    def compare_all_pages(self, moving):
        """What nobody touches comes once and in order, over pages that are read one after the other."""
        marks = [max(0, len(writer.touched) - 1) for writer in moving]
        before, seen = self.exact(FIRST), self.listed(self.a)
        touched = {conversation for writer, mark in zip(moving, marks, strict=True) for conversation in writer.touched[mark:]}
        self.assertEqual([one for one in seen if one not in touched], [one for one in before if one not in touched])


class Writer(threading.Thread):
    """Random operations of the two users and of whom they write with, one after the other."""

    def __init__(self, im, rng):
        super().__init__()
        self.im, self.rng, self.is_over, self.touched, self.faults = im, rng, threading.Event(), [], []
        self.clients = {}

    def client(self, uid):
        if uid not in self.clients:
            self.clients[uid] = self.im.client(uid)
        return self.clients[uid]

    def run(self):
        try:
            while not self.is_over.is_set():
                self.step()
        except Exception as fault:
            self.faults.append(repr(fault))
        for client in self.clients.values():
            client.connection.close()

    def step(self):
        heavy = self.rng.choice([FIRST, FIRST, SECOND])
        # Many touch the same few: what is at rest moves, and rests again. The others do not write.
        number = self.rng.choice([self.rng.randrange(1, 20), self.rng.randrange(20, PEERS[heavy])])
        other = SECOND if heavy == FIRST and self.rng.random() < 0.1 else peer(number)
        conversation = f"u:{heavy}:{other}"
        self.touched.append(conversation)
        sender, recipient = (heavy, other) if number >= 20 or self.rng.random() < 0.5 else (other, heavy)
        path = f"/v1/conversations/{conversation}"
        kind = self.rng.choice(["send"] * 4 + ["pinned", "unpinned", "hide", "clear", "edit", "react", "pin"])
        answer = {
            "send": lambda: self.client(sender).send(f"k{self.rng.random()}", f"user:{recipient}"),
            "pinned": lambda: self.client(heavy).call("PATCH", path, {"pinned": True}),
            "unpinned": lambda: self.client(heavy).call("PATCH", path, {"pinned": False}),
            "hide": lambda: self.client(heavy).call("DELETE", path),
            "clear": lambda: self.client(heavy).call("DELETE", f"{path}/messages"),
            "edit": lambda: self.client(heavy).post(f"{path}/messages/1/edit", {"body": {"text": "edited"}}),
            "react": lambda: self.client(sender).post(f"{path}/messages/1/reactions", {"emoji": str(self.rng.randrange(9))}),
            "pin": lambda: self.client(heavy).call(self.rng.choice(["PUT", "DELETE"]), f"{path}/pins/1"),
        }[kind]()
        # What was cleared is not there, what is pinned or edited too late is refused.
        if answer.status >= 500 or (kind in ("send", "hide", "unpinned") and answer.status >= 300):
            self.faults.append(f"{kind} in {conversation}: {answer}")


if __name__ == "__main__":
    unittest.main()
