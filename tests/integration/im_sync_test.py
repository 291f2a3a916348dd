"""GET /v1/sync and im.Sync against real servers; the inboxes are written here, as push would."""
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import unittest

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Client, Im, Servers, await_that, proto_module, run_im, token

FROM_POSTGRES = 'skein_im_message_lookups_total{from="postgres"}'
PAGE_BYTES = 1 << 20

SERVERS = IM = OTHER = None


def setUpModule():
    global SERVERS, IM, OTHER
    SERVERS = Servers()
    code, output = run_im(SERVERS, "--migrate")
    assert code == 0, output
    IM = Im(SERVERS)
    OTHER = Im(SERVERS, name="im-2")  # this im has stored nothing: it must read what it shows


def tearDownModule():
    IM.stop()
    OTHER.stop()
    SERVERS.close()


def redis(*arguments):
    port = SERVERS.redis.split(":")[-1].split("/")[0]
    done = subprocess.run(["redis-cli", "-p", port, *map(str, arguments)], check=True, capture_output=True, text=True)
    return done.stdout.strip()


class SyncTest(unittest.TestCase):
    """Each test has users of its own."""

    def setUp(self):
        prefix = self.id().rsplit(".", 1)[-1][5:45]
        self.alice, self.bob, self.carol = (f"{prefix}-{name}" for name in "abc")
        self.a, self.b, self.c = (IM.client(uid) for uid in (self.alice, self.bob, self.carol))
        for client in (self.a, self.b, self.c):
            client.post("/v1/auth/refresh")

    def tearDown(self):
        for client in (self.a, self.b, self.c):
            client.connection.close()

    def sync(self, client, **query):
        path = "/v1/sync" + ("?" + "&".join(f"{key}={value}" for key, value in query.items()) if query else "")
        return client.get(path)

    def page(self, client, **query):
        answer = self.sync(client, **query)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def refused(self, client, status, code, field=None, **query):
        answer = self.sync(client, **query)
        self.assertEqual((answer.status, answer.json["code"], answer.json.get("field")), (status, code, field), answer)
        if status == 503:
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        return answer

    def append(self, uid, *entries):
        """Appends to an inbox that exists, as push does."""
        key = f"im:inbox:{{{uid}}}"
        redis("rpush", key, *entries)
        redis("hincrby", key + ":meta", "n", len(entries))

    def said(self, count, sender=None, to=None, **fields):
        """Stores this many messages, with their entries in both inboxes."""
        for client in (self.a, self.b):
            self.page(client)
        sent = [(sender or self.a).send(f"k{i}", to or f"user:{self.bob}", str(i), **fields) for i in range(1, count + 1)]
        for answer in sent:
            self.assertEqual(answer.status, 200, answer)
        entries = [f"{answer.json['conversation_id']} {answer.json['seq']}" for answer in sent]
        for uid in (self.alice, self.bob):
            self.append(uid, *entries)
        return [answer.json for answer in sent]

    def change(self, call, conversation, seq, rest):
        """A change by alice at a third im, which the caches of these two do not see; with its entry in both inboxes."""
        SERVERS.sql("insert into node_lease values (900, 1, 'changes', now() + interval '1 minute', 0) on conflict (node)"
                    " do update set expires_at = excluded.expires_at")
        status, entry = SERVERS.sql(f"select status, seq from fn.{call}(900, 1, (900 << 12) + (select count(*) from message),"
                                    f" fn.now_ms(), '{conversation}', '{self.alice}', {seq}, {rest} 100000)")[0]
        self.assertEqual(status, "ok")
        for uid in (self.alice, self.bob):
            self.append(uid, f"{conversation} {entry}")

    def edit(self, conversation, seq, text):
        self.change("entry_edit", conversation, seq, f"'{{\"text\":\"{text}\"}}', array['text'],")

    def recall(self, conversation, seq):
        self.change("entry_recall", conversation, seq, "")

    def elsewhere(self, uid):
        """The user at the im that has stored nothing."""
        client = OTHER.client(uid)
        self.addCleanup(client.connection.close)
        return client


class Pages(SyncTest):
    def test_an_inbox_is_read_page_by_page_and_shows_what_history_does(self):
        sent = self.said(7, mentions=[self.carol])
        history = self.a.get(f"/v1/conversations/{sent[0]['conversation_id']}/messages").json["messages"]
        for client in (self.a, self.elsewhere(self.alice)):
            first = self.page(client, limit=3)
            self.assertEqual((first["head"], first["next_offset"], first["more"], first["reset"], first["hot"]),
                             ("7", "3", True, False, []))
            self.assertNotIn("conversations", first)
            second = self.page(client, epoch=first["epoch"], offset=first["next_offset"], limit=3)
            third = self.page(client, epoch=first["epoch"], offset=second["next_offset"], limit=3)
            self.assertEqual([page["next_offset"] for page in (second, third)], ["6", "7"])
            self.assertEqual([page["more"] for page in (second, third)], [True, False])
            got = first["messages"] + second["messages"] + third["messages"]
            self.assertEqual([entry["offset"] for entry in got], [str(i) for i in range(1, 8)])
            self.assertEqual([entry["message"] for entry in got], history)
            last = self.page(client, epoch=first["epoch"], offset="7")
            self.assertEqual((last["messages"], last["next_offset"], last["more"]), ([], "7", False))

    def test_recalled_and_edited_messages_come_in_their_present_form_from_every_im(self):
        conversation = self.said(3)[0]["conversation_id"]
        path = f"/v1/conversations/{conversation}/messages"
        clients = (self.a, self.elsewhere(self.alice))
        for client in clients:
            self.page(client)  # both have the messages in memory now

        def shown(messages):
            keys = ("seq", "type", "body", "edited", "recalled", "target_seq")
            return [{key: message[key] for key in keys if key in message} for message in messages]

        self.edit(conversation, 1, "new")
        self.edit(conversation, 2, "lost")
        self.recall(conversation, 2)
        expected = [{"seq": 1, "type": "text", "body": {"text": "new"}, "edited": True},
                    {"seq": 2, "type": "text", "recalled": True},
                    {"seq": 3, "type": "text", "body": {"text": "3"}},
                    {"seq": 4, "type": "edit", "body": {"text": "new"}, "target_seq": 1},
                    {"seq": 5, "type": "edit", "target_seq": 2},
                    {"seq": 6, "type": "recall", "target_seq": 2}]
        for client in clients:
            self.assertEqual(shown(entry["message"] for entry in self.page(client)["messages"]), expected)
            self.assertEqual(shown(client.get(path).json["messages"]), expected)

    def test_only_the_sender_sees_client_msg_id_wherever_the_message_comes_from(self):
        self.said(1)
        for im in (IM, OTHER):
            for uid, keys in ((self.alice, ["k1"]), (self.bob, [None]), (self.alice, ["k1"])):
                client = im.client(uid)
                entries = self.page(client)["messages"]
                self.assertEqual([entry["message"].get("client_msg_id") for entry in entries], keys)
                client.connection.close()

    def test_a_user_without_an_inbox_gets_one_that_stays(self):
        made = self.page(self.a)
        self.assertEqual((made["head"], made["next_offset"], made["more"], made["messages"]), ("0", "0", False, []))
        self.assertEqual(len(made["epoch"]), 15)
        self.said(1)
        after = self.page(self.a, epoch=made["epoch"], offset=made["next_offset"])
        self.assertEqual((after["epoch"], after["head"], len(after["messages"])), (made["epoch"], "1", 1))

    def test_an_entry_that_stands_twice_is_shown_twice(self):
        sent, = self.said(1)
        self.append(self.bob, *[f"{sent['conversation_id']} {sent['seq']}"] * 2)
        for client in (self.b, self.elsewhere(self.bob)):
            entries = self.page(client)["messages"]
            self.assertEqual([entry["offset"] for entry in entries], ["1", "2", "3"])
            self.assertEqual(len({entry["message"]["msg_id"] for entry in entries}), 1)

    def test_an_entry_without_its_message_is_an_error_and_never_a_hole(self):
        self.said(2)
        self.append(self.alice, f"u:{self.alice}:{self.bob} 77")
        self.append(self.bob, "something else")
        for client, said in ((self.a, "an inbox names a message that does not exist"),
                             (self.b, "an inbox holds something that is no entry")):
            self.refused(client, 503, "unavailable")
            self.assertIn(said, IM.log.read_text())
            self.assertEqual(len(self.page(client, limit=2)["messages"]), 2)

    def test_a_position_that_no_longer_exists_is_reset(self):
        self.said(3)
        epoch = self.page(self.b)["epoch"]
        redis("ltrim", f"im:inbox:{{{self.bob}}}", 2, -1)
        trimmed = self.page(self.b, epoch=epoch, offset=1)
        self.assertEqual((trimmed["reset"], trimmed["epoch"], trimmed["head"], trimmed["next_offset"], trimmed["messages"]),
                         (True, epoch, "3", "3", []))
        kept = self.page(self.b, epoch=epoch, offset=2)
        self.assertEqual((kept["reset"], [entry["offset"] for entry in kept["messages"]]), (False, ["3"]))
        oldest = self.page(self.b)
        self.assertEqual((oldest["reset"], [entry["offset"] for entry in oldest["messages"]]), (False, ["3"]))
        for other in ("x", self.page(self.a)["epoch"], "0" * 15, "%C3%A9" * 15):
            answer = self.page(self.b, epoch=other, offset=99999999999999999999)
            self.assertEqual((answer["reset"], answer["epoch"], answer["next_offset"]), (True, epoch, "3"))

    def test_an_offset_past_the_head_of_a_known_epoch_is_refused(self):
        self.said(2)
        epoch = self.page(self.b)["epoch"]
        for offset in (3, 2**53, 2**53 + 1, 2**63, 2**64 - 1, 10**20 - 1):
            answer = self.refused(self.b, 400, "invalid_argument", "offset", epoch=epoch, offset=offset)
            self.assertIn("past the head", answer.json["detail"])

    def test_a_page_of_large_messages_is_cut_and_goes_on_without_a_hole(self):
        text = "x" * 60000
        self.page(self.a)
        self.page(self.b)
        for i in range(40):
            self.assertEqual(self.a.send(f"k{i}", f"user:{self.bob}", f"{i} {text}", type="custom").status, 200)
        self.append(self.bob, *(f"u:{self.alice}:{self.bob} {seq}" for seq in range(1, 41)))
        for client in (self.b, self.elsewhere(self.bob)):
            page, seqs, pages = {"more": True, "next_offset": "0", "epoch": self.page(client, limit=1)["epoch"]}, [], 0
            while page["more"]:
                answer = self.sync(client, epoch=page["epoch"], offset=page["next_offset"], limit=500)
                page = answer.json
                self.assertLess(len(answer.text), PAGE_BYTES + 70000)
                self.assertTrue(page["messages"])
                seqs += [entry["message"]["seq"] for entry in page["messages"]]
                pages += 1
            self.assertEqual(seqs, list(range(1, 41)))
            self.assertEqual(pages, 3)


class Conversations(SyncTest):
    def test_a_reset_lists_every_conversation_and_where_the_user_spoke_last(self):
        group = self.a.post("/v1/groups", {"name": "g", "members": [self.bob]}).json["group_id"]
        silent = self.a.post("/v1/groups", {"name": "s", "members": [self.bob]}).json["group_id"]
        gone = self.a.post("/v1/groups", {"name": "d", "members": [self.bob]}).json["group_id"]
        SERVERS.sql(f"update chat_group set dissolved_at = 1 where name = 'd'"
                    f" and no = (select no from conversation where id = 'g:{gone}')")
        self.b.send("1", f"user:{self.bob}")
        self.b.send("1", f"user:{self.alice}")
        self.a.send("1", f"user:{self.bob}")
        self.a.send("2", f"user:{self.bob}")
        self.c.send("1", f"user:{self.bob}")
        self.c.send("1", f"user:{self.alice}")
        for i in range(3):
            self.a.send(str(i), f"group:{group}")
        answer = self.page(self.b, epoch="x", offset=0)
        self.assertEqual(answer["conversations"], sorted([
            {"conversation_id": f"g:{group}", "last_seq": 3, "read_seq": 0},
            {"conversation_id": f"g:{silent}", "last_seq": 0, "read_seq": 0},
            {"conversation_id": f"u:{self.alice}:{self.bob}", "last_seq": 3, "read_seq": 1},
            {"conversation_id": f"u:{self.bob}:{self.bob}", "last_seq": 1, "read_seq": 1},
            {"conversation_id": f"u:{self.bob}:{self.carol}", "last_seq": 1, "read_seq": 0},
        ], key=lambda item: item["conversation_id"].encode()))
        stranger = IM.client(self.alice + "-new")
        self.assertEqual(self.page(stranger, epoch="x", offset=0)["conversations"], [])
        stranger.connection.close()

    def test_the_mark_is_where_the_user_last_spoke_however_long_ago_and_no_message_is_read_for_it(self):
        self.b.send("1", f"user:{self.alice}")
        conversation = f"u:{self.alice}:{self.bob}"
        SERVERS.sql(f"update conversation set last_seq = 1000000 where id = '{conversation}'")
        listed, = self.page(self.b, epoch="x", offset=0)["conversations"]
        self.assertEqual((listed["last_seq"], listed["read_seq"]), (1000000, 1))
        listed, = self.page(self.a, epoch="x", offset=0)["conversations"]
        self.assertEqual(listed["read_seq"], 0)

    def test_an_empty_conversation_is_not_listed(self):
        SERVERS.sql(f"with made as (insert into conversation (id, kind) values ('u:{self.alice}:{self.bob}', 1) returning no)"
                    f" insert into direct_member select uid, no from made, unnest(array['{self.alice}', '{self.bob}']) uid")
        self.assertEqual(self.page(self.b, epoch="x", offset=0)["conversations"], [])


class Cost(SyncTest):
    def test_messages_that_this_im_stored_or_read_are_not_read_again(self):
        self.said(20)
        mine, others = IM.metric(FROM_POSTGRES), OTHER.metric(FROM_POSTGRES)
        for _ in range(3):
            self.assertEqual(len(self.page(self.b)["messages"]), 20)
            self.assertEqual(len(self.page(self.elsewhere(self.bob))["messages"]), 20)
            self.assertEqual(len(self.page(self.elsewhere(self.alice))["messages"]), 20)
        self.assertEqual(IM.metric(FROM_POSTGRES), mine)
        self.assertEqual(OTHER.metric(FROM_POSTGRES), others + 20)

    def test_many_callers_at_once_read_each_message_once(self):
        self.said(20)
        conversation = f"u:{self.alice}:{self.bob}"
        uids = [f"{self.alice}-{i}" for i in range(40)]
        clients = [OTHER.client(uid) for uid in uids]
        for uid, client in zip(uids, clients, strict=True):
            self.page(client)
            self.append(uid, *(f"{conversation} {seq}" for seq in range(1, 21)))
        before = OTHER.metric(FROM_POSTGRES)
        # The lock keeps reads waiting until all callers have asked.
        lock = subprocess.Popen(["psql", "-Xq", SERVERS.pg], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lock.stdin.write("begin; lock table message in access exclusive mode; \\echo locked\n")
        lock.stdin.flush()
        self.assertEqual(lock.stdout.readline(), "locked\n")
        asked = OTHER.metric("skein_im_syncs_total")
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            answers = [pool.submit(self.page, client) for client in clients]
            await_that(lambda: OTHER.metric("skein_im_syncs_total") == asked + len(clients), "all have asked")
            self.assertFalse(any(answer.done() for answer in answers))
            lock.communicate("commit;\n")
            for answer in answers:
                self.assertEqual([entry["message"]["seq"] for entry in answer.result()["messages"]], list(range(1, 21)))
        self.assertEqual(OTHER.metric(FROM_POSTGRES), before + 20)
        for client in clients:
            client.connection.close()

    def test_without_a_cache_everything_is_read_and_right(self):
        self.said(5)
        im = Im(SERVERS, name="im-3", cache__messages="0")
        self.addCleanup(im.stop)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for page in pool.map(lambda uid: self.page(im.client(uid)), [self.alice, self.bob] * 20):
                self.assertEqual([entry["message"]["body"]["text"] for entry in page["messages"]], list("12345"))


class Grpc(SyncTest):
    def setUp(self):
        super().setUp()
        self.types = proto_module(SERVERS, "im")
        self.channel = grpc.insecure_channel(f"127.0.0.1:{IM.http + 2}", options=[("grpc.enable_http_proxy", 0)])
        self.addCleanup(self.channel.close)

    def ask(self, **fields):
        call = self.channel.unary_unary("/skein.v1.Im/Sync", request_serializer=self.types.SyncRequest.SerializeToString,
                                        response_deserializer=self.types.SyncResponse.FromString)
        try:
            return call(self.types.SyncRequest(**fields), timeout=20)
        except grpc.RpcError as error:
            return error.code()

    def test_a_gateway_reads_what_a_client_does(self):
        self.said(5, mentions=[self.bob])
        http = self.page(self.a)
        epoch = int(http["epoch"], 16)
        page = self.ask(uid=self.alice, epoch=epoch, offset=1, limit=3)
        self.assertEqual((page.epoch, page.head, page.next_offset, page.more, page.reset), (epoch, 5, 4, True, False))
        self.assertEqual([entry.offset for entry in page.entries], [2, 3, 4])
        for entry, same in zip(page.entries, http["messages"][1:4], strict=True):
            message, expected = entry.message, same["message"]
            self.assertEqual((str(message.msg_id), message.seq, getattr(message, "from"), json.loads(message.body), message.time,
                              list(message.mentions), message.client_msg_id),
                             (expected["msg_id"], expected["seq"], expected["from"], expected["body"], expected["time"],
                              expected["mentions"], expected["client_msg_id"]))
        last = self.ask(uid=self.bob, epoch=int(self.page(self.b)["epoch"], 16), offset=4, limit=500)
        self.assertEqual((last.more, len(last.entries), last.entries[0].message.client_msg_id), (False, 1, ""))

    def test_a_position_that_is_not_known_is_reset_without_entries(self):
        self.said(2)
        epoch = int(self.page(self.a)["epoch"], 16)
        for unknown in (epoch ^ 1, 0, epoch | 1 << 60, 2**64 - 1):
            page = self.ask(uid=self.alice, epoch=unknown, offset=2**64 - 1, limit=20)
            self.assertEqual((page.epoch, page.head, page.next_offset, page.more, page.reset, len(page.entries)),
                             (epoch, 2, 2, False, True, 0))

    def test_each_wrong_request_has_a_status_of_its_own(self):
        epoch = int(self.page(self.a)["epoch"], 16)
        good = {"uid": self.alice, "epoch": epoch, "offset": 0, "limit": 20}
        self.assertEqual(self.ask(**good).head, 0)
        for field, value in (("limit", 0), ("limit", 501), ("limit", 2**32 - 1), ("uid", ""), ("uid", "a b"), ("uid", "x" * 65)):
            with self.subTest(field=field, value=value):
                self.assertEqual(self.ask(**{**good, field: value}), grpc.StatusCode.INVALID_ARGUMENT)
        for offset in (1, 2**53 + 1, 2**64 - 1):
            self.assertEqual(self.ask(**{**good, "offset": offset}), grpc.StatusCode.FAILED_PRECONDITION)
        raw = self.channel.unary_unary("/skein.v1.Im/Sync")
        with self.assertRaises(grpc.RpcError) as caught:
            raw(b"\xff\xff\xff", timeout=10)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_a_gateway_reads_messages_in_their_present_form(self):
        conversation = self.said(2)[0]["conversation_id"]
        self.edit(conversation, 1, "new")
        self.recall(conversation, 2)
        page = self.ask(uid=self.bob, epoch=int(self.page(self.b, limit=1)["epoch"], 16), offset=0, limit=9)
        self.assertEqual([(entry.message.type, entry.message.body, entry.message.edited, entry.message.recalled,
                           entry.message.target_seq) for entry in page.entries],
                         [("text", '{"text":"new"}', True, False, 0), ("text", "", False, True, 0),
                          ("edit", '{"text":"new"}', False, False, 1), ("recall", "", False, False, 2)])

    def test_a_page_of_large_messages_fits_into_a_message_of_grpc(self):
        self.page(self.b)
        for i in range(40):
            self.a.send(f"k{i}", f"user:{self.bob}", "x" * 60000, type="custom")
        self.append(self.bob, *(f"u:{self.alice}:{self.bob} {seq}" for seq in range(1, 41)))
        page = self.ask(uid=self.bob, epoch=int(self.page(self.b, limit=1)["epoch"], 16), offset=0, limit=500)
        self.assertTrue(page.more)
        self.assertLess(page.ByteSize(), PAGE_BYTES + 70000)


class Away(SyncTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: await_that(lambda: IM.is_ready() and OTHER.is_ready(), "both are ready"))
        self.addCleanup(SERVERS.start_missing)

    def test_without_redis_it_is_503_and_afterwards_a_reset(self):
        self.said(2)
        before = self.page(self.b)
        SERVERS.kill("redis")
        self.refused(self.b, 503, "unavailable", epoch=before["epoch"], offset=1)
        SERVERS.start_missing()
        await_that(IM.is_ready, "im is ready")
        after = self.page(self.b, epoch=before["epoch"], offset=1)
        self.assertTrue(after["reset"])
        self.assertNotEqual(after["epoch"], before["epoch"])
        self.assertEqual(after["conversations"], [{"conversation_id": f"u:{self.alice}:{self.bob}", "last_seq": 2, "read_seq": 0}])

    def test_without_postgresql_messages_are_503_since_their_changes_are_not_known_and_an_empty_page_is_none_of_these(self):
        self.said(2)
        elsewhere = self.elsewhere(self.bob)
        elsewhere.post("/v1/auth/refresh")
        self.page(self.b)
        self.page(self.c)
        SERVERS.kill("postgres")
        await_that(lambda: not OTHER.is_ready(), "im has noticed")
        self.refused(self.b, 503, "unavailable")
        self.refused(elsewhere, 503, "unavailable")
        self.assertEqual(self.page(self.c)["messages"], [])
        self.refused(self.b, 503, "unavailable", epoch="x", offset=0)


class Authorization(SyncTest):
    def test_a_caller_needs_a_token_and_reads_only_its_own_inbox(self):
        self.said(1)
        nobody = Client(IM.http)
        self.assertEqual(self.sync(nobody).status, 401)
        self.assertEqual(self.sync(Client(IM.http, token(self.bob, secret="x" * 32))).status, 401)
        other = self.page(self.c, uid=self.bob, user=self.bob)
        self.assertEqual((other["messages"], other["head"]), ([], "0"))
        nobody.connection.close()


if __name__ == "__main__":
    unittest.main()
