#include "im/entries/entry_writer.h"

#include <assert.h>

#include "base/clock.h"
#include "base/text/ident.h"

/* A job's batches are as large as they may be: few sends of users wait for one. */
#define SYSTEM_BATCH_MAX BATCH_MAX

/* All entries of a conversation are in one lane. */
static struct lane *entry_writer_lane(struct entry_writer *writer, const struct entry *entry)
{
	unsigned system_lane = writer->lane_count - 1;
	struct conversation conversation;

	bool is_direct = conversation_parse(entry->conversation, &conversation) && conversation.kind == CONVERSATION_DIRECT;
	bool is_of_system = is_direct && (str_equal(conversation.first, writer->system_user) ||
	                                  str_equal(conversation.second, writer->system_user));
	return &writer->lanes[is_of_system ? system_lane : entry->conversation_hash % system_lane];
}

static void entry_writer_on_end_of_turn(uv_check_t *check)
{
	struct entry_writer *writer = check->data;

	uv_check_stop(check);
	for (unsigned i = 0; i < writer->lane_count; i++)
		lane_start(&writer->lanes[i]);
}

static void entry_writer_on_deadline(struct timer *timer)
{
	struct entry_writer *writer = container_of(timer, struct entry_writer, deadline);
	uint64_t now = clock_mono_ms();

	while (!list_is_empty(&writer->by_deadline)) {
		struct entry *entry = container_of(writer->by_deadline.next, struct entry, by_deadline);
		if (entry->deadline_ms > now) {
			worker_arm(writer->context.worker, &writer->deadline, entry->deadline_ms);
			return;
		}
		lane_expire(entry_writer_lane(writer, entry), entry);
	}
}

/* The counter of the reason to refuse the entry; NULL to let it in. */
static struct counter *entry_writer_refusal(struct entry_writer *writer, const struct lane *lane, const struct entry *entry,
                                            uint64_t now_ms)
{
	if (!lease_keeper_is_held(writer->context.keeper))
		return writer->refused_without_lease;
	if (writer->finisher.open >= writer->max_waiting || lane_is_congested(lane, now_ms))
		return writer->refused_by_queue;
	if (!publisher_reserve(writer->publisher, entry))
		return writer->refused_by_backlog;
	return NULL;
}

err_t entry_writer_submit(struct entry_writer *writer, struct entry *entry)
{
	uint64_t now_us = clock_mono_us(), now = now_us / 1000;
	struct lane *lane = entry_writer_lane(writer, entry);

	struct counter *refused = entry_writer_refusal(writer, lane, entry, now);
	if (refused) {
		counter_add(refused, 1);
		entry_free(entry);
		return ERR_UNAVAILABLE;
	}
	entry->submitted_us = now_us;
	entry->deadline_ms = now + writer->context.timeout_ms;
	list_push_back(&writer->by_deadline, &entry->by_deadline);
	if (!timer_is_armed(&writer->deadline))
		worker_arm(writer->context.worker, &writer->deadline, entry->deadline_ms);
	lane_push(lane, entry);
	writer->finisher.open++;
	uv_check_start(&writer->end_of_turn, entry_writer_on_end_of_turn);
	return OK;
}

unsigned entry_writer_end_interval(struct entry_writer *writer, uint64_t now_ms)
{
	unsigned longest_ms = 0;

	for (unsigned i = 0; i < writer->lane_count; i++) {
		unsigned wait_ms = lane_end_interval(&writer->lanes[i], now_ms);
		longest_ms = MAX(longest_ms, wait_ms);
	}
	return longest_ms;
}

bool entry_writer_is_idle(const struct entry_writer *writer)
{
	return writer->finisher.open == 0;
}

static int64_t entry_writer_read_open(void *arg)
{
	return ((const struct entry_writer *)arg)->finisher.open;
}

struct counter *entry_writer_refusal_counter(const char *reason)
{
	return metrics_counter("skein_im_refused_total", "Requests to send that were refused before anything was asked, by reason.",
	                       reason);
}

void entry_writer_init(struct entry_writer *writer, struct worker *worker, struct pg *pg, struct lease_keeper *keeper,
                       struct publisher *publisher, const struct entry_writer_options *options)
{
	assert(options->lanes > 0 && options->lanes <= ENTRY_WRITER_LANES_MAX && options->batch_max <= BATCH_MAX);
	*writer = (struct entry_writer){
		.context = {
			.worker = worker,
			.pg = pg,
			.keeper = keeper,
			.finisher = &writer->finisher,
			.timeout_ms = options->timeout_ms,
			.statements = metrics_counter("skein_im_batches_total", "Statements that stored entries.", NULL),
			.waits = metrics_histogram("skein_im_batch_wait_seconds",
		                                   "From an entry's arrival to the start of the statement that stores it.", NULL),
			.durations = metrics_histogram("skein_im_batch_seconds", "From such a statement's start to its commit.",
		                                       NULL),
		},
		.publisher = publisher,
		.max_waiting = options->max_waiting,
		.system_user = options->system_user,
		.lane_count = options->lanes + 1,
		.refused_without_lease = entry_writer_refusal_counter("reason=\"lease\""),
		.refused_by_queue = entry_writer_refusal_counter("reason=\"queue\""),
		.refused_by_backlog = entry_writer_refusal_counter("reason=\"kafka\""),
	};
	finisher_init(&writer->finisher, keeper, publisher, options->messages);
	list_init(&writer->by_deadline);
	timer_init(&writer->deadline, entry_writer_on_deadline);
	uv_check_init(&worker->loop, &writer->end_of_turn); /* never fails */
	writer->end_of_turn.data = writer;
	for (unsigned i = 0; i < options->lanes; i++)
		lane_init(&writer->lanes[i], &writer->context, i, options->batch_max);
	lane_init(&writer->lanes[options->lanes], &writer->context, options->lanes, SYSTEM_BATCH_MAX);
	metrics_gauge_fn("skein_im_entries_waiting", "Entries that wait for the database.", NULL, entry_writer_read_open, writer);
}

void entry_writer_close(struct entry_writer *writer)
{
	for (unsigned i = 0; i < writer->lane_count; i++)
		lane_close(&writer->lanes[i]);
	worker_cancel(writer->context.worker, &writer->deadline);
	uv_close((uv_handle_t *)&writer->end_of_turn, NULL);
}
