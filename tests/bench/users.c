#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "tests/bench/bench.h"
#include "tests/bench/http_peer.h"
#include "tools/skeinctl/skeinctl.h"

#define CONNECT_AT_ONCE 200
#define CONNECT_PATIENCE_US 30000000

const char *run_name(void)
{
	static char name[9];

	if (!*name)
		random_hex(name, 8);
	return name;
}

/* "http://127.0.0.1:8080" or "ws://127.0.0.1:8090/ws" */
static struct address address_of(const char *setting_name, unsigned index)
{
	char *url = setting_item(setting_name, index);
	struct address address;

	if (sscanf(url, "%*[a-z]://%63[0-9.]:%d", address.host, &address.port) != 2)
		fail("%s: \"%s\" is no URL with an IPv4 address and a port", setting_name, url);
	free(url);
	return address;
}

struct address im_address(unsigned index)
{
	return address_of("SKEIN_HTTP", index);
}

struct address gateway_address(unsigned index)
{
	return address_of("SKEIN_WS", index);
}

void want_two_gateways(const char *scenario)
{
	struct address first = gateway_address(0), second = gateway_address(1);

	if (first.port == second.port && strcmp(first.host, second.host) == 0)
		fail("%s wants 2 gateways, and SKEIN_WS names one", scenario);
}

static struct {
	bool is_on;
	unsigned next;
} seeded;

void users_are_seeded(void)
{
	seeded.is_on = true;
}

unsigned partner_of(uint64_t i, unsigned count, unsigned partners)
{
	unsigned round = (unsigned)(i / count) % MIN(partners, count - 1);

	return (unsigned)((i + 1 + round) % count);
}

struct user *users_make(unsigned count, const char *kind)
{
	struct user *users = mem_zalloc(count * sizeof(*users));

	for (unsigned i = 0; i < count; i++) {
		if (seeded.is_on)
			snprintf(users[i].uid, sizeof(users[i].uid), "seed%08u", seeded.next++);
		else
			snprintf(users[i].uid, sizeof(users[i].uid), "%s-%s-%u", kind, run_name(), i);
		users[i].token = make_token(users[i].uid, false, 3600000, NULL);
		users[i].peer.watch.fd = -1;
	}
	return users;
}

struct greeting {
	struct user *users;
	unsigned from, to; /* users[from .. to - 1] are being waited for */
};

static bool are_greeted(void *arg)
{
	struct greeting *greeting = arg;

	while (greeting->from < greeting->to && greeting->users[greeting->from].peer.is_greeted)
		greeting->from++;
	return greeting->from == greeting->to;
}

double users_connect(struct user *users, unsigned count, void (*frame)(struct ws_peer *peer, struct str text), void *arg)
{
	struct greeting greeting = { .users = users };
	struct address gateways[16];
	uint64_t started = now_us();

	for (unsigned i = 0; i < ARRAY_LEN(gateways); i++)
		gateways[i] = gateway_address(i);
	while (greeting.to < count) {
		for (unsigned i = 0; i < CONNECT_AT_ONCE && greeting.to < count; i++) {
			unsigned at = greeting.to++;
			const struct address *gateway = &gateways[at % ARRAY_LEN(gateways)];

			users[at].peer.frame = frame;
			users[at].peer.arg = arg;
			users[at].peer.index = at;
			/* one source address has ports for a few thousand connections only */
			ws_peer_open(&users[at].peer, gateway->host, gateway->port, 1 + at / 3000, str_from(users[at].token),
			             "bench", users[at].position);
		}
		loop_run(now_us() + CONNECT_PATIENCE_US, NULL, are_greeted, &greeting);
		if (greeting.from < greeting.to)
			fail("no hello for %s", users[greeting.from].uid);
	}
	return count / ((double)(now_us() - started) / 1e6);
}

void users_introduce(struct user *users, unsigned count, void (*frame)(struct ws_peer *peer, struct str text), void *arg)
{
	users_connect(users, count, frame, arg);
	for (unsigned i = 0; i < count; i++) {
		ws_peer_close(&users[i].peer);
		users[i].peer = (struct ws_peer){ .watch.fd = -1 };
	}
}

char *group_make(const struct user *users, unsigned count)
{
	struct buf body = { 0 }, answer = { 0 };
	struct address im = im_address(0);

	buf_append_text(&body, "{\"name\":\"bench\",\"members\":[");
	for (unsigned i = 1; i < count; i++)
		buf_printf(&body, "%s\"%s\"", i > 1 ? "," : "", users[i].uid);
	buf_append_text(&body, "]}");
	int status = http_post_now(im.host, im.port, "/v1/groups", str_from(users[0].token), buf_str(&body), &answer);
	if (status != 201)
		fail("POST /v1/groups: %d %.*s", status, STR_ARG(buf_str(&answer)));
	json_t *group = json_loadb(answer.ptr, answer.len, 0, NULL);
	char *gid = str_dup(str_from(json_string_value(json_object_get(group, "group_id"))));
	json_decref(group);
	buf_release(&body);
	buf_release(&answer);
	return gid;
}

void users_free(struct user *users, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		ws_peer_close(&users[i].peer);
		free(users[i].token);
	}
	mem_free(users);
}
