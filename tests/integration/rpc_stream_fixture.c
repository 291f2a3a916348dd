#include "rpc_stream_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"

static void end_init(struct end *end)
{
	*end = (struct end){ 0 };
	tally_init(&end->opened);
	tally_init(&end->closed);
	tally_init(&end->messages);
	tally_init(&end->bytes);
}

static void end_release(struct end *end)
{
	tally_release(&end->opened);
	tally_release(&end->closed);
	tally_release(&end->messages);
	tally_release(&end->bytes);
}

void end_opened(struct rpc_stream *stream, void *arg)
{
	struct end *end = arg;

	atomic_store(&end->stream, stream);
	tally_add(&end->opened, 1);
}

void end_message(struct rpc_stream *stream, struct str message, void *arg)
{
	struct end *end = arg;
	(void)stream;

	if (end->gate) {
		uv_sem_wait(end->gate);
		uv_sem_post(end->gate);
	}
	if (end->collect)
		buf_append_str(end->collect, message);
	tally_add(&end->messages, 1);
	tally_add(&end->bytes, message.len);
}

void end_closed(struct rpc_stream *stream, err_t err, void *arg)
{
	struct end *end = arg;
	(void)stream;

	atomic_store(&end->last_err, (int)err);
	tally_add(&end->closed, 1);
}

const struct rpc_stream_handlers end_handlers = { .opened = end_opened, .message = end_message, .closed = end_closed };

int pair_set_up(void **state)
{
	struct pair *pair = MEM_NEW(struct pair);

	end_init(&pair->near);
	end_init(&pair->far);
	pair->server.given = &end_handlers;
	pair->server.given_arg = &pair->far;
	server_start(&pair->server, rpc_port(0));
	client_start(&pair->client, rpc_target(0));
	*state = pair;
	return 0;
}

static void close_it(void *arg)
{
	rpc_stream_close(arg);
}

void pair_close(struct pair *pair, struct rpc_stream *stream)
{
	pair->open = NULL;
	run_on(&pair->client.worker, close_it, stream);
}

int pair_tear_down(void **state)
{
	struct pair *pair = *state;

	if (pair->open)
		pair_close(pair, pair->open);
	client_stop(&pair->client);
	if (pair->server.rpc)
		server_stop(&pair->server);
	end_release(&pair->near);
	end_release(&pair->far);
	mem_free(pair);
	return 0;
}

struct opening {
	struct pair *pair;
	const char *path;
	size_t max_queued;
	const struct rpc_stream_handlers *handlers;
	void *arg;
	struct rpc_stream *stream;
};

static void open_it(void *arg)
{
	struct opening *opening = arg;

	opening->stream = rpc_stream_open(opening->pair->client.channel, &opening->pair->client.worker, opening->path,
	                                  opening->handlers, opening->max_queued, opening->arg);
}

struct rpc_stream *pair_open(struct pair *pair, const char *path, size_t max_queued,
                             const struct rpc_stream_handlers *handlers, void *arg)
{
	struct opening opening = { pair, path, max_queued, handlers, arg, NULL };

	run_on(&pair->client.worker, open_it, &opening);
	pair->open = opening.stream;
	return opening.stream;
}

struct rpc_stream *pair_open_and_wait(struct pair *pair, const char *path, size_t max_queued)
{
	struct rpc_stream *stream = pair_open(pair, path, max_queued, &end_handlers, &pair->near);

	assert_true(tally_reach(&pair->near.opened, 1));
	return stream;
}

err_t send_when_up(struct rpc_stream *stream, struct str message)
{
	/* `opened` has been called, and may not have returned yet. */
	uint64_t end = now_ms() + PATIENCE_MS;
	err_t err;

	do
		err = rpc_stream_send(stream, message);
	while (err == ERR_CLOSED && now_ms() < end);
	return err;
}
