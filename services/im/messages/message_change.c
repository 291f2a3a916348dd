#include "im/messages/message_change.h"

#include "im/entries/batch_queue.h"
#include "im/messages/message_body.h"

struct message_change {
	struct entry entry;
	int64_t target_seq;
	int64_t limit; /* milliseconds since the message was stored; of a pin: pins of the conversation */
	struct str caller;
	struct str body; /* of an edit */
	unsigned body_types; /* of an edit: a bit for each of message_types[] for which this is a body */
};

static const struct pg_statement message_change_recall_statement = {
	"entry_recall",
	"select " ENTRY_ANSWER_COLUMNS " from fn.entry_recall($1::integer, $2::bigint, $4::bigint, $3::bigint, $5::text, $6::text,"
	" $7::bigint, $8::bigint)",
};

static const struct pg_statement message_change_edit_statement = {
	"entry_edit",
	"select " ENTRY_ANSWER_COLUMNS " from fn.entry_edit($1::integer, $2::bigint, $4::bigint, $3::bigint, $5::text, $6::text,"
	" $7::bigint, $9::text, $10::text[], $8::bigint)",
};

static const struct pg_statement message_change_pin_statement = {
	"message_pin",
	"select " ENTRY_ANSWER_COLUMNS " from fn.message_pin($1::integer, $2::bigint, $4::bigint, $3::bigint, $5::text, $6::text,"
	" $7::bigint, true, $8::bigint::integer)",
};

static const struct pg_statement message_change_unpin_statement = {
	"message_unpin",
	"select " ENTRY_ANSWER_COLUMNS " from fn.message_pin($1::integer, $2::bigint, $4::bigint, $3::bigint, $5::text, $6::text,"
	" $7::bigint, false, $8::bigint::integer)",
};

static const struct message_change *message_change_of(const struct entry *entry)
{
	return container_of(entry, const struct message_change, entry);
}

static void message_change_put(struct pg_params *params, const struct batch *batch)
{
	const struct message_change *change = message_change_of(batch->entries[0]);

	pg_put_text(params, change->entry.conversation);
	pg_put_text(params, change->caller);
	pg_put_i64(params, change->target_seq);
	pg_put_i64(params, change->limit);
}

static void message_change_put_edit(struct pg_params *params, const struct batch *batch)
{
	const struct message_change *change = message_change_of(batch->entries[0]);

	message_change_put(params, batch);
	pg_put_text(params, change->body);
	pg_array_begin(params, PG_TEXT);
	for (unsigned i = 0; i < MESSAGE_TYPE_COUNT; i++)
		if (change->body_types & (1u << i))
			pg_array_text(params, str_from(message_types[i]));
	pg_array_end(params);
}

/* ---- refusals ---- */

/* The reasons of fn.message_change_begin() and the functions that call it for failed_precondition. */
static const char *message_change_reason(struct str reason)
{
	if (str_equal(reason, STR("too_late")))
		return "the time in which the message may be changed is over";
	if (str_equal(reason, STR("recalled")))
		return "the message is recalled";
	if (str_equal(reason, STR("expired")))
		return "the message has expired";
	if (str_equal(reason, STR("full")))
		return "the conversation has as many pinned messages as it may";
	return "only messages can be changed: this entry is a change or tells of the conversation";
}

static void message_change_explain(const struct entry *entry, struct str subject, struct entry_result *result)
{
	(void)entry;
	switch (result->err) {
	case ERR_NOT_FOUND:
		result->detail = "there is no such message, or no such conversation";
		break;
	case ERR_NOT_MEMBER:
		result->detail = "only who has a part in a conversation may change its messages";
		break;
	case ERR_PERMISSION_DENIED:
		result->detail = "this is a message of somebody else";
		break;
	case ERR_INVALID_ARGUMENT:
		result->field = "body";
		result->detail = "this is no body for a message of its type";
		break;
	case ERR_FAILED_PRECONDITION:
		result->detail = message_change_reason(subject);
		break;
	default:
		break;
	}
}

static void message_change_explain_pin(const struct entry *entry, struct str subject, struct entry_result *result)
{
	if (result->err == ERR_PERMISSION_DENIED)
		result->detail = "only the owner and admins pin messages in a group";
	else if (result->err == ERR_NOT_FOUND)
		result->detail = "there is no such message, it is not pinned, or there is no such conversation";
	else
		message_change_explain(entry, subject, result);
}

static const struct entry_kind message_change_recall_kind = {
	.statement = &message_change_recall_statement,
	.put = message_change_put,
	.explain = message_change_explain,
};

static const struct entry_kind message_change_edit_kind = {
	.statement = &message_change_edit_statement,
	.put = message_change_put_edit,
	.explain = message_change_explain,
};

static const struct entry_kind message_change_pin_kind = {
	.statement = &message_change_pin_statement,
	.put = message_change_put,
	.explain = message_change_explain_pin,
};

static const struct entry_kind message_change_unpin_kind = {
	.statement = &message_change_unpin_statement,
	.put = message_change_put,
	.explain = message_change_explain_pin,
};

static struct message_change *message_change_new(const struct entry_kind *kind, struct str conversation, uint64_t target_seq,
                                                 struct str body, int64_t limit, const struct entry_caller *caller)
{
	struct str texts[] = { caller->uid, body };

	struct entry *entry = entry_new(kind, sizeof(struct message_change), conversation, caller, texts, ARRAY_LEN(texts));
	struct message_change *change = container_of(entry, struct message_change, entry);
	change->target_seq = (int64_t)target_seq;
	change->limit = limit;
	change->caller = texts[0];
	change->body = texts[1];
	return change;
}

struct entry *message_recall_new(struct str conversation, uint64_t target_seq, int64_t window_ms,
                                 const struct entry_caller *caller)
{
	return &message_change_new(&message_change_recall_kind, conversation, target_seq, STR(""), window_ms, caller)->entry;
}

struct entry *message_edit_new(struct str conversation, uint64_t target_seq, const json_t *body, int64_t window_ms,
                               const struct entry_caller *caller)
{
	struct buf text = { 0 };

	json_dump_compact(&text, body);
	struct message_change *change = message_change_new(&message_change_edit_kind, conversation, target_seq, buf_str(&text),
	                                                   window_ms, caller);
	buf_release(&text);
	change->body_types = message_body_types(body);
	return &change->entry;
}

struct entry *message_pin_new(struct str conversation, uint64_t target_seq, bool is_pin, int64_t max,
                              const struct entry_caller *caller)
{
	const struct entry_kind *kind = is_pin ? &message_change_pin_kind : &message_change_unpin_kind;

	return &message_change_new(kind, conversation, target_seq, STR(""), max, caller)->entry;
}
