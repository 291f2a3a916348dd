#include "rpc_fixture.h"

#include <assert.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "servers.h"

/* Suppressions of leaks in libraries: c-ares 1.18 leaks the name that it finds in /etc/hosts. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libcares";
}

uint64_t now_ms(void)
{
	return clock_mono_ms();
}

void tally_init(struct tally *tally)
{
	uv_mutex_init(&tally->lock);
	uv_cond_init(&tally->changed);
	tally->count = 0;
}

void tally_release(struct tally *tally)
{
	uv_cond_destroy(&tally->changed);
	uv_mutex_destroy(&tally->lock);
}

void tally_add(struct tally *tally, uint64_t n)
{
	uv_mutex_lock(&tally->lock);
	tally->count += n;
	uv_cond_broadcast(&tally->changed);
	uv_mutex_unlock(&tally->lock);
}

uint64_t tally_now(struct tally *tally)
{
	uv_mutex_lock(&tally->lock);
	uint64_t count = tally->count;
	uv_mutex_unlock(&tally->lock);
	return count;
}

bool tally_reach(struct tally *tally, uint64_t count)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	uv_mutex_lock(&tally->lock);
	while (tally->count < count && now_ms() < end)
		uv_cond_timedwait(&tally->changed, &tally->lock, (end - now_ms()) * 1000000);
	bool is_reached = tally->count >= count;
	uv_mutex_unlock(&tally->lock);
	return is_reached;
}

bool becomes_true(bool (*is_so)(const void *arg), const void *arg, uint64_t within_ms)
{
	uint64_t end = now_ms() + within_ms;

	while (!is_so(arg)) {
		if (now_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}

struct errand {
	struct task task;
	void (*fn)(void *arg);
	void *arg;
	uv_sem_t done;
};

static void run_errand(struct task *task)
{
	struct errand *errand = container_of(task, struct errand, task);

	errand->fn(errand->arg);
	uv_sem_post(&errand->done);
}

void run_on(struct worker *worker, void (*fn)(void *arg), void *arg)
{
	struct errand errand = { .task.run = run_errand, .fn = fn, .arg = arg };

	uv_sem_init(&errand.done, 0);
	worker_post(worker, &errand.task);
	uv_sem_wait(&errand.done);
	uv_sem_destroy(&errand.done);
}

static void stop_worker(void *arg)
{
	worker_stop(arg);
}

static void end_worker(struct worker *worker)
{
	/* Not run_on(): its last touch would race with the end of the loop. */
	struct errand errand = { .task.run = run_errand, .fn = stop_worker, .arg = worker };

	uv_sem_init(&errand.done, 0);
	worker_post(worker, &errand.task);
	worker_join(worker);
	uv_sem_destroy(&errand.done);
}

static void echo(struct rpc_call *call, struct str request, void *arg)
{
	struct test_server *server = arg;

	tally_add(&server->calls, 1);
	rpc_reply(call, request);
}

static void reply_error(struct rpc_call *call, struct str request, void *arg)
{
	char name[64];
	err_t err = OK;
	(void)arg;

	if (str_copy(name, sizeof(name), request))
		for (unsigned i = 1; i < ERR_COUNT; i++)
			if (str_equal(request, str_from(err_name((err_t)i))))
				err = (err_t)i;
	rpc_reply_error(call, err ? err : ERR_INVALID_ARGUMENT, name);
}

static void keep(struct rpc_call *call, struct str request, void *arg)
{
	struct test_server *server = arg;
	(void)request;

	assert(server->kept_count < KEPT_MAX);
	server->kept[server->kept_count++] = call;
	tally_add(&server->calls, 1);
}

static void trace(struct rpc_call *call, struct str request, void *arg)
{
	(void)request;
	(void)arg;
	rpc_reply(call, rpc_call_traceparent(call));
}

static void echo_message(struct rpc_stream *stream, struct str message, void *arg)
{
	(void)arg;
	err_t err = rpc_stream_send(stream, message);
	(void)err; /* tests that need the answers count them */
}

static const struct rpc_stream_handlers echo_handlers = { .message = echo_message };

static void given_opened(struct rpc_stream *stream, void *arg)
{
	struct test_server *server = arg;

	if (server->given && server->given->opened)
		server->given->opened(stream, server->given_arg);
}

static void given_message(struct rpc_stream *stream, struct str message, void *arg)
{
	struct test_server *server = arg;

	if (server->given && server->given->message)
		server->given->message(stream, message, server->given_arg);
}

static void given_closed(struct rpc_stream *stream, err_t err, void *arg)
{
	struct test_server *server = arg;

	if (server->given && server->given->closed)
		server->given->closed(stream, err, server->given_arg);
}

static const struct rpc_stream_handlers given_handlers = {
	.opened = given_opened,
	.message = given_message,
	.closed = given_closed,
};

static const struct rpc_method methods[] = {
	{ .path = UNARY_ECHO, .thread = RPC_ON_QUEUE, .unary = echo },
	{ .path = UNARY_ON_LOOP, .thread = RPC_ON_LOOP, .unary = echo },
	{ .path = UNARY_FAIL, .thread = RPC_ON_LOOP, .unary = reply_error },
	{ .path = UNARY_KEEP, .thread = RPC_ON_LOOP, .unary = keep },
	{ .path = UNARY_TRACE, .thread = RPC_ON_LOOP, .unary = trace },
	{ .path = STREAM_ECHO, .thread = RPC_ON_LOOP, .stream = &echo_handlers },
	{ .path = STREAM_QUICK, .thread = RPC_ON_QUEUE, .stream = &echo_handlers },
	{ .path = STREAM_GIVEN, .thread = RPC_ON_LOOP, .stream = &given_handlers },
};

unsigned rpc_port(unsigned i)
{
	static unsigned first;

	assert(i < RPC_PORTS);
	if (!first)
		first = real_server_free_ports(RPC_PORTS);
	return first + i;
}

const char *rpc_target(unsigned i)
{
	static char targets[RPC_PORTS][32];

	snprintf(targets[i], sizeof(targets[i]), "127.0.0.1:%u", rpc_port(i));
	return targets[i];
}

static void new_server(void *arg)
{
	struct test_server *server = arg;
	const struct rpc_server_options options = {
		.listen = server->listen,
		.methods = methods,
		.method_count = ARRAY_LEN(methods),
		.arg = server,
		.max_message = server->max_message,
		.descriptor_set = server->descriptor_set,
	};

	server->start_err = rpc_server_new(&server->rpc, &server->worker, &options);
}

void server_start(struct test_server *server, unsigned port)
{
	snprintf(server->listen, sizeof(server->listen), "127.0.0.1:%u", port);
	server->is_closing = false;
	tally_init(&server->calls);
	tally_init(&server->closed);
	assert_int_equal(worker_init(&server->worker, "test-server"), OK);
	assert_int_equal(worker_start(&server->worker), OK);
	run_on(&server->worker, new_server, server);
	assert_int_equal(server->start_err, OK);
}

static void count(void *arg)
{
	tally_add(arg, 1);
}

struct closing {
	struct test_server *server;
	uint64_t grace_ms;
};

static void close_server(void *arg)
{
	struct closing *closing = arg;

	rpc_server_close(closing->server->rpc, closing->grace_ms, count, &closing->server->closed);
}

void server_close(struct test_server *server, uint64_t grace_ms)
{
	struct closing closing = { server, grace_ms };

	server->is_closing = true;
	run_on(&server->worker, close_server, &closing);
}

static void reply_kept(void *arg)
{
	struct test_server *server = arg;

	while (server->kept_count > 0)
		rpc_reply(server->kept[--server->kept_count], STR("kept"));
}

void server_reply_kept(struct test_server *server)
{
	run_on(&server->worker, reply_kept, server);
}

void server_join(struct test_server *server)
{
	assert_true(tally_reach(&server->closed, 1));
	end_worker(&server->worker);
	tally_release(&server->calls);
	tally_release(&server->closed);
}

void server_stop(struct test_server *server)
{
	if (!server->is_closing) /* a test that failed may have begun */
		server_close(server, 0);
	server_join(server);
}

void client_start(struct test_client *client, const char *targets)
{
	tally_init(&client->closed);
	assert_int_equal(worker_init(&client->worker, "test-client"), OK);
	assert_int_equal(worker_start(&client->worker), OK);
	assert_int_equal(rpc_client_new(&client->rpc), OK);
	assert_int_equal(rpc_channel_new(&client->channel, client->rpc, targets), OK);
}

void client_stop(struct test_client *client)
{
	if (client->channel)
		rpc_channel_close(client->channel);
	rpc_client_close(client->rpc, &client->worker, count, &client->closed);
	assert_true(tally_reach(&client->closed, 1));
	end_worker(&client->worker);
	tally_release(&client->closed);
}

static bool is_up(const void *arg)
{
	return rpc_channel_is_up(arg);
}

void client_wait_up(struct test_client *client)
{
	assert_true(becomes_true(is_up, client->channel, PATIENCE_MS));
}

static void on_done(void *arg, err_t err, struct str response, const char *detail)
{
	struct outcome *out = arg;
	uv_thread_t self = uv_thread_self();
	size_t shown = MIN(response.len, sizeof(out->text) - 1);

	out->err = err;
	snprintf(out->detail, sizeof(out->detail), "%s", detail);
	if (shown > 0)
		memcpy(out->text, response.ptr, shown);
	out->text[shown] = '\0';
	out->len = response.len;
	out->is_on_worker = uv_thread_equal(&self, &out->worker->thread);
	tally_add(&out->done, 1);
}

void call_start(struct test_client *client, const char *path, struct str request, uint64_t timeout_ms,
                bool wait_for_ready, struct outcome *out)
{
	*out = (struct outcome){ .worker = &client->worker };
	tally_init(&out->done);
	rpc_call(client->channel, &client->worker, path, request, timeout_ms, wait_for_ready, (struct str){ 0 }, on_done, out);
}

void outcome_wait(struct outcome *out)
{
	assert_true(tally_reach(&out->done, 1));
	tally_release(&out->done);
}

void call(struct test_client *client, const char *path, struct str request, uint64_t timeout_ms, struct outcome *out)
{
	call_start(client, path, request, timeout_ms, true, out);
	outcome_wait(out);
}

#define PROCESS_WORD "serve"

/* argv: program, "serve", port, descriptor of the pipe that ends with the test, one to tell that it is up. */
bool process_main(int argc, char **argv)
{
	struct test_server server = { 0 };
	char byte;

	if (argc != 5 || strcmp(argv[1], PROCESS_WORD) != 0)
		return false;
	server_start(&server, (unsigned)strtoul(argv[2], NULL, 10));
	int told = (int)strtol(argv[4], NULL, 10);
	if (write(told, "", 1) == 1 && read((int)strtol(argv[3], NULL, 10), &byte, 1) == 0)
		server_stop(&server);
	return true;
}

void process_start(struct process *process, unsigned port)
{
	char number[16], life_text[16], told_text[16], self[256], byte;
	int life[2], told[2];
	ssize_t self_len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(self_len > 0);
	self[self_len] = '\0';
	assert_int_equal(pipe2(life, O_CLOEXEC), 0);
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	fcntl(life[0], F_SETFD, 0);
	fcntl(told[1], F_SETFD, 0);
	snprintf(number, sizeof(number), "%u", port);
	snprintf(life_text, sizeof(life_text), "%d", life[0]);
	snprintf(told_text, sizeof(told_text), "%d", told[1]);
	char *argv[] = { self, (char[]){ PROCESS_WORD }, number, life_text, told_text, NULL };

	assert_int_equal(posix_spawn(&process->pid, self, NULL, NULL, argv, environ), 0);
	close(life[0]);
	close(told[1]);
	process->life = life[1];
	assert_int_equal(read(told[0], &byte, 1), 1); /* it listens */
	close(told[0]);
}

void process_signal(const struct process *process, int signal)
{
	assert_int_equal(kill(process->pid, signal), 0);
}

void process_kill(struct process *process)
{
	int status;

	process_signal(process, SIGKILL);
	assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
	close(process->life);
}

size_t resident_bytes(void)
{
	size_t pages = 0, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%zu %zu", &pages, &resident), 2);
	fclose(statm);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}
