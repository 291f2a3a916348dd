#include <assert.h>
#include <stdlib.h>

#include "base/text/ident.h"
#include "base/mem.h"
#include "base/random.h"
#include "libclient/client.h"

/* ---- requests ---- */

struct http_request client_request(const struct skein_client *client, struct buf *url, const char *path)
{
	buf_printf(url, "%s/v1%s", client->options.bases[client->base], path);
	return (struct http_request){
		.url = buf_text(url),
		.token = client->token,
		.timeout_ms = client->options.request_within_ms,
		.uses_proxy = client->options.uses_proxy,
	};
}

uint64_t client_retry_at(struct skein_client *client, struct backoff *backoff, const struct http_answer *answer)
{
	uint64_t wait_ms = backoff_next_ms(backoff);

	if (answer->status < 400 || answer->status >= 500)
		client->base = (client->base + 1) % (unsigned)client->options.base_count; /* another one may do better */
	return client_now(client) + MAX(wait_ms, answer->retry_after_ms);
}

void client_token_refused(struct skein_client *client, unsigned token_number)
{
	if (token_number == client->token_number)
		life_unauthenticated(&client->life);
}

/* ---- the turn ---- */

static enum skein_status status_of(const struct life *life)
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

static enum skein_reason reason_of(enum life_end end)
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

static void tell_status(struct skein_client *client)
{
	enum skein_status status = status_of(&client->life);

	if (status == client->status || client->is_closing)
		return;
	client->status = status;
	if (client->options.on_status)
		client->options.on_status(client, status, reason_of(client->life.end), client->options.arg);
}

/* One thing of each machine; false when there is nothing. */
static bool do_something(struct skein_client *client)
{
	struct inbox_effect effect;
	enum life_action life = life_take(&client->life);

	if (life)
		client_obey_life(client, life);
	tell_status(client);
	if (client->is_closing || life)
		return !client->is_closing;
	enum inbox_action inbox = inbox_take(&client->inbox, client_now(client), &effect);
	if (inbox)
		client_obey_inbox(client, inbox, &effect);
	return inbox && !client->is_closing;
}

static void on_timer(uv_timer_t *timer);

/* Sooner than what is known so far; 0 is no time at all. */
static void sooner(uint64_t *deadline_ms, uint64_t other_ms)
{
	if (other_ms && other_ms < *deadline_ms)
		*deadline_ms = other_ms;
}

static void set_timer(struct skein_client *client)
{
	uint64_t deadline_ms = UINT64_MAX, now_ms = client_now(client);

	if (client->life.state == LIFE_IDLE)
		return; /* it is set to the start */
	sooner(&deadline_ms, life_deadline(&client->life));
	sooner(&deadline_ms, inbox_deadline(&client->inbox));
	sooner(&deadline_ms, client->read.retry_ms);
	sooner(&deadline_ms, client->send_retry_ms);
	if (deadline_ms == UINT64_MAX)
		uv_timer_stop(&client->timer);
	else
		uv_timer_start(&client->timer, on_timer, deadline_ms > now_ms ? deadline_ms - now_ms : 1, 0);
}

void client_turn(struct skein_client *client)
{
	if (client->is_turning || client->is_closing)
		return; /* the turn that is on comes to it */
	client->is_turning = true;
	while (do_something(client))
		;
	client->is_turning = false;
	if (client->is_closing)
		return;
	client_start_sends(client);
	set_timer(client);
}

static void on_timer(uv_timer_t *timer)
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

/* ---- options ---- */

static void use_default(unsigned *option, unsigned otherwise)
{
	if (*option == 0)
		*option = otherwise;
}

static void use_defaults(struct skein_options *options)
{
	use_default(&options->ack_every, 20);
	use_default(&options->ack_after_ms, 500);
	use_default(&options->ping_after_ms, 20000);
	use_default(&options->pong_within_ms, 10000);
	use_default(&options->open_within_ms, 15000);
	use_default(&options->request_within_ms, 15000);
	use_default(&options->stable_after_ms, 10000);
	use_default(&options->max_held, 1000);
	use_default(&options->max_held_bytes, 4194304);
	use_default(&options->max_untaken, 1000);
	use_default(&options->max_sends, 1000);
	use_default(&options->max_conversations, 100000);
}

static bool is_token(const char *token)
{
	return token && *token && strlen(token) <= 4096 && strspn(token, "\r\n \t") == 0 && !strpbrk(token, "\r\n");
}

static bool are_valid(const struct skein_options *options)
{
	for (size_t i = 0; i < options->base_count; i++)
		if (strncmp(options->bases[i], "http://", 7) != 0 && strncmp(options->bases[i], "https://", 8) != 0)
			return false;
	return options->base_count > 0 && is_token(options->token) && options->device &&
	       ident_is_valid(str_from(options->device)) && options->platform && platform_is_valid(str_from(options->platform)) &&
	       (!options->gateway || strncmp(options->gateway, "ws://", 5) == 0 ||
	        strncmp(options->gateway, "wss://", 6) == 0);
}

static void copy_texts(struct skein_options *options)
{
	const char **bases = mem_alloc(options->base_count * sizeof(*bases));

	for (size_t i = 0; i < options->base_count; i++)
		bases[i] = str_dup(str_from(options->bases[i]));
	options->bases = bases;
	options->gateway = options->gateway ? str_dup(str_from(options->gateway)) : NULL;
	options->device = str_dup(str_from(options->device));
	options->platform = str_dup(str_from(options->platform));
	options->token = options->state = NULL; /* kept elsewhere */
}

static void free_texts(struct skein_options *options)
{
	for (size_t i = 0; i < options->base_count; i++)
		free((char *)options->bases[i]);
	mem_free((void *)options->bases);
	free((char *)options->gateway);
	free((char *)options->device);
	free((char *)options->platform);
}

static void set_rules(struct skein_client *client)
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

/* ---- a client's begin and end ---- */

static void release(struct skein_client *client)
{
	inbox_release(&client->inbox);
	outbox_release(&client->outbox);
	client_forget_gateways(client);
	buf_release(&client->read_path);
	free_texts(&client->options);
	free(client->target);
	free(client->token);
	mem_free(client);
}

struct skein_client *skein_client_new(struct skein_net *net, const struct skein_options *options)
{
	if (!are_valid(options))
		return NULL;
	struct skein_client *client = MEM_NEW(struct skein_client);
	client->net = net;
	client->options = *options;
	client->token = str_dup(str_from(options->token));
	use_defaults(&client->options);
	copy_texts(&client->options);
	set_rules(client);
	life_init(&client->life, &client->life_rules);
	inbox_init(&client->inbox, &client->inbox_rules);
	outbox_init(&client->outbox, client->options.max_sends, CLIENT_MAX_ASKING);
	backoff_init(&client->read.backoff, 250, 10000);
	backoff_init(&client->send_backoff, 250, 10000);
	if (options->state && *options->state && !state_read(&client->inbox, options->state)) {
		release(client);
		return NULL;
	}
	uv_timer_init(net->curl.loop, &client->timer);
	client->open_handles = 1;
	uv_timer_start(&client->timer, on_timer, 0, 0);
	return client;
}

void client_handle_gone(struct skein_client *client)
{
	void (*closed)(void *arg) = client->closed;
	void *closed_arg = client->closed_arg;

	if (--client->open_handles)
		return;
	release(client);
	if (closed)
		closed(closed_arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
	client_handle_gone(container_of((uv_timer_t *)handle, struct skein_client, timer));
}

void skein_client_close(struct skein_client *client, void (*closed)(void *arg), void *arg)
{
	assert(!client->is_closing);
	client->is_closing = true;
	client->closed = closed;
	client->closed_arg = arg;
	http_cancel(&client->find);
	client_stop_reading(client);
	client_abandon_sends(client);
	client_drop(client);
	uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

void skein_client_set_token(struct skein_client *client, const char *token)
{
	if (client->is_closing || !is_token(token))
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
