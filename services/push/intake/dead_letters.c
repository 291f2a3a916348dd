#include "push/intake/dead_letters.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "message/topics.h"

#define HELD_MAX 1000u
#define HELD_MAX_BYTES (16u << 20)
#define HEADERS_MAX 64 /* of the record itself */
#define HEADERS_ADDED 5
#define RETRY_MS 500
#define FLUSH_MS 1000

/* The parts of the record that are in the letter: fewer after Kafka refused more. The record's place is always there. */
enum dead_letter_content { LETTER_WHOLE, LETTER_WITHOUT_VALUE, LETTER_WITHOUT_RECORD };

struct dead_letter {
	struct list link; /* in all->producing, or in all->again */
	struct dead_letters *all;
	struct kafka_record record;
	bool is_held; /* the record is in memory and counted */
	char *key, *value; /* of a copied record, which has no handle */
	const char *reason;
	enum dead_letter_content content;
};

/*
 * Kafka takes or refuses a batch of records as a whole, so a letter may be refused because of another one. A letter that was
 * refused is produced again alone. Only if Kafka refuses it then, less of the record is put in.
 */
struct dead_letters {
	struct worker *worker;
	struct kafka_producer *producer;
	void (*parked)(void *arg, int32_t partition, int64_t offset);
	void *arg;
	struct list producing, again;
	struct dead_letter *alone; /* the only one in `producing` */
	struct timer retry;
	unsigned count;
	size_t bytes;
	struct counter *done, *refused;
	struct gauge *waiting;
	void (*closed)(void *arg);
	void *closed_arg;
};

static size_t dead_letter_bytes(const struct dead_letter *letter)
{
	return letter->record.key.len + letter->record.value.len;
}

static void dead_letter_forget_record(struct dead_letter *letter)
{
	if (!letter->is_held)
		return;
	letter->is_held = false;
	gauge_set(letter->all->waiting, --letter->all->count);
	letter->all->bytes -= dead_letter_bytes(letter);
	if (letter->record.handle)
		kafka_record_free(&letter->record);
	mem_free(letter->key);
	mem_free(letter->value);
}

static void dead_letter_free(struct dead_letter *letter)
{
	list_remove(&letter->link);
	dead_letter_forget_record(letter);
	mem_free(letter);
}

static void dead_letter_wait(struct dead_letter *letter)
{
	struct dead_letters *all = letter->all;

	list_remove(&letter->link);
	list_push_back(&all->again, &letter->link);
	if (!timer_is_armed(&all->retry))
		worker_arm_in(all->worker, &all->retry, RETRY_MS);
}

static void dead_letter_try_later(struct dead_letter *letter, err_t err, bool was_alone)
{
	struct dead_letters *all = letter->all;

	counter_add(all->refused, 1);
	if (was_alone && err != ERR_FULL && err != ERR_CLOSED && letter->content < LETTER_WITHOUT_RECORD)
		letter->content++;
	log_warn("dead letter not taken by kafka, trying again", LOG_ERR(err),
	         LOG_NUM("partition", letter->record.partition), LOG_NUM("offset", letter->record.offset));
	dead_letter_wait(letter);
}

static void dead_letter_on_delivered(void *arg, err_t err)
{
	struct dead_letter *letter = arg;
	struct dead_letters *all = letter->all;
	int32_t partition = letter->record.partition;
	int64_t offset = letter->record.offset;
	bool was_alone = letter == all->alone;

	all->alone = NULL;
	if (!letter->is_held) {
		dead_letter_free(letter);
	} else if (err) {
		dead_letter_try_later(letter, err, was_alone);
	} else {
		counter_add(all->done, 1);
		dead_letter_free(letter);
		if (!list_is_empty(&all->again) && !timer_is_armed(&all->retry))
			worker_arm_in(all->worker, &all->retry, 1);
		all->parked(all->arg, partition, offset);
	}
}

static void dead_letter_produce(struct dead_letter *letter)
{
	struct kafka_header headers[HEADERS_MAX + HEADERS_ADDED];
	char partition[12], offset[24], time[24], bytes[24];
	bool has_record = letter->content != LETTER_WITHOUT_RECORD, has_value = letter->content == LETTER_WHOLE;
	unsigned count = letter->record.handle && has_record ? kafka_record_headers(&letter->record, headers, HEADERS_MAX) : 0;

	snprintf(partition, sizeof(partition), "%d", letter->record.partition);
	snprintf(offset, sizeof(offset), "%lld", (long long)letter->record.offset);
	snprintf(time, sizeof(time), "%llu", (unsigned long long)clock_wall_ms());
	snprintf(bytes, sizeof(bytes), "%zu", letter->record.value.len);
	headers[count++] = (struct kafka_header){ DEAD_REASON, str_from(letter->reason) };
	headers[count++] = (struct kafka_header){ DEAD_PARTITION, str_from(partition) };
	headers[count++] = (struct kafka_header){ DEAD_OFFSET, str_from(offset) };
	headers[count++] = (struct kafka_header){ DEAD_TIME, str_from(time) };
	if (!has_value)
		headers[count++] = (struct kafka_header){ DEAD_VALUE_BYTES, str_from(bytes) };
	list_remove(&letter->link);
	list_push_back(&letter->all->producing, &letter->link);
	err_t err = kafka_produce(letter->all->producer, TOPIC_DEAD, has_record ? letter->record.key : (struct str){ 0 },
	                          has_value ? letter->record.value : (struct str){ 0 }, headers, count,
	                          dead_letter_on_delivered, letter);
	if (err) {
		letter->all->alone = NULL;
		dead_letter_try_later(letter, err, true);
	}
}

static void dead_letters_on_retry(struct timer *timer)
{
	struct dead_letters *all = container_of(timer, struct dead_letters, retry);

	if (!list_is_empty(&all->producing)) {
		worker_arm_in(all->worker, timer, RETRY_MS);
		return;
	}
	all->alone = container_of(all->again.next, struct dead_letter, link);
	dead_letter_produce(all->alone);
}

static void dead_letters_park_letter(struct dead_letters *all, struct dead_letter *letter)
{
	log_error("record cannot be used, parking it", LOG_TEXT("why", letter->reason),
	          LOG_NUM("partition", letter->record.partition), LOG_NUM("offset", letter->record.offset),
	          LOG_NUM("bytes", letter->record.value.len));
	letter->all = all;
	letter->is_held = true;
	list_init(&letter->link);
	gauge_set(all->waiting, ++all->count);
	all->bytes += dead_letter_bytes(letter);
	if (list_is_empty(&all->again) && !all->alone)
		dead_letter_produce(letter);
	else
		dead_letter_wait(letter);
}

void dead_letters_park(struct dead_letters *all, struct kafka_record *record, const char *reason)
{
	struct dead_letter *letter = MEM_NEW(struct dead_letter);

	letter->record = *record;
	letter->reason = reason;
	dead_letters_park_letter(all, letter);
}

void dead_letters_park_copy(struct dead_letters *all, int32_t partition, int64_t offset, struct str key, struct str value,
                            const char *reason)
{
	struct dead_letter *letter = MEM_NEW(struct dead_letter);

	letter->key = str_dup(key);
	letter->value = mem_alloc(value.len);
	memcpy(letter->value, value.ptr, value.len);
	letter->record = (struct kafka_record){
		.partition = partition,
		.offset = offset,
		.key = str_of(letter->key, key.len),
		.value = str_of(letter->value, value.len),
	};
	letter->reason = reason;
	dead_letters_park_letter(all, letter);
}

bool dead_letters_is_full(const struct dead_letters *all)
{
	return all->count >= HELD_MAX || all->bytes >= HELD_MAX_BYTES;
}

unsigned dead_letters_waiting(const struct dead_letters *all)
{
	return all->count;
}

err_t dead_letters_new(struct dead_letters **out, struct worker *worker, const char *brokers, const char *client_id,
                       void (*parked)(void *arg, int32_t partition, int64_t offset), void *arg)
{
	const struct kafka_producer_options options = {
		.brokers = brokers,
		.client_id = client_id,
		.max_waiting = 2 * HELD_MAX,
		.max_waiting_bytes = 4 * (uint64_t)HELD_MAX_BYTES,
	};
	struct dead_letters *all = MEM_NEW(struct dead_letters);

	all->worker = worker;
	all->parked = parked;
	all->arg = arg;
	list_init(&all->producing);
	list_init(&all->again);
	timer_init(&all->retry, dead_letters_on_retry);
	err_t err = kafka_producer_new(&all->producer, worker, &options);
	if (err) {
		mem_free(all);
		return err;
	}
	all->done = metrics_counter("skein_push_dead_letters_total", "Records parked on " TOPIC_DEAD ".", NULL);
	all->refused = metrics_counter("skein_push_dead_letters_refused_total",
	                               "Times that Kafka did not take a dead letter, which was tried again.", NULL);
	all->waiting = metrics_gauge("skein_push_dead_letters_waiting", "Records that Kafka has not parked yet.", NULL);
	*out = all;
	return OK;
}

void dead_letters_stop(struct dead_letters *all)
{
	worker_cancel(all->worker, &all->retry);
	while (!list_is_empty(&all->again))
		dead_letter_free(container_of(all->again.next, struct dead_letter, link));
	list_for_each(link, &all->producing)
		dead_letter_forget_record(container_of(link, struct dead_letter, link)); /* freed by dead_letter_on_delivered() */
}

static void dead_letters_on_producer_closed(void *arg)
{
	struct dead_letters *all = arg;
	void (*closed)(void *arg) = all->closed;
	void *closed_arg = all->closed_arg;

	mem_free(all);
	closed(closed_arg);
}

void dead_letters_close(struct dead_letters *all, void (*closed)(void *arg), void *arg)
{
	all->closed = closed;
	all->closed_arg = arg;
	kafka_producer_close(all->producer, FLUSH_MS, dead_letters_on_producer_closed, all);
}
