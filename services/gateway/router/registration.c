#include "gateway/router/registration.h"

#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/telemetry/log.h"
#include "base/text/buf.h"
#include "cluster/node.h" /* NODE_LIFE_S */
#include "gateway/config.h"
#include "gateway/router/advertised.h"
#include "loop/worker.h"
#include "proto/router.pb-c.h"
#include "rpc/client/rpc_client.h"

#define REGISTRATION_RENEWAL_MS 3000
#define REGISTRATION_CALL_TIMEOUT_MS 2000
#define REGISTRATION_REMOVE_TIMEOUT_MS 1000
#define REGISTRATION_RETRY_MIN_MS 100
#define REGISTRATION_RETRY_MAX_MS 2000

static void registration_on_timer(uv_timer_t *timer);

static void registration_arm(struct registration *r, uint64_t after_ms)
{
	uv_timer_start(&r->timer, registration_on_timer, after_ms, 0);
}

static void registration_call(struct registration *r, const char *path, uint64_t timeout_ms, rpc_done done)
{
	const struct gateway_config *config = r->setup.config;
	Skein__V1__Node node = SKEIN__V1__NODE__INIT;
	struct node_figures figures;
	struct buf bytes = { 0 };

	r->setup.read_figures(&figures, r->setup.arg);
	node.name = config->common.node_name;
	node.epoch = atomic_load(r->setup.node_epoch);
	node.grpc_address = r->grpc_address;
	node.ws_url = config->ws_url;
	node.cell = config->cell;
	node.draining = r->was_asked_draining = r->is_draining;
	node.connections = figures.connections;
	node.queue_bytes = figures.queue_bytes;
	node.lag_ms = figures.lag_ms;
	atomic_store(&r->lag_ms, node.lag_ms);
	size_t len = skein__v1__node__get_packed_size(&node);
	bytes.len = skein__v1__node__pack(&node, (uint8_t *)buf_reserve(&bytes, len));
	r->is_calling = true;
	r->asked_ms = clock_mono_ms();
	rpc_call(r->setup.channel, r->setup.main, path, buf_str(&bytes), timeout_ms, true, STR(""), done, r);
	buf_release(&bytes);
}

static void registration_is_removed(struct registration *r)
{
	mem_free(r->grpc_address);
	r->grpc_address = NULL;
	r->removed(r->setup.arg);
}

static void registration_on_removed(void *arg, err_t err, struct str response, const char *detail)
{
	struct registration *r = arg;
	(void)response;

	if (err)
		log_warn("node was not removed, its key will expire", LOG_ERR(err), LOG_TEXT("why", detail));
	registration_is_removed(r);
}

/* Waits for the answer to a call under way: a renewal that router executes after the removal would create the node again. */
static void registration_remove_node(struct registration *r)
{
	if (r->is_calling)
		return;
	if (r->is_registered)
		registration_call(r, "/skein.v1.Router/RemoveNode", REGISTRATION_REMOVE_TIMEOUT_MS, registration_on_removed);
	else
		registration_is_removed(r);
}

static void registration_take_answer(struct registration *r, struct str response)
{
	Skein__V1__Renewed *answer = skein__v1__renewed__unpack(NULL, response.len, (const uint8_t *)response.ptr);

	/*
	 * The node's key may have been gone before this renewal: Redis lost its data, or the key expired because this process
	 * was frozen or router was away. Push then took the node for dead and dropped its deliveries to connections that are
	 * still here. The answer with `was_out` may have been lost, so the clock is checked too.
	 */
	bool is_expired = r->alive_ms && clock_mono_ms() >= r->alive_ms + NODE_LIFE_S * 1000;
	r->alive_ms = r->asked_ms;
	if (is_expired || (answer && answer->was_out)) {
		log_warn("this node was out of the list: every connection reads its inbox again");
		r->setup.was_out(r->setup.arg);
	}
	if (!answer)
		return;
	if (r->was_asked_draining)
		r->told(answer, r->setup.arg);
	skein__v1__renewed__free_unpacked(answer, NULL);
}

static void registration_on_renewed(void *arg, err_t err, struct str response, const char *detail)
{
	struct registration *r = arg;

	r->is_calling = false;
	if (r->is_over) {
		registration_remove_node(r);
		return;
	}
	if (err == ERR_FAILED_PRECONDITION) {
		r->is_lost = true;
		uv_timer_stop(&r->timer);
		log_error("another process has registered under this node's name: give each gateway its own node.name",
		          LOG_TEXT("node", r->setup.config->common.node_name));
		r->setup.lost(r->setup.arg);
		return;
	}
	if (r->is_draining && !r->was_asked_draining)
		registration_arm(r, 0); /* this renewal was sent before the drain: the next one asks where clients may go */
	/* Routes and the node's key outlive a short outage of router; a later renewal makes the key again. */
	if (err) {
		log_warn("node was not renewed", LOG_ERR(err), LOG_TEXT("why", detail));
		registration_arm(r, backoff_next_ms(&r->backoff)); /* at another router */
	} else {
		backoff_reset(&r->backoff);
		registration_take_answer(r, response);
	}
}

static void registration_on_registered(void *arg, err_t err, struct str response, const char *detail)
{
	struct registration *r = arg;
	Skein__V1__Registered *answer = NULL;

	r->is_calling = false;
	if (!err)
		answer = skein__v1__registered__unpack(NULL, response.len, (const uint8_t *)response.ptr);
	r->is_registered = answer && answer->epoch;
	if (r->is_registered) {
		atomic_store(r->setup.node_epoch, answer->epoch);
		r->alive_ms = r->asked_ms;
	}
	if (answer)
		skein__v1__registered__free_unpacked(answer, NULL);
	if (r->is_over) {
		registration_remove_node(r);
	} else if (r->is_registered) {
		registration_arm(r, REGISTRATION_RENEWAL_MS);
		r->setup.registered(r->setup.arg);
	} else {
		log_warn("gateway could not be registered, trying again", LOG_ERR(err), LOG_TEXT("why", detail),
		         LOG_TEXT("routers", r->setup.config->router_targets));
		registration_arm(r, backoff_next_ms(&r->backoff));
	}
}

/* ---- the clock ---- */

static void registration_on_timer(uv_timer_t *timer)
{
	struct registration *r = timer->data;

	if (r->is_registered)
		registration_arm(r, REGISTRATION_RENEWAL_MS);
	if (!r->is_calling && r->is_registered)
		registration_call(r, "/skein.v1.Router/RenewNode", REGISTRATION_CALL_TIMEOUT_MS, registration_on_renewed);
	else if (!r->is_calling)
		registration_call(r, "/skein.v1.Router/RegisterNode", REGISTRATION_CALL_TIMEOUT_MS, registration_on_registered);
}

static char *registration_address(const struct gateway_config *config)
{
	struct buf address = { 0 };
	char host[HOST_NAME_MAX + 1] = "";

	(void)gethostname(host, sizeof(host) - 1);
	advertised_write(&address, config->grpc_advertise, config->grpc_listen, host);
	return buf_take(&address);
}

void registration_begin(struct registration *r, const struct registration_setup *setup)
{
	r->setup = *setup;
	r->grpc_address = registration_address(setup->config);
	backoff_init(&r->backoff, REGISTRATION_RETRY_MIN_MS, REGISTRATION_RETRY_MAX_MS);
	uv_timer_init(&setup->main->loop, &r->timer);
	r->timer.data = r;
	registration_arm(r, 0);
}

void registration_drain(struct registration *r, void (*told)(const Skein__V1__Renewed *renewed, void *arg))
{
	r->is_draining = true;
	r->told = told;
	if (r->is_registered && !r->is_lost)
		registration_arm(r, 0);
}

void registration_end(struct registration *r, void (*removed)(void *arg))
{
	r->is_over = true;
	r->removed = removed;
	uv_close((uv_handle_t *)&r->timer, NULL);
	registration_remove_node(r);
}
