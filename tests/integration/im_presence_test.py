"""Presence in im, on real servers: what users ask, and whom im tells of those whom router has noted. The test plays router."""
import json
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_api_fixture import ImTest
from im_cluster import Im, KafkaReader, await_that

DELAY_S = 1


def setUpModule():
    ImTest.start_im()
    ImTest.im.stop()
    ImTest.im = Im(ImTest.servers, presence__offline_delay=f"{DELAY_S}s")
    PresenceTest.reader = KafkaReader(ImTest.servers, 8, "im.event", "EventRecord")


def tearDownModule():
    PresenceTest.reader.close()
    ImTest.stop_im()


def now_ms():
    return int(time.time() * 1000)


class PresenceTest(ImTest):
    reader = None

    def setUp(self):
        super().setUp()
        self.node("gw")

    def redis(self, *arguments):
        port = self.servers.redis.split(":")[-1].split("/")[0]
        return subprocess.run(["redis-cli", "-p", port, *map(str, arguments)], check=True, capture_output=True, text=True).stdout.strip()

    def node(self, name, epoch=1):
        self.redis("hset", f"im:node:{{{name}}}", "epoch", epoch, "grpc", "127.0.0.1:1", "ws", f"ws://{name}/ws", "cell", "", "draining",
                   "0", "connections", "0", "queue_bytes", "0", "lag_ms", "0")
        self.redis("hset", "im:nodes", name, f"{epoch}|{now_ms()}")

    def bind(self, uid, device="phone", node="gw", epoch=1, is_noted=True):
        self.redis("hset", f"im:route:{{{uid}}}", device, f"{node}|{epoch}|7|ios|1700000000000")
        if is_noted:
            self.redis("zadd", "im:presence:due", 0, uid)

    def unbind(self, uid, device="phone"):
        self.redis("zadd", "im:presence:due", now_ms(), uid)
        self.redis("hdel", f"im:route:{{{uid}}}", device)

    def befriend(self, client, other, uid):
        number = self.check(client.post("/v1/friends/requests", {"to": uid}), 201)["request_id"]
        self.check(other.post(f"/v1/friends/requests/{number}/accept"), 200)

    def presence(self, client, *uids):
        return self.check(client.get("/v1/presence?uids=" + ",".join(uids)), 200)["users"]

    def told(self, uid, polls=True):
        """[(to, online)] of every event about the user: to whom is "*" for watchers, or a list of friends."""
        if polls:
            self.reader.poll()
        found = []
        for records in self.reader.records.values():
            for _, record, _ in records:
                for emitted in record.events:
                    body = json.loads(emitted.event.body)
                    if emitted.event.kind != "presence" or body["uid"] != uid:
                        continue
                    who = emitted.audience.WhichOneof("who")
                    self.assertGreater(body["last_seen"], 1600000000000)
                    found.append(("*" if who == "watched" else sorted(emitted.audience.users.uids), body["online"]))
        return found

    def becomes_told(self, uid, *expected):
        await_that(lambda: len(self.told(uid)) >= len(expected), f"{uid} is told")
        self.assertEqual(self.told(uid), list(expected))

    def is_settled(self, uid):
        await_that(lambda: self.redis("zscore", "im:presence:due", uid) == "", f"{uid} is off the list")


class Told(PresenceTest):
    def test_friends_who_are_online_and_watchers_are_told_of_coming_and_going(self):
        self.befriend(self.a, self.b, self.bob)
        self.befriend(self.a, self.c, self.carol)
        self.bind(self.bob, is_noted=False)
        self.bind(self.alice)
        self.becomes_told(self.alice, ([self.bob], True), ("*", True))
        self.is_settled(self.alice)
        self.bind(self.alice, "tablet")  # as a router that lost its answer may note once more
        self.is_settled(self.alice)
        self.unbind(self.alice, "tablet")
        self.is_settled(self.alice)
        self.assertEqual(self.presence(self.b, self.alice)[0]["devices"], [{"platform": "ios", "since": 1700000000000}])
        ended = now_ms()
        self.unbind(self.alice)
        self.assertEqual(self.presence(self.b, self.alice), [{"uid": self.alice, "online": True, "devices": []}])
        self.becomes_told(self.alice, ([self.bob], True), ("*", True), ([self.bob], False), ("*", False))
        self.assertGreaterEqual(now_ms() - ended, DELAY_S * 1000)
        (shown,) = self.presence(self.b, self.alice)
        self.assertFalse(shown["online"])
        self.assertLess(abs(shown["last_seen"] - ended), 1000)
        self.assertGreater(int(self.redis("ttl", f"im:presence:{{{self.alice}}}")), 86400)

    def test_a_reconnect_within_the_delay_is_nothing(self):
        self.bind(self.alice)
        self.becomes_told(self.alice, ("*", True))
        self.unbind(self.alice)
        self.bind(self.alice, is_noted=False)  # who counts as online is not noted
        self.is_settled(self.alice)
        self.assertEqual(self.told(self.alice), [("*", True)])

    def homes(self, uid):
        return [key for key in self.redis("keys", "im:presence:at:*").split() if self.redis("sismember", key, uid) == "1"]

    def test_a_user_has_one_home_where_a_route_lives(self):
        self.node("other")
        self.bind(self.alice)
        self.is_settled(self.alice)
        self.assertEqual(self.homes(self.alice), ["im:presence:at:{gw|1}"])
        self.bind(self.alice, "tablet", node="other")
        self.unbind(self.alice, "tablet")
        self.bind(self.alice, "tablet", node="other", is_noted=False)
        self.is_settled(self.alice)
        self.assertEqual(self.homes(self.alice), ["im:presence:at:{gw|1}"])
        self.unbind(self.alice)
        self.is_settled(self.alice)
        self.assertEqual(self.homes(self.alice), ["im:presence:at:{other|1}"])
        self.unbind(self.alice, "tablet")
        self.is_settled(self.alice)
        self.assertEqual(self.homes(self.alice), [])
        self.becomes_told(self.alice, ("*", True), ("*", False))

    def test_a_user_whose_routes_change_meanwhile_is_at_home_nowhere(self):
        """Between the routes that im reads and the key that it sets is a statement, which has to wait here."""
        self.redis("config", "set", "slowlog-log-slower-than", 0)
        self.addCleanup(self.redis, "config", "set", "slowlog-log-slower-than", 10000)
        before = self.im.metric('skein_im_presence_total{outcome="undecided"}')
        with self.servers.session() as session:
            session.run("begin; lock table friendship in access exclusive mode;")
            self.bind(self.alice)
            await_that(lambda: f"HGETALL\nim:route:{{{self.alice}}}\n" in self.redis("slowlog", "get", 128), "the routes are read")
            self.redis("hdel", f"im:route:{{{self.alice}}}", "phone")
        await_that(lambda: self.im.metric('skein_im_presence_total{outcome="undecided"}') > before, "nothing is decided")
        await_that(lambda: self.homes(self.alice) == [], "the set of the gateway has forgotten the user")
        self.redis("zadd", "im:presence:due", 0, self.alice)
        self.is_settled(self.alice)
        self.assertEqual(self.homes(self.alice), [])
        self.assertEqual(self.told(self.alice), [])

    def test_a_user_whom_another_im_holds_is_told_of_when_it_ends(self):
        until = now_ms() + 1000
        self.redis("zadd", "im:presence:held:{im:presence:due}", until, self.alice)
        self.bind(self.alice)
        self.becomes_told(self.alice, ("*", True))
        self.assertGreaterEqual(now_ms(), until)

    def test_the_routes_at_a_dead_gateway_are_none(self):
        self.node("dying")
        self.bind(self.alice, node="dying")
        self.becomes_told(self.alice, ("*", True))
        self.redis("del", "im:node:{dying}")
        self.redis("zadd", "im:presence:due", now_ms(), self.alice)
        self.becomes_told(self.alice, ("*", True), ("*", False))
        self.assertEqual(self.presence(self.b, self.alice)[0]["devices"], [])
        self.bind(self.bob, node="dying", epoch=2)  # another registration that im has not heard of
        self.node("dying", epoch=2)
        self.becomes_told(self.bob, ("*", True))

    def test_the_setting_is_that_of_the_moment(self):
        self.befriend(self.a, self.b, self.bob)
        self.bind(self.bob, is_noted=False)
        self.check(self.a.call("PATCH", "/v1/users/me", {"settings": {"presence": "friends"}}), 200)
        self.bind(self.alice)
        self.becomes_told(self.alice, ([self.bob], True))
        self.assertEqual(self.presence(self.c, self.alice), [{"uid": self.alice, "online": False, "devices": []}])
        self.assertTrue(self.presence(self.b, self.alice)[0]["online"])
        self.check(self.a.call("PATCH", "/v1/users/me", {"settings": {"presence": "nobody"}}), 200)
        self.unbind(self.alice)
        self.is_settled(self.alice)
        self.assertEqual(self.told(self.alice), [([self.bob], True)])
        self.assertEqual(self.presence(self.b, self.alice), [{"uid": self.alice, "online": False, "devices": []}])
        self.assertIn("last_seen", self.presence(self.a, self.alice)[0])

    def test_a_deleted_user_looks_like_one_who_does_not_exist(self):
        self.redis("set", f"im:presence:{{{self.alice}}}", now_ms())
        self.assertIn("last_seen", self.presence(self.b, self.alice)[0])
        self.servers.sql(f"update account set is_disabled = true, deleted_at = 1 where uid = '{self.alice}'")
        self.assertEqual(self.presence(self.b, self.alice), [{"uid": self.alice, "online": False, "devices": []}])

    def test_what_an_im_has_claimed_and_not_told_the_next_one_tells(self):
        """An im that dies after it has set the key leaves it marked, and its claim ends by itself."""
        self.redis("hset", f"im:route:{{{self.alice}}}", "phone", "gw|1|7|ios|1700000000000")
        self.redis("set", f"im:presence:{{{self.alice}}}", "+gw|1?")
        self.redis("zadd", "im:presence:due", now_ms() - DELAY_S * 1000, self.alice)
        self.becomes_told(self.alice, ("*", True))
        self.is_settled(self.alice)
        self.assertEqual(self.redis("get", f"im:presence:{{{self.alice}}}"), "+gw|1")

    def test_two_ims_share_the_list(self):
        other = Im(self.servers, "im-2", presence__offline_delay=f"{DELAY_S}s")
        self.addCleanup(other.stop)
        uids = [f"many-{number}" for number in range(200)]
        for uid in uids:
            self.im.client(uid).post("/v1/auth/refresh")
        port = self.servers.redis.split(":")[-1].split("/")[0]
        lines = "".join(f"hset im:route:{{{uid}}} phone gw|1|7|ios|1700000000000\nzadd im:presence:due 0 {uid}\n" for uid in uids)
        subprocess.run(["redis-cli", "-p", port], input=lines, check=True, capture_output=True, text=True)
        await_that(lambda: self.redis("zcard", "im:presence:due") == "0", "all are told")
        await_that(lambda: self.told(uids[-1]) and self.told(uids[0]), "they are told")
        await_that(lambda: all(self.told(uid, polls=False) for uid in uids) or self.reader.poll(), "all are told")
        self.assertEqual([uid for uid in uids if self.told(uid, polls=False) != [("*", True)]], [])
        shares = [im.metric('skein_im_presence_total{outcome="online"}') for im in (self.im, other)]
        self.assertGreaterEqual(sum(shares), len(uids))


class Asked(PresenceTest):
    def test_the_list_of_uids_is_checked(self):
        for query in "", "?uids=", "?uids=,", "?uids=a,,b", "?uids=a%20b", "?uids=a,", "?uids=" + ",".join("x" * 201):
            self.check(self.a.get(f"/v1/presence{query}"), 400, "invalid_argument", "uids")
        many = ["n" * 60 + f"{number:04}" for number in range(200)]
        self.assertEqual(self.presence(self.a, *many), [{"uid": uid, "online": False, "devices": []} for uid in many])
        twice = self.presence(self.a, self.bob, self.alice, self.bob)
        self.assertEqual([user["uid"] for user in twice], [self.bob, self.alice, self.bob])

    def test_without_redis_it_is_unavailable(self):
        self.servers.pause("redis")
        try:
            self.check(self.a.get(f"/v1/presence?uids={self.alice}"), 503, "unavailable")
        finally:
            self.servers.go_on("redis")
        self.presence(self.a, self.alice)
