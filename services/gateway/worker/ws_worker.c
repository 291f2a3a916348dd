#include "gateway/worker/ws_worker.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "gateway/config.h"
#include "gateway/gateway_metrics.h"
#include "gateway/session/session.h"
#include "gateway/session/session_order.h"
#include "gateway/session/session_pages.h"
#include "gateway/session/session_shed.h"
#include "gateway/session/session_timer.h"

/* A queue that is filled to more than 1/4 of its limits takes no event: the rest is for messages. */
#define WS_WORKER_EVENT_SHARE 4

/* ---- every turn of the loop ---- */

void ws_worker_note_arrival(struct ws_worker *w, uint64_t arrived_us)
{
	if (w->arrival_count < WS_WORKER_ARRIVALS)
		w->arrivals_us[w->arrival_count++] = arrived_us;
}

static void ws_worker_measure_deliveries(struct ws_worker *w, uint64_t now_us)
{
	for (unsigned i = 0; i < w->arrival_count; i++)
		histogram_observe(w->home.metrics->delivery_time, now_us - w->arrivals_us[i]);
	w->arrival_count = 0;
}

static void ws_worker_before_sleep(uv_prepare_t *prepare)
{
	struct ws_worker *w = prepare->data;
	struct session_home *home = &w->home;

	session_shed_over_limit(home);
	while (!list_is_empty(&home->dirty))
		session_flush(container_of(home->dirty.next, struct session, dirty));
	if (home->frames_out) {
		counter_add(home->metrics->frames_out, home->frames_out);
		counter_add(home->metrics->bytes_out, home->bytes_out);
		home->frames_out = home->bytes_out = 0;
	}
	atomic_store_explicit(&w->shown_queue_bytes, home->queue_bytes, memory_order_relaxed);
	atomic_store_explicit(&w->shown_reads, home->reader.under_way, memory_order_relaxed);
	uint64_t now_us = clock_mono_us(), turn_us = now_us - w->woke_us;
	ws_worker_measure_deliveries(w, now_us);
	if (w->woke_us && turn_us > atomic_load_explicit(&w->longest_turn_us, memory_order_relaxed))
		atomic_store_explicit(&w->longest_turn_us, turn_us, memory_order_relaxed);
}

/* Runs after the I/O callbacks of this turn; uv_now() is the time at which the loop woke. */
static void ws_worker_after_sleep(uv_check_t *check)
{
	struct ws_worker *w = check->data;

	w->woke_us = uv_now(&w->worker.loop) * 1000;
}

static void ws_worker_every_second(uv_timer_t *timer)
{
	struct ws_worker *w = timer->data;
	struct session *session;

	/* Tokens expire by the wall clock, timers run by the worker's. */
	bool has_stood = w->stood_ms != w->worker.stood_ms;
	w->stood_ms = w->worker.stood_ms;
	if (clock_watch_was_set(&w->clock) || has_stood)
		for (uint32_t slot = 0; (session = conn_table_next(&w->home.table, &slot));)
			session_clock_was_set(session);
	renewal_turn(&w->renewal, &w->home);
}

/* ---- life ---- */

static void ws_worker_init_home(struct ws_worker *w, const struct ws_worker_setup *setup)
{
	const struct gateway_config *config = setup->config;
	struct gateway_metrics *metrics = setup->metrics;
	const struct receipt_counters receipts = {
		.told = metrics->receipts,
		.dropped_full = metrics->receipts_dropped_full,
		.dropped_im = metrics->receipts_dropped_im,
	};
	struct session_home *home = &w->home;

	*home = (struct session_home){
		.worker = &w->worker,
		.config = config,
		.metrics = metrics,
		.keys = setup->keys,
		.routes = setup->routes,
		.connections = setup->connections,
		.handshakes = setup->handshakes,
		.connect_rates = setup->connect_rates,
		.stalled_bytes = setup->stalled_bytes,
		.out_limits = { (uint32_t)config->queue_bytes, (uint32_t)config->queue_entries },
		.event_limits = { (uint32_t)config->queue_bytes / WS_WORKER_EVENT_SHARE,
		                  (uint32_t)config->queue_entries / WS_WORKER_EVENT_SHARE },
		.ack_limits = { (uint32_t)config->window_messages, (uint32_t)config->window_bytes,
		                (uint64_t)config->ack_timeout_ms },
		.scratch = mem_alloc(SESSION_SCRATCH_SIZE),
	};
	conn_table_init(&home->table, setup->index);
	watches_init(&home->watches);
	list_init(&home->dirty);
	list_init(&home->stalled);
	im_caller_init(&home->im, &w->worker, setup->im, &home->table, metrics->im_retries);
	inbox_reader_init(&home->reader, &home->im, (uint64_t)config->sync_timeout_ms);
	home->reader.page_size = session_page_size;
	home->reader.answered = session_take_page;
	receipt_sender_init(&home->receipts, &w->worker, setup->im, &receipts);
}

err_t ws_worker_init(struct ws_worker *w, const struct ws_worker_setup *setup)
{
	char name[16];

	w->main = setup->main;
	w->index = setup->index;
	snprintf(name, sizeof(name), "ws-%u", setup->index);
	err_t err = worker_init(&w->worker, name);
	if (err)
		return err;
	/* A gateway that stood still for a while closes no connection because of it. */
	w->worker.forgives_stalls = true;
	ws_worker_init_home(w, setup);
	uv_prepare_init(&w->worker.loop, &w->before_sleep);
	uv_check_init(&w->worker.loop, &w->after_sleep);
	uv_timer_init(&w->worker.loop, &w->second);
	w->before_sleep.data = w->after_sleep.data = w->second.data = w;
	uv_prepare_start(&w->before_sleep, ws_worker_before_sleep);
	uv_check_start(&w->after_sleep, ws_worker_after_sleep);
	clock_watch_init(&w->clock);
	uv_timer_start(&w->second, ws_worker_every_second, 1000, 1000);
	return OK;
}

err_t ws_worker_start(struct ws_worker *w)
{
	return worker_start(&w->worker);
}

void ws_worker_stop(struct ws_worker *w)
{
	assert(!w->server);
	im_caller_drop(&w->home.im);
	uv_close((uv_handle_t *)&w->before_sleep, NULL);
	uv_close((uv_handle_t *)&w->after_sleep, NULL);
	uv_close((uv_handle_t *)&w->second, NULL);
	worker_stop(&w->worker);
}

void ws_worker_release(struct ws_worker *w)
{
	worker_join(&w->worker);
	receipt_sender_release(&w->home.receipts);
	watches_release(&w->home.watches);
	conn_table_release(&w->home.table);
	mem_free(w->home.scratch);
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
