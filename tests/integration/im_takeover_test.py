"""An im dies, freezes or leaves without Kafka. Another im publishes the messages that it stored and did not publish."""
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Im, KafkaReader, Servers, await_that, run_im
from im_load import FaultTest

LIFE_S = 3
OUT_S = 5 # after a lease's end

SERVERS = None


def setUpModule():
    global SERVERS
    SERVERS = FaultTest.servers = Servers()
    code, output = run_im(SERVERS, "--migrate")
    assert code == 0, output
    # Messages of other ims, so that the tables are not small.
    SERVERS.sql("insert into conversation (id, kind, last_seq, counted) select 'u:old' || i || ':old', 1, 100, 100"
                " from generate_series(0, 999) i;"
                "insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, client_msg_id, body)"
                " select no, i / 1000 + 1, fn.id_at(fn.now_ms() - 100000 + i) | (1023 << 12), 0, i / 1000 + 1,"
                " fn.entry_key(no, 'old ' || i), 1, 'old', i, '{\"text\":\"old\"}'"
                " from generate_series(0, 99999) i, conversation where id = 'u:old' || i % 1000 || ':old'")


def tearDownModule():
    SERVERS.close()


def has_unread_request(im):
    """local address, remote address, state, tx_queue:rx_queue"""
    sockets = [line.split()[1:5] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(local.endswith(f":{im.http:04X}") and state == "01" and int(queues.split(":")[1], 16) > 0
               for local, _, state, queues in sockets)


def seqs(records):
    return {record.message.seq for _, record, _ in records}


class TakeoverTest(FaultTest):
    """Several ims; the messages of one of them wait for a frozen Kafka."""

    def setUp(self):
        self.ims = []
        self.is_paused = False
        self.readers = []

    def tearDown(self):
        for im in self.ims:
            if im.process.poll() is None:
                im.process.send_signal(signal.SIGCONT)
                im.kill()
        for reader in self.readers:
            reader.close()
        if self.is_paused:
            self.kafka_goes_on()
        SERVERS.start_missing()
        SERVERS.sql("delete from node_lease")

    def start(self, name, **options):
        self.ims.append(Im(SERVERS, name=name, lease__life=f"{LIFE_S}s", limits__enabled="false",
                           **{"drain__timeout": "500ms", **options}))
        return self.ims[-1]

    def pause_kafka(self):
        SERVERS.pause("kafka")
        self.is_paused = True

    def kafka_goes_on(self):
        SERVERS.go_on("kafka")
        self.is_paused = False

    def reader(self):
        self.readers.append(KafkaReader(SERVERS))
        return self.readers[-1]

    def send_many(self, im, name, rounds=10, peers=10):
        """Sends a batch to every peer and to a group in each round. Each conversation gets `rounds` more messages."""
        client = im.client(name)
        for peer in range(peers):
            im.client(f"{name}-{peer}").post("/v1/auth/refresh")
        group = client.post("/v1/groups", {"name": name}).json["group_id"]
        targets = [{"user": f"{name}-{peer}"} for peer in range(peers)] + [{"group": group}]
        found = {}
        for number in range(rounds):
            messages = [{"client_msg_id": str(number), "to": to, "type": "text", "body": {"text": str(number)}} for to in targets]
            for result in client.post("/v1/messages/batch", {"messages": messages}).json["results"]:
                self.assertEqual(result["seq"], number + 1)
                found.setdefault(result["conversation_id"], []).append(int(result["msg_id"]))
        return found

    def assert_published_in_order(self, sent, reader):
        for conversation, ids in sent.items():
            first = {}
            for _, record, _ in reader.until(conversation, lambda records, ids=ids: len(seqs(records)) == len(ids)):
                first.setdefault(record.message.seq, record.message.msg_id)
            self.assertEqual(list(first.items()), list(enumerate(ids, 1)))

    def lease_of(self, owner):
        """node, epoch, watermark, the end as seconds since 1970."""
        rows = SERVERS.sql(f"select node, epoch, watermark, extract(epoch from expires_at) from node_lease where owner = '{owner}'")
        return rows and tuple(map(float, rows[0]))

    def owners(self):
        return [owner for owner, in SERVERS.sql("select owner from node_lease where owner is not null order by 1")]


def await_republished(im, count):
    """A record counts once Kafka has acknowledged it, which a reader may see before im."""
    await_that(lambda: im.metric("skein_im_republished_total") >= count, f"{count} records count")
    assert im.metric("skein_im_republished_total") == count


class Takeover(TakeoverTest):
    def test_what_an_im_had_not_published_when_it_was_killed_another_publishes_in_order_soon_after_its_lease(self):
        dying, other = self.start("im-dying"), self.start("im-other")
        self.pause_kafka()
        sent = self.send_many(dying, "killed", rounds=40)
        node, _, watermark, _ = self.lease_of("im-dying")
        self.assertLess(watermark, min(min(ids) for ids in sent.values()))
        dying.kill()
        _, _, _, end = self.lease_of("im-dying")
        self.kafka_goes_on()
        self.assert_published_in_order(sent, self.reader())
        took = time.time() - end
        print(f"440 messages out {took:.2f} s after the end of the lease")
        self.assertGreater(took, 0)
        self.assertLess(took, OUT_S)
        await_that(lambda: self.owners() == ["im-other"], "the number is given back")
        await_republished(other, 440)
        highest = max(max(ids) for ids in sent.values())
        self.assertEqual(SERVERS.sql(f"select watermark from node_lease where node = {node:.0f}"), [[str(highest)]])
        self.check_ids_rise_with_seq()

    def test_records_of_a_takeover_are_those_that_the_im_would_have_made(self):
        dying, other = self.start("im-dying"), self.start("im-other")
        client = dying.client("same-a")
        dying.client("same-b").post("/v1/auth/refresh")
        group = client.post("/v1/groups", {"name": "G", "members": ["same-b"]}).json
        published = client.send("1", f"group:{group['group_id']}", mentions=["same-b", "*"]).json
        await_that(lambda: self.lease_of("im-dying")[2] >= int(published["msg_id"]), "it is published")
        dying.kill()
        # As if it had not been published: the other im makes the same record again.
        SERVERS.sql(f"update node_lease set watermark = {int(published['msg_id']) - 1} where owner = 'im-dying'")
        original, again = [record for _, record, _ in self.reader().of(group["conversation_id"], 2)]
        self.assertEqual(original, again)
        self.assertEqual((list(again.message.mentions), again.member_version), (["same-b", "*"], 0))
        await_republished(other, 1)

    def test_changes_that_an_im_had_not_published_come_from_the_other_with_their_membership_in_order(self):
        dying, other = self.start("im-dying"), self.start("im-other")
        client = dying.client("changes-a")
        for uid in ("changes-b", "changes-c"):
            dying.client(uid).post("/v1/auth/refresh")
        group = client.post("/v1/groups", {"name": "G", "members": ["changes-b"]}).json
        conversation = group["conversation_id"]
        first = client.send("1", f"group:{group['group_id']}").json
        await_that(lambda: self.lease_of("im-dying")[2] >= int(first["msg_id"]), "it is published")
        node, epoch, *_ = map(int, self.lease_of("im-dying"))
        dying.kill()
        # Entries that it could have stored before it died: under its lease, with ids of its own.
        who, when = f"{node}, {epoch}", "fn.now_ms()"
        calls = [f"group_members_add({who}, %d, {when}, '{group['group_id']}', 'changes-a', '{{changes-c}}', 100)",
                 f"group_member_role({who}, %d, {when}, '{group['group_id']}', 'changes-a', 'changes-c', 1::smallint)",
                 f"entry_edit({who}, %d, {when}, '{conversation}', 'changes-a', 1, '{{\"text\":\"new\"}}', '{{text}}', 100000)",
                 f"entry_react({who}, %d, {when}, '{conversation}', 'changes-b', 1, '\U0001f44d \"', true, 100, false)",
                 f"entry_recall({who}, %d, {when}, '{conversation}', 'changes-c', 1, 100000)",
                 f"group_member_remove({who}, %d, {when}, '{group['group_id']}', 'changes-b', 'changes-b')"]
        watermark = int(SERVERS.sql(f"select watermark from node_lease where node = {node}")[0][0])
        ids = [((watermark >> 22) + i << 22) | (node << 12) for i in range(1, len(calls) + 1)]
        for call, msg_id in zip(calls, ids, strict=True):
            self.assertEqual(SERVERS.sql("select status from fn." + call % msg_id), [["ok"]])
        records = [record for _, record, _ in self.reader().of(conversation, 1 + len(calls))][1:]
        self.assertEqual([(record.message.seq, record.message.msg_id) for record in records], list(enumerate(ids, 2)))
        self.assertEqual([(record.message.type, getattr(record.message, "from"), record.message.target_seq, record.member_version)
                          for record in records],
                         [("system", "changes-a", 0, 2), ("system", "changes-a", 0, 2), ("edit", "changes-a", 1, 2),
                          ("reaction", "changes-b", 1, 2), ("recall", "changes-c", 1, 2), ("system", "changes-b", 0, 7)])
        self.assertEqual([record.message.body for record in records],
                         ['{"event":"added","actor":"changes-a","uids":["changes-c"]}',
                          '{"event":"role","actor":"changes-a","uid":"changes-c","role":"admin"}',
                          '{"text":"new"}', "", "", '{"event":"left","actor":"changes-b"}'])
        self.assertEqual([(record.message.op, record.message.emoji) for record in records if record.message.emoji],
                         [("add", '\U0001f44d "')])
        self.assertEqual([(list(record.membership.joined), list(record.membership.left)) for record in records],
                         [(["changes-c"], []), ([], []), ([], []), ([], []), ([], []), ([], ["changes-b"])])
        self.assertEqual([record.HasField("membership") for record in records], [True, False, False, False, False, True])
        await_republished(other, len(calls))

    def test_a_caretaker_that_is_killed_is_replaced_by_the_next(self):
        dying, caretaker = self.start("im-dying"), self.start("im-caretaker")
        self.pause_kafka()
        sent = self.send_many(dying, "twice")
        dying.kill()
        await_that(lambda: "caretaker im-caretaker" in self.owners(), "somebody looks after it")
        started = threading.Thread(target=lambda: self.start("im-last", ready=False))
        started.start()
        caretaker.kill()
        started.join()
        await_that(lambda: "caretaker im-last" in self.owners(), "the next one does")
        self.kafka_goes_on()
        self.assert_published_in_order(sent, self.reader())
        await_that(lambda: self.owners() == ["im-last"], "both numbers are given back")

    def test_an_im_frozen_past_its_lease_answers_503_leases_anew_and_nothing_is_lost_or_stored_twice(self):
        frozen, _ = self.start("im-frozen"), self.start("im-other")
        self.pause_kafka()
        sent = self.send_many(frozen, "frozen")
        old = self.lease_of("im-frozen")
        frozen.process.send_signal(signal.SIGSTOP)
        self.kafka_goes_on()
        reader = self.reader()
        self.assert_published_in_order(sent, reader)
        waiting = []
        sender = threading.Thread(target=lambda: waiting.append(frozen.client("frozen").send("late", "user:frozen-0")))
        sender.start()
        await_that(lambda: has_unread_request(frozen), "the request lies in its socket")
        frozen.process.send_signal(signal.SIGCONT)
        sender.join()
        self.assertEqual((waiting[0].status, waiting[0].json["code"]), (503, "unavailable"))
        self.assertIn("Retry-After", waiting[0].headers)
        again = await_that(lambda: (answer := frozen.client("frozen").send("late", "user:frozen-0")).status == 200 and answer,
                           "it serves again")
        self.assertEqual((again.json["seq"], again.json["duplicate"]), (11, False))
        self.assertNotEqual(self.lease_of("im-frozen")[:2], old[:2])
        self.assertIn("the lease of the node number was lost", frozen.log.read_text())
        await_that(frozen.is_ready, "it is ready again")
        conversation = again.json["conversation_id"]
        sent[conversation].append(int(again.json["msg_id"]))
        self.assert_published_in_order({conversation: sent[conversation]}, reader)
        self.check_ids_rise_with_seq()

    def test_an_im_that_leaves_without_kafka_leaves_its_messages_to_the_other(self):
        leaving, _ = self.start("im-leaving"), self.start("im-other")
        self.pause_kafka()
        sent = self.send_many(leaving, "left")
        start = time.monotonic()
        self.assertEqual(leaving.stop(), 0)
        self.assertLess(time.monotonic() - start, 5)
        self.kafka_goes_on()
        self.assert_published_in_order(sent, self.reader())
        await_that(lambda: self.owners() == ["im-other"], "the number is given back")

    def test_when_no_number_is_left_an_im_without_one_takes_care_of_a_dead_im_s_number_and_gets_it(self):
        SERVERS.sql("insert into node_lease select n, 1, 'dead or alive', now() + case when n = 1000 then interval '-1 s' else"
                    " interval '2 minutes' end, fn.id_at(fn.now_ms()) from generate_series(0, 1023) n")
        # The clock of the dead im was a day ahead.
        ahead = SERVERS.sql("with made as (insert into conversation (id, kind, last_seq, counted)"
                            " values ('u:ahead-a:ahead-b', 1, 1, 1) returning no)"
                            " insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, client_msg_id, body)"
                            " select no, 1, fn.id_at(fn.now_ms() + 86400000) | (1000 << 12), 0, 1, fn.entry_key(no, 'ahead-a 1'), 1,"
                            " 'ahead-a', '1', '{}' from made returning msg_id")[0][0]
        im = self.start("im-late")
        self.assertEqual(self.reader().of("u:ahead-a:ahead-b", 1)[0][1].message.msg_id, int(ahead))
        self.assertEqual(self.lease_of("im-late")[0], 1000)
        im.client("late-b").post("/v1/auth/refresh")
        self.assertGreater(int(im.client("late-a").send("1", "user:late-b").json["msg_id"]), int(ahead))


class Unsettled(TakeoverTest):
    def test_the_watermark_stays_below_a_message_whose_commit_nobody_knows_of(self):
        im = self.start("im-doubting", send__timeout="30s")
        im.client("doubt-b").post("/v1/auth/refresh")
        client = im.client("doubt-a")
        client.send("first", "user:doubt-b")
        answers = []
        sender = threading.Thread(target=lambda: answers.append(client.send("doubtful", "user:doubt-b")))
        with SERVERS.session() as session:
            session.run("begin; lock table message in share mode;")
            sender.start()
            blocked = "from pg_stat_activity where wait_event_type = 'Lock' and query like '%im_send%'"
            await_that(lambda: SERVERS.sql(f"select count(*) {blocked}") == [["1"]], "the batch is in the database")
            SERVERS.sql(f"select pg_terminate_backend(pid) {blocked}")
            end = self.lease_of("im-doubting")[3]
            await_that(lambda: self.lease_of("im-doubting")[3] > end + LIFE_S, "it was renewed more than once")
            watermark = self.lease_of("im-doubting")[2]
            session.run("commit;")
        sender.join()
        self.assertEqual((answers[0].status, answers[0].json["seq"]), (200, 2))
        self.assertLess(watermark, int(answers[0].json["msg_id"]))
        await_that(lambda: self.lease_of("im-doubting")[2] >= int(answers[0].json["msg_id"]), "it moves on")


if __name__ == "__main__":
    unittest.main()
