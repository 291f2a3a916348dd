"""A group of 100,000 members: made in pieces, paged, joined and left, while its messages cost what those of a small group do."""
import pathlib
import statistics
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import Im, Servers, run_im

MEMBERS, PIECE, PAGE = 100_000, 1000, 200
CHANGES_PER_S = 200
SENDS = 100


def setUpModule():
    ImTest.servers = Servers()
    code, output = run_im(ImTest.servers, "--migrate")
    assert code == 0, output
    ImTest.im = Im(ImTest.servers, limits__enabled="off", limits__group_members=MEMBERS + 100)
    ImTest.servers.sql(f"insert into account (uid, name) select 'm' || lpad(n::text, 6, '0'), 'm' from generate_series(0, {MEMBERS}) n")
    ImTest.servers.sql("analyze account")


def tearDownModule():
    ImTest.stop_im()


def member(number):
    return f"m{number:06}"


class LargeGroup(ImTest):
    def median_ms(self, client, gid):
        """Of a send, one after the other."""
        times = []
        for i in range(SENDS):
            start = time.monotonic()
            self.check(client.send(f"{gid}-{i}", f"group:{gid}"), 200)
            times.append((time.monotonic() - start) * 1000)
        return statistics.median(times)

    def test_it_is_made_in_pieces_paged_joined_and_left_and_its_sends_cost_what_others_do(self):
        small = self.group()
        gid = self.group(members=[member(n) for n in range(PIECE)], join="open")
        start = time.monotonic()
        for first in range(PIECE, MEMBERS - 1, PIECE):
            piece = [member(n) for n in range(first, min(first + PIECE, MEMBERS - 1))]
            self.check(self.a.post(f"/v1/groups/{gid}/members", {"uids": piece}), 204)
        made_s = time.monotonic() - start
        self.assertEqual(self.check(self.a.get(f"/v1/groups/{gid}"), 200)["member_count"], MEMBERS)

        start, cursor, seen = time.monotonic(), "", []
        while cursor is not None:
            page = self.check(self.a.get(f"/v1/groups/{gid}/members?limit={PAGE}{cursor}"), 200)
            seen += [entry["uid"] for entry in page["members"]]
            cursor = f"&cursor={page['next_cursor']}" if "next_cursor" in page else None
        paged_s = time.monotonic() - start
        self.assertEqual(len(seen), MEMBERS)
        self.assertEqual(set(seen), {self.alice, *(member(n) for n in range(MEMBERS - 1))})

        start = time.monotonic()
        for _ in range(CHANGES_PER_S // 2):
            self.check(self.c.post(f"/v1/groups/{gid}/join"), 204)
            self.check(self.c.post(f"/v1/groups/{gid}/leave"), 204)
        changed_s = time.monotonic() - start
        in_small, in_large = self.median_ms(self.a, small), self.median_ms(self.a, gid)
        print(f"made in {made_s:.1f} s, paged in {paged_s:.1f} s, {CHANGES_PER_S} joins and leaves in {changed_s:.2f} s, "
              f"a send takes {in_large:.2f} ms, in a group of two {in_small:.2f} ms")
        self.assertLess(changed_s, 1)
        self.assertLess(in_large, in_small * 1.5)


if __name__ == "__main__":
    unittest.main()
