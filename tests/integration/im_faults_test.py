"""im while PostgreSQL, Kafka or Redis die and come back, and im when it drains."""
import signal
import sys
import threading
import time
import unittest

import pathlib
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Im, KafkaReader, Servers, await_that, run_im
from im_load import FaultTest, Load

BACK_S = 2 # within this time after a server is back im works again

SERVERS = None


def setUpModule():
    global SERVERS
    SERVERS = FaultTest.servers = Servers()
    code, output = run_im(SERVERS, "--migrate")
    assert code == 0, output


def tearDownModule():
    SERVERS.close()


class Servers_that_die(FaultTest):
    def test_a_kill_of_postgresql_refuses_sends_and_loses_none(self):
        load = Load(self.im, "pgkill")
        load.await_more()
        SERVERS.kill("postgres")
        await_that(lambda: not self.im.is_ready(), "im is not ready")
        await_that(lambda: 503 in load.statuses, "sends are refused")
        SERVERS.start_missing()
        await_that(self.im.is_ready, "im is ready again", BACK_S)
        load.await_more()
        load.stop()
        self.assertEqual(set(load.statuses), {200, 503})
        self.check_stored_and_published(load)

    def test_sends_go_on_after_postgresql_drops_all_connections(self):
        load = Load(self.im, "pgfreeze")
        load.await_more()
        SERVERS.sql("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend'"
                    " and pid <> pg_backend_pid()")
        load.await_more()
        load.stop()
        self.check_stored_and_published(load)

    def test_sends_are_stored_while_kafka_is_away_and_published_when_it_is_back(self):
        load = Load(self.im, "kafkakill")
        load.await_more()
        SERVERS.kill("kafka")
        await_that(lambda: not self.im.is_ready(), "im is not ready")
        load.await_more(50) # sends are stored and answered, up to a bound
        load.stop()
        SERVERS.start_missing()
        await_that(self.im.is_ready, "im is ready again")
        self.assertEqual(set(load.statuses), {200})
        self.check_stored_and_published(load)
        await_that(lambda: self.im.metric("skein_im_unsettled_sends") == 0, "nothing is left to publish")

    def test_sends_go_on_without_redis(self):
        SERVERS.kill("redis")
        await_that(lambda: not self.im.is_ready(), "im is not ready")
        self.im.client("redis-b").post("/v1/auth/refresh")
        self.assertEqual(self.im.client("redis-a").send("1", "user:redis-b").status, 200)
        SERVERS.start_missing()
        await_that(self.im.is_ready, "im is ready again", BACK_S)


class Bounds(FaultTest):
    def test_messages_waiting_for_kafka_are_bounded_and_go_out_even_if_kafka_comes_back_empty(self):
        self.im.kill()
        self.im = Im(SERVERS, name="im-bound", kafka__max_waiting=1000, limits__enabled="false")
        client = self.im.client("bound-a")
        self.im.client("bound-b").post("/v1/auth/refresh")
        self.assertEqual(client.send("first", "user:bound-b").status, 200)
        await_that(lambda: self.im.metric("skein_im_unsettled_sends") == 0, "kafka has it")
        SERVERS.kill("kafka")
        accepted, key = 1, 0
        while True:
            messages = [{"client_msg_id": str(key + i), "to": {"user": "bound-b"}, "type": "custom", "body": {}}
                        for i in range(50)]
            key += 50
            results = client.post("/v1/messages/batch", {"messages": messages}).json["results"]
            accepted += sum("seq" in result for result in results)
            refused = [result["error"] for result in results if "error" in result]
            if refused:
                break
            self.assertLess(accepted, 2000)
        self.assertEqual({error["status"] for error in refused}, {503})
        answer = client.send("one-more", "user:bound-b")
        self.assertEqual((answer.status, answer.json["code"]), (503, "unavailable"))
        self.assertLessEqual(accepted, 501)
        self.assertEqual(SERVERS.sql("select count(*) from message where sender = 'bound-a'"), [[str(accepted)]])
        await_that(lambda: self.im.metric("skein_im_unsettled_age_seconds") >= 1, "the age of the backlog shows")
        SERVERS.forget("kafka")
        SERVERS.start_missing()
        code, output = run_im(SERVERS, "--migrate")
        self.assertEqual(code, 0, output)
        reader = KafkaReader(SERVERS)
        self.assertEqual([record.message.seq for _, record, _ in reader.of("u:bound-a:bound-b", accepted - 1)],
                         list(range(2, accepted + 1))) # without the first message, which was lost with the disk
        reader.close()
        await_that(lambda: self.im.client("bound-a").send("after", "user:bound-b").status == 200, "sends are accepted again")


class Leases(FaultTest):
    def lease(self):
        return SERVERS.sql("select node, epoch, owner, expires_at > now() from node_lease where owner = 'im-1'"
                           " order by expires_at desc limit 1")[0]

    def test_a_lease_that_was_bumped_is_not_used_any_more(self):
        client = self.im.client("lease-a")
        self.im.client("lease-b").post("/v1/auth/refresh")
        first = client.send("1", "user:lease-b")
        node, *_ = self.lease()
        SERVERS.sql(f"update node_lease set epoch = epoch + 1, owner = 'thief', expires_at = now() + interval '1 hour'"
                    f" where node = {node}")
        refused = client.send("2", "user:lease-b")
        if refused.status != 200: # 200 if the renewal noticed first and took a new lease before the send
            self.assertEqual((refused.status, refused.json["code"]), (503, "unavailable"))
        again = await_that(lambda: (answer := client.send("2", "user:lease-b")).status == 200 and answer, "leased anew")
        self.assertEqual(again.json["seq"], 2)
        new = self.lease()
        self.assertNotEqual(new[0], node)
        number = int(again.json["msg_id"]) >> 12 & 1023
        self.assertEqual(number, int(new[0]))
        self.assertGreater(int(again.json["msg_id"]), int(first.json["msg_id"]))
        SERVERS.sql("delete from node_lease where owner = 'thief'")

    def test_a_lease_that_only_expired_is_renewed(self):
        node, epoch, _, _ = self.lease()
        SERVERS.sql(f"update node_lease set expires_at = now() where node = {node}")
        client = self.im.client("lease-c")
        await_that(lambda: client.send("1", "user:lease-c").status == 200, "renewed")
        self.assertEqual(self.lease()[:2], [node, epoch])

    def test_the_watermark_follows_what_kafka_has(self):
        client = self.im.client("lease-d")
        last = int([client.send(str(i), "user:lease-d") for i in range(5)][-1].json["msg_id"])
        node = self.lease()[0]

        def stored():
            return int(SERVERS.sql(f"select watermark from node_lease where node = {node}")[0][0])
        await_that(lambda: stored() >= last, "the watermark is stored", 2)
        SERVERS.kill("kafka")
        held_back = client.send("later", "user:lease-d")
        self.assertEqual(held_back.status, 200)
        time.sleep(0.5) # no event to wait for: the watermark must not move
        self.assertLess(stored(), int(held_back.json["msg_id"]))
        SERVERS.start_missing()
        await_that(lambda: stored() >= int(held_back.json["msg_id"]), "the watermark moves on")


class Leaving(FaultTest):
    def test_a_drain_loses_nothing_and_gives_the_number_back(self):
        self.im.kill()
        self.im, other = Im(SERVERS, name="im-drained"), Im(SERVERS, name="im-staying")
        load = Load([self.im, other], "drain")
        load.await_more(100)
        self.assertEqual(self.im.stop(), 0)
        load.await_more(50)
        load.stop()
        self.assertEqual(set(load.statuses), {200})
        self.assertEqual(other.stop(), 0)
        self.check_stored_and_published(load, one_im=False)
        self.assertEqual(SERVERS.sql("select count(*) from node_lease where owner in ('im-drained', 'im-staying')"), [["0"]])
        self.assertNotIn("ERROR", self.im.log.read_text() + other.log.read_text())

    def test_an_im_leaves_without_postgresql_too(self):
        self.im.kill()
        self.im = Im(SERVERS, name="im-alone", drain__timeout="1s")
        client = self.im.client("gone-a")
        client.post("/v1/auth/refresh")
        SERVERS.kill("postgres")
        statuses = []
        sender = threading.Thread(target=lambda: statuses.append(client.send("1", "user:gone-a").status))
        sender.start()
        start = time.monotonic()
        self.assertEqual(self.im.stop(), 0)
        self.assertLess(time.monotonic() - start, 8) # the deadline of the send, plus a little
        sender.join()
        self.assertEqual(statuses, [503])

    def test_a_request_that_comes_while_the_stores_are_closed_is_answered_503(self):
        self.im.kill()
        self.im = Im(SERVERS, name="im-late", drain__timeout="3s")
        clients = [self.im.client("late-a") for _ in range(25)]
        for client in [self.im.client("late-b"), *clients]:
            client.post("/v1/auth/refresh")  # each connection is open now, and stays until its next answer
        SERVERS.kill("kafka")
        self.assertEqual(clients.pop().send("first", "user:late-b").status, 200)  # for this record the drain waits for Kafka
        self.im.process.send_signal(signal.SIGTERM)
        statuses = []
        for number, client in enumerate(clients):
            statuses.append(client.send(str(number), "user:late-b").status)
            if statuses[-1] == 503:
                break
            time.sleep(0.1)
        self.assertEqual(statuses[-1], 503)
        self.assertEqual(set(statuses[:-1]) - {200}, set())
        self.assertEqual(self.im.process.wait(timeout=20), 0)


if __name__ == "__main__":
    unittest.main()
