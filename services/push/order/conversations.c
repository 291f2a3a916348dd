#include "push/order/conversations.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/sabotage.h"
#include "push/order/conv.h"

/* ---- life ---- */

static struct str key_of(const struct map_node *node)
{
	return str_from(container_of(node, struct conv, link)->id);
}

static bool is_quiet(const struct conv *conv)
{
	return conv->stage == STAGE_IDLE && !conv->is_filling && !reorder_buffer_first(&conv->pending) &&
	       list_is_empty(&conv->delivering);
}

static void conv_free(struct conv *conv)
{
	struct conversations *all = conv->all;

	worker_cancel(all->options.worker, &conv->wait);
	if (!conv->is_orphan)
		map_remove(&all->by_id, &conv->link);
	list_remove(&conv->idle);
	all->count--;
	mem_free(conv);
}

/* Files a conversation with nothing to do among the idle, or frees it. */
static void rest(struct conv *conv)
{
	struct conversations *all = conv->all;

	if (!is_quiet(conv))
		return;
	if (conv->is_orphan) {
		conv_free(conv);
		return;
	}
	list_remove(&conv->idle);
	list_push_back(&all->idle, &conv->idle);
	if (all->count > all->options.max_conversations)
		conv_free(container_of(all->idle.next, struct conv, idle));
}

void conv_count_in(struct conversations *all, const struct outgoing *outgoing)
{
	if (outgoing->is_slim) {
		all->slim++;
		return;
	}
	all->in_flight++;
	all->in_flight_bytes += outgoing->bytes;
}

static void count_out(struct conversations *all, const struct outgoing *outgoing)
{
	if (outgoing->is_slim) {
		all->slim--;
		return;
	}
	all->in_flight--;
	all->in_flight_bytes -= outgoing->bytes;
}

/* It was whole and counted so. */
static void count_slimmed(struct conversations *all, const struct outgoing *outgoing)
{
	all->in_flight--;
	all->in_flight_bytes -= outgoing->bytes;
	all->slim++;
}

void conv_drop(struct conv *conv, struct outgoing *outgoing)
{
	list_remove(&outgoing->link);
	count_out(conv->all, outgoing);
	outgoing_free(outgoing);
}

static void drop_all(struct conv *conv, struct list *messages)
{
	while (!list_is_empty(messages))
		conv_drop(conv, container_of(messages->next, struct outgoing, link));
}

static void drop_pending(struct conv *conv)
{
	drop_all(conv, &conv->pending.messages);
	reorder_buffer_init(&conv->pending);
}

void conv_finish(struct conv *conv, struct outgoing *outgoing)
{
	struct conversations *all = conv->all;
	bool has_place = outgoing->has_place && !conv->is_orphan;
	int32_t partition = outgoing->partition;
	int64_t offset = outgoing->offset;

	conv_drop(conv, outgoing);
	if (has_place)
		all->options.finished(all->options.arg, partition, offset);
}

/* ---- the last dispatched seq ---- */

static void on_wait_over(struct timer *timer);

static void on_loaded(void *arg, err_t err, uint64_t seq)
{
	struct conv *conv = arg;

	conv->stage = STAGE_IDLE;
	if (err) {
		worker_arm(conv->all->options.worker, &conv->wait, clock_mono_ms() + CONV_RETRY_MS);
		return;
	}
	conv->is_known = true;
	conv->dispatched = conv->base = conv->saved = seq;
	conv_advance(conv);
}

static void load_dispatched(struct conv *conv)
{
	const struct outgoing *first = reorder_buffer_first(&conv->pending);

	if (first->seq == 1) {
		conv->is_known = true; /* a new conversation: nothing was before */
		conv_advance(conv);
		return;
	}
	conv->stage = STAGE_LOADING;
	conv->loading = (struct progress_query){
		.progress = &conv->all->progress,
		.conversation_id = conv->id,
		.first_seq = first->seq,
		.done = on_loaded,
		.arg = conv,
	};
	progress_load(&conv->loading);
}

/* Once the inboxes have it. */
static void save_dispatched(struct conv *conv)
{
	if (conv->is_orphan || conv->dispatched == conv->saved)
		return;
	conv->saved = conv->dispatched;
	progress_save(&conv->all->progress, conv->id, conv->saved);
}

static void resolve_batch(struct conv *conv);

static void on_wait_over(struct timer *timer)
{
	struct conv *conv = container_of(timer, struct conv, wait);

	if (conv->stage == STAGE_UNRESOLVED && conv->is_orphan) {
		drop_all(conv, &conv->batch);
		conv->stage = STAGE_IDLE;
	}
	if (conv->stage == STAGE_UNRESOLVED)
		resolve_batch(conv);
	else if (conv->stage == STAGE_IDLE && conv->is_known && !conv->is_filling && conv_has_gap(conv))
		conv_read_gap(conv);
	else
		conv_advance(conv);
}

/* ---- the batch ---- */

static void on_delivered(struct outgoing *outgoing, void *arg)
{
	struct conv *conv = arg;

	uint64_t now = clock_wall_ms(), stored = outgoing->time;

	log_debug("answered", LOG_TEXT("conversation", conv->id), LOG_U64("seq", outgoing->seq));
	histogram_observe(conv->all->total_time, now > stored ? (now - stored) * 1000 : 0);
	delivery_wait_ended(conv->all->options.wait, clock_mono_us() - outgoing->taken_us);
	conv_finish(conv, outgoing);
	rest(conv);
}

static void on_slimmed(struct outgoing *outgoing, void *arg)
{
	struct conv *conv = arg;
	struct conversations *all = conv->all;

	count_slimmed(all, outgoing);
	all->options.eased(all->options.arg);
}

static const struct outgoing_handlers outgoing_handlers = { .delivered = on_delivered, .slimmed = on_slimmed };

static void on_appended(struct inbox_writer *run, void *arg)
{
	struct conv *conv = arg;
	struct list batch;

	(void)run;
	histogram_observe(conv->all->append_time, clock_mono_us() - conv->batch_started_us);
	save_dispatched(conv);
	conv->stage = STAGE_DELIVERING;
	list_init(&batch);
	list_splice_back(&batch, &conv->batch);
	for (struct list *link; (link = list_pop_front(&batch));) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);

		list_push_back(&conv->delivering, &outgoing->link);
		log_debug("appended", LOG_TEXT("conversation", conv->id), LOG_U64("seq", outgoing->seq),
		          LOG_NUM("recipients", outgoing->recipients->count), LOG_NUM("targets", outgoing->target_count));
		counter_add(conv->all->dispatched, 1);
		outgoing_deliver(outgoing, &outgoing_handlers, conv);
	}
	conv->stage = STAGE_IDLE;
	conv_advance(conv);
}

static void append_batch(struct conv *conv, struct recipients *recipients)
{
	list_for_each(link, &conv->batch) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);

		recipients_unref(outgoing->recipients);
		outgoing->recipients = recipients_ref(recipients);
	}
	recipients_unref(recipients);
	conv->stage = STAGE_APPENDING;
	conv->run.worker = conv->all->options.worker;
	conv->run.redis = conv->all->options.redis;
	conv->run.gateways = conv->all->options.gateways;
	conv->run.limits = &conv->all->options.inbox_limits;
	inbox_writer_start(&conv->run, &conv->batch, on_appended, conv);
}

/* Nobody is there to get it: the group is gone. */
static void abandon_batch(struct conv *conv)
{
	log_warn("group of a message is not there", LOG_TEXT("conversation", conv->id));
	save_dispatched(conv);
	conv->stage = STAGE_IDLE;
	while (!list_is_empty(&conv->batch))
		conv_finish(conv, container_of(conv->batch.next, struct outgoing, link));
	conv_advance(conv);
}

static void on_members(void *arg, err_t err, struct recipients *recipients)
{
	struct conv *conv = arg;

	if (!err) {
		append_batch(conv, recipients);
	} else if (err == ERR_NOT_FOUND) {
		abandon_batch(conv);
	} else {
		log_warn("members of a group not found out, trying again", LOG_TEXT("conversation", conv->id), LOG_ERR(err));
		conv->stage = STAGE_UNRESOLVED;
		worker_arm(conv->all->options.worker, &conv->wait, clock_mono_ms() + CONV_RETRY_MS);
	}
}

static void resolve_batch(struct conv *conv)
{
	uint64_t version = 0;

	conv->stage = STAGE_RESOLVING;
	if (conv->parsed.kind == CONVERSATION_DIRECT) {
		append_batch(conv, recipients_of_direct(&conv->parsed));
		return;
	}
	list_for_each(link, &conv->batch)
		version = MAX(version, container_of(link, struct outgoing, link)->record->member_version);
	member_cache_find(conv->all->options.members, conv->parsed.first, version, on_members, conv);
}

/* ---- order ---- */

static struct outgoing *find_seq(const struct list *messages, uint64_t seq)
{
	list_for_each(link, messages) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);

		if (outgoing->seq == seq)
			return outgoing;
	}
	return NULL;
}

/* A record at or below what this process dispatched itself. */
static void take_repeat(struct conv *conv, struct outgoing *repeat)
{
	struct outgoing *under_way = find_seq(&conv->delivering, repeat->seq);

	if (!under_way)
		under_way = find_seq(&conv->batch, repeat->seq);
	counter_add(conv->all->dropped, 1);
	if (under_way && !under_way->has_place && repeat->has_place) {
		under_way->has_place = true; /* read from PostgreSQL, and here comes its record */
		under_way->partition = repeat->partition;
		under_way->offset = repeat->offset;
		conv_drop(conv, repeat);
		return;
	}
	conv_finish(conv, repeat); /* answered, or its first record holds the partition's offset back */
}

static size_t form_batch(struct conv *conv)
{
	size_t count = 0;
	struct outgoing *first;

	while ((first = reorder_buffer_first(&conv->pending)) && count < APPEND_BATCH_MAX &&
	       (first->seq <= conv->dispatched + 1 || sabotaged(SABOTAGE_NO_REORDER))) {
		bool is_repeat = first->seq <= conv->dispatched && first->seq > conv->base &&
		                 !sabotaged(SABOTAGE_NO_REORDER);

		if (first->is_slim && !is_repeat)
			break;
		reorder_buffer_remove(&conv->pending, first);
		if (is_repeat) {
			take_repeat(conv, first);
			continue;
		}
		if (first->seq <= conv->dispatched)
			counter_add(conv->all->repeated, 1);
		else
			conv->dispatched = first->seq;
		list_push_back(&conv->batch, &first->link);
		count++;
	}
	return count;
}

void conv_advance(struct conv *conv)
{
	if (conv->stage != STAGE_IDLE || conv->is_filling)
		return;
	if (!reorder_buffer_first(&conv->pending)) {
		rest(conv);
		return;
	}
	if (!conv->is_known) {
		load_dispatched(conv);
		return;
	}
	if (form_batch(conv)) {
		worker_cancel(conv->all->options.worker, &conv->wait);
		conv->batch_started_us = clock_mono_us();
		resolve_batch(conv);
	} else if (!reorder_buffer_first(&conv->pending)) {
		rest(conv);
	} else if ((reorder_buffer_first(&conv->pending)->is_slim || conv->reads_on) && !timer_is_armed(&conv->wait)) {
		conv->reads_on = false;
		conv_read_gap(conv);
	} else if (!timer_is_armed(&conv->wait)) {
		worker_arm(conv->all->options.worker, &conv->wait, clock_mono_ms() + GAP_WAIT_MS);
	}
}

/* ---- the outside ---- */

static struct conv *conv_new(struct conversations *all, const char *id, int32_t partition)
{
	struct conv *conv = MEM_NEW(struct conv);

	conv->all = all;
	(void)str_copy(conv->id, sizeof(conv->id), str_from(id));
	(void)conversation_parse(str_from(conv->id), &conv->parsed); /* intake let nothing else through */
	conv->partition = partition;
	list_init(&conv->idle);
	reorder_buffer_init(&conv->pending);
	list_init(&conv->batch);
	list_init(&conv->delivering);
	timer_init(&conv->wait, on_wait_over);
	map_put(&all->by_id, &conv->link);
	all->count++;
	return conv;
}

void conversations_take(struct conversations *all, struct outgoing *outgoing)
{
	const char *id = outgoing->record->message->conversation_id;
	struct map_node *found = map_find(&all->by_id, str_from(id));
	struct conv *conv =
		found ? container_of(found, struct conv, link) : conv_new(all, id, outgoing->partition);

	list_remove(&conv->idle);
	reorder_buffer_add(&conv->pending, outgoing);
	conv_count_in(all, outgoing);
	conv_advance(conv);
}

void conversations_drop_partition(struct conversations *all, int32_t partition)
{
	for (struct map_node *node = map_first(&all->by_id), *next; node; node = next) {
		struct conv *conv = container_of(node, struct conv, link);

		next = map_next(&all->by_id, node);
		if (conv->partition != partition)
			continue;
		map_remove(&all->by_id, &conv->link);
		conv->is_orphan = true;
		drop_pending(conv);
		if (is_quiet(conv))
			conv_free(conv);
	}
}

static struct conversations *with_metrics(struct conversations *all)
{
	const char *name = "skein_push_messages_total", *help = "Messages by what became of their record.";

	all->dispatched = metrics_counter(name, help, "outcome=\"dispatched\"");
	all->repeated = metrics_counter(name, help, "outcome=\"repeated\"");
	all->dropped = metrics_counter(name, help, "outcome=\"dropped\"");
	all->gaps = metrics_counter(name, help, "outcome=\"read_from_postgres\"");
	all->append_time = metrics_histogram("skein_push_append_seconds",
	                                     "From a batch's start until all its inbox entries are written.", NULL);
	all->total_time = metrics_histogram("skein_push_total_seconds",
	                                    "From a message's time until every gateway has answered.", NULL);
	return all;
}

struct conversations *conversations_new(const struct conversations_options *options)
{
	struct conversations *all = MEM_NEW(struct conversations);

	all->options = *options;
	map_init(&all->by_id, key_of);
	list_init(&all->idle);
	progress_start(&all->progress, options->worker, options->redis, options->pg);
	return with_metrics(all);
}

void conversations_stop(struct conversations *all)
{
	progress_stop(&all->progress);
}

void conversations_free(struct conversations *all)
{
	for (struct map_node *node; (node = map_first(&all->by_id));) {
		struct conv *conv = container_of(node, struct conv, link);

		drop_pending(conv);
		drop_all(conv, &conv->batch);
		inbox_writer_abort(&conv->run);
		conv_free(conv);
	}
	map_release(&all->by_id);
	mem_free(all);
}

struct conversations_load conversations_load(const struct conversations *all)
{
	return (struct conversations_load){
		.messages = all->in_flight,
		.bytes = all->in_flight_bytes,
		.slim = all->slim,
		.known = all->count,
	};
}

size_t conversations_in_flight(const struct conversations *all)
{
	return all->in_flight + all->slim;
}
