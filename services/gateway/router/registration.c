#include "gateway/router/registration.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "gateway/app.h"
#include "proto/router.pb-c.h"
#include "cluster/node.h"

#define RENEWAL_MS 3000
#define CALL_TIMEOUT_MS 2000
#define REMOVE_TIMEOUT_MS 1000
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 2000

static void on_timer(uv_timer_t *timer);

static void arm(struct registration *r, uint64_t after_ms)
{
	uv_timer_start(&r->timer, on_timer, after_ms, 0);
}

static void call(struct registration *r, const char *path, uint64_t timeout_ms, rpc_done done)
{
	struct app *app = r->app;
	const struct gateway_config *config = &app->config;
	Skein__V1__Node node = SKEIN__V1__NODE__INIT;
	struct buf bytes = { 0 };

	node.name = config->common.node_name;
	node.epoch = atomic_load(&app->node_epoch);
	node.grpc_address = *config->grpc_advertise ? config->grpc_advertise : config->grpc_listen;
	node.ws_url = config->ws_url;
	node.cell = config->cell;
	node.draining = r->was_asked_draining = r->is_draining;
	node.connections = atomic_load(&app->connections);
	for (unsigned i = 0; i < app->worker_count; i++) {
		uint64_t lag_ms = ws_worker_take_lag_ms(&app->workers[i]); /* once: it starts anew */

		node.queue_bytes += ws_worker_queue_bytes(&app->workers[i]);
		node.lag_ms = MAX(node.lag_ms, lag_ms);
	}
	atomic_store(&r->lag_ms, node.lag_ms);
	size_t len = skein__v1__node__get_packed_size(&node);
	bytes.len = skein__v1__node__pack(&node, (uint8_t *)buf_reserve(&bytes, len));
	r->is_calling = true;
	r->asked_ms = clock_mono_ms();
	rpc_call(app->router, &app->main, path, buf_str(&bytes), timeout_ms, true, STR(""), done, r);
	buf_release(&bytes);
}

static void on_removed(void *arg, err_t err, struct str response, const char *detail)
{
	struct registration *r = arg;
	(void)response;

	if (err)
		log_warn("node was not removed, its key will expire", LOG_ERR(err), LOG_TEXT("why", detail));
	r->removed(r->app);
}

/* Not before the answer to another call: a renewal that comes after it would make the node again. */
static void remove_node(struct registration *r)
{
	if (r->is_calling)
		return;
	if (r->is_registered)
		call(r, "/skein.v1.Router/RemoveNode", REMOVE_TIMEOUT_MS, on_removed);
	else
		r->removed(r->app);
}

/*
 * The key was gone before it was renewed: Redis was lost, or it ran out (this process stood still, or router was away; the
 * answer that said so may have been lost). Push then took the node for dead, and gave up what it had on the way to
 * connections that are still here.
 */
static void note_life(struct registration *r, bool was_out)
{
	was_out |= r->alive_ms && clock_mono_ms() >= r->alive_ms + NODE_LIFE_S * 1000;
	r->alive_ms = r->asked_ms;
	if (!was_out)
		return;
	log_warn("this node was out of the list: every connection reads its inbox again");
	for (unsigned i = 0; i < r->app->worker_count; i++)
		ws_worker_doubt_routes(&r->app->workers[i]);
}

static void take_answer(struct registration *r, struct str response)
{
	Skein__V1__Renewed *answer = skein__v1__renewed__unpack(NULL, response.len, (const uint8_t *)response.ptr);

	note_life(r, answer && answer->was_out);
	if (!answer)
		return;
	if (r->was_asked_draining)
		r->told(r->app, answer);
	skein__v1__renewed__free_unpacked(answer, NULL);
}

static void on_renewed(void *arg, err_t err, struct str response, const char *detail)
{
	struct registration *r = arg;

	r->is_calling = false;
	if (r->is_over) {
		remove_node(r);
		return;
	}
	if (r->is_draining && !r->was_asked_draining)
		arm(r, 0); /* it was on its way already: the next one asks where clients may go */
	if (err == ERR_FAILED_PRECONDITION) {
		log_error("another process has registered under this node's name",
		          LOG_TEXT("node", r->app->config.common.node_name));
		r->lost(r->app);
		return;
	}
	/* Routes and the node's key outlive a short outage; a later renewal makes the key again. */
	if (err) {
		log_warn("node was not renewed", LOG_ERR(err), LOG_TEXT("why", detail));
		arm(r, backoff_next_ms(&r->backoff)); /* at another router */
	} else {
		backoff_reset(&r->backoff);
		take_answer(r, response);
	}
}

static void on_registered(void *arg, err_t err, struct str response, const char *detail)
{
	struct registration *r = arg;
	Skein__V1__Registered *answer = NULL;

	r->is_calling = false;
	if (!err)
		answer = skein__v1__registered__unpack(NULL, response.len, (const uint8_t *)response.ptr);
	r->is_registered = answer && answer->epoch;
	if (r->is_registered) {
		atomic_store(&r->app->node_epoch, answer->epoch);
		r->alive_ms = r->asked_ms;
	}
	if (answer)
		skein__v1__registered__free_unpacked(answer, NULL);
	if (r->is_over) {
		remove_node(r);
	} else if (r->is_registered) {
		arm(r, RENEWAL_MS);
		r->registered(r->app);
	} else {
		log_warn("gateway could not be registered, trying again", LOG_ERR(err), LOG_TEXT("why", detail));
		arm(r, backoff_next_ms(&r->backoff));
	}
}

/* ---- the clock ---- */

static void on_timer(uv_timer_t *timer)
{
	struct registration *r = timer->data;

	if (r->is_registered)
		arm(r, RENEWAL_MS);
	if (!r->is_calling && r->is_registered)
		call(r, "/skein.v1.Router/RenewNode", CALL_TIMEOUT_MS, on_renewed);
	else if (!r->is_calling)
		call(r, "/skein.v1.Router/RegisterNode", CALL_TIMEOUT_MS, on_registered);
}

void registration_begin(struct registration *r, struct app *app, void (*registered)(struct app *app),
                        void (*lost)(struct app *app))
{
	r->app = app;
	r->registered = registered;
	r->lost = lost;
	backoff_init(&r->backoff, RETRY_MIN_MS, RETRY_MAX_MS);
	uv_timer_init(&app->main.loop, &r->timer);
	r->timer.data = r;
	arm(r, 0);
}

void registration_drain(struct registration *r, void (*told)(struct app *app, const Skein__V1__Renewed *renewed))
{
	r->is_draining = true;
	r->told = told;
	if (r->is_registered)
		arm(r, 0);
}

void registration_end(struct registration *r, void (*removed)(struct app *app))
{
	r->is_over = true;
	r->removed = removed;
	uv_close((uv_handle_t *)&r->timer, NULL);
	remove_node(r);
}
