#include "im/changes/kicks.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/telemetry/log.h"
#include "cluster/conn_opening.h"
#include "proto/router.pb-c.h"

#define RETRY_MS 200
#define GIVE_UP_MS 10000
#define AGAIN_MS (CONN_OPENING_MS + 1000)
#define CODE 4002 /* of the WebSocket's close frame */

/* At most this many kicks are queued. Beyond that a connection stays open until its token expires. */
#define KICKS_MAX 10000

struct kick {
	struct list link;
	struct kicks *all;
	char uid[65];
	enum change_kind why;
	struct buf request;
	struct timer timer;
	uint64_t give_up_ms;
	bool is_again;
	bool is_called; /* router's answer is awaited */
};

static void kicks_free(struct kick *kick)
{
	list_remove(&kick->link);
	kick->all->count--;
	buf_release(&kick->request);
	mem_free(kick);
}

static void kicks_on_answered(void *arg, err_t err, struct str response, const char *detail)
{
	struct kick *kick = arg;
	(void)response;

	kick->is_called = false;
	if (kick->all->is_closed) {
		kicks_free(kick);
	} else if (err && clock_mono_ms() < kick->give_up_ms) {
		worker_arm_in(kick->all->worker, &kick->timer, RETRY_MS);
	} else if (err || kick->is_again) {
		if (err)
			log_warn("connections were not closed after a change", LOG_TEXT("uid", kick->uid), LOG_ERR(err),
			         LOG_TEXT("why", detail));
		kicks_free(kick);
	} else {
		kick->is_again = true;
		kick->give_up_ms = clock_mono_ms() + AGAIN_MS + GIVE_UP_MS;
		worker_arm_in(kick->all->worker, &kick->timer, AGAIN_MS);
	}
}

static void kicks_on_timer(struct timer *timer)
{
	struct kick *kick = container_of(timer, struct kick, timer);

	kick->is_called = true;
	rpc_call(kick->all->routers, kick->all->worker, KICK_PATH, buf_str(&kick->request), KICK_TIMEOUT_MS, true, STR(""),
	         kicks_on_answered, kick);
}

void kicks_init(struct kicks *kicks, struct worker *worker, struct rpc_channel *routers)
{
	*kicks = (struct kicks){ .worker = worker, .routers = routers };
	list_init(&kicks->open);
}

void kicks_close(struct kicks *kicks)
{
	kicks->is_closed = true;
	list_for_each(link, &kicks->open) {
		struct kick *kick = container_of(link, struct kick, link);

		worker_cancel(kicks->worker, &kick->timer);
		if (!kick->is_called)
			kicks_free(kick);
	}
}

/* The connections that a change ends. NULL: it ends none. */
static const char *kicks_reason(const struct change *change)
{
	switch (change->kind) {
	case CHANGE_REVOKED:
	case CHANGE_USER_LOGGED_OUT:
		return "logged out";
	case CHANGE_USER_DISABLED:
		return "the user is disabled";
	case CHANGE_USER_DELETED:
		return "the user was deleted";
	case CHANGE_USER_ENABLED:
	case CHANGE_UNKNOWN:
		break;
	}
	return NULL;
}

static void kicks_pack(struct kick *kick, const struct change *change)
{
	Skein__V1__KickUser message = SKEIN__V1__KICK_USER__INIT;

	message.uid = kick->uid;
	if (change->kind == CHANGE_REVOKED)
		message.token_id = (ProtobufCBinaryData){ sizeof(change->id), (uint8_t *)change->id };
	message.issued_until_ms = change->issued_until_ms;
	message.code = CODE;
	message.reason = (char *)kicks_reason(change);
	size_t len = skein__v1__kick_user__get_packed_size(&message);
	kick->request.len = skein__v1__kick_user__pack(&message, (uint8_t *)buf_reserve(&kick->request, len));
}

static void kicks_add(struct kicks *kicks, const struct change *change)
{
	if (kicks->is_closed || kicks->count == KICKS_MAX)
		return;
	struct kick *kick = MEM_NEW(struct kick);
	kick->all = kicks;
	kick->why = change->kind;
	(void)str_copy(kick->uid, sizeof(kick->uid), str_from(change->uid));
	kicks_pack(kick, change);
	kick->give_up_ms = clock_mono_ms() + GIVE_UP_MS;
	timer_init(&kick->timer, kicks_on_timer);
	list_push_back(&kicks->open, &kick->link);
	kicks->count++;
	worker_arm_in(kick->all->worker, &kick->timer, 0);
}

/* The user is enabled again: a kick that was still to come would close a connection that is allowed. */
static void kicks_give_up(struct kicks *kicks, const char *uid)
{
	list_for_each(link, &kicks->open) {
		struct kick *kick = container_of(link, struct kick, link);

		if (kick->why != CHANGE_USER_DISABLED || strcmp(kick->uid, uid) != 0)
			continue;
		if (kick->is_called) {
			kick->is_again = true; /* the answer ends it */
			kick->give_up_ms = 0;
		} else {
			worker_cancel(kicks->worker, &kick->timer);
			kicks_free(kick);
		}
	}
}

void kicks_learn(struct kicks *kicks, const struct change *change)
{
	if (change->kind == CHANGE_USER_ENABLED)
		kicks_give_up(kicks, change->uid);
	else if (change->is_recent && kicks_reason(change))
		kicks_add(kicks, change);
}
