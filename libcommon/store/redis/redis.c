#include "store/redis/redis.h"

#include <assert.h>

#include "base/backoff.h"
#include "base/text/buf.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/text/decimal.h"
#include "store/redis/redis_command.h"
#include "store/redis/redis_link.h"

/*
 * Giving a command only queues it. Twice a turn, before and after the loop polls its sockets, all queued commands go out in
 * one write. If the socket does not take the whole write, later commands stay in the queue: they can still end as "not
 * executed".
 *
 * When the server does not know a script, sending stops until every sent command was answered. Then the missing scripts
 * are loaded and their calls are sent again, ahead of the queue, so calls of scripts stay in order.
 */

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 1000
#define CONNECT_TIMEOUT_MS 3000 /* from the name lookup to the end of the greeting */
#define SCRIPT_TRIES 3
#define WRITE_SIZE 262144 /* bytes gathered for one write, at least one command */

struct generation_hook {
	struct generation_hook *next;
	void (*changed)(void *arg);
	void *arg;
};

struct redis {
	struct worker *worker;
	struct redis_uri uri;
	struct requests requests;
	struct pipeline pipeline;
	struct redis_link *link; /* NULL between two tries to connect */
	bool is_ready; /* the greeting of `link` is over */
	bool is_stale; /* the server became a replica: the link is replaced once every sent command was answered */
	struct backoff backoff;
	unsigned failures; /* since the link was ready last */
	struct timer timer; /* without a link: the next try; before it is ready: CONNECT_TIMEOUT_MS */
	char last_run_id[RUN_ID_LEN + 1];
	struct generation_hook *hooks;
	struct list unknown; /* calls answered with NOSCRIPT, to be sent again */
	uv_prepare_t before_poll;
	uv_check_t after_poll;
	unsigned open_handles; /* of libuv, and links; the client is freed when all are closed */
	bool is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- commands ---- */

static void redis_end_command(struct request *request, err_t err)
{
	struct redis_command *command = container_of(request, struct redis_command, request);

	if (command->done)
		command->done(command->arg, err, command->reply);
}

static void redis_free_command(struct request *request)
{
	mem_free(container_of(request, struct redis_command, request));
}

static void redis_give(struct redis *redis, struct redis_command *command, redis_done done, void *arg)
{
	command->done = done;
	command->arg = arg;
	if (!requests_admit(&redis->requests, &command->request))
		return;
	if (redis->is_closing)
		requests_refuse(&redis->requests, &command->request);
	else
		pipeline_push(&redis->pipeline, &command->request);
}

void redis_command(struct redis *redis, const struct str *args, unsigned count, redis_done done, void *arg)
{
	const struct redis_args pieces[] = { { args, count } };

	redis_give(redis, redis_command_new(pieces, ARRAY_LEN(pieces)), done, arg);
}

void redis_eval(struct redis *redis, struct redis_script *script, const struct str *keys, unsigned key_count,
                const struct str *args, unsigned arg_count, redis_done done, void *arg)
{
	char count[DECIMAL_SIZE];

	redis_script_prepare(script);
	const struct str head[] = { STR("EVALSHA"), str_of(script->sha, sizeof(script->sha) - 1), decimal(count, key_count) };
	const struct redis_args pieces[] = { { head, ARRAY_LEN(head) }, { keys, key_count }, { args, arg_count } };
	struct redis_command *command = redis_command_new(pieces, ARRAY_LEN(pieces));
	command->script = script;
	redis_give(redis, command, done, arg);
}

/* ---- sending ---- */

static bool redis_can_send(const struct redis *redis)
{
	return redis->is_ready && !redis->is_stale && list_is_empty(&redis->unknown) && !redis_link_is_writing(redis->link);
}

static void redis_send_waiting(void *arg)
{
	struct redis *redis = arg;

	while (redis_can_send(redis) && pipeline_next(&redis->pipeline)) {
		struct buf *out = redis_link_out(redis->link);
		struct request *request;
		while (out->len < WRITE_SIZE && (request = pipeline_next(&redis->pipeline))) {
			struct redis_command *command = container_of(request, struct redis_command, request);
			if (command->generation_at)
				memcpy(command->bytes + command->generation_at, redis_link_run_id(redis->link), RUN_ID_LEN);
			buf_append(out, command->bytes, command->len);
			pipeline_mark_sent(&redis->pipeline, request);
		}
		if (!redis_link_write(redis->link))
			break;
	}
}

static void redis_on_before_poll(uv_prepare_t *handle)
{
	redis_send_waiting(handle->data);
}

static void redis_on_after_poll(uv_check_t *handle)
{
	redis_send_waiting(handle->data);
}

/* ---- answers ---- */

static bool redis_has_load(const struct list *loads, const struct redis_script *script)
{
	list_for_each(link, loads) {
		if (container_of(link, struct redis_command, request.link)->script == script)
			return true;
	}
	return false;
}

/* Every sent command was answered: loads the missing scripts and sends their calls again. */
static void redis_call_again(struct redis *redis)
{
	struct list loads;

	list_init(&loads);
	list_for_each(link, &redis->unknown) {
		struct redis_command *call = container_of(link, struct redis_command, request.link);
		if (redis_has_load(&loads, call->script))
			continue;
		const struct str args[] = { STR("SCRIPT"), STR("LOAD"), str_from(call->script->source) };
		const struct redis_args pieces[] = { { args, ARRAY_LEN(args) } };
		struct redis_command *load = redis_command_new(pieces, ARRAY_LEN(pieces));
		load->script = call->script;
		load->request.is_ended = true; /* it has no caller to tell */
		load->request.deadline_ms = call->request.deadline_ms;
		list_push_back(&loads, &load->request.link);
	}
	pipeline_put_back(&redis->pipeline, &redis->unknown);
	pipeline_put_back(&redis->pipeline, &loads);
}

static void redis_lose(void *arg, const char *event, struct str reason);

static void redis_on_reply(void *arg, const redisReply *reply)
{
	struct redis *redis = arg;
	bool is_stale;

	if (list_is_empty(&redis->pipeline.sent)) {
		redis_lose(redis, "connection to redis was lost", STR("a reply without a command"));
		return;
	}
	struct request *request = pipeline_take_answered(&redis->pipeline);
	struct redis_command *command = container_of(request, struct redis_command, request);

	if (command->script && redis_is_unknown_script(reply) && ++command->tries < SCRIPT_TRIES && !request->is_ended) {
		list_push_back(&redis->unknown, &request->link);
		return;
	}
	command->reply = reply;
	err_t err = redis_classify(command, reply, &is_stale);
	redis->is_stale |= is_stale;
	requests_end(&redis->requests, request, err);
	redis_free_command(request);
}

static void redis_on_all_read(void *arg)
{
	struct redis *redis = arg;

	if (!list_is_empty(&redis->pipeline.sent))
		return;
	if (redis->is_stale)
		redis_lose(redis, "reconnecting to redis", STR("the server became a replica"));
	else if (!list_is_empty(&redis->unknown))
		redis_call_again(redis);
}

/* ---- up and down ---- */

static void redis_on_ready(void *arg)
{
	struct redis *redis = arg;
	const char *run_id = redis_link_run_id(redis->link);
	bool is_new = redis->last_run_id[0] && strcmp(redis->last_run_id, run_id) != 0;

	redis->is_ready = true;
	redis->failures = 0;
	backoff_reset(&redis->backoff);
	worker_cancel(redis->worker, &redis->timer);
	memcpy(redis->last_run_id, run_id, sizeof(redis->last_run_id));
	log_info("connected to redis", LOG_TEXT("host", redis->uri.host), LOG_TEXT("port", redis->uri.port),
	         LOG_TEXT("run_id", run_id));
	for (struct generation_hook *hook = is_new ? redis->hooks : NULL; hook; hook = hook->next)
		hook->changed(hook->arg);
}

static void redis_handle_gone(void *arg)
{
	struct redis *redis = arg;

	redis->open_handles--;
	if (redis->open_handles > 0 || !redis->is_closing)
		return;
	for (struct generation_hook *next, *hook = redis->hooks; hook; hook = next) {
		next = hook->next;
		mem_free(hook);
	}
	void (*closed)(void *arg) = redis->closed;
	void *closed_arg = redis->closed_arg;
	redis_uri_release(&redis->uri);
	mem_free(redis);
	if (closed)
		closed(closed_arg);
}

static const struct redis_link_handlers link_handlers = {
	.ready = redis_on_ready,
	.reply = redis_on_reply,
	.read = redis_on_all_read,
	.written = redis_send_waiting,
	.failed = redis_lose,
	.closed = redis_handle_gone,
};

static void redis_connect_now(struct redis *redis)
{
	redis->link = redis_link_new(redis->worker, &redis->uri, redis->failures, &link_handlers, redis);
	redis->open_handles++;
	worker_arm_in(redis->worker, &redis->timer, CONNECT_TIMEOUT_MS);
}

static void redis_tear_down(struct redis *redis)
{
	if (redis->link)
		redis_link_close(redis->link);
	redis->link = NULL;
	redis->is_ready = false;
	redis->is_stale = false;
	worker_cancel(redis->worker, &redis->timer);
	/* A call that was answered with NOSCRIPT was not executed: it waits for the next link. */
	pipeline_put_back(&redis->pipeline, &redis->unknown);
}

static void redis_lose(void *arg, const char *event, struct str reason)
{
	struct redis *redis = arg;

	redis->failures++;
	/* Logged for the 1st, 2nd, 4th, 8th ... failure: a server that stays away does not fill the log. */
	if (IS_POWER_OF_TWO(redis->failures))
		log_warn(event, LOG_TEXT("host", redis->uri.host), LOG_TEXT("port", redis->uri.port), LOG_STR("reason", reason),
		         LOG_NUM("failures", redis->failures));
	redis_tear_down(redis);
	worker_arm_in(redis->worker, &redis->timer, backoff_next_ms(&redis->backoff));
	pipeline_lose(&redis->pipeline);
}

static void redis_on_timer(struct timer *timer)
{
	struct redis *redis = container_of(timer, struct redis, timer);

	if (!redis->link)
		redis_connect_now(redis);
	else
		redis_lose(redis, "connect to redis failed", STR("timed out"));
}

static void redis_on_stalled(struct pipeline *pipeline)
{
	redis_lose(container_of(pipeline, struct redis, pipeline), "connection to redis was lost",
	           STR("no reply within the timeout"));
}

/* ---- the client ---- */

err_t redis_new(struct redis **out, struct worker *worker, const struct redis_options *options)
{
	struct redis *redis = MEM_NEW(struct redis);

	if (!redis_uri_parse(&redis->uri, str_from(options->uri))) {
		log_error("invalid redis URI, expected redis://[[user]:password@]host[:port][/db]");
		mem_free(redis);
		return ERR_BAD_CONFIG;
	}
	redis->worker = worker;
	requests_init(&redis->requests, worker, options->max_waiting, options->timeout_ms,
	              options->waiting_gauge);
	redis->requests.end = redis_end_command;
	redis->requests.free = redis_free_command;
	pipeline_init(&redis->pipeline, &redis->requests, redis_on_stalled);
	list_init(&redis->unknown);
	backoff_init(&redis->backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
	timer_init(&redis->timer, redis_on_timer);
	uv_prepare_init(&worker->loop, &redis->before_poll);
	uv_check_init(&worker->loop, &redis->after_poll);
	redis->before_poll.data = redis->after_poll.data = redis;
	uv_prepare_start(&redis->before_poll, redis_on_before_poll);
	uv_check_start(&redis->after_poll, redis_on_after_poll);
	redis->open_handles = 3; /* before_poll, after_poll and the one in `requests` */
	redis_connect_now(redis);
	*out = redis;
	return OK;
}

static void redis_on_handle_closed(uv_handle_t *handle)
{
	redis_handle_gone(handle->data);
}

static void redis_on_requests_closed(uv_handle_t *handle)
{
	struct requests *requests = handle->data;

	redis_handle_gone(container_of(requests, struct redis, requests));
}

void redis_close(struct redis *redis, void (*closed)(void *arg), void *arg)
{
	assert(!redis->is_closing);
	redis->is_closing = true;
	redis->closed = closed;
	redis->closed_arg = arg;
	redis_tear_down(redis);
	pipeline_close(&redis->pipeline);
	requests_close(&redis->requests, redis_on_requests_closed);
	uv_close((uv_handle_t *)&redis->before_poll, redis_on_handle_closed);
	uv_close((uv_handle_t *)&redis->after_poll, redis_on_handle_closed);
}

const char *redis_generation(const struct redis *redis)
{
	return redis->is_ready ? redis_link_run_id(redis->link) : "";
}

void redis_on_new_generation(struct redis *redis, void (*changed)(void *arg), void *arg)
{
	struct generation_hook *hook = MEM_NEW(struct generation_hook);

	*hook = (struct generation_hook){ .next = redis->hooks, .changed = changed, .arg = arg };
	redis->hooks = hook;
}

bool redis_is_connected(const struct redis *redis)
{
	return redis->is_ready;
}
