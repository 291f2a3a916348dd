#include "store/kafka/kafka_assignment.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/telemetry/log.h"
#include "store/kafka/kafka_client.h"

/* The longest time that a request to the brokers may block the loop during a rebalance. */
#define ASK_MS 1000

void kafka_assignment_init(struct kafka_assignment *assignment, const char *topic,
                           const struct kafka_consumer_handlers *handlers, void *arg)
{
	*assignment = (struct kafka_assignment){ .topic = str_dup(str_from(topic)), .handlers = handlers, .arg = arg };
}

void kafka_assignment_release(struct kafka_assignment *assignment)
{
	mem_free(assignment->partitions);
	mem_free(assignment->topic);
}

/* ---- partitions ---- */

struct partition *kafka_assignment_find(const struct kafka_assignment *assignment, int32_t number)
{
	if (number < 0 || number >= assignment->partition_count || !assignment->partitions[number].is_ours)
		return NULL;
	return &assignment->partitions[number];
}

bool kafka_assignment_has_any(const struct kafka_assignment *assignment)
{
	for (int32_t i = 0; i < assignment->partition_count; i++)
		if (kafka_assignment_find(assignment, i))
			return true;
	return false;
}

static struct partition *assignment_make(struct kafka_assignment *assignment, int32_t number)
{
	if (number >= assignment->partition_count) {
		size_t count = (size_t)number + 1, old_count = (size_t)assignment->partition_count;
		assignment->partitions = mem_resize(assignment->partitions, count * sizeof(*assignment->partitions));
		memset(assignment->partitions + old_count, 0, (count - old_count) * sizeof(*assignment->partitions));
		assignment->partition_count = number + 1;
	}
	return &assignment->partitions[number];
}

static void assignment_announce(struct kafka_assignment *assignment, int32_t number, int64_t offset)
{
	assignment->partitions[number].is_announced = true;
	assignment->handlers->assigned(assignment->arg, number, offset);
}

static void assignment_revoke(struct kafka_assignment *assignment, int32_t number, bool is_lost)
{
	struct partition *p = kafka_assignment_find(assignment, number);

	if (!p || !p->is_announced)
		return;
	p->is_announced = false;
	assignment->handlers->revoked(assignment->arg, number, is_lost);
}

int64_t kafka_assignment_sum(const struct kafka_assignment *assignment,
                             int64_t (*count)(const struct partition_offsets *offsets, int64_t low, int64_t high))
{
	int64_t sum = 0, low, high;

	for (int32_t i = 0; i < assignment->partition_count; i++) {
		const struct partition *p = kafka_assignment_find(assignment, i);
		if (p && !rd_kafka_get_watermark_offsets(assignment->rk, assignment->topic, i, &low, &high))
			sum += count(&p->offsets, low, high);
	}
	return sum;
}

/* ---- commits ---- */

/* The offsets that are stored and not committed, of the partitions in `only` or of all; NULL if there are none. */
static rd_kafka_topic_partition_list_t *assignment_take_stored(struct kafka_assignment *assignment,
                                                               const rd_kafka_topic_partition_list_t *only)
{
	rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(4);

	for (int32_t i = 0; i < assignment->partition_count; i++) {
		struct partition *p = kafka_assignment_find(assignment, i);
		if (!p || (only && !rd_kafka_topic_partition_list_find(only, assignment->topic, i)))
			continue;
		int64_t offset = partition_offsets_commit(&p->offsets);
		if (offset != NO_OFFSET)
			rd_kafka_topic_partition_list_add(offsets, assignment->topic, i)->offset = offset;
	}
	if (offsets->cnt > 0)
		return offsets;
	rd_kafka_topic_partition_list_destroy(offsets);
	return NULL;
}

void kafka_assignment_committed(struct kafka_assignment *assignment, rd_kafka_resp_err_t err,
                                const rd_kafka_topic_partition_list_t *offsets)
{
	for (int i = 0; offsets && i < offsets->cnt; i++) {
		const rd_kafka_topic_partition_t *answer = &offsets->elems[i];
		struct partition *p = kafka_assignment_find(assignment, answer->partition);
		rd_kafka_resp_err_t own = err ? err : answer->err;
		if (!own && p)
			partition_offsets_committed(&p->offsets, answer->offset);
		else if (p)
			partition_offsets_not_committed(&p->offsets);
		if (own)
			log_warn("commit of a kafka offset failed", LOG_TEXT("topic", assignment->topic),
			         LOG_NUM("partition", answer->partition), LOG_TEXT("reason", rd_kafka_err2str(own)));
	}
}

void kafka_assignment_commit(struct kafka_assignment *assignment)
{
	rd_kafka_topic_partition_list_t *offsets = assignment_take_stored(assignment, NULL);

	if (!offsets)
		return;
	rd_kafka_resp_err_t err = rd_kafka_commit(assignment->rk, offsets, 1);
	if (err)
		kafka_assignment_committed(assignment, err, offsets);
	rd_kafka_topic_partition_list_destroy(offsets);
}

/* Waits for the answer, at most ASK_MS. If the commit fails, the next owner gets the records again. */
static void assignment_commit_now(struct kafka_assignment *assignment, const rd_kafka_topic_partition_list_t *partitions)
{
	rd_kafka_topic_partition_list_t *offsets = assignment_take_stored(assignment, partitions);

	if (!offsets)
		return;
	rd_kafka_queue_t *answers = rd_kafka_queue_new(assignment->rk);
	rd_kafka_resp_err_t err = rd_kafka_commit_queue(assignment->rk, offsets, answers, NULL, NULL);
	rd_kafka_event_t *event = err ? NULL : rd_kafka_queue_poll(answers, ASK_MS);
	if (event)
		kafka_assignment_committed(assignment, rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event));
	else
		kafka_assignment_committed(assignment, err ? err : RD_KAFKA_RESP_ERR__TIMED_OUT, offsets);
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(answers);
	rd_kafka_topic_partition_list_destroy(offsets);
}

/* ---- rebalances ---- */

void kafka_assignment_add(struct kafka_assignment *assignment, rd_kafka_topic_partition_list_t *partitions, bool is_paused)
{
	rd_kafka_resp_err_t err = rd_kafka_committed(assignment->rk, partitions, ASK_MS);

	for (int i = 0; i < partitions->cnt; i++) {
		rd_kafka_topic_partition_t *given = &partitions->elems[i];
		bool is_known = !err && !given->err;
		int64_t committed = is_known && given->offset >= 0 ? given->offset : NO_OFFSET;
		struct partition *p = assignment_make(assignment, given->partition);
		*p = (struct partition){ .is_ours = true };
		partition_offsets_begin(&p->offsets, committed);
		/* Without an offset librdkafka asks the brokers itself; auto.offset.reset finds the beginning if there is none. */
		given->offset = committed == NO_OFFSET ? RD_KAFKA_OFFSET_INVALID : committed;
		if (is_known)
			assignment_announce(assignment, given->partition, MAX(committed, 0));
	}
	kafka_log_failure("kafka partitions cannot be taken", assignment->topic,
	                  rd_kafka_incremental_assign(assignment->rk, partitions));
	if (is_paused)
		rd_kafka_pause_partitions(assignment->rk, partitions);
}

void kafka_assignment_remove(struct kafka_assignment *assignment, rd_kafka_topic_partition_list_t *partitions, bool is_paused)
{
	bool is_lost = rd_kafka_assignment_lost(assignment->rk);

	for (int i = 0; i < partitions->cnt; i++)
		assignment_revoke(assignment, partitions->elems[i].partition, is_lost);
	if (!is_lost)
		assignment_commit_now(assignment, partitions);
	for (int i = 0; i < partitions->cnt; i++) {
		struct partition *p = kafka_assignment_find(assignment, partitions->elems[i].partition);
		if (p)
			p->is_ours = false;
	}
	/* In librdkafka a pause outlives the assignment, and kafka_consumer_resume() ends it only for assigned partitions. */
	if (is_paused)
		rd_kafka_resume_partitions(assignment->rk, partitions);
	kafka_log_failure("kafka partitions cannot be given back", assignment->topic,
	                  rd_kafka_incremental_unassign(assignment->rk, partitions));
}

void kafka_assignment_lose(struct kafka_assignment *assignment)
{
	for (int32_t i = 0; i < assignment->partition_count; i++) {
		assignment_revoke(assignment, i, true);
		assignment->partitions[i].is_ours = false;
	}
}

/* ---- records ---- */

static void assignment_seek(struct kafka_assignment *assignment, int32_t number, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, assignment->topic, number)->offset = offset;
	kafka_log_failure("kafka consumer cannot seek", assignment->topic, rd_kafka_seek_partitions(assignment->rk, list, 0));
	rd_kafka_topic_partition_list_destroy(list);
}

bool kafka_assignment_receive(struct kafka_assignment *assignment, int32_t number, int64_t offset)
{
	struct partition *p = kafka_assignment_find(assignment, number);

	if (!p)
		return false;
	int64_t taken = p->offsets.taken;
	enum offset_verdict verdict = partition_offsets_receive(&p->offsets, offset, clock_mono_ms());

	if (verdict == OFFSET_WENT_BACK)
		log_warn("kafka went back to records that were taken", LOG_TEXT("topic", assignment->topic),
		         LOG_NUM("partition", number), LOG_NUM("offset", offset), LOG_NUM("taken", taken));
	if (verdict == OFFSET_WENT_BACK || verdict == OFFSET_SEEK)
		assignment_seek(assignment, number, taken);
	if (verdict == OFFSET_LOG_LOST) {
		log_error("kafka has lost records that were taken; the records that it has are taken for new ones",
		          LOG_TEXT("topic", assignment->topic), LOG_NUM("partition", number), LOG_NUM("taken", taken));
		assignment_revoke(assignment, number, true);
		partition_offsets_begin(&p->offsets, NO_OFFSET);
		verdict = partition_offsets_receive(&p->offsets, offset, clock_mono_ms());
	}
	if (verdict != OFFSET_NEXT)
		return false;
	if (!p->is_announced)
		assignment_announce(assignment, number, offset);
	return true;
}
