#include "gateway/worker/ws_orders.h"

#include "base/mem.h"
#include "gateway/config.h"
#include "gateway/session/session.h"
#include "gateway/session/session_open.h"
#include "gateway/wire/server_frame.h"
#include "gateway/worker/ws_worker.h"
#include "net/ws/ws_server.h"

#define WS_HANDSHAKE_TIMEOUT_MS 10000
#define WS_CLOSE_TIMEOUT_MS 2000

struct ws_order {
	struct task task;
	struct ws_worker *w;
	const struct move_targets *targets;
	uint64_t spread_ms;
	uint16_t code;
	const char *reason;
	bool is_patient;
	ws_order_done done; /* or NULL */
	void *arg;
	err_t err;
};

static void ws_order_report(struct task *task)
{
	struct ws_order *order = container_of(task, struct ws_order, task);

	order->done(order->arg, order->err);
	mem_free(order);
}

/* Posts the outcome to the main worker. */
static void ws_order_finish(struct ws_order *order, err_t err)
{
	order->err = err;
	if (order->done) {
		order->task.run = ws_order_report;
		worker_post(order->w->main, &order->task);
	} else {
		mem_free(order);
	}
}

static void ws_order_give(struct ws_worker *w, struct ws_order content, void (*run)(struct task *task))
{
	struct ws_order *order = MEM_NEW(struct ws_order);

	*order = content;
	order->w = w;
	order->task.run = run;
	worker_post(&w->worker, &order->task);
}

static void ws_order_listen(struct task *task)
{
	struct ws_order *order = container_of(task, struct ws_order, task);
	struct ws_worker *w = order->w;
	const struct gateway_config *config = w->home.config;
	const struct ws_server_options options = {
		.listen = config->ws_listen,
		.shares_port = true,
		.path = "/ws",
		.subprotocols = subprotocol_names,
		.subprotocol_count = SUBPROTOCOL_COUNT,
		.session_size = sizeof(struct session),
		.max_message = (size_t)config->ws_max_message,
		.budget = w->home.handshakes,
		.max_handshakes_per_address = (unsigned)config->ws_handshakes_per_address,
		.handshake_timeout_ms = WS_HANDSHAKE_TIMEOUT_MS,
		.message_timeout_ms = (uint64_t)config->ws_message_timeout_ms,
		.close_timeout_ms = WS_CLOSE_TIMEOUT_MS,
		.handlers = session_handlers,
		.arg = &w->home,
	};

	ws_order_finish(order, ws_server_new(&w->server, &w->worker, &options));
}

void ws_worker_listen(struct ws_worker *w, ws_order_done done, void *arg)
{
	ws_order_give(w, (struct ws_order){ .done = done, .arg = arg }, ws_order_listen);
}

static void ws_order_stop_listening(struct task *task)
{
	struct ws_order *order = container_of(task, struct ws_order, task);
	struct ws_worker *w = order->w;

	w->home.takes_nobody = true;
	if (w->server)
		ws_server_stop_listening(w->server);
	ws_order_finish(order, OK);
}

void ws_worker_stop_listening(struct ws_worker *w)
{
	ws_order_give(w, (struct ws_order){ 0 }, ws_order_stop_listening);
}

static void ws_order_move_all(struct task *task)
{
	struct ws_order *order = container_of(task, struct ws_order, task);
	struct session_home *home = &order->w->home;
	struct session *session;

	home->targets = order->targets;
	home->move_until_ms = worker_now_ms(home->worker) + order->spread_ms;
	for (uint32_t slot = 0; (session = conn_table_next(&home->table, &slot));)
		session_tell_to_move(session);
	ws_order_finish(order, OK);
}

void ws_worker_move_all(struct ws_worker *w, const struct move_targets *targets, uint64_t spread_ms)
{
	ws_order_give(w, (struct ws_order){ .targets = targets, .spread_ms = spread_ms }, ws_order_move_all);
}

static void ws_order_close_all(struct task *task)
{
	struct ws_order *order = container_of(task, struct ws_order, task);
	struct session_home *home = &order->w->home;
	struct session *session;

	for (uint32_t slot = 0; (session = conn_table_next(&home->table, &slot));) {
		if (order->is_patient && session->send_count)
			session->closes_when_answered = true;
		else
			session_close(session, order->code, order->reason);
	}
	ws_order_finish(order, OK);
}

void ws_worker_close_all(struct ws_worker *w, uint16_t code, const char *reason, bool is_patient)
{
	ws_order_give(w, (struct ws_order){ .code = code, .reason = reason, .is_patient = is_patient }, ws_order_close_all);
}

static void ws_order_on_server_closed(void *arg)
{
	ws_order_finish(arg, OK);
}

static void ws_order_close_server(struct task *task)
{
	struct ws_order *order = container_of(task, struct ws_order, task);
	struct ws_server *server = order->w->server;

	receipt_sender_stop(&order->w->home.receipts);
	im_caller_stop(&order->w->home.im);
	order->w->server = NULL;
	if (server)
		ws_server_close(server, ws_order_on_server_closed, order);
	else
		ws_order_finish(order, OK);
}

void ws_worker_close_server(struct ws_worker *w, ws_order_done done, void *arg)
{
	ws_order_give(w, (struct ws_order){ .done = done, .arg = arg }, ws_order_close_server);
}

static void ws_order_end(struct task *task)
{
	struct ws_order *order = container_of(task, struct ws_order, task);

	ws_worker_stop(order->w);
	ws_order_finish(order, OK);
}

void ws_worker_end(struct ws_worker *w)
{
	ws_order_give(w, (struct ws_order){ 0 }, ws_order_end);
	ws_worker_release(w);
}
