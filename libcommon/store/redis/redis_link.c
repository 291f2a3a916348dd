#include "store/redis/redis_link.h"

#include <assert.h>

#include "base/mem.h"
#include "base/text/decimal.h"
#include "store/redis/redis_command.h"
#include "store/redis/redis_reply.h"

/*
 * Replies are parsed by hiredis's reader. Its asynchronous client is not used: it resolves names on the loop, and it cannot
 * hold commands back.
 *
 * The greeting is AUTH, SELECT, PING and INFO in one write. The server refuses PING while it loads its data. The answer to
 * INFO has the run_id.
 */

#define KEEPALIVE_S 30
#define READ_SIZE 65536

struct redis_link {
	struct worker *worker;
	const struct redis_uri *uri;
	const struct redis_link_handlers *handlers;
	void *arg;
	uv_getaddrinfo_t lookup;
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	redisReader *reader;
	struct buf out;
	char *in;
	unsigned try;
	unsigned greetings; /* answers to the greeting that have not come yet */
	bool is_looking_up, is_writing, is_closing, has_failed;
	bool is_tcp_open;
	char run_id[RUN_ID_LEN + 1];
};

static void link_fail(struct redis_link *link, const char *event, struct str reason)
{
	if (link->has_failed || link->is_closing)
		return;
	link->has_failed = true;
	link->handlers->failed(link->arg, event, reason);
}

static void link_fail_uv(struct redis_link *link, const char *event, int error)
{
	link_fail(link, event, str_from(uv_strerror(error)));
}

/* ---- writing ---- */

static void link_on_written(uv_write_t *write, int status)
{
	struct redis_link *link = container_of(write, struct redis_link, write);

	link->is_writing = false;
	buf_clear(&link->out);
	if (status < 0)
		link_fail_uv(link, "connection to redis was lost", status);
	else if (!link->is_closing)
		link->handlers->written(link->arg);
}

struct buf *redis_link_out(struct redis_link *link)
{
	return &link->out;
}

bool redis_link_is_writing(const struct redis_link *link)
{
	return link->is_writing;
}

bool redis_link_write(struct redis_link *link)
{
	uv_stream_t *stream = (uv_stream_t *)&link->tcp;
	uv_buf_t rest = uv_buf_init(link->out.ptr, (unsigned)link->out.len);
	int written = uv_try_write(stream, &rest, 1);

	if (written == (int)link->out.len) {
		buf_clear(&link->out);
		return true;
	}
	/* If the socket failed, uv_write() meets the same error and link_on_written() gets it. */
	written = MAX(written, 0);
	rest = uv_buf_init(link->out.ptr + written, (unsigned)link->out.len - (unsigned)written);
	link->is_writing = true;
	uv_write(&link->write, stream, &rest, 1, link_on_written);
	return false;
}

/* ---- reading ---- */

static bool link_read_run_id(struct redis_link *link, struct str rest)
{
	while (rest.ptr) {
		struct str line = str_cut(&rest, '\n');
		struct str value = line;
		if (!str_equal(str_cut(&value, ':'), STR("run_id")))
			continue;
		value = str_cut(&value, '\r');
		return value.len == RUN_ID_LEN && str_copy(link->run_id, sizeof(link->run_id), value);
	}
	return false;
}

static void link_take_greeting(struct redis_link *link, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR)
		link_fail(link, "redis refused the greeting", str_of(reply->str, reply->len));
	else if (--link->greetings > 0)
		return;
	else if (link_read_run_id(link, redis_reply_str(reply)))
		link->handlers->ready(link->arg);
	else
		link_fail(link, "redis refused the greeting", STR("INFO has no run_id"));
}

static void link_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct redis_link *link = handle->data;
	(void)suggested;

	*buf = uv_buf_init(link->in, READ_SIZE);
}

static void link_on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct redis_link *link = stream->data;
	void *reply = NULL;

	if (len < 0)
		link_fail_uv(link, "connection to redis was lost", (int)len);
	if (len <= 0)
		return;
	redisReaderFeed(link->reader, buf->base, (size_t)len);
	while (!link->is_closing) {
		if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
			link_fail(link, "connection to redis was lost", str_from(link->reader->errstr));
			return;
		}
		if (!reply)
			break;
		if (link->greetings > 0)
			link_take_greeting(link, reply);
		else
			link->handlers->reply(link->arg, reply);
		freeReplyObject(reply);
	}
	if (!link->is_closing && link->greetings == 0)
		link->handlers->read(link->arg);
}

/* ---- connecting ---- */

static void link_put_greeting(struct redis_link *link, const struct str *args, unsigned count)
{
	const struct redis_args pieces[] = { { args, count } };
	struct redis_command *command = redis_command_new(pieces, ARRAY_LEN(pieces));

	buf_append(&link->out, command->bytes, command->len);
	mem_free(command);
	link->greetings++;
}

static void link_on_connected(uv_connect_t *connect, int status)
{
	struct redis_link *link = container_of(connect, struct redis_link, connect);
	const struct redis_uri *uri = link->uri;
	char db[DECIMAL_SIZE];

	if (status < 0) {
		link_fail_uv(link, "connect to redis failed", status);
		return;
	}
	if (link->is_closing)
		return;
	uv_tcp_nodelay(&link->tcp, 1);
	uv_tcp_keepalive(&link->tcp, 1, KEEPALIVE_S);
	uv_read_start((uv_stream_t *)&link->tcp, link_on_alloc, link_on_read);
	if (uri->user.len)
		link_put_greeting(link, (struct str[]){ STR("AUTH"), buf_str(&uri->user), buf_str(&uri->password) }, 3);
	else if (uri->password.len)
		link_put_greeting(link, (struct str[]){ STR("AUTH"), buf_str(&uri->password) }, 2);
	if (uri->db)
		link_put_greeting(link, (struct str[]){ STR("SELECT"), decimal(db, uri->db) }, 2);
	link_put_greeting(link, (struct str[]){ STR("PING") }, 1);
	link_put_greeting(link, (struct str[]){ STR("INFO"), STR("server") }, 2);
	(void)redis_link_write(link);
}

/* Each try uses the next address of the name. */
static const struct addrinfo *link_choose(const struct addrinfo *addresses, unsigned try)
{
	const struct addrinfo *chosen = addresses;

	for (unsigned i = 0; i < try; i++)
		chosen = chosen->ai_next ? chosen->ai_next : addresses;
	return chosen;
}

static void link_free_if_gone(struct redis_link *link)
{
	void (*closed)(void *arg) = link->handlers->closed;
	void *arg = link->arg;

	if (link->is_looking_up || link->is_tcp_open)
		return;
	redisReaderFree(link->reader);
	buf_release(&link->out);
	mem_free(link->in);
	mem_free(link);
	closed(arg);
}

static void link_on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *addresses)
{
	struct redis_link *link = container_of(lookup, struct redis_link, lookup);

	link->is_looking_up = false;
	if (!link->is_closing && status == 0)
		status = uv_tcp_connect(&link->connect, &link->tcp, link_choose(addresses, link->try)->ai_addr, link_on_connected);
	uv_freeaddrinfo(addresses);
	if (status < 0)
		link_fail_uv(link, "connect to redis failed", status);
	link_free_if_gone(link);
}

struct redis_link *redis_link_new(struct worker *worker, const struct redis_uri *uri, unsigned try,
                                  const struct redis_link_handlers *handlers, void *arg)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct redis_link *link = MEM_NEW(struct redis_link);

	link->worker = worker;
	link->uri = uri;
	link->handlers = handlers;
	link->arg = arg;
	link->try = try;
	link->in = mem_alloc(READ_SIZE);
	link->reader = redisReaderCreate();
	assert(link->reader);
	link->reader->maxbuf = 4 * READ_SIZE;
	uv_tcp_init(&worker->loop, &link->tcp); /* makes no socket yet: never fails */
	link->tcp.data = link;
	link->is_tcp_open = true;
	/* Cannot fail for a parsed URI; if it did, the owner's connect timeout would end the link. */
	link->is_looking_up = uv_getaddrinfo(&worker->loop, &link->lookup, link_on_looked_up, uri->host, uri->port, &hints) == 0;
	return link;
}

static void link_on_tcp_closed(uv_handle_t *handle)
{
	struct redis_link *link = handle->data;

	link->is_tcp_open = false;
	link_free_if_gone(link);
}

void redis_link_close(struct redis_link *link)
{
	assert(!link->is_closing);
	link->is_closing = true;
	uv_close((uv_handle_t *)&link->tcp, link_on_tcp_closed);
}

const char *redis_link_run_id(const struct redis_link *link)
{
	return link->run_id;
}
