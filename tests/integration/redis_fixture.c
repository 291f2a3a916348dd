#include "redis_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cluster/push_load.h"

#define ARGS_MAX 12

struct real_server redis_fixture_server = { .kind = REAL_REDIS };

int redis_fixture_make_server(void **state)
{
	(void)state;
	real_server_make(&redis_fixture_server);
	return 0;
}

int redis_fixture_remove_server(void **state)
{
	(void)state;
	real_server_remove(&redis_fixture_server);
	return 0;
}

static void note_reply(struct redis_call *call, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_INTEGER) {
		call->number = reply->integer;
	} else if (reply->str) {
		call->text_len = MIN(reply->len, sizeof(call->text) - 1);
		memcpy(call->text, reply->str, call->text_len);
	}
}

static void on_done(void *arg, err_t err, const redisReply *reply)
{
	struct redis_call *call = arg;

	assert_false(call->has_ended);
	assert_false(call->fixture->is_in_call);
	assert_true(err != OK || reply);
	call->has_ended = true;
	call->err = err;
	call->turn = call->fixture->ended++;
	call->fixture->ended_with[err]++;
	if (reply)
		note_reply(call, reply);
}

void redis_fixture_open_uri(struct redis_fixture *f, const char *uri, unsigned max_waiting)
{
	*f = (struct redis_fixture){ .waiting = metrics_gauge("test_redis_waiting", "Commands that are not answered.", NULL) };
	const struct redis_options options = {
		.uri = uri,
		.max_waiting = max_waiting,
		.waiting_gauge = f->waiting,
		.timeout_ms = REDIS_TIMEOUT_MS,
	};
	assert_int_equal(worker_init(&f->worker, "test"), OK);
	assert_int_equal(redis_new(&f->redis, &f->worker, &options), OK);
}

void redis_fixture_open(struct redis_fixture *f, const struct real_server *server, unsigned max_waiting)
{
	redis_fixture_open_uri(f, server->uri, max_waiting);
}

void redis_fixture_open_empty(struct redis_fixture *f, unsigned max_waiting)
{
	redis_fixture_open(f, &redis_fixture_server, max_waiting);
	redis_fixture_run(f, "FLUSHALL", NULL);
}

void redis_fixture_close(struct redis_fixture *f)
{
	bool is_closed = false;

	redis_close(f->redis, note_closed, &is_closed);
	assert_false(is_closed);
	turn_until_true(&f->worker, &is_closed);
	assert_int_equal(f->ended, f->given);
	end_worker(&f->worker);
}

void redis_fixture_give(struct redis_fixture *f, struct redis_call *call, const struct str *args, unsigned count)
{
	call->fixture = f;
	f->given++;
	f->is_in_call = true;
	redis_command(f->redis, args, count, on_done, call);
	f->is_in_call = false;
}

static void give_texts(struct redis_fixture *f, struct redis_call *call, va_list texts)
{
	struct str args[ARGS_MAX];
	unsigned count = 0;
	const char *text;

	while ((text = va_arg(texts, const char *)))
		args[count++] = str_from(text);
	redis_fixture_give(f, call, args, count);
}

void redis_fixture_command(struct redis_fixture *f, struct redis_call *call, ...)
{
	va_list texts;

	va_start(texts, call);
	give_texts(f, call, texts);
	va_end(texts);
}

void redis_fixture_eval(struct redis_fixture *f, struct redis_call *call, struct redis_script *script,
                        const struct str *keys, unsigned key_count, const struct str *args, unsigned arg_count)
{
	call->fixture = f;
	f->given++;
	f->is_in_call = true;
	redis_eval(f->redis, script, keys, key_count, args, arg_count, on_done, call);
	f->is_in_call = false;
}

void redis_fixture_turn(struct redis_fixture *f)
{
	turn_until_count(&f->worker, &f->ended, f->given);
}

static bool is_up(void *redis)
{
	return redis_is_connected(redis);
}

static bool is_down(void *redis)
{
	return !redis_is_connected(redis);
}

void redis_fixture_await_up(struct redis_fixture *f)
{
	turn_until(&f->worker, is_up, f->redis);
}

void redis_fixture_await_down(struct redis_fixture *f)
{
	turn_until(&f->worker, is_down, f->redis);
}

void redis_fixture_run(struct redis_fixture *f, ...)
{
	struct redis_call call = { .fixture = NULL };
	va_list texts;

	va_start(texts, f);
	give_texts(f, &call, texts);
	va_end(texts);
	redis_fixture_turn(f);
	assert_int_equal(call.err, OK);
}

int64_t redis_fixture_number(struct redis_fixture *f, const char *command, const char *key)
{
	struct redis_call call = { .fixture = NULL };

	redis_fixture_command(f, &call, command, key, NULL);
	redis_fixture_turn(f);
	assert_int_equal(call.err, OK);
	return call.number;
}

struct load_reading {
	struct redis_fixture *fixture;
	err_t err;
	unsigned wait_ms;
};

static void on_load_read(void *arg, err_t err, unsigned wait_ms)
{
	struct load_reading *reading = arg;

	reading->err = err;
	reading->wait_ms = wait_ms;
	reading->fixture->ended++;
}

unsigned redis_fixture_push_load(struct redis_fixture *f)
{
	struct load_reading reading = { .fixture = f };

	f->given++;
	push_load_read(f->redis, on_load_read, &reading);
	redis_fixture_turn(f);
	assert_int_equal(reading.err, OK);
	return reading.wait_ms;
}
