#include "im/entries/finisher.h"

#include "base/telemetry/log.h"
#include "im/stored/stored_message.h"

void finisher_init(struct finisher *finisher, struct lease_keeper *keeper, struct publisher *publisher,
                   struct message_cache *messages)
{
	const char *name = "skein_im_entries_total", *help = "Messages, changes and other entries, by what became of them.";

	*finisher = (struct finisher){
		.keeper = keeper,
		.publisher = publisher,
		.messages = messages,
		.stored = metrics_counter(name, help, "outcome=\"stored\""),
		.duplicates = metrics_counter(name, help, "outcome=\"duplicate\""),
		.nothing = metrics_counter(name, help, "outcome=\"nothing\""),
		.refused = metrics_counter(name, help, "outcome=\"refused\""),
	};
}

bool finisher_must_resolve(const struct finisher *finisher, const struct entry *entry)
{
	return entry->is_in_doubt && watermark_is_current(&finisher->keeper->watermark, entry->place);
}

static void finisher_end(struct finisher *finisher, struct entry *entry, const struct entry_result *result)
{
	finisher->open--;
	entry_answer(entry, result);
	entry_free(entry);
}

/* There is nothing to publish. */
static void finisher_end_unpublished(struct finisher *finisher, struct entry *entry, const struct entry_result *result)
{
	publisher_cancel(finisher->publisher, entry);
	if (entry->id)
		watermark_close(&finisher->keeper->watermark, entry->place);
	finisher_end(finisher, entry, result);
}

void finisher_refuse(struct finisher *finisher, struct entry *entry, const char *detail)
{
	const struct entry_result result = { .err = ERR_UNAVAILABLE, .detail = detail };

	counter_add(finisher->refused, 1);
	finisher_end_unpublished(finisher, entry, &result);
}

/* ---- what was stored ---- */

static struct stored_fields finisher_fields(const struct entry *entry, const struct entry_result *result,
                                            const PGresult *rows, int row)
{
	struct stored_fields fields = { 0 };

	if (entry->kind->describe)
		entry->kind->describe(entry, &fields);
	else
		fields = (struct stored_fields){
			.type = pg_text(rows, row, ENTRY_TYPE),
			.sender = pg_text(rows, row, ENTRY_SENDER),
			.body = pg_text(rows, row, ENTRY_BODY),
			.target_seq = (uint64_t)pg_i64(rows, row, ENTRY_TARGET_SEQ),
		};
	fields.conversation_id = entry->conversation;
	fields.seq = (uint64_t)result->seq;
	fields.msg_id = result->msg_id;
	fields.time = (uint64_t)result->time;
	return fields;
}

static void finisher_keep_for_readers(struct finisher *finisher, const struct stored_fields *fields)
{
	struct stored_message *message = stored_message_new(fields);

	message_cache_put(finisher->messages, message);
	stored_message_unref(message);
}

static void finisher_publish(struct finisher *finisher, const struct entry *entry, const struct entry_result *result,
                             const PGresult *rows, int row)
{
	const struct publisher_record record = {
		.message = finisher_fields(entry, result, rows, row),
		.member_version = pg_i64(rows, row, ENTRY_MEMBER_VERSION),
		.joined = result->joined,
		.left = result->left,
		.traceparent = entry->traceparent,
	};

	finisher_keep_for_readers(finisher, &record.message);
	publisher_publish(finisher->publisher, entry, &record);
}

static void finisher_end_stored(struct finisher *finisher, struct entry *entry, const PGresult *rows, int row)
{
	bool is_composed = !entry->kind->describe;
	struct entry_result result = {
		.conversation_id = entry->conversation,
		.msg_id = (uint64_t)pg_i64(rows, row, ENTRY_MSG_ID),
		.seq = pg_i64(rows, row, ENTRY_SEQ),
		.time = pg_i64(rows, row, ENTRY_TIME),
		.joined = is_composed ? pg_text(rows, row, ENTRY_JOINED) : (struct str){ 0 },
		.left = is_composed ? pg_text(rows, row, ENTRY_LEFT) : (struct str){ 0 },
	};
	bool is_ours = entry->id == result.msg_id;

	/* What the first try of this entry has stored is no duplicate, and not published yet. */
	result.is_duplicate = !is_ours && pg_bool(rows, row, ENTRY_DUPLICATE);
	log_debug("stored", LOG_STR("conversation", entry->conversation), LOG_NUM("seq", result.seq),
	          LOG_U64("msg_id", result.msg_id), LOG_NUM("duplicate", result.is_duplicate));
	counter_add(result.is_duplicate ? finisher->duplicates : finisher->stored, 1);
	if (is_ours) {
		finisher_publish(finisher, entry, &result, rows, row);
		finisher_end(finisher, entry, &result);
	} else {
		finisher_end_unpublished(finisher, entry, &result);
	}
}

/* ---- the verdicts of a statement ---- */

static void finisher_end_nothing(struct finisher *finisher, struct entry *entry)
{
	const struct entry_result result = { .conversation_id = entry->conversation, .is_nothing = true };

	counter_add(finisher->nothing, 1);
	finisher_end_unpublished(finisher, entry, &result);
}

static void finisher_end_refused(struct finisher *finisher, struct entry *entry, err_t err, struct str subject)
{
	struct entry_result result = { .err = err };

	counter_add(finisher->refused, 1);
	entry->kind->explain(entry, subject, &result);
	finisher_end_unpublished(finisher, entry, &result);
}

/* The statement found the lease over. A refusal by it says nothing about an earlier try. */
static bool finisher_take_lost_lease(struct finisher *finisher, struct entry *entry)
{
	if (watermark_is_current(&finisher->keeper->watermark, entry->place))
		lease_keeper_doubt(finisher->keeper);
	if (finisher_must_resolve(finisher, entry))
		return false;
	finisher_refuse(finisher, entry, FINISHER_NO_STORE);
	return true;
}

bool finisher_take_row(struct finisher *finisher, struct entry *entry, const PGresult *rows, int row)
{
	struct str status = pg_text(rows, row, ENTRY_STATUS);

	if (str_equal(status, STR("again")))
		return false;
	if (str_equal(status, STR("lease")))
		return finisher_take_lost_lease(finisher, entry);
	if (str_equal(status, STR("ok")))
		finisher_end_stored(finisher, entry, rows, row);
	else if (str_equal(status, STR("none")))
		finisher_end_nothing(finisher, entry);
	else
		finisher_end_refused(finisher, entry, err_from_code(status.ptr),
		                     entry->kind->describe ? STR("") : pg_text(rows, row, ENTRY_SUBJECT));
	return true;
}
