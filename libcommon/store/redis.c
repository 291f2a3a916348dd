#include "store/redis.h"

#include <assert.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/decimal.h"
#include "store/redis_command.h"
#include "store/redis_uri.h"

/*
 * Commands only queue up; twice a turn, before and after the loop looks at its sockets, what is queued goes out in one
 * write. What the socket does not take holds back the commands behind it, where they can still end as "not executed".
 *
 * The protocol is hiredis's (its reader); its asynchronous client is not used: it resolves names on the loop, keeps no
 * command for a second try, and cannot hold commands back.
 *
 *   DOWN -> RESOLVING -> CONNECTING -> GREETING -> READY
 *    ^__________|____________|____________|__________|
 *
 * GREETING: AUTH, SELECT, PING (refused while the server loads its data) and INFO go out together; the last answer has
 * the run_id.
 *
 * When the server does not know a script, nothing more is sent until all that is on its way was answered; then the
 * scripts that were missing are loaded and their calls sent again, before what waits: calls of scripts stay in order.
 */

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 1000
#define CONNECT_TIMEOUT_MS 3000 /* up to ready */
#define KEEPALIVE_S 30
#define SCRIPT_TRIES 3
#define READ_SIZE 65536
#define WRITE_SIZE 262144 /* gathered for one write, about */

enum redis_state { REDIS_DOWN, REDIS_RESOLVING, REDIS_CONNECTING, REDIS_GREETING, REDIS_READY };

/* A connection's socket; lives until the loop has let it go. */
struct link {
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	struct redis *owner;
	bool is_given_up;
	bool is_writing; /* `out` is the loop's */
	struct buf out;
};

/* A name being looked up; lives until the answer. */
struct lookup {
	uv_getaddrinfo_t request;
	struct redis *owner;
	bool is_given_up;
};

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
	enum redis_state state;
	struct lookup *lookup;
	struct link *link;
	redisReader *reader;
	struct backoff backoff;
	unsigned failures; /* since it was ready */
	struct timer timer; /* DOWN: the next try. Else, but READY: the try takes too long. */
	unsigned greetings; /* GREETING: answers still to come */
	char run_id[RUN_ID_LEN + 1], last_run_id[RUN_ID_LEN + 1];
	struct generation_hook *hooks;
	struct list unknown; /* calls of scripts that the server does not know, to be sent again */
	bool is_stale; /* nothing more goes out on this connection; it is made anew when all is answered */
	uv_prepare_t before_poll;
	uv_check_t after_poll;
	char *read_buffer;
	unsigned open_handles;
	bool is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void lose(struct redis *redis, const char *event, struct str reason);

/* ---- commands ---- */

static void end_command(struct request *request, err_t err)
{
	struct redis_command *command = container_of(request, struct redis_command, request);

	if (command->done)
		command->done(command->arg, err, command->reply);
}

static void free_command(struct request *request)
{
	mem_free(container_of(request, struct redis_command, request));
}

static void give(struct redis *redis, struct redis_command *command, redis_done done, void *arg)
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

	give(redis, redis_command_new(pieces, ARRAY_LEN(pieces)), done, arg);
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
	give(redis, command, done, arg);
}

/* ---- sending ---- */

static void put_waiting(struct redis *redis)
{
	struct buf *out = &redis->link->out;
	struct request *request;

	while (out->len < WRITE_SIZE && (request = pipeline_next(&redis->pipeline))) {
		struct redis_command *command = container_of(request, struct redis_command, request);
		if (command->generation_at)
			memcpy(command->bytes + command->generation_at, redis->run_id, RUN_ID_LEN);
		buf_append(out, command->bytes, command->len);
		pipeline_mark_sent(&redis->pipeline, request);
	}
}

static void send_waiting(struct redis *redis);

static void on_written(uv_write_t *write, int status)
{
	struct link *link = container_of(write, struct link, write);

	link->is_writing = false;
	buf_clear(&link->out);
	if (link->is_given_up)
		return;
	if (status < 0)
		lose(link->owner, "connection to redis was lost", str_from(uv_strerror(status)));
	else
		send_waiting(link->owner);
}

/* True if the socket took all of it. Otherwise the loop goes on with the rest; an error is told by on_written(). */
static bool write_out(struct link *link)
{
	uv_stream_t *stream = (uv_stream_t *)&link->tcp;
	uv_buf_t rest = uv_buf_init(link->out.ptr, (unsigned)link->out.len);
	int written = uv_try_write(stream, &rest, 1);

	if (written == (int)link->out.len) {
		buf_clear(&link->out);
		return true;
	}
	written = MAX(written, 0);
	rest = uv_buf_init(link->out.ptr + written, (unsigned)link->out.len - (unsigned)written);
	link->is_writing = true;
	uv_write(&link->write, stream, &rest, 1, on_written);
	return false;
}

static bool can_send(const struct redis *redis)
{
	return redis->state == REDIS_READY && !redis->link->is_writing && !redis->is_stale && list_is_empty(&redis->unknown);
}

static void send_waiting(struct redis *redis)
{
	while (can_send(redis) && pipeline_next(&redis->pipeline)) {
		put_waiting(redis);
		if (!write_out(redis->link))
			break;
	}
}

static void on_before_poll(uv_prepare_t *handle)
{
	send_waiting(handle->data);
}

static void on_after_poll(uv_check_t *handle)
{
	send_waiting(handle->data);
}

/* ---- answers ---- */

static struct redis_command *new_load(const struct redis_command *call)
{
	const struct str args[] = { STR("SCRIPT"), STR("LOAD"), str_from(call->script->source) };
	const struct redis_args pieces[] = { { args, ARRAY_LEN(args) } };
	struct redis_command *load = redis_command_new(pieces, ARRAY_LEN(pieces));

	load->script = call->script;
	/* Nobody waits for it: from the start it is like a command whose caller was told. */
	load->request.is_ended = true;
	load->request.deadline_ms = call->request.deadline_ms;
	return load;
}

static bool has_load(const struct list *loads, const struct redis_script *script)
{
	list_for_each(link, loads) {
		if (container_of(link, struct redis_command, request.link)->script == script)
			return true;
	}
	return false;
}

/* All that was on its way is answered: load the scripts that were missing and call them again. */
static void call_again(struct redis *redis)
{
	struct list loads;

	list_init(&loads);
	list_for_each(link, &redis->unknown) {
		struct redis_command *call = container_of(link, struct redis_command, request.link);
		if (!has_load(&loads, call->script))
			list_push_back(&loads, &new_load(call)->request.link);
	}
	pipeline_put_back(&redis->pipeline, &redis->unknown);
	pipeline_put_back(&redis->pipeline, &loads);
}

static void take_answer(struct redis *redis, const redisReply *reply)
{
	struct request *request = pipeline_take_answered(&redis->pipeline);
	struct redis_command *command = container_of(request, struct redis_command, request);
	bool is_stale;

	if (command->script && redis_is_unknown_script(reply) && ++command->tries < SCRIPT_TRIES && !request->is_ended) {
		list_push_back(&redis->unknown, &request->link);
		return;
	}
	command->reply = reply;
	err_t err = redis_classify(command, reply, &is_stale);
	redis->is_stale |= is_stale;
	requests_end(&redis->requests, request, err);
	free_command(request);
}

static bool read_run_id(struct redis *redis, struct str rest)
{
	while (rest.ptr) {
		struct str line = str_cut(&rest, '\n');
		struct str value = line;
		if (!str_equal(str_cut(&value, ':'), STR("run_id")))
			continue;
		value = str_cut(&value, '\r');
		return value.len == RUN_ID_LEN && str_copy(redis->run_id, sizeof(redis->run_id), value);
	}
	return false;
}

static void become_ready(struct redis *redis)
{
	bool is_new = redis->last_run_id[0] && strcmp(redis->last_run_id, redis->run_id) != 0;

	redis->state = REDIS_READY;
	redis->failures = 0;
	backoff_reset(&redis->backoff);
	worker_cancel(redis->worker, &redis->timer);
	memcpy(redis->last_run_id, redis->run_id, sizeof(redis->run_id));
	log_info("connected to redis", LOG_TEXT("host", redis->uri.host), LOG_TEXT("port", redis->uri.port),
	         LOG_TEXT("run_id", redis->run_id));
	for (struct generation_hook *hook = is_new ? redis->hooks : NULL; hook; hook = hook->next)
		hook->changed(hook->arg);
}

static void take_greeting(struct redis *redis, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR)
		lose(redis, "redis does not let us in", str_of(reply->str, reply->len));
	else if (--redis->greetings > 0)
		return;
	else if (read_run_id(redis, redis_reply_str(reply)))
		become_ready(redis);
	else
		lose(redis, "redis does not let us in", STR("INFO has no run_id"));
}

static void take_reply(struct redis *redis, const redisReply *reply)
{
	if (redis->state == REDIS_GREETING)
		take_greeting(redis, reply);
	else if (list_is_empty(&redis->pipeline.sent))
		lose(redis, "connection to redis was lost", STR("an answer that nobody asked for"));
	else
		take_answer(redis, reply);
}

static void read_replies(struct redis *redis, const struct link *link)
{
	void *reply = NULL;

	/* Whoever gets an answer may close the client. */
	while (!link->is_given_up) {
		if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK) {
			lose(redis, "connection to redis was lost", str_from(redis->reader->errstr));
			return;
		}
		if (!reply)
			break;
		take_reply(redis, reply);
		freeReplyObject(reply);
	}
	if (link->is_given_up || redis->state != REDIS_READY || !list_is_empty(&redis->pipeline.sent))
		return;
	if (redis->is_stale)
		lose(redis, "connection to redis is made anew", STR("the server became a replica"));
	else if (!list_is_empty(&redis->unknown))
		call_again(redis);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct link *link = handle->data;
	(void)suggested;

	*buf = uv_buf_init(link->owner->read_buffer, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct link *link = stream->data;
	struct redis *redis = link->owner;

	if (link->is_given_up || len == 0)
		return;
	if (len < 0) {
		lose(redis, "connection to redis was lost", str_from(uv_strerror((int)len)));
		return;
	}
	redisReaderFeed(redis->reader, buf->base, (size_t)len);
	read_replies(redis, link);
}

/* ---- up and down ---- */

static void handle_gone(struct redis *redis)
{
	redis->open_handles--;
	if (redis->open_handles > 0 || !redis->is_closing)
		return;
	for (struct generation_hook *next, *hook = redis->hooks; hook; hook = next) {
		next = hook->next;
		mem_free(hook);
	}
	void (*closed)(void *arg) = redis->closed;
	void *arg = redis->closed_arg;
	redis_uri_release(&redis->uri);
	mem_free(redis->read_buffer);
	mem_free(redis);
	if (closed)
		closed(arg);
}

static void put_greeting(struct redis *redis, const struct str *args, unsigned count)
{
	const struct redis_args pieces[] = { { args, count } };
	struct redis_command *command = redis_command_new(pieces, ARRAY_LEN(pieces));

	buf_append(&redis->link->out, command->bytes, command->len);
	mem_free(command);
	redis->greetings++;
}

static void greet(struct redis *redis)
{
	const struct redis_uri *uri = &redis->uri;
	char db[DECIMAL_SIZE];

	redis->state = REDIS_GREETING;
	redis->greetings = 0;
	if (uri->user.len)
		put_greeting(redis, (struct str[]){ STR("AUTH"), buf_str(&uri->user), buf_str(&uri->password) }, 3);
	else if (uri->password.len)
		put_greeting(redis, (struct str[]){ STR("AUTH"), buf_str(&uri->password) }, 2);
	if (uri->db)
		put_greeting(redis, (struct str[]){ STR("SELECT"), decimal(db, uri->db) }, 2);
	put_greeting(redis, (struct str[]){ STR("PING") }, 1);
	put_greeting(redis, (struct str[]){ STR("INFO"), STR("server") }, 2);
	(void)write_out(redis->link);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct link *link = container_of(connect, struct link, connect);
	struct redis *redis = link->owner;

	if (link->is_given_up)
		return;
	if (status < 0) {
		lose(redis, "connect to redis failed", str_from(uv_strerror(status)));
		return;
	}
	redis->reader = redisReaderCreate();
	assert(redis->reader);
	redis->reader->maxbuf = 4 * READ_SIZE;
	uv_tcp_nodelay(&link->tcp, 1);
	uv_tcp_keepalive(&link->tcp, 1, KEEPALIVE_S);
	uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read);
	greet(redis);
}

/* A name may have several addresses: each try takes the next one. */
static const struct addrinfo *choose(const struct addrinfo *addresses, unsigned try)
{
	const struct addrinfo *chosen = addresses;

	for (unsigned i = 0; i < try; i++)
		chosen = chosen->ai_next ? chosen->ai_next : addresses;
	return chosen;
}

static void connect_to(struct redis *redis, const struct addrinfo *address)
{
	struct link *link = MEM_NEW(struct link);

	link->owner = redis;
	uv_tcp_init(&redis->worker->loop, &link->tcp); /* makes no socket yet: never fails */
	link->tcp.data = link;
	redis->open_handles++;
	redis->link = link;
	redis->state = REDIS_CONNECTING;
	int error = uv_tcp_connect(&link->connect, &link->tcp, address->ai_addr, on_connected);
	if (error)
		lose(redis, "connect to redis failed", str_from(uv_strerror(error)));
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct lookup *lookup = container_of(request, struct lookup, request);
	struct redis *redis = lookup->owner;

	if (!lookup->is_given_up) {
		redis->lookup = NULL;
		if (status == 0)
			connect_to(redis, choose(addresses, redis->failures));
		else
			lose(redis, "connect to redis failed", str_from(uv_strerror(status)));
	}
	uv_freeaddrinfo(addresses);
	mem_free(lookup);
	handle_gone(redis);
}

static void connect_now(struct redis *redis)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct lookup *lookup = MEM_NEW(struct lookup);

	worker_arm(redis->worker, &redis->timer, clock_mono_ms() + CONNECT_TIMEOUT_MS);
	lookup->owner = redis;
	redis->state = REDIS_RESOLVING;
	int error = uv_getaddrinfo(&redis->worker->loop, &lookup->request, on_resolved, redis->uri.host, redis->uri.port, &hints);
	if (error) {
		mem_free(lookup);
		lose(redis, "connect to redis failed", str_from(uv_strerror(error)));
		return;
	}
	redis->lookup = lookup;
	redis->open_handles++;
}

static void on_link_closed(uv_handle_t *handle)
{
	struct link *link = handle->data;
	struct redis *redis = link->owner;

	buf_release(&link->out);
	mem_free(link);
	handle_gone(redis);
}

/* Everything a connection has is given back; it is down then. */
static void tear_down(struct redis *redis)
{
	if (redis->lookup)
		redis->lookup->is_given_up = true;
	redis->lookup = NULL;
	if (redis->link) {
		redis->link->is_given_up = true;
		uv_close((uv_handle_t *)&redis->link->tcp, on_link_closed);
	}
	redis->link = NULL;
	if (redis->reader)
		redisReaderFree(redis->reader);
	redis->reader = NULL;
	redis->run_id[0] = '\0';
	redis->is_stale = false;
	redis->state = REDIS_DOWN;
	worker_cancel(redis->worker, &redis->timer);
	/* Certainly not executed: they go on waiting. */
	pipeline_put_back(&redis->pipeline, &redis->unknown);
}

static bool is_power_of_two(unsigned n)
{
	return (n & (n - 1)) == 0;
}

static void lose(struct redis *redis, const char *event, struct str reason)
{
	/* A server that stays away need not be told of every second. */
	if (is_power_of_two(++redis->failures))
		log_warn(event, LOG_TEXT("host", redis->uri.host), LOG_TEXT("port", redis->uri.port), LOG_STR("reason", reason),
		         LOG_NUM("failures", redis->failures));
	tear_down(redis);
	worker_arm(redis->worker, &redis->timer, clock_mono_ms() + backoff_next_ms(&redis->backoff));
	pipeline_lose(&redis->pipeline);
}

static void on_timer(struct timer *timer)
{
	struct redis *redis = container_of(timer, struct redis, timer);

	if (redis->state == REDIS_DOWN)
		connect_now(redis);
	else
		lose(redis, "connect to redis failed", STR("it took too long"));
}

static void on_stalled(struct pipeline *pipeline)
{
	lose(container_of(pipeline, struct redis, pipeline), "connection to redis was lost", STR("no answer in time"));
}

/* ---- the client ---- */

err_t redis_new(struct redis **out, struct worker *worker, const struct redis_options *options)
{
	struct redis *redis = MEM_NEW(struct redis);

	if (!redis_uri_parse(&redis->uri, str_from(options->uri))) {
		log_error("this is no redis URI: redis://[[user]:password@]host[:port][/db]");
		mem_free(redis);
		return ERR_BAD_CONFIG;
	}
	redis->worker = worker;
	redis->read_buffer = mem_alloc(READ_SIZE);
	requests_init(&redis->requests, worker, options->max_waiting, options->timeout_ms);
	redis->requests.end = end_command;
	redis->requests.free = free_command;
	pipeline_init(&redis->pipeline, &redis->requests, on_stalled);
	list_init(&redis->unknown);
	backoff_init(&redis->backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
	timer_init(&redis->timer, on_timer);
	uv_prepare_init(&worker->loop, &redis->before_poll);
	uv_check_init(&worker->loop, &redis->after_poll);
	redis->before_poll.data = redis->after_poll.data = redis;
	uv_prepare_start(&redis->before_poll, on_before_poll);
	uv_check_start(&redis->after_poll, on_after_poll);
	redis->open_handles = 3; /* these two and that of the requests */
	connect_now(redis);
	*out = redis;
	return OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
	handle_gone(handle->data);
}

static void on_requests_closed(uv_handle_t *handle)
{
	struct requests *requests = handle->data;

	handle_gone(container_of(requests, struct redis, requests));
}

void redis_close(struct redis *redis, void (*closed)(void *arg), void *arg)
{
	assert(!redis->is_closing);
	redis->is_closing = true;
	redis->closed = closed;
	redis->closed_arg = arg;
	tear_down(redis);
	pipeline_close(&redis->pipeline);
	requests_close(&redis->requests, on_requests_closed);
	uv_close((uv_handle_t *)&redis->before_poll, on_handle_closed);
	uv_close((uv_handle_t *)&redis->after_poll, on_handle_closed);
}

const char *redis_generation(const struct redis *redis)
{
	return redis->state == REDIS_READY ? redis->run_id : "";
}

void redis_on_new_generation(struct redis *redis, void (*changed)(void *arg), void *arg)
{
	struct generation_hook *hook = MEM_NEW(struct generation_hook);

	*hook = (struct generation_hook){ .next = redis->hooks, .changed = changed, .arg = arg };
	redis->hooks = hook;
}

bool redis_is_connected(const struct redis *redis)
{
	return redis->state == REDIS_READY;
}

unsigned redis_waiting(const struct redis *redis)
{
	return redis->requests.open;
}

struct str redis_reply_str(const redisReply *reply)
{
	if (reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS))
		return str_of(reply->str, reply->len);
	return (struct str){ NULL, 0 };
}
