/* The turn of a client: takes the machines' actions and does them. Its timer, its beginning and its end. */

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"
#include "libclient/client_link.h"
#include "libclient/client_read.h"
#include "libclient/client_send.h"
#include "libclient/options.h"

/* ---- the turn ---- */

static enum skein_status client_status_of(const struct life *life)
{
	if (life->keeps)
		return SKEIN_UP;
	switch (life->state) {
	case LIFE_UP:
		return SKEIN_UP;
	case LIFE_WAITING:
		return SKEIN_WAITING;
	case LIFE_TOKENLESS:
		return SKEIN_TOKENLESS;
	case LIFE_ENDED:
		return SKEIN_ENDED;
	default:
		return SKEIN_CONNECTING;
	}
}

static enum skein_reason client_reason_of(enum life_end end)
{
	switch (end) {
	case LIFE_REPLACED:
		return SKEIN_REPLACED;
	case LIFE_REFUSED:
		return SKEIN_REFUSED;
	case LIFE_UNAUTHENTICATED:
		return SKEIN_UNAUTHENTICATED;
	default:
		return SKEIN_NO_REASON;
	}
}

static void client_tell_status(struct skein_client *client)
{
	enum skein_status status = client_status_of(&client->life);

	if (status == client->status || client->is_closing)
		return;
	client->status = status;
	if (client->options.on_status)
		client->options.on_status(client, status, client_reason_of(client->life.end), client->options.arg);
}

static void client_obey_life(struct skein_client *client, enum life_action action)
{
	switch (action) {
	case LIFE_DROP:
		client_link_drop(client);
		break;
	case LIFE_DROP_NEW:
		client_link_drop_opening(client);
		break;
	case LIFE_FIND:
		client_link_find(client);
		break;
	case LIFE_OPEN:
		client_link_open(client);
		break;
	case LIFE_PING:
		(void)client_link_send(client, STR("{\"type\":\"ping\"}")); /* if it cannot be sent, no pong comes */
		break;
	case LIFE_ASK_TOKEN:
		client->options.on_token_needed(client, client->options.arg);
		break;
	default:
		break;
	}
}

/* The application stores the state first, because the ack confirms that it did. */
static void client_settle(struct skein_client *client, uint64_t offset)
{
	char frame[64];

	if (client->options.on_state)
		client->options.on_state(client, client->options.arg);
	if (client->is_closing || !offset || client->options.never_acks)
		return;
	snprintf(frame, sizeof(frame), "{\"type\":\"ack\",\"offset\":\"%llu\"}", (unsigned long long)offset);
	(void)client_link_send(client, str_from(frame)); /* acks are cumulative: a later one makes up for a lost one */
}

static void client_obey_inbox(struct skein_client *client, enum inbox_action action, struct inbox_effect *effect)
{
	switch (action) {
	case INBOX_HAND_OVER:
		client_read_hand_over(client, effect);
		break;
	case INBOX_SYNC:
		client_read_sync(client, &effect->from);
		break;
	case INBOX_PULL:
		client_read_history(client, effect->conversation, effect->after_seq);
		break;
	case INBOX_SETTLE:
		client_settle(client, effect->offset);
		break;
	default:
		break;
	}
}

/* One action of life or, when it has none, of the inbox. False when neither has one. */
static bool client_do_something(struct skein_client *client)
{
	struct inbox_effect effect;
	enum life_action life = life_take(&client->life);

	if (life)
		client_obey_life(client, life);
	client_tell_status(client);
	if (client->is_closing || life)
		return !client->is_closing;
	enum inbox_action inbox = inbox_take(&client->inbox, client_now(client), &effect);
	if (inbox)
		client_obey_inbox(client, inbox, &effect);
	return inbox && !client->is_closing;
}

static void client_on_timer(uv_timer_t *timer);

/* Lowers a deadline to another one; 0 is none. */
static void client_sooner(uint64_t *deadline_ms, uint64_t other_ms)
{
	if (other_ms && other_ms < *deadline_ms)
		*deadline_ms = other_ms;
}

static void client_turn(struct skein_client *client)
{
	uint64_t deadline_ms = UINT64_MAX;

	if (client->is_turning || client->is_closing)
		return; /* the turn under way will see it */
	client->is_turning = true;
	while (client_do_something(client))
		;
	client->is_turning = false;
	if (client->is_closing)
		return;
	client_send_start(client);
	if (client->life.state == LIFE_IDLE)
		return; /* the timer is set for the start */
	client_sooner(&deadline_ms, life_deadline(&client->life));
	client_sooner(&deadline_ms, inbox_deadline(&client->inbox));
	client_sooner(&deadline_ms, client->read.retry_ms);
	client_sooner(&deadline_ms, client->send_retry_ms);
	uint64_t now_ms = client_now(client);
	if (deadline_ms == UINT64_MAX)
		uv_timer_stop(&client->timer);
	else
		uv_timer_start(&client->timer, client_on_timer, deadline_ms > now_ms ? deadline_ms - now_ms : 1, 0);
}

static void client_on_timer(uv_timer_t *timer)
{
	struct skein_client *client = container_of(timer, struct skein_client, timer);
	uint64_t now_ms = client_now(client);

	life_start(&client->life, now_ms);
	life_tick(&client->life, now_ms);
	if (client->read.retry_ms && now_ms >= client->read.retry_ms)
		client_read_again(client);
	if (client->send_retry_ms && now_ms >= client->send_retry_ms) {
		client->send_retry_ms = 0;
		outbox_resume(&client->outbox);
	}
	client_turn(client);
}

static void client_set_rules(struct skein_client *client)
{
	const struct skein_options *options = &client->options;

	client->life_rules = (struct life_rules){
		.base_count = (unsigned)options->base_count,
		.has_gateway = options->gateway,
		.returns_when_replaced = options->returns_when_replaced,
		.can_ask_token = options->on_token_needed,
		.ping_after_ms = options->ping_after_ms,
		.pong_within_ms = options->pong_within_ms,
		.open_within_ms = options->open_within_ms,
		.stable_after_ms = options->stable_after_ms,
		.random_below = random_below,
	};
	client->inbox_rules = (struct inbox_rules){
		.starts_from_oldest = options->starts_from_oldest,
		.unknown_history = options->unknown_history,
		.max_held = options->max_held,
		.max_held_bytes = options->max_held_bytes,
		.max_untaken = options->max_untaken,
		.max_conversations = options->max_conversations,
		.settle_every = options->ack_every,
		.settle_after_ms = options->ack_after_ms,
		.let_go = delivery_let_go,
	};
}

/* ---- its beginning and its end ---- */

static void client_release(struct skein_client *client)
{
	inbox_release(&client->inbox);
	outbox_release(&client->outbox);
	client_link_forget_gateways(client);
	buf_release(&client->read_path);
	options_release(&client->options);
	free(client->target);
	free(client->token);
	mem_free(client);
}

static void client_handle_closed(struct skein_client *client)
{
	void (*closed)(void *arg) = client->closed;
	void *closed_arg = client->closed_arg;

	if (--client->open_handles)
		return;
	client_release(client);
	if (closed)
		closed(closed_arg);
}

struct skein_client *skein_client_new(struct skein_net *net, const struct skein_options *options)
{
	if (!options_are_valid(options))
		return NULL;
	struct skein_client *client = MEM_NEW(struct skein_client);
	client->net = net;
	client->token = str_dup(str_from(options->token));
	options_copy(&client->options, options);
	client->changed = client_turn;
	client->handle_closed = client_handle_closed;
	client_set_rules(client);
	life_init(&client->life, &client->life_rules);
	inbox_init(&client->inbox, &client->inbox_rules);
	outbox_init(&client->outbox, client->options.max_sends, CLIENT_MAX_ASKING);
	backoff_init(&client->read.backoff, 250, 10000);
	backoff_init(&client->send_backoff, 250, 10000);
	if (options->state && *options->state && !state_read(&client->inbox, options->state)) {
		client_release(client);
		return NULL;
	}
	uv_timer_init(net->curl.loop, &client->timer);
	client->open_handles = 1;
	uv_timer_start(&client->timer, client_on_timer, 0, 0);
	return client;
}

static void client_on_timer_closed(uv_handle_t *handle)
{
	client_handle_closed(container_of((uv_timer_t *)handle, struct skein_client, timer));
}

void skein_client_close(struct skein_client *client, void (*closed)(void *arg), void *arg)
{
	assert(!client->is_closing);
	client->is_closing = true;
	client->closed = closed;
	client->closed_arg = arg;
	http_cancel(&client->find);
	client_read_stop(client);
	client_send_abandon(client);
	client_link_drop(client);
	uv_close((uv_handle_t *)&client->timer, client_on_timer_closed);
}

void skein_client_set_token(struct skein_client *client, const char *token)
{
	if (client->is_closing || !options_token_is_valid(token))
		return;
	free(client->token);
	client->token = str_dup(str_from(token));
	client->token_number++;
	life_token(&client->life, client_now(client));
	if (!client->send_retry_ms)
		outbox_resume(&client->outbox);
	client_turn(client);
}

void skein_client_taken(struct skein_client *client, uint64_t delivery)
{
	inbox_taken(&client->inbox, delivery);
	client_turn(client);
}

char *skein_client_state(const struct skein_client *client)
{
	return state_write(&client->inbox);
}
