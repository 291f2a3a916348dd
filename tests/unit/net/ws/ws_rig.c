#include "ws_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "base/text/buf.h"
#include "base/ws/ws_frame.h"

#define PATIENCE_S 30

static const char *const subprotocols[] = { "skein.v1.json", "skein.v1.proto" };

static void count(struct rig *rig, unsigned *what)
{
	pthread_mutex_lock(&rig->lock);
	(*what)++;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
}

static void expect(struct rig *rig, bool holds, const char *what)
{
	pthread_mutex_lock(&rig->lock);
	if (!holds && !rig->wrong)
		rig->wrong = what;
	pthread_mutex_unlock(&rig->lock);
}

void rig_send(struct ws_conn *conn, bool is_binary, struct str message)
{
	unsigned char header[WS_HEADER_MAX];
	struct buf frame = { 0 };

	buf_append(&frame, header, ws_frame_header(header, is_binary ? WS_BINARY : WS_TEXT, message.len));
	buf_append_str(&frame, message);
	if (ws_write(conn, frame.ptr, frame.len) == OK)
		(void)ws_is_blocked(conn);
	buf_release(&frame);
}

static err_t on_accept(const struct ws_handshake *handshake, unsigned subprotocol, void *memory, const char **detail,
                       void *arg)
{
	static const char zeros[32];
	struct session *session = memory;
	struct rig *rig = arg;

	expect(rig, memcmp(session->untouched, zeros, sizeof(zeros)) == 0, "a session is not zeroed");
	expect(rig, ((uintptr_t)memory & 15) == 0, "a session is not aligned");
	err_t err = rig->accept ? rig->accept(rig, handshake, detail) : OK;
	if (err)
		return err;
	rig->last_subprotocol = subprotocol;
	str_copy(rig->last_address, sizeof(rig->last_address), handshake->address);
	count(rig, &rig->accepts);
	return OK;
}

static void on_opened(struct ws_conn *conn, void *memory, void *arg)
{
	struct session *session = memory;
	struct rig *rig = arg;

	expect(rig, session->opened++ == 0, "a connection is opened twice");
	expect(rig, ws_session(conn) == memory, "another session is given");
	expect(rig, ws_subprotocol(conn) == rig->last_subprotocol, "another subprotocol is told");
	expect(rig, str_equal(ws_address(conn), str_from(rig->last_address)), "another address is told");
	rig->last = conn;
	if (rig->opened)
		rig->opened(rig, conn);
	count(rig, &rig->openings);
}

static bool on_frames(struct ws_conn *conn, void *memory, unsigned frames, void *arg)
{
	struct rig *rig = arg;
	(void)memory;

	pthread_mutex_lock(&rig->lock);
	rig->frames += frames;
	bool may_go_on = !rig->max_frames || rig->frames <= rig->max_frames;
	pthread_mutex_unlock(&rig->lock);
	if (!may_go_on)
		ws_close(conn, 4006, "too many frames");
	return may_go_on;
}

static void on_message(struct ws_conn *conn, void *memory, bool is_binary, struct str message, void *arg)
{
	struct session *session = memory;
	struct rig *rig = arg;

	expect(rig, session->opened == 1 && session->closed == 0, "a message outside of its connection's life");
	if (rig->message)
		rig->message(rig, conn, is_binary, message);
	else
		rig_send(conn, is_binary, message);
	count(rig, &rig->messages);
}

static void on_alive(struct ws_conn *conn, void *memory, void *arg)
{
	struct session *session = memory;
	struct rig *rig = arg;
	(void)conn;

	expect(rig, session->opened == 1 && session->closed == 0, "a sign of life outside of its connection's life");
	count(rig, &rig->signs_of_life);
}

static void on_pong(struct ws_conn *conn, void *memory, struct str payload, void *arg)
{
	struct rig *rig = arg;
	(void)conn;
	(void)memory;

	str_copy(rig->last_pong, sizeof(rig->last_pong), payload);
	count(rig, &rig->pongs);
}

static void on_writable(struct ws_conn *conn, void *memory, void *arg)
{
	struct session *session = memory;
	struct rig *rig = arg;

	expect(rig, session->opened == 1 && session->closed == 0, "writable outside of its connection's life");
	expect(rig, !ws_is_blocked(conn), "a blocked connection is writable");
	if (rig->writable)
		rig->writable(rig, conn);
	count(rig, &rig->unblocked);
}

static void on_closed(struct ws_conn *conn, void *memory, uint16_t code, void *arg)
{
	struct session *session = memory;
	struct rig *rig = arg;

	expect(rig, session->closed++ == 0, "a connection is closed twice");
	if (rig->last == conn)
		rig->last = NULL;
	rig->last_code = code;
	count(rig, &rig->closings);
}

void rig_init(struct rig *rig)
{
	static const struct ws_server_options defaults = {
		.listen = "127.0.0.1:0",
		.path = "/ws",
		.subprotocols = subprotocols,
		.subprotocol_count = 2,
		.session_size = sizeof(struct session),
		.max_message = 16384,
		.max_handshakes_per_address = 1000,
		.handshake_timeout_ms = 10000,
		.message_timeout_ms = 10000,
		.close_timeout_ms = 10000,
		.handlers = {
			.accept = on_accept,
			.opened = on_opened,
			.frames = on_frames,
			.message = on_message,
			.alive = on_alive,
			.pong = on_pong,
			.writable = on_writable,
			.closed = on_closed,
		},
	};

	*rig = (struct rig){ .options = defaults };
	rig->options.arg = rig;
	rig->budget = (struct ws_budget){ .max_handshakes = 1000, .max_bytes = 1 << 20 };
	rig->options.budget = &rig->budget;
	pthread_mutex_init(&rig->lock, NULL);
	pthread_cond_init(&rig->changed, NULL);
}

void rig_start(struct rig *rig)
{
	assert_int_equal(worker_init(&rig->worker, "ws"), OK);
	assert_int_equal(ws_server_new(&rig->server, &rig->worker, &rig->options), OK);
	rig->port = ws_server_port(rig->server);
	assert_int_equal(worker_start(&rig->worker), OK);
}

unsigned rig_count(struct rig *rig, const unsigned *count)
{
	pthread_mutex_lock(&rig->lock);
	unsigned now = *count;
	pthread_mutex_unlock(&rig->lock);
	return now;
}

void rig_await(struct rig *rig, const unsigned *what, unsigned wanted)
{
	struct timespec until;
	int failed = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&rig->lock);
	while (*what < wanted && !failed)
		failed = pthread_cond_timedwait(&rig->changed, &rig->lock, &until);
	unsigned got = *what;
	pthread_mutex_unlock(&rig->lock);
	if (got < wanted)
		fail_msg("waited for %u, got %u", wanted, got);
}

struct run_task {
	struct task task;
	struct rig *rig;
	void (*act)(struct rig *rig, void *arg);
	void *arg;
	unsigned done;
};

static void run_act(struct task *task)
{
	struct run_task *run = container_of(task, struct run_task, task);

	run->act(run->rig, run->arg);
	count(run->rig, &run->done);
}

void rig_run(struct rig *rig, void (*act)(struct rig *rig, void *arg), void *arg)
{
	struct run_task run = { .task = { .run = run_act }, .rig = rig, .act = act, .arg = arg };

	worker_post(&rig->worker, &run.task);
	rig_await(rig, &run.done, 1);
}

static void count_connections(struct rig *rig, void *arg)
{
	*(unsigned *)arg = ws_server_connections(rig->server);
}

unsigned rig_connections(struct rig *rig)
{
	unsigned connections;

	rig_run(rig, count_connections, &connections);
	return connections;
}

static void on_server_closed(void *arg)
{
	struct rig *rig = arg;

	count(rig, &rig->ends);
}

void rig_close_server(struct rig *rig)
{
	if (rig->is_closing)
		return;
	rig->is_closing = true;
	ws_server_close(rig->server, on_server_closed, rig);
}

static void close_server(struct rig *rig, void *arg)
{
	(void)arg;
	rig_close_server(rig);
}

struct stop_task {
	struct task task;
	struct worker *worker;
};

static void stop_worker(struct task *task)
{
	worker_stop(container_of(task, struct stop_task, task)->worker);
}

void rig_stop(struct rig *rig)
{
	struct stop_task stopping = { .task = { .run = stop_worker }, .worker = &rig->worker };

	rig_run(rig, close_server, NULL);
	rig_await(rig, &rig->ends, 1);
	worker_post(&rig->worker, &stopping.task);
	worker_join(&rig->worker);
	pthread_mutex_destroy(&rig->lock);
	pthread_cond_destroy(&rig->changed);
	if (rig->wrong)
		fail_msg("%s", rig->wrong);
	assert_int_equal(rig->closings, rig->accepts);
}

int rig_setup(void **state)
{
	rig_init(*state);
	return 0;
}

int rig_teardown(void **state)
{
	rig_stop(*state);
	return 0;
}
