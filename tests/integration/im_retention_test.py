"""Retention: what goes, what stays, and what is read of what went, on real servers. Two im, so that one has cached nothing."""
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import Im, await_that

OTHER = None
HOUR_MS = 3600000


def setUpModule():
    global OTHER
    ImTest.start_im(retention__direct="1h")
    OTHER = Im(ImTest.servers, name="im-2", retention__direct="1h")


def tearDownModule():
    OTHER.stop()
    ImTest.stop_im()


class Retention(ImTest):
    def say(self, client, to, text="hi", **fields):
        self.keys = getattr(self, "keys", 0) + 1
        return self.check(client.send(f"k{self.keys}", to, text, **fields), 200)

    def change(self, seq, what, body=None, status=200, *expected):
        return self.check(self.a.post(f"/v1/conversations/{self.direct()}/messages/{seq}/{what}", body), status, *expected)

    def messages(self, client, conversation, query=""):
        return self.check(self.history(client, conversation, query), 200)["messages"]

    def seqs(self, client, conversation):
        return [message["seq"] for message in self.messages(client, conversation)]

    def age(self, conversation, up_to, walks=True):
        """Lets the entries up to this one be two hours older, and a walk begin now."""
        self.servers.sql(f"update message m set time = m.time - {2 * HOUR_MS} from conversation c where c.no = m.no and"
                         f" c.id = '{conversation}' and m.seq <= {up_to} and m.time > fn.now_ms() - {HOUR_MS}")
        if walks:
            self.servers.sql("update retention_state set walk_at = 0")

    def listed(self, client, conversation):
        return next(one for one in self.check(client.get("/v1/conversations"), 200)["conversations"] if one["id"] == conversation)

    def rows(self, table, conversation):
        (count,), = self.servers.sql(f"select count(*) from {table} t join conversation c on c.no = t.no where c.id = '{conversation}'")
        return int(count)

    def test_old_entries_go_from_the_oldest_on_and_the_last_one_stays(self):
        bob, conversation = f"user:{self.bob}", self.direct()
        for text in "one", "two", "three", "four":
            self.say(self.a, bob, text, mentions=[self.bob])
        self.check(self.b.call("PUT", f"/v1/conversations/{conversation}/pins/1"), 200)  # 5
        self.change(2, "edit", {"body": {"text": "2"}})  # 6
        self.change(3, "recall")  # 7
        self.check(self.b.post(f"/v1/conversations/{conversation}/messages/4/reactions", {"emoji": "\U0001f44d"}), 200)  # 8
        self.say(self.a, bob, "nine")
        self.assertEqual(self.listed(self.b, conversation)["unread"], 4)
        self.age(conversation, 4)
        await_that(lambda: self.seqs(self.b, conversation) == [5, 6, 7, 8, 9], "retention", 10)
        shown = self.messages(self.b, conversation)
        self.assertEqual((shown[1]["type"], shown[1].get("body")), ("edit", None))
        listed = self.listed(self.b, conversation)
        self.assertEqual((listed["unread"], listed["mentioned"], listed["last"]), (1, False, shown[4]))
        self.check(self.b.call("PUT", f"/v1/conversations/{conversation}/read", {"seq": 3}), 204)
        self.assertEqual(self.listed(self.b, conversation)["unread"], 1)
        self.assertEqual(self.check(self.b.get(f"/v1/conversations/{conversation}/pins"), 200)["messages"], [])
        for table in "mention", "pin", "reaction", "reaction_count", "message_change":
            self.assertEqual(self.rows(table, conversation), 0, table)
        for what, body in ("edit", {"body": {"text": "x"}}), ("recall", None):
            self.change(1, what, body, 404, "not_found")
        forward = {"client_msg_id": "f", "to": {"user": self.carol}, "type": "forward",
                   "forward": {"conversation_id": conversation, "seqs": [9, 1]}}
        self.check(self.a.post("/v1/messages", forward), 404, "not_found", "forward.seqs")
        page = self.check(self.history(self.b, conversation, "?before_seq=7&limit=1"), 200)
        self.assertEqual(([one["seq"] for one in page["messages"]], page["next_cursor"]), ([6], "6"))
        self.age(conversation, 9)
        await_that(lambda: self.seqs(self.b, conversation) == [9], "retention", 10)
        self.assertEqual(self.listed(self.b, conversation)["last"]["body"], {"text": "nine"})
        self.assertEqual(self.say(self.a, bob)["seq"], 10)
        self.assertEqual(self.listed(self.b, conversation)["unread"], 2)
        self.assertGreater(self.im.metric('skein_im_retention_rows_total{what="entries"}')
                           + OTHER.metric('skein_im_retention_rows_total{what="entries"}'), 0)

    def test_groups_are_kept_where_only_one_to_one_conversations_are_to_go(self):
        group = self.group()
        for _ in range(2):
            self.say(self.a, f"group:{group}")
            self.say(self.a, f"user:{self.bob}")
        self.age(f"g:{group}", 2)
        self.age(self.direct(), 2)
        await_that(lambda: self.seqs(self.b, self.direct()) == [2], "retention", 10)
        self.assertEqual(self.seqs(self.b, f"g:{group}"), [1, 2])

    def test_what_an_inbox_still_names_is_read_as_an_entry_that_has_expired(self):
        other = OTHER.client(self.bob)
        self.check(self.b.get("/v1/sync"), 200)
        for text in "one", "two":
            self.say(self.a, f"user:{self.bob}", text)
        self.change(1, "edit", {"body": {"text": "1"}})
        key, port = f"im:inbox:{{{self.bob}}}", self.servers.redis.split(":")[-1].split("/")[0]
        for command in ["rpush", key, *[f"{self.direct()} {seq}" for seq in (1, 2, 3)]], ["hincrby", f"{key}:meta", "n", "3"]:
            subprocess.run(["redis-cli", "-p", port, *command], check=True, capture_output=True)
        before = self.check(self.b.get("/v1/sync"), 200)["messages"]
        self.assertEqual([one["message"].get("body") for one in before], [{"text": "1"}, {"text": "two"}, {"text": "1"}])
        self.age(self.direct(), 1)
        await_that(lambda: self.seqs(self.b, self.direct()) == [2, 3], "retention", 10)
        cached, read = (self.check(client.get("/v1/sync"), 200)["messages"] for client in (self.b, other))
        other.connection.close()
        for page in cached, read:
            self.assertEqual([one["offset"] for one in page], [one["offset"] for one in before])
            gone, stays, edit = (one["message"] for one in page)
            self.assertEqual((gone["conversation_id"], gone["seq"], gone["expired"], gone.get("body")), (self.direct(), 1, True, None))
            self.assertLess(gone["expires_at"], gone["time"] + 1)
            self.assertEqual(stays, before[1]["message"])
            self.assertEqual((edit["type"], edit["target_seq"], edit.get("body")), ("edit", 1, None))
        self.assertEqual((read[0]["message"]["type"], read[0]["message"]["from"]), ("system", "-"))

    def test_a_run_is_bounded_is_one_ims_and_no_send_waits_for_it(self):
        for _ in range(5):
            self.say(self.a, f"user:{self.bob}")
        (no,), = self.servers.sql(f"select no from conversation where id = '{self.direct()}'")
        with self.servers.session() as session:
            session.run("begin; update retention_state set walk_at = 0;")  # as a run that lasts: the two im pass over it
            self.age(self.direct(), 5, walks=False)
            self.assertEqual(self.servers.sql("select * from fn.retention_run(1, 1, 1000, 50)"), [])
            session.run(f"do $$ begin perform fn.history_remove({no}, 5, fn.now_ms() - {HOUR_MS}, 2); end $$;")
            self.assertEqual(self.say(self.a, f"user:{self.bob}")["seq"], 6)
            self.assertEqual(self.seqs(self.b, self.direct()), [1, 2, 3, 4, 5, 6])
            session.run("commit;")
        await_that(lambda: self.seqs(self.b, self.direct()) == [6], "retention", 10)
        between = self.servers.sql(f"select seq, type, sender, expires_at <= fn.now_ms() from fn.messages_between('{self.direct()}', 2, 7, 3)")
        self.assertEqual([list(row) for row in between], [["3", "system", "-", "t"], ["4", "system", "-", "t"], ["5", "system", "-", "t"]])
        last = self.servers.sql(f"select seq, type from fn.messages_between('{self.direct()}', 4, 7, 3)")
        self.assertEqual([list(row) for row in last], [["5", "system"], ["6", "text"]])
        self.assertEqual(self.servers.sql(f"select fn.stored_before('{self.direct()}', 6, 0)"), [["5"]])

    def test_a_message_with_more_reactions_than_a_run_may_remove_goes_in_several(self):
        self.say(self.a, f"user:{self.bob}")
        self.say(self.a, f"user:{self.bob}")
        (no,), = self.servers.sql(f"select no from conversation where id = '{self.direct()}'")
        self.servers.sql(f"insert into reaction (no, target_seq, seq, emoji, uid) select {no}, 1, 1, 'x', 'u' || i from generate_series(1, 25) i")
        self.age(self.direct(), 1, walks=False)
        remove = f"select fn.history_remove({no}, 2, fn.now_ms() - {HOUR_MS}, 1)"
        steps = [(self.servers.sql(remove)[0][0], self.rows("reaction", self.direct()), self.rows("message", self.direct())) for _ in range(4)]
        self.assertEqual(steps, [("", 15, 2), ("", 5, 2), ("1", 0, 1), ("0", 0, 1)])

    def test_a_run_that_leaves_reactions_is_behind_and_goes_on_with_them(self):
        for _ in range(2):
            self.say(self.a, f"user:{self.bob}")
        (no,), = self.servers.sql(f"select no from conversation where id = '{self.direct()}'")
        self.servers.sql(f"insert into reaction (no, target_seq, seq, emoji, uid) select {no}, 1, 1, 'x', 'u' || i from generate_series(1, 15) i")
        self.age(self.direct(), 1, walks=False)
        self.servers.sql("create table if not exists run_seen (entries bigint, is_behind boolean, walked_no bigint)")
        with self.servers.session() as session:
            session.run(f"""begin; update retention_state set run_at = 0, walk_at = 0, walked_no = {no} - 1;
                insert into run_seen select r.entries, r.is_behind, s.walked_no
                from fn.retention_run({HOUR_MS}, 0, 1, 1000) r cross join lateral (select walked_no from retention_state) s; commit;""")
        self.assertEqual(self.servers.sql("select entries, is_behind from run_seen"), [["0", "t"]])
        await_that(lambda: self.seqs(self.b, self.direct()) == [2], "retention", 10)
        self.assertEqual(self.rows("reaction", self.direct()), 0)

    def test_a_run_that_does_not_get_a_lock_gives_up(self):
        for _ in range(2):
            self.say(self.a, f"user:{self.bob}")
        (no,), = self.servers.sql(f"select no from conversation where id = '{self.direct()}'")
        self.check(self.b.post(f"/v1/conversations/{self.direct()}/messages/1/reactions", {"emoji": "x"}), 200)
        self.age(self.direct(), 1, walks=False)
        with self.servers.session() as change:
            change.run(f"begin; update reaction set seq = seq where no = {no};")
            self.assert_gives_up(f"update retention_state set run_at = 0, walk_at = 0, walked_no = {no} - 1", f"fn.retention_run({HOUR_MS}, 0, 1, 1000)")

    def test_an_emoji_is_taken_back_while_its_message_goes(self):
        for _ in range(2):
            self.say(self.a, f"user:{self.bob}")
        (no,), = self.servers.sql(f"select no from conversation where id = '{self.direct()}'")
        reactions = f"/v1/conversations/{self.direct()}/messages/1/reactions"
        self.check(self.b.post(reactions, {"emoji": "x"}), 200)
        self.servers.sql(f"insert into reaction (no, target_seq, seq, emoji, uid) select {no}, 1, 1, 'a', 'u' || i from generate_series(1, 10) i")
        self.servers.sql(f"update reaction_count set count = 11 where no = {no}")
        self.age(self.direct(), 1, walks=False)
        self.assertEqual(self.servers.sql(f"select fn.history_remove({no}, 3, fn.now_ms() - {HOUR_MS}, 1)"), [[""]])
        self.check(self.b.call("DELETE", reactions + "/x"), 200)
        self.assertEqual(self.rows("reaction", self.direct()), 0)

    def test_the_body_of_an_expired_message_is_removed(self):
        self.say(self.a, f"user:{self.bob}", "secret", expire_s=60)
        self.assertEqual(self.rows("expiring_body", self.direct()), 1)
        self.servers.sql("update expiring_body b set expires_at = fn.now_ms() - 60000 from conversation c"
                         f" where c.no = b.no and c.id = '{self.direct()}'")
        await_that(lambda: self.rows("expiring_body", self.direct()) == 0, "removal of the body", 10)
        self.assertEqual(self.rows("message", self.direct()), 1)


if __name__ == "__main__":
    unittest.main()
