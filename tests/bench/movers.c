#include "tests/bench/movers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"

#define AT_ONCE 200
#define PATIENCE_US 60000000
#define RETRY_MIN_US 500000
#define RETRY_MAX_US 30000000
#define GATEWAYS_MAX 16
#define OPENED_A_TURN 8 /* the sockets are looked at in between */

static struct address gateways[GATEWAYS_MAX];

static void schedule(struct movers *movers, struct mover *mover, uint64_t due_us)
{
	mover->due_us = due_us;
	if (due_us < movers->next_due_us)
		movers->next_due_us = due_us;
}

/* ---- frames ---- */

static struct str field(struct str text, const char *name)
{
	char pattern[32];
	int len = snprintf(pattern, sizeof(pattern), "\"%s\":", name);
	const char *at = memmem(text.ptr, text.len, pattern, (size_t)len);

	if (!at)
		return (struct str){ 0 };
	struct str rest = str_of(at + len, text.len - (size_t)(at + len - text.ptr));
	if (rest.len && *rest.ptr == '"') {
		rest = str_of(rest.ptr + 1, rest.len - 1);
		return str_cut(&rest, '"');
	}
	size_t digits = 0;
	while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
		digits++;
	return str_of(rest.ptr, digits);
}

static void take_hello(struct movers *movers, struct mover *mover, struct str text)
{
	uint64_t now = now_us();
	struct str epoch = field(text, "epoch");

	if (mover->state == MOVER_MOVING) {
		ws_peer_close(&mover->peers[mover->at]);
		mover->at = !mover->at;
		latency_add(&movers->gap, 0);
	} else if (*mover->epoch) {
		latency_add(&movers->gap, now - mover->left_us);
		latency_add(&movers->back, now - movers->lost_us);
	} else {
		(void)str_copy(mover->offset, sizeof(mover->offset), field(text, "head"));
	}
	if (!str_copy(mover->epoch, sizeof(mover->epoch), epoch))
		fail("an epoch that is too long");
	movers->up += mover->state != MOVER_MOVING;
	mover->state = MOVER_UP;
	mover->tries = 0;
	mover->due_us = 0;
}

/* "ws://127.0.0.1:8091/ws" */
static bool read_target(struct address *target, struct str url)
{
	char text[256];

	return url.ptr && str_copy(text, sizeof(text), url) &&
	       sscanf(text, "%*[a-z]://%63[0-9.]:%d", target->host, &target->port) == 2;
}

static void take_reconnect(struct movers *movers, struct mover *mover, struct str text)
{
	uint64_t after_ms = 0;

	movers->told++;
	mover->has_target = read_target(&mover->target, field(text, "url"));
	movers->told_where += mover->has_target;
	movers->told_nowhere += !mover->has_target;
	if (!str_to_u64(field(text, "after_ms"), &after_ms))
		fail("a reconnect without a time: %.*s", STR_ARG(text));
	schedule(movers, mover, now_us() + after_ms * 1000);
}

static void take_message(struct movers *movers, struct mover *mover, unsigned index, struct str text)
{
	uint64_t had = 0, offset = 0;
	struct str value = field(str_of(text.ptr, MIN(text.len, 64)), "offset");

	if (!str_to_u64(value, &offset) || !str_to_u64(str_from(mover->offset), &had))
		fail("a message without an offset: %.*s", STR_ARG(text));
	if (offset <= had) {
		movers->repeats++;
		return;
	}
	if (offset != had + 1)
		fail("user %u got offset %llu after %llu", index, (unsigned long long)offset, (unsigned long long)had);
	(void)str_copy(mover->offset, sizeof(mover->offset), value);
	if (movers->message)
		movers->message(movers->arg, index, text);
}

static void on_frame(struct ws_peer *peer, struct str text)
{
	struct movers *movers = peer->arg;
	struct mover *mover = &movers->all[peer->index];
	struct str type = field(str_of(text.ptr, MIN(text.len, 64)), "type");

	if (str_equal(type, STR("hello")))
		take_hello(movers, mover, text);
	else if (str_equal(type, STR("message")))
		take_message(movers, mover, peer->index, text);
	else if (str_equal(type, STR("reconnect")))
		take_reconnect(movers, mover, text);
	else if (str_equal(type, STR("resync")) || str_equal(type, STR("sync_more")))
		movers->resyncs++;
}

/* ---- going and coming ---- */

static void leave(struct movers *movers, struct mover *mover)
{
	mover->left_us = now_us();
	if (!movers->lost_us)
		movers->lost_us = mover->left_us;
	movers->up--;
}

/* From the minimum up to a ceiling that doubles with each try. */
static void wait_a_while(struct movers *movers, struct mover *mover)
{
	uint64_t ceiling_us = MIN((uint64_t)RETRY_MIN_US << (mover->tries + 2), RETRY_MAX_US);

	mover->tries += mover->tries < 8;
	mover->has_target = false;
	schedule(movers, mover, now_us() + RETRY_MIN_US + random_below(ceiling_us - RETRY_MIN_US + 1));
}

static void on_closed(struct ws_peer *peer, int code);

static bool try_open(struct movers *movers, unsigned index, const struct address *address)
{
	struct mover *mover = &movers->all[index];
	struct user *user = &movers->users[index];
	bool is_up = mover->state == MOVER_UP && *mover->epoch;
	struct ws_peer *peer = &mover->peers[is_up ? !mover->at : mover->at];

	*peer = (struct ws_peer){ .frame = on_frame, .closed = on_closed, .arg = movers, .index = index };
	if (*mover->epoch)
		snprintf(user->position, sizeof(user->position), "&epoch=%s&offset=%s", mover->epoch, mover->offset);
	mover->due_us = 0;
	/* one source address has ports for a few thousand connections only */
	bool is_open = ws_peer_try_open(peer, address->host, address->port, 1 + index / 3000, str_from(user->token), "bench",
	                                user->position);
	if (is_open)
		mover->state = is_up ? MOVER_MOVING : MOVER_OPENING;
	return is_open;
}

/* Asks the gateways that were not asked yet in this try. */
static void try_gateways(struct movers *movers, unsigned index)
{
	struct mover *mover = &movers->all[index];

	while (mover->asked < GATEWAYS_MAX) {
		if (mover->asked++)
			mover->gateway = (mover->gateway + 1) % GATEWAYS_MAX;
		if (try_open(movers, index, &gateways[mover->gateway]))
			return;
	}
	movers->refused++;
	wait_a_while(movers, mover);
}

static void come_back(struct movers *movers, unsigned index)
{
	struct mover *mover = &movers->all[index];
	bool had_target = mover->has_target;

	mover->has_target = false;
	mover->asked = 0;
	if (!had_target || !try_open(movers, index, &mover->target))
		try_gateways(movers, index);
}

/* The mover lost its connection: it is away, unless another one is opening already or its return time is known. */
static void lose(struct movers *movers, struct mover *mover, int code)
{
	movers->closed += code != 0;
	movers->cut += code == 0;
	leave(movers, mover);
	if (mover->state == MOVER_MOVING) {
		mover->state = MOVER_OPENING;
		mover->at = !mover->at;
		return;
	}
	mover->state = MOVER_AWAY;
	if (!mover->due_us)
		wait_a_while(movers, mover);
}

static void on_closed(struct ws_peer *peer, int code)
{
	struct movers *movers = peer->arg;
	struct mover *mover = &movers->all[peer->index];

	if (peer == &mover->peers[mover->at] && mover->state <= MOVER_MOVING) {
		lose(movers, mover, code);
		return;
	}
	mover->state = mover->state == MOVER_MOVING ? MOVER_UP : MOVER_AWAY;
	if (code == WS_NOBODY && !*mover->epoch)
		fail("gateway %u does not listen", mover->gateway);
	if (code == WS_NOBODY) {
		try_gateways(movers, peer->index);
		return;
	}
	movers->refused++;
	wait_a_while(movers, mover);
}

uint64_t movers_tick(struct movers *movers)
{
	uint64_t now = now_us();

	if (now < movers->next_due_us)
		return movers->next_due_us;
	movers->next_due_us = UINT64_MAX;
	for (unsigned i = 0, left = OPENED_A_TURN; i < movers->count; i++) {
		struct mover *mover = &movers->all[i];

		if (mover->due_us && mover->due_us <= now && left) {
			come_back(movers, i);
			left--;
		}
		if (mover->due_us && mover->due_us < movers->next_due_us)
			movers->next_due_us = mover->due_us;
	}
	return movers->next_due_us;
}

/* ---- the first time ---- */

struct wait {
	const struct movers *movers;
	unsigned wanted;
};

static bool are_up(void *arg)
{
	const struct wait *wait = arg;

	return wait->movers->up >= wait->wanted;
}

void movers_connect(struct movers *movers, unsigned gateway)
{
	struct wait wait = { .movers = movers };

	movers->next_due_us = UINT64_MAX;
	movers->all = mem_zalloc(movers->count * sizeof(*movers->all));
	for (unsigned i = 0; i < GATEWAYS_MAX; i++)
		gateways[i] = gateway_address(i);
	for (unsigned i = 0; i < movers->count; i++)
		movers->all[i].peers[0].watch.fd = movers->all[i].peers[1].watch.fd = -1;
	while (wait.wanted < movers->count) {
		for (unsigned i = 0; i < AT_ONCE && wait.wanted < movers->count; i++) {
			movers->all[wait.wanted].gateway = gateway;
			if (!try_open(movers, wait.wanted++, &gateways[gateway]))
				fail("gateway %u does not listen", gateway);
		}
		loop_run(now_us() + PATIENCE_US, NULL, are_up, &wait);
		if (!are_up(&wait))
			fail("%u of %u users are connected", movers->up, wait.wanted);
	}
}

void movers_release(struct movers *movers)
{
	for (unsigned i = 0; i < movers->count; i++) {
		ws_peer_close(&movers->all[i].peers[0]);
		ws_peer_close(&movers->all[i].peers[1]);
	}
	mem_free(movers->all);
	users_free(movers->users, movers->count);
}

json_t *movers_report(const struct movers *movers)
{
	printf("  moved      %10u told (%u where to go), %u closed, %u cut, %u refusals\n", movers->told, movers->told_where,
	       movers->closed, movers->cut, movers->refused);
	printf("  connected  %10u of %u at the end, %u repeats on the wire, %u resyncs\n", movers->up, movers->count,
	       movers->repeats, movers->resyncs);
	json_t *gap = report_latency("no connection", &movers->gap);
	json_t *back = report_latency("first lost -> back", &movers->back);
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o}", "users", (int)movers->count, "up",
	                 (int)movers->up, "told", (int)movers->told, "told_where", (int)movers->told_where, "closed",
	                 (int)movers->closed, "cut", (int)movers->cut, "refused", (int)movers->refused, "repeats",
	                 (int)movers->repeats, "resyncs", (int)movers->resyncs, "gap_ms", gap, "back_ms", back);
}
