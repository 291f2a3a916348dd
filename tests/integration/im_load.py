"""What the tests of im under faults share: a load that keeps its answers, and the checks of these answers at the end."""
import threading
import unittest

from im_cluster import Im, KafkaReader, await_that


class Load:
    """Sends one message after the other in a few conversations and keeps the answers."""

    def __init__(self, im, name, senders=8):
        self.acked, self.statuses, self.is_over = {}, [], False
        self.ims = im if isinstance(im, list) else [im]
        # Daemons: those of a test that failed must not keep the program from ending.
        self.threads = [threading.Thread(target=self.send_all, args=(f"{name}{i}",), daemon=True) for i in range(senders)]
        for thread in self.threads:
            thread.start()

    def send_all(self, uid):
        number, client = 0, self.ims[0].client(uid)
        peer = uid + "-peer"
        client.post("/v1/auth/refresh")
        self.ims[0].client(peer).post("/v1/auth/refresh")
        while not self.is_over:
            number += 1
            try:
                answer = client.send(str(number), f"user:{peer}", str(number))
            except OSError:
                client = self.ims[number % len(self.ims)].client(uid)
                continue
            self.statuses.append(answer.status)
            if answer.status == 200:
                self.acked.setdefault(answer.json["conversation_id"], {})[answer.json["seq"]] = str(number)

    def await_more(self, count=20):
        wanted = sum(map(len, self.acked.values())) + count
        await_that(lambda: sum(map(len, self.acked.values())) >= wanted, "messages get through")

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()


class FaultTest(unittest.TestCase):
    servers = None # set by the module

    def setUp(self):
        self.im = Im(self.servers)

    def tearDown(self):
        if self.im.process.poll() is None:
            self.im.kill()
        self.servers.start_missing()

    def check_stored_and_published(self, load, one_im=True):
        """
        Every send answered 200 is in the database under its seq, no conversation has a hole, and every message is in Kafka:
        in order if one im produced the records. Records of several ims may overtake each other; push restores the order.
        """
        reader = KafkaReader(self.servers)
        for conversation, acked in load.acked.items():
            rows = self.servers.sql("select seq, client_msg_id from message join conversation using (no)"
                                    f" where id = '{conversation}' order by seq")
            stored = {int(seq): key for seq, key in rows}
            self.assertEqual(list(stored), list(range(1, len(stored) + 1)))
            self.assertEqual({seq: stored.get(seq) for seq in acked}, acked)
            records = reader.of(conversation, len(stored))
            first = dict.fromkeys(record.message.seq for _, record, _ in records)
            self.assertEqual(list(first) if one_im else sorted(first), list(stored)) # the first copies
        reader.close()
        self.check_ids_rise_with_seq()

    def check_ids_rise_with_seq(self):
        """Ids of one node in one conversation rise with seq, so a takeover that publishes by id publishes by seq."""
        self.assertEqual(self.servers.sql(
            "select no, seq from (select *, max(msg_id) over (partition by no, (msg_id >> 12) & 1023"
            " order by seq rows between unbounded preceding and 1 preceding) as before from message) m"
            " where before > msg_id"), [])
