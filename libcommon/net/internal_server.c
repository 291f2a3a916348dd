#include "net/internal_server.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/http_server.h"

/*
 * A run that has timed out is let go: its check may still call back, much
 * later, so it lives until then and only its link to the check is cut.
 */
struct readiness_run {
	struct check *check; /* NULL once it has timed out or the server is closing */
	uint64_t started_ms;
};

struct check {
	struct readiness_check spec;
	struct readiness_run *run; /* the one under way, or NULL */
	err_t last;
};

struct internal_server {
	struct worker *worker;
	struct http_server *http;
	struct timer round;
	bool is_draining;
	size_t check_count;
	struct check checks[];
};

/* ---- rounds ---- */

static void settle(struct check *check, err_t err)
{
	if (err != check->last)
		log_info("dependency changed", LOG_TEXT("dependency", check->spec.name), LOG_TEXT("is", err ? "away" : "ok"),
		         LOG_ERR(err));
	check->last = err;
}

void readiness_done(struct readiness_run *run, err_t err)
{
	if (run->check) {
		run->check->run = NULL;
		settle(run->check, err);
	}
	mem_free(run);
}

static void give_up(struct check *check)
{
	check->run->check = NULL;
	check->run = NULL;
	settle(check, ERR_TIMEOUT);
}

static void on_round(struct timer *timer)
{
	struct internal_server *server = container_of(timer, struct internal_server, round);
	uint64_t now = clock_mono_ms();

	for (size_t i = 0; i < server->check_count; i++) {
		struct check *check = &server->checks[i];

		if (check->run && now - check->run->started_ms >= READINESS_TIMEOUT_MS)
			give_up(check);
		if (check->run)
			continue;
		check->run = MEM_NEW(struct readiness_run);
		check->run->check = check;
		check->run->started_ms = now;
		check->spec.start(check->run, check->spec.arg);
	}
	worker_arm(server->worker, &server->round, now + READINESS_INTERVAL_MS);
}

/* ---- pages ---- */

static void on_health(struct http_request *request, void *arg)
{
	struct buf body = { 0 };

	(void)arg;
	buf_append_text(&body, "{\"status\":\"ok\"}");
	http_respond_json(request, 200, &body);
}

static void on_readiness(struct http_request *request, void *arg)
{
	struct internal_server *server = arg;
	bool is_ready = !server->is_draining;
	struct buf body = { 0 };

	for (size_t i = 0; i < server->check_count; i++)
		is_ready = is_ready && !server->checks[i].last;
	buf_append_char(&body, '{');
	json_put_bool_field(&body, "ready", is_ready);
	json_put_bool_field(&body, "draining", server->is_draining);
	json_put_key(&body, "checks");
	buf_append_char(&body, '{');
	for (size_t i = 0; i < server->check_count; i++) {
		const struct check *check = &server->checks[i];

		json_put_field(&body, check->spec.name, str_from(check->last ? err_name(check->last) : "ok"));
	}
	buf_append_text(&body, "}}");
	http_respond_json(request, is_ready ? 200 : 503, &body);
}

static void on_metrics(struct http_request *request, void *arg)
{
	struct buf body = { 0 };

	(void)arg;
	metrics_write(&body);
	http_respond_text(request, 200, "text/plain; version=0.0.4", &body);
}

static const struct http_route routes[] = {
	{ "GET", "/healthz", on_health },
	{ "GET", "/readyz", on_readiness },
	{ "GET", "/metrics", on_metrics },
};

/* ---- life ---- */

err_t internal_server_new(struct internal_server **out, struct worker *worker, const char *listen,
                          const struct readiness_check *checks, size_t check_count)
{
	struct internal_server *server = mem_zalloc(sizeof(*server) + check_count * sizeof(server->checks[0]));
	const struct http_server_options options = {
		.listen = listen,
		.max_body = 1024,
		.max_connections = 100,
		.idle_timeout_s = 30,
		.routes = routes,
		.route_count = ARRAY_LEN(routes),
		.arg = server,
	};

	server->worker = worker;
	server->check_count = check_count;
	for (size_t i = 0; i < check_count; i++)
		server->checks[i] = (struct check){ .spec = checks[i], .last = ERR_UNAVAILABLE };
	err_t err = http_server_new(&server->http, worker, &options);
	if (err) {
		mem_free(server);
		return err;
	}
	timer_init(&server->round, on_round);
	worker_arm(worker, &server->round, clock_mono_ms());
	*out = server;
	return OK;
}

void internal_server_drain(struct internal_server *server)
{
	server->is_draining = true;
}

struct closing {
	struct internal_server *server;
	void (*closed)(void *arg);
	void *arg;
};

static void on_http_closed(void *arg)
{
	struct closing closing = *(struct closing *)arg;

	mem_free(arg);
	for (size_t i = 0; i < closing.server->check_count; i++)
		if (closing.server->checks[i].run)
			closing.server->checks[i].run->check = NULL;
	mem_free(closing.server);
	closing.closed(closing.arg);
}

void internal_server_close(struct internal_server *server, void (*closed)(void *arg), void *arg)
{
	struct closing *closing = MEM_NEW(struct closing);

	*closing = (struct closing){ server, closed, arg };
	worker_cancel(server->worker, &server->round);
	http_server_close(server->http, on_http_closed, closing);
}
