#include "gateway/worker/ws_worker.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "gateway/app.h"
#include "gateway/im/im_call.h"
#include "gateway/session/session.h"

/* Each route is renewed once in this time, a third of its life in router. */
#define RENEWAL_ROUND_S 30
#define RENEWAL_HURRY_S 3

#define HANDSHAKE_TIMEOUT_MS 10000
#define CLOSE_TIMEOUT_MS 2000

/* ---- every turn of the loop ---- */

static void show_figures(struct ws_worker *w)
{
	struct gateway_metrics *metrics = &w->app->metrics;

	if (w->frames_out) {
		counter_add(metrics->frames_out, w->frames_out);
		counter_add(metrics->bytes_out, w->bytes_out);
		w->frames_out = w->bytes_out = 0;
	}
	atomic_store_explicit(&w->shown_queue_bytes, w->queue_bytes, memory_order_relaxed);
	atomic_store_explicit(&w->shown_reads, w->reads_under_way, memory_order_relaxed);
}

static void note_turn(struct ws_worker *w)
{
	uint64_t turn_us = clock_mono_us() - w->woke_us;

	if (w->woke_us && turn_us > atomic_load_explicit(&w->longest_turn_us, memory_order_relaxed))
		atomic_store_explicit(&w->longest_turn_us, turn_us, memory_order_relaxed);
}

static void before_sleep(uv_prepare_t *prepare)
{
	struct ws_worker *w = prepare->data;

	while (!list_is_empty(&w->dirty))
		session_flush(container_of(w->dirty.next, struct session, dirty));
	show_figures(w);
	note_turn(w);
}

/* By now the callbacks of what woke it have run: it woke when the loop last looked at the clock. */
static void after_sleep(uv_check_t *check)
{
	struct ws_worker *w = check->data;

	w->woke_us = uv_now(&w->worker.loop) * 1000;
}

/* ---- renewals ---- */

/* Most of what was asked about lately is gone: Redis has forgotten, and there is no reason to wait for the round. */
static bool routes_were_forgotten(struct ws_worker *w)
{
	bool were = w->routes_lost > w->routes_kept;

	w->routes_lost = w->routes_kept = 0;
	return were;
}

static void renew_slice(struct ws_worker *w)
{
	uint32_t slots = w->table.slot_count;

	if (atomic_exchange(&w->renew_soon, false) || routes_were_forgotten(w))
		w->renewal_hurry = slots;
	uint32_t round_s = w->renewal_hurry ? RENEWAL_HURRY_S : RENEWAL_ROUND_S;
	uint32_t slice = (slots + round_s - 1) / round_s;
	w->renewal_hurry -= MIN(w->renewal_hurry, slice);
	while (slice--) {
		if (w->renewal_slot >= slots)
			w->renewal_slot = 0;
		struct session *session = conn_table_at(&w->table, w->renewal_slot++);
		if (session)
			session_renew(session);
	}
}

void ws_worker_note_renewal(struct ws_worker *w, bool kept)
{
	if (kept)
		w->routes_kept++;
	else
		w->routes_lost++;
}

void ws_worker_renew_soon(struct ws_worker *w)
{
	atomic_store(&w->renew_soon, true);
}

void ws_worker_doubt_routes(struct ws_worker *w)
{
	atomic_store(&w->doubt_soon, true);
}

static void doubt_routes(struct ws_worker *w)
{
	for (uint32_t slot = 0; slot < w->table.slot_count; slot++) {
		struct session *session = conn_table_at(&w->table, slot);

		if (session)
			session->doubts_route = true;
	}
	ws_worker_renew_soon(w);
}

/* Tokens expire by the wall clock, timers run by the other. */
static void follow_clock(struct ws_worker *w)
{
	if (!clock_watch_was_set(&w->clock))
		return;
	for (uint32_t slot = 0; slot < w->table.slot_count; slot++) {
		struct session *session = conn_table_at(&w->table, slot);

		if (session)
			session_clock_was_set(session);
	}
}

static void every_second(uv_timer_t *timer)
{
	struct ws_worker *w = timer->data;

	follow_clock(w);
	if (atomic_exchange(&w->doubt_soon, false))
		doubt_routes(w);
	renew_slice(w);
}

/* ---- life ---- */

err_t ws_worker_init(struct ws_worker *w, struct app *app, unsigned index)
{
	char name[16];

	w->app = app;
	w->index = index;
	snprintf(name, sizeof(name), "ws-%u", index);
	err_t err = worker_init(&w->worker, name);
	if (err)
		return err;
	conn_table_init(&w->table, index);
	list_init(&w->dirty);
	list_init(&w->waiting_reads);
	list_init(&w->pausing_calls);
	w->im_budget = IM_CALL_BUDGET;
	w->scratch = mem_alloc(WS_SCRATCH_SIZE);
	uv_prepare_init(&w->worker.loop, &w->before_sleep);
	uv_check_init(&w->worker.loop, &w->after_sleep);
	uv_timer_init(&w->worker.loop, &w->renewal);
	w->before_sleep.data = w->after_sleep.data = w->renewal.data = w;
	uv_prepare_start(&w->before_sleep, before_sleep);
	uv_check_start(&w->after_sleep, after_sleep);
	clock_watch_init(&w->clock);
	uv_timer_start(&w->renewal, every_second, 1000, 1000);
	return OK;
}

err_t ws_worker_start(struct ws_worker *w)
{
	return worker_start(&w->worker);
}

/* ---- what the main worker asks for ---- */

struct order {
	struct task task;
	struct ws_worker *w;
	const struct elsewhere *elsewhere;
	uint64_t spread_ms;
	uint16_t code;
	const char *reason;
	bool is_patient;
	void (*done)(struct app *app, err_t err);
	err_t err;
};

static void report(struct task *task)
{
	struct order *order = container_of(task, struct order, task);

	order->done(order->w->app, order->err);
	mem_free(order);
}

/* Back to the main worker, with the outcome. */
static void finish(struct order *order, err_t err)
{
	order->err = err;
	if (order->done) {
		order->task.run = report;
		worker_post(&order->w->app->main, &order->task);
	} else {
		mem_free(order);
	}
}

static void give(struct ws_worker *w, struct order content, void (*run)(struct task *task))
{
	struct order *order = MEM_NEW(struct order);

	*order = content;
	order->w = w;
	order->task.run = run;
	worker_post(&w->worker, &order->task);
}

static void do_listen(struct task *task)
{
	struct order *order = container_of(task, struct order, task);
	struct ws_worker *w = order->w;
	const struct gateway_config *config = &w->app->config;
	const struct ws_server_options options = {
		.listen = config->ws_listen,
		.shares_port = true,
		.path = "/ws",
		.subprotocols = subprotocol_names,
		.subprotocol_count = SUBPROTOCOL_COUNT,
		.session_size = sizeof(struct session),
		.max_message = (size_t)config->ws_max_message,
		/* The kernel spreads by hash: one worker may get more than its share. */
		.max_connections = (unsigned)config->ws_max_connections,
		.max_handshakes_per_address = (unsigned)config->ws_handshakes_per_address,
		.handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS,
		.close_timeout_ms = CLOSE_TIMEOUT_MS,
		.handlers = session_handlers,
		.arg = w,
	};

	finish(order, ws_server_new(&w->server, &w->worker, &options));
}

void ws_worker_listen(struct ws_worker *w, void (*done)(struct app *app, err_t err))
{
	give(w, (struct order){ .done = done }, do_listen);
}

static void do_stop_listening(struct task *task)
{
	struct order *order = container_of(task, struct order, task);
	struct ws_worker *w = order->w;

	w->is_leaving = true;
	if (w->server)
		ws_server_stop_listening(w->server);
	finish(order, OK);
}

void ws_worker_stop_listening(struct ws_worker *w)
{
	give(w, (struct order){ 0 }, do_stop_listening);
}

static void do_move_all(struct task *task)
{
	struct order *order = container_of(task, struct order, task);
	struct ws_worker *w = order->w;

	w->elsewhere = order->elsewhere;
	w->move_until_ms = clock_mono_ms() + order->spread_ms;
	for (uint32_t slot = 0; slot < w->table.slot_count; slot++) {
		struct session *session = conn_table_at(&w->table, slot);

		if (session)
			session_tell_to_move(session);
	}
	finish(order, OK);
}

void ws_worker_move_all(struct ws_worker *w, const struct elsewhere *elsewhere, uint64_t spread_ms)
{
	give(w, (struct order){ .elsewhere = elsewhere, .spread_ms = spread_ms }, do_move_all);
}

static void do_close_all(struct task *task)
{
	struct order *order = container_of(task, struct order, task);
	struct ws_worker *w = order->w;

	for (uint32_t slot = 0; slot < w->table.slot_count; slot++) {
		struct session *session = conn_table_at(&w->table, slot);

		if (session && order->is_patient && session->send_count)
			session->closes_when_answered = true;
		else if (session)
			session_close(session, order->code, order->reason);
	}
	finish(order, OK);
}

void ws_worker_close_all(struct ws_worker *w, uint16_t code, const char *reason, bool is_patient)
{
	give(w, (struct order){ .code = code, .reason = reason, .is_patient = is_patient }, do_close_all);
}

static void on_server_closed(void *arg)
{
	finish(arg, OK);
}

static void do_close_server(struct task *task)
{
	struct order *order = container_of(task, struct order, task);
	struct ws_server *server = order->w->server;

	order->w->server = NULL;
	if (server)
		ws_server_close(server, on_server_closed, order);
	else
		finish(order, OK);
}

void ws_worker_close_server(struct ws_worker *w, void (*done)(struct app *app, err_t err))
{
	give(w, (struct order){ .done = done }, do_close_server);
}

static void do_end(struct task *task)
{
	struct order *order = container_of(task, struct order, task);
	struct ws_worker *w = order->w;

	assert(!w->server);
	im_calls_drop(w);
	uv_close((uv_handle_t *)&w->before_sleep, NULL);
	uv_close((uv_handle_t *)&w->after_sleep, NULL);
	uv_close((uv_handle_t *)&w->renewal, NULL);
	worker_stop(&w->worker);
	finish(order, OK);
}

void ws_worker_end(struct ws_worker *w)
{
	give(w, (struct order){ 0 }, do_end);
	worker_join(&w->worker);
	conn_table_release(&w->table);
	mem_free(w->scratch);
}

/* ---- figures ---- */

uint64_t ws_worker_take_lag_ms(struct ws_worker *w)
{
	return atomic_exchange(&w->longest_turn_us, 0) / 1000;
}

uint64_t ws_worker_queue_bytes(const struct ws_worker *w)
{
	return atomic_load_explicit(&w->shown_queue_bytes, memory_order_relaxed);
}

unsigned ws_worker_reads(const struct ws_worker *w)
{
	return atomic_load_explicit(&w->shown_reads, memory_order_relaxed);
}
