#include "rpc/client/rpc_channel.h"

#include <assert.h>
#include <grpc/grpc_security.h>

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "rpc/client/rpc_client.h"
#include "rpc/client/rpc_targets.h"
#include "rpc/core/rpc_args.h"

err_t rpc_client_new(struct rpc_client **out)
{
	struct rpc_client *client = MEM_NEW(struct rpc_client);

	client->refs = 1;
	rpc_queue_init(&client->queue, "rpc-client");
	rpc_queue_start(&client->queue);
	*out = client;
	return OK;
}

static void rpc_client_on_queue_ended(struct rpc_queue *queue)
{
	struct rpc_client *client = container_of(queue, struct rpc_client, queue);
	void (*closed)(void *arg) = client->closed;
	void *arg = client->closed_arg;

	mem_free(client);
	closed(arg);
}

static void rpc_client_unref(struct rpc_client *client)
{
	if (atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) == 1)
		rpc_queue_close(&client->queue, client->worker, rpc_client_on_queue_ended);
}

void rpc_client_close(struct rpc_client *client, struct worker *worker, void (*closed)(void *arg), void *arg)
{
	client->worker = worker;
	client->closed = closed;
	client->closed_arg = arg;
	rpc_client_unref(client);
}

void rpc_channel_ref(struct rpc_channel *channel)
{
	atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
}

void rpc_channel_unref(struct rpc_channel *channel)
{
	if (atomic_fetch_sub_explicit(&channel->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct rpc_client *client = channel->client;

	uv_mutex_destroy(&channel->lock);
	mem_free(channel->targets);
	mem_free(channel);
	rpc_client_unref(client);
}

static grpc_channel *rpc_channel_create(const char *uri)
{
	struct rpc_args args = { 0 };

	rpc_args_common(&args, RPC_MESSAGE_MAX);
	rpc_args_text(&args, GRPC_ARG_LB_POLICY_NAME, "round_robin");
	rpc_args_int(&args, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
	rpc_args_int(&args, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
	rpc_args_int(&args, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
	/* In spite of its name this is the timeout of one attempt to connect. */
	rpc_args_int(&args, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
	rpc_args_int(&args, GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000);
	rpc_args_int(&args, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
	rpc_args_int(&args, GRPC_ARG_ENABLE_RETRIES, 0);

	grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
	grpc_channel *channel = grpc_channel_create(uri, credentials, &args.args);
	grpc_channel_credentials_release(credentials);
	return channel;
}

static void rpc_channel_on_state_changed(struct rpc_tag *tag, bool ok);

/*
 * Watches the channel's state. Each look at the state also asks gRPC to connect: otherwise a channel that lost its peer
 * would wait for the next call before it tries again. Closing the channel changes its state for the last time and so ends
 * the watch. The caller holds the lock.
 */
static void rpc_channel_watch(struct rpc_channel *channel)
{
	grpc_channel_watch_connectivity_state(channel->grpc, channel->state, gpr_inf_future(GPR_CLOCK_MONOTONIC),
	                                      channel->client->queue.cq,
	                                      rpc_tag_arm(&channel->state_changed, rpc_channel_on_state_changed));
}

/* Once for each time that nobody can be reached, at the start too. */
static void rpc_channel_log(struct rpc_channel *channel, bool was_up)
{
	bool is_up = channel->state == GRPC_CHANNEL_READY;

	if (is_up && !was_up)
		log_info("rpc channel is up", LOG_TEXT("targets", channel->targets));
	else if (was_up && !is_up)
		log_warn("rpc channel is down", LOG_TEXT("targets", channel->targets));
	else if (channel->state == GRPC_CHANNEL_TRANSIENT_FAILURE && !channel->is_missed)
		log_warn("rpc channel reaches nobody, trying again", LOG_TEXT("targets", channel->targets));
	channel->is_missed = !is_up && (channel->is_missed || was_up || channel->state == GRPC_CHANNEL_TRANSIENT_FAILURE);
}

static void rpc_channel_on_state_changed(struct rpc_tag *tag, bool ok)
{
	struct rpc_channel *channel = container_of(tag, struct rpc_channel, state_changed);

	(void)ok; /* false only after a deadline, and there is none */
	uv_mutex_lock(&channel->lock);
	bool is_closed = channel->is_closed;
	if (!is_closed) {
		bool was_up = channel->state == GRPC_CHANNEL_READY;

		channel->state = grpc_channel_check_connectivity_state(channel->grpc, 1);
		atomic_store_explicit(&channel->is_up, channel->state == GRPC_CHANNEL_READY, memory_order_relaxed);
		rpc_channel_log(channel, was_up);
		rpc_channel_watch(channel);
	}
	uv_mutex_unlock(&channel->lock);
	if (is_closed)
		rpc_channel_unref(channel);
}

err_t rpc_channel_new(struct rpc_channel **out, struct rpc_client *client, const char *targets)
{
	struct buf uri = { 0 };

	if (rpc_targets_uri(&uri, str_from(targets))) {
		buf_release(&uri);
		log_error("invalid list of grpc addresses", LOG_TEXT("targets", targets));
		return ERR_BAD_CONFIG;
	}
	struct rpc_channel *channel = MEM_NEW(struct rpc_channel);
	if (uv_mutex_init(&channel->lock)) {
		buf_release(&uri);
		mem_free(channel);
		return ERR_NO_MEMORY;
	}
	channel->refs = 2; /* of the owner and the watch */
	channel->client = client;
	channel->targets = str_dup(str_from(targets));
	list_init(&channel->calls);
	atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);

	uv_mutex_lock(&channel->lock);
	channel->grpc = rpc_channel_create(buf_text(&uri));
	channel->state = grpc_channel_check_connectivity_state(channel->grpc, 1);
	rpc_channel_watch(channel);
	uv_mutex_unlock(&channel->lock);
	buf_release(&uri);
	*out = channel;
	return OK;
}

void rpc_channel_close(struct rpc_channel *channel)
{
	assert(channel->open_streams == 0);
	uv_mutex_lock(&channel->lock);
	channel->is_closed = true;
	list_for_each(link, &channel->calls)
		grpc_call_cancel(container_of(link, struct channel_call, link)->call, NULL);
	uv_mutex_unlock(&channel->lock);
	grpc_channel_destroy(channel->grpc);
	rpc_channel_unref(channel);
}

bool rpc_channel_is_up(const struct rpc_channel *channel)
{
	return atomic_load_explicit(&channel->is_up, memory_order_relaxed);
}
