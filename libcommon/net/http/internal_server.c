#include "net/http/internal_server.h"

#include "base/clock.h"
#include "base/text/json.h"
#include "base/list.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "net/http/http_server.h"

#define INTERNAL_MAX_CONNECTIONS 100

struct readiness_slot {
	struct internal_server *server;
	struct readiness_check check;
	struct readiness_run *current; /* NULL between two runs */
	struct timer timeout; /* of the current run */
	unsigned runs; /* the current one and those that timed out and have not ended */
	bool has_ended; /* at least one run has */
	err_t result; /* of the last run that ended */
};

/* Lives until readiness_done(), even if the server is closed before. */
struct readiness_run {
	struct list link;
	struct readiness_slot *slot; /* NULL when the server is gone */
};

struct internal_server {
	struct worker *worker;
	struct http_server *http;
	uv_timer_t round;
	struct list runs;
	uint64_t round_ms; /* when the last round began */
	uint64_t asked_ms; /* when somebody last asked for /readyz */
	struct http_request *waiting[INTERNAL_MAX_CONNECTIONS]; /* for the end of this round: one a connection at most */
	unsigned waiting_count;
	bool is_draining;
	unsigned open_parts; /* while closing: the HTTP server and the timer */
	void (*closed)(void *arg);
	void *closed_arg;
	size_t slot_count;
	struct readiness_slot slots[];
};

/* ---- /readyz ---- */

static bool internal_is_ready(const struct internal_server *server)
{
	for (size_t i = 0; i < server->slot_count; i++)
		if (!server->slots[i].has_ended || server->slots[i].result != OK)
			return false;
	return !server->is_draining;
}

static void internal_tell_ready(const struct internal_server *server, struct http_request *request)
{
	bool ready = internal_is_ready(server);
	struct buf body = { 0 };

	buf_append_char(&body, '{');
	json_put_bool_field(&body, "ready", ready);
	json_put_bool_field(&body, "draining", server->is_draining);
	json_put_key(&body, "checks");
	buf_append_char(&body, '{');
	for (size_t i = 0; i < server->slot_count; i++) {
		const struct readiness_slot *slot = &server->slots[i];
		const char *state = !slot->has_ended ? "pending" : slot->result == OK ? "ok" : err_name(slot->result);
		json_put_field(&body, slot->check.name, str_from(state));
	}
	buf_append_char(&body, '}');
	buf_append_char(&body, '}');
	http_respond_json(request, ready ? 200 : 503, &body);
}

static void internal_tell_waiting(struct internal_server *server)
{
	for (unsigned i = 0; i < server->waiting_count; i++)
		internal_tell_ready(server, server->waiting[i]);
	server->waiting_count = 0;
}

static bool internal_is_checking(const struct internal_server *server)
{
	for (size_t i = 0; i < server->slot_count; i++)
		if (server->slots[i].current)
			return true;
	return false;
}

/* ---- checks ---- */

static void internal_conclude(struct readiness_slot *slot, err_t result)
{
	slot->current = NULL;
	worker_cancel(slot->server->worker, &slot->timeout);
	if (!slot->has_ended || slot->result != result) {
		if (result != OK)
			log_warn("dependency does not answer", LOG_TEXT("check", slot->check.name), LOG_ERR(result));
		else
			log_info("dependency answers", LOG_TEXT("check", slot->check.name));
	}
	slot->has_ended = true;
	slot->result = result;
	if (!internal_is_checking(slot->server))
		internal_tell_waiting(slot->server);
}

static void internal_on_timeout(struct timer *timer)
{
	internal_conclude(container_of(timer, struct readiness_slot, timeout), ERR_TIMEOUT);
}

void readiness_done(struct readiness_run *run, err_t err)
{
	struct readiness_slot *slot = run->slot;

	list_remove(&run->link);
	if (slot) {
		slot->runs--;
		if (slot->current == run)
			internal_conclude(slot, err);
	}
	mem_free(run);
}

static void internal_start_round(struct internal_server *server)
{
	server->round_ms = clock_mono_ms();
	for (size_t i = 0; i < server->slot_count; i++) {
		struct readiness_slot *slot = &server->slots[i];
		if (slot->current || slot->runs > READINESS_MAX_LOST)
			continue;
		struct readiness_run *run = MEM_NEW(struct readiness_run);
		run->slot = slot;
		list_push_back(&server->runs, &run->link);
		slot->current = run;
		slot->runs++;
		worker_arm_in(server->worker, &slot->timeout, READINESS_TIMEOUT_MS);
		slot->check.start(run, slot->check.arg); /* may end it already */
	}
}

static void internal_on_round(uv_timer_t *round)
{
	struct internal_server *server = round->data;
	uint64_t now_ms = clock_mono_ms();
	bool is_watched = now_ms < server->asked_ms + READINESS_WATCHED_MS;

	if (is_watched || !internal_is_ready(server) || now_ms >= server->round_ms + READINESS_REST_MS)
		internal_start_round(server);
}

static void internal_answer_ready(struct http_request *request, void *arg)
{
	struct internal_server *server = arg;
	uint64_t now_ms = clock_mono_ms();
	bool is_stale = now_ms >= server->round_ms + READINESS_TIMEOUT_MS && !server->is_draining;

	server->asked_ms = now_ms;
	if (is_stale)
		internal_start_round(server);
	/* Whoever comes while others wait would get results as old as those that they do not take. */
	bool waits = (is_stale || server->waiting_count) && internal_is_checking(server);
	if (waits && server->waiting_count < ARRAY_LEN(server->waiting))
		server->waiting[server->waiting_count++] = request;
	else
		internal_tell_ready(server, request);
}

static void internal_answer_health(struct http_request *request, void *arg)
{
	struct buf body = { 0 };
	(void)arg;

	buf_append_text(&body, "{\"status\":\"ok\"}");
	http_respond_json(request, 200, &body);
}

static void internal_answer_metrics(struct http_request *request, void *arg)
{
	struct buf body = { 0 };
	(void)arg;

	metrics_write(&body);
	http_respond_text(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static const struct http_route routes[] = {
	{ "GET", "/healthz", internal_answer_health, NULL },
	{ "GET", "/readyz", internal_answer_ready, NULL },
	{ "GET", "/metrics", internal_answer_metrics, NULL },
};

err_t internal_server_new(struct internal_server **out, struct worker *worker, const char *listen,
                          const struct readiness_check *checks, size_t check_count)
{
	struct internal_server *server = mem_zalloc(sizeof(*server) + check_count * sizeof(server->slots[0]));
	const struct http_server_options options = {
		.listen = listen, .max_body = 0, .max_connections = INTERNAL_MAX_CONNECTIONS, .idle_timeout_s = 10,
		.routes = routes, .route_count = ARRAY_LEN(routes), .arg = server,
	};
	err_t err = http_server_new(&server->http, worker, &options);

	if (err) {
		mem_free(server);
		return err;
	}
	server->worker = worker;
	server->round_ms = clock_mono_ms(); /* the first one begins at once */
	server->slot_count = check_count;
	list_init(&server->runs);
	for (size_t i = 0; i < check_count; i++) {
		server->slots[i].server = server;
		server->slots[i].check = checks[i];
		timer_init(&server->slots[i].timeout, internal_on_timeout);
	}
	uv_timer_init(&worker->loop, &server->round);
	server->round.data = server;
	uv_timer_start(&server->round, internal_on_round, 0, READINESS_INTERVAL_MS);
	*out = server;
	return OK;
}

uint16_t internal_server_port(const struct internal_server *server)
{
	return http_server_port(server->http);
}

void internal_server_drain(struct internal_server *server)
{
	server->is_draining = true;
	uv_timer_stop(&server->round);
	internal_tell_waiting(server);
}

static void internal_part_closed(struct internal_server *server)
{
	void (*closed)(void *arg) = server->closed;
	void *arg = server->closed_arg;

	if (--server->open_parts)
		return;
	mem_free(server);
	if (closed)
		closed(arg);
}

static void internal_on_http_closed(void *arg)
{
	internal_part_closed(arg);
}

static void internal_on_round_closed(uv_handle_t *round)
{
	internal_part_closed(round->data);
}

void internal_server_close(struct internal_server *server, void (*closed)(void *arg), void *arg)
{
	struct list *link;

	server->closed = closed;
	server->closed_arg = arg;
	server->open_parts = 2;
	internal_tell_waiting(server); /* every request must have its answer before the HTTP server closes */
	for (size_t i = 0; i < server->slot_count; i++)
		worker_cancel(server->worker, &server->slots[i].timeout);
	while ((link = list_pop_front(&server->runs)))
		container_of(link, struct readiness_run, link)->slot = NULL;
	http_server_close(server->http, internal_on_http_closed, server);
	uv_close((uv_handle_t *)&server->round, internal_on_round_closed);
}
