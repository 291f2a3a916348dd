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

/* Ends an entry of which nothing is published. */
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

static void finisher_publish(struct finisher *finisher, const struct entry *entry, const struct entry_result *result,
                             const PGresult *rows, int row)
{
	struct publisher_record record = {
		.member_version = pg_i64(rows, row, ENTRY_MEMBER_VERSION),
		.joined = result->joined,
		.left = result->left,
		.traceparent = entry->traceparent,
	};
	struct stored_fields *fields = &record.message;

	fields->conversation_id = entry->conversation;
	fields->seq = (uint64_t)result->seq;
	fields->msg_id = result->msg_id;
	fields->time = (uint64_t)result->time;
	if (entry->kind->describe) {
		entry->kind->describe(entry, fields);
	} else {
		fields->type = pg_text(rows, row, ENTRY_TYPE);
		fields->sender = pg_text(rows, row, ENTRY_SENDER);
		fields->body = pg_text(rows, row, ENTRY_BODY);
		fields->target_seq = (uint64_t)pg_i64(rows, row, ENTRY_TARGET_SEQ);
		fields->expires_at = (uint64_t)pg_i64(rows, row, ENTRY_EXPIRES_AT);
	}

	struct stored_message *message = stored_message_new(fields);
	message_cache_put(finisher->messages, message);
	stored_message_unref(message);
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

	/* If an earlier try of this entry stored it, it is no duplicate, and not published yet. */
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

bool finisher_take_row(struct finisher *finisher, struct entry *entry, const PGresult *rows, int row)
{
	struct str status = pg_text(rows, row, ENTRY_STATUS);

	if (str_equal(status, STR("again")))
		return false;
	if (str_equal(status, STR("lease"))) {
		bool is_current = watermark_is_current(&finisher->keeper->watermark, entry->place);
		/* This im raised its epoch while the statement was on its way. */
		if (is_current && entry->epoch != finisher->keeper->lease.epoch)
			return false;
		if (is_current)
			lease_keeper_doubt(finisher->keeper);
		/* The lease was over. That does not tell whether an earlier try stored the entry. */
		if (finisher_must_resolve(finisher, entry))
			return false;
		finisher_refuse(finisher, entry, FINISHER_NO_STORE);
		return true;
	}
	if (str_equal(status, STR("ok"))) {
		finisher_end_stored(finisher, entry, rows, row);
		return true;
	}
	struct entry_result result = { 0 };
	if (str_equal(status, STR("none"))) {
		result.conversation_id = entry->conversation;
		result.is_nothing = true;
		counter_add(finisher->nothing, 1);
	} else {
		result.err = err_from_code(status.ptr);
		entry->kind->explain(entry, entry->kind->describe ? STR("") : pg_text(rows, row, ENTRY_SUBJECT), &result);
		counter_add(finisher->refused, 1);
	}
	finisher_end_unpublished(finisher, entry, &result);
	return true;
}
