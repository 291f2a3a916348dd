#include "gateway/router/route_link.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "base/text/buf.h"
#include "loop/worker.h"
#include "proto/router.pb-c.h"
#include "rpc/client/rpc_client.h"

#define ROUTES_PATH "/skein.v1.Router/Routes"

/* Limits on the changes in one message and in flight, which bound the memory that they take in router. */
#define CHANGES_PER_MESSAGE 256
#define CHANGES_IN_FLIGHT 8192
#define MAX_QUEUED (8 << 20)

struct route_change {
	struct task task; /* on its way to the main worker, or back */
	struct list link;
	struct map_node by_id, by_conn;
	struct route_link *route_link;
	struct worker *home;
	route_answered answered;
	void *arg;
	struct route_answer answer;
	enum route_op op;
	bool was_sent; /* on this stream or an earlier one: it may have been executed */
	uint64_t id;
	uint64_t sent_ms;
	uint64_t since_ms;
	const char *device, *platform; /* behind `uid` */
	char uid[]; /* uid, device and platform, each with its terminator */
};

/* ---- keeping ---- */

static struct str route_link_id_key(const struct map_node *node)
{
	return str_of(&container_of(node, struct route_change, by_id)->id, sizeof(uint64_t));
}

static struct str route_link_conn_key(const struct map_node *node)
{
	return str_of(&container_of(node, struct route_change, by_conn)->answer.conn, sizeof(uint64_t));
}

static bool route_link_is_bind(const struct route_change *change)
{
	return change->op == ROUTE_BIND || change->op == ROUTE_REBIND;
}

static void route_link_forget(struct route_link *link, struct route_change *change)
{
	map_remove(&link->by_id, &change->by_id);
	if (route_link_is_bind(change))
		map_remove(&link->binds, &change->by_conn);
	list_remove(&change->link);
}

/* ---- a router that does not answer ---- */

static uint64_t route_link_patience_ms(const struct route_link *link)
{
	unsigned doublings = link->given_up < 3 ? 0 : MIN(link->given_up - 2, 3);

	return (uint64_t)ROUTE_ANSWER_MS << doublings;
}

static void route_link_give_up(struct route_link *link)
{
	link->given_up++;
	counter_add(link->setup.changes_of_router, 1);
	rpc_stream_reopen(link->stream);
}

static struct route_change *route_link_first_sent(const struct route_link *link)
{
	return list_is_empty(&link->sent) ? NULL : container_of(link->sent.next, struct route_change, link);
}

static void route_link_watch_answers(struct route_link *link)
{
	struct route_change *first = route_link_first_sent(link);

	if (link->is_up && first)
		worker_arm(link->setup.main, &link->watch, first->sent_ms + route_link_patience_ms(link));
}

/* A router may accept the connection and never open the stream. */
static void route_link_watch_opening(struct route_link *link)
{
	worker_arm_in(link->setup.main, &link->watch, ROUTE_ANSWER_MS);
}

static void route_link_on_watch(struct timer *timer)
{
	struct route_link *link = container_of(timer, struct route_link, watch);
	struct route_change *first = route_link_first_sent(link);
	uint64_t now_ms = clock_mono_ms();

	if (!link->is_up) {
		rpc_stream_reopen(link->stream);
		route_link_watch_opening(link);
		return;
	}
	if (!first)
		return;
	if (now_ms < first->sent_ms + route_link_patience_ms(link)) {
		route_link_watch_answers(link);
		return;
	}
	log_warn("router does not answer, trying another one", LOG_NUM("unanswered", link->sent_count),
	         LOG_NUM("after_ms", now_ms - first->sent_ms));
	route_link_give_up(link);
}

bool route_link_is_away(const struct route_link *link, uint64_t now_ms)
{
	uint64_t since_ms = atomic_load(&link->down_since_ms);

	return since_ms && now_ms >= since_ms + ROUTE_AWAY_MS;
}

/* ---- sending ---- */

static void route_link_describe(const struct route_link *link, const struct route_change *change, Skein__V1__RouteChange *out)
{
	static const Skein__V1__RouteChange__Op ops[] = {
		[ROUTE_BIND] = SKEIN__V1__ROUTE_CHANGE__OP__BIND,
		[ROUTE_REBIND] = SKEIN__V1__ROUTE_CHANGE__OP__BIND,
		[ROUTE_UNBIND] = SKEIN__V1__ROUTE_CHANGE__OP__UNBIND,
		[ROUTE_RENEW] = SKEIN__V1__ROUTE_CHANGE__OP__RENEW,
	};

	skein__v1__route_change__init(out);
	out->id = change->id;
	out->op = ops[change->op];
	out->uid = (char *)change->uid;
	out->device = (char *)change->device;
	out->node = (char *)link->setup.node;
	out->node_epoch = route_link_node_epoch(link);
	out->conn = change->answer.conn;
	if (route_link_is_bind(change)) {
		out->platform = (char *)change->platform;
		out->since = change->since_ms;
		/* A BIND that was sent before may have been executed, and its route replaced since. */
		out->again = change->op == ROUTE_REBIND || change->was_sent;
	}
}

/* Packs the oldest changes that wait; returns how many. */
static size_t route_link_pack_some(const struct route_link *link, struct buf *out)
{
	Skein__V1__RouteChanges batch = SKEIN__V1__ROUTE_CHANGES__INIT;
	Skein__V1__RouteChange changes[CHANGES_PER_MESSAGE], *pointers[CHANGES_PER_MESSAGE];

	list_for_each(at, &link->waiting) {
		if (batch.n_changes == MIN(CHANGES_PER_MESSAGE, CHANGES_IN_FLIGHT - link->sent_count))
			break;
		route_link_describe(link, container_of(at, struct route_change, link), &changes[batch.n_changes]);
		pointers[batch.n_changes] = &changes[batch.n_changes];
		batch.n_changes++;
	}
	batch.changes = pointers;
	size_t len = skein__v1__route_changes__get_packed_size(&batch);
	out->len = skein__v1__route_changes__pack(&batch, (uint8_t *)buf_reserve(out, len));
	return batch.n_changes;
}

static void route_link_send_waiting(struct route_link *link)
{
	struct buf bytes = { 0 };
	uint64_t now_ms = clock_mono_ms();

	while (link->is_up && !list_is_empty(&link->waiting) && link->sent_count < CHANGES_IN_FLIGHT) {
		buf_clear(&bytes);
		size_t count = route_link_pack_some(link, &bytes);
		if (rpc_stream_send(link->stream, buf_str(&bytes)))
			break; /* down: they are sent on the next stream */
		link->sent_count += (unsigned)count;
		while (count--) {
			struct list *first = list_pop_front(&link->waiting);
			struct route_change *change = container_of(first, struct route_change, link);
			change->was_sent = true;
			change->sent_ms = now_ms;
			list_push_back(&link->sent, first);
		}
	}
	if (!timer_is_armed(&link->watch))
		route_link_watch_answers(link);
	buf_release(&bytes);
}

static void route_link_on_flush(uv_prepare_t *flush)
{
	struct route_link *link = flush->data;

	if (!link->wants_flush)
		return;
	link->wants_flush = false;
	route_link_send_waiting(link);
}

static void route_link_take_in(struct task *task)
{
	struct route_change *change = container_of(task, struct route_change, task);
	struct route_link *link = change->route_link;

	if (!link->stream) {
		mem_free(change); /* closed */
		return;
	}
	struct map_node *node =
		change->op == ROUTE_UNBIND ? map_find(&link->binds, route_link_conn_key(&change->by_conn)) : NULL;
	struct route_change *bind = node ? container_of(node, struct route_change, by_conn) : NULL;
	/* A BIND in `sent` will be answered. A BIND in `waiting` is cancelled; a stream that broke may have carried it. */
	if (bind && !(link->is_up && bind->was_sent)) {
		bool was_never_sent = !bind->was_sent;

		route_link_forget(link, bind);
		mem_free(bind);
		if (was_never_sent) {
			mem_free(change);
			return;
		}
	}
	change->id = ++link->last_id;
	map_put(&link->by_id, &change->by_id);
	if (route_link_is_bind(change))
		map_put(&link->binds, &change->by_conn);
	list_push_back(&link->waiting, &change->link);
	link->wants_flush = true;
}

void route_link_submit(struct route_link *link, const struct route_request *request)
{
	size_t uid_size = strlen(request->uid) + 1, device_size = strlen(request->device) + 1;
	size_t platform_size = strlen(request->platform) + 1;
	struct route_change *change = mem_zalloc(sizeof(*change) + uid_size + device_size + platform_size);

	memcpy(change->uid, request->uid, uid_size);
	change->device = memcpy(change->uid + uid_size, request->device, device_size);
	change->platform = memcpy(change->uid + uid_size + device_size, request->platform, platform_size);
	change->route_link = link;
	change->home = request->home;
	change->answered = request->answered;
	change->arg = request->arg;
	change->op = request->op;
	change->answer.conn = request->conn;
	change->since_ms = request->since_ms;
	change->task.run = route_link_take_in;
	worker_post(link->setup.main, &change->task);
}

/* ---- answers ---- */

static void route_link_hand_back(struct task *task)
{
	struct route_change *change = container_of(task, struct route_change, task);

	change->answered(&change->answer, change->arg);
	mem_free(change);
}

static void route_link_take_answer(struct route_link *link, const Skein__V1__RouteAnswer *answer)
{
	struct map_node *node = map_find(&link->by_id, str_of(&answer->id, sizeof(answer->id)));

	if (!node)
		return; /* the change was sent on a stream that broke, sent again, and answered already */
	struct route_change *change = container_of(node, struct route_change, by_id);
	if (change->was_sent)
		link->sent_count--;
	link->given_up = 0;
	route_link_forget(link, change);
	if (!change->answered) {
		mem_free(change);
		return;
	}
	change->answer.err = *answer->error ? err_from_code(answer->error) : OK;
	change->answer.kept = answer->kept;
	change->answer.inbox_epoch = answer->inbox_epoch;
	change->answer.inbox_head = answer->inbox_head;
	change->task.run = route_link_hand_back;
	worker_post(change->home, &change->task);
}

static void route_link_on_answers(struct rpc_stream *stream, struct str message, void *arg)
{
	struct route_link *link = arg;
	Skein__V1__RouteAnswers *batch =
		skein__v1__route_answers__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	(void)stream;

	if (!batch) {
		log_warn("router sent something that is not RouteAnswers", LOG_NUM("bytes", message.len));
		route_link_give_up(link);
		return;
	}
	for (size_t i = 0; i < batch->n_answers; i++)
		route_link_take_answer(link, batch->answers[i]);
	skein__v1__route_answers__free_unpacked(batch, NULL);
	route_link_send_waiting(link);
}

/* ---- the stream ---- */

static void route_link_on_up(struct rpc_stream *stream, void *arg)
{
	struct route_link *link = arg;
	(void)stream;

	link->is_up = true;
	atomic_store(&link->down_since_ms, 0);
	worker_cancel(link->setup.main, &link->watch);
	log_info("routes stream is up", LOG_NUM("waiting", link->by_id.len));
	route_link_send_waiting(link);
	link->setup.opened(link->setup.arg);
}

static void route_link_on_down(struct rpc_stream *stream, err_t err, void *arg)
{
	struct route_link *link = arg;
	(void)stream;

	if (link->is_up) {
		atomic_store(&link->down_since_ms, clock_mono_ms());
		log_warn("routes stream is down", LOG_ERR(err), LOG_NUM("unanswered", link->sent_count));
	}
	link->is_up = false;
	route_link_watch_opening(link);
	link->sent_count = 0;
	/* Sent changes are older than waiting ones: they go first again. */
	list_splice_back(&link->sent, &link->waiting);
	list_splice_back(&link->waiting, &link->sent);
}

void route_link_open(struct route_link *link, const struct route_link_setup *setup)
{
	static const struct rpc_stream_handlers handlers = { .opened = route_link_on_up,
		                                             .message = route_link_on_answers,
		                                             .closed = route_link_on_down };

	link->setup = *setup;
	timer_init(&link->watch, route_link_on_watch);
	atomic_store(&link->down_since_ms, clock_mono_ms());
	list_init(&link->waiting);
	list_init(&link->sent);
	map_init(&link->by_id, route_link_id_key);
	map_init(&link->binds, route_link_conn_key);
	uv_prepare_init(&setup->main->loop, &link->flush);
	link->flush.data = link;
	uv_prepare_start(&link->flush, route_link_on_flush);
	link->stream = rpc_stream_open(setup->channel, setup->main, ROUTES_PATH, &handlers, MAX_QUEUED, link);
	route_link_watch_opening(link);
}

void route_link_close(struct route_link *link)
{
	struct list *first;

	rpc_stream_close(link->stream);
	link->stream = NULL;
	worker_cancel(link->setup.main, &link->watch);
	link->is_up = false;
	list_splice_back(&link->waiting, &link->sent);
	while ((first = list_pop_front(&link->waiting)))
		mem_free(container_of(first, struct route_change, link));
	map_release(&link->by_id);
	map_release(&link->binds);
	uv_close((uv_handle_t *)&link->flush, NULL);
}
