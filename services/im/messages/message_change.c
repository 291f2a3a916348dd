#include "im/messages/message_change.h"

#include "im/entries/batch_queue.h"
#include "im/messages/message_body.h"

struct message_change {
	struct entry entry;
	int64_t target_seq;
	/* Milliseconds since the message was stored; of a pin: pins of the conversation; of a reaction: emojis of the message. */
	int64_t limit;
	struct str caller;
	struct str text; /* of an edit: the body; of a reaction: the emoji */
	bool is_add; /* of a reaction; else it is removed */
	bool is_for_friends; /* of an edit and a reaction: a recipient who has not said whom it lets write lets friends */
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
	" $7::bigint, $9::text, $10::text[], $8::bigint, $11::boolean)",
};

static const struct pg_statement message_change_react_statement = {
	"entry_react",
	"select " ENTRY_ANSWER_COLUMNS " from fn.entry_react($1::integer, $2::bigint, $4::bigint, $3::bigint, $5::text, $6::text,"
	" $7::bigint, $9::text, $10::boolean, $8::bigint::integer, $11::boolean)",
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
	pg_put_text(params, change->text);
	pg_array_begin(params, PG_TEXT);
	for (unsigned i = 0; i < MESSAGE_TYPE_COUNT; i++)
		if (change->body_types & (1u << i))
			pg_array_text(params, str_from(message_types[i]));
	pg_array_end(params);
	pg_put_bool(params, change->is_for_friends);
}

static void message_change_put_reaction(struct pg_params *params, const struct batch *batch)
{
	const struct message_change *change = message_change_of(batch->entries[0]);

	message_change_put(params, batch);
	pg_put_text(params, change->text);
	pg_put_bool(params, change->is_add);
	pg_put_bool(params, change->is_for_friends);
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
	case ERR_BLOCKED:
	case ERR_NOT_FRIEND:
		result->detail = "the recipient does not accept messages of the caller";
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

static void message_change_explain_reaction(const struct entry *entry, struct str subject, struct entry_result *result)
{
	if (result->err == ERR_NOT_FOUND)
		result->detail = "there is no such message, no such reaction of the caller, or no such conversation";
	else if (result->err == ERR_FAILED_PRECONDITION && str_equal(subject, STR("full")))
		result->detail = "the message has as many different emojis as it may";
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

static const struct entry_kind message_change_react_kind = {
	.statement = &message_change_react_statement,
	.put = message_change_put_reaction,
	.explain = message_change_explain_reaction,
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
                                                 struct str text, int64_t limit, const struct entry_caller *caller)
{
	struct str texts[] = { caller->uid, text };

	struct entry *entry = entry_new(kind, sizeof(struct message_change), conversation, caller, texts, ARRAY_LEN(texts));
	struct message_change *change = container_of(entry, struct message_change, entry);
	change->target_seq = (int64_t)target_seq;
	change->limit = limit;
	change->caller = texts[0];
	change->text = texts[1];
	return change;
}

struct entry *message_recall_new(struct str conversation, uint64_t target_seq, int64_t window_ms,
                                 const struct entry_caller *caller)
{
	return &message_change_new(&message_change_recall_kind, conversation, target_seq, STR(""), window_ms, caller)->entry;
}

struct entry *message_edit_new(struct str conversation, uint64_t target_seq, const json_t *body,
                               const struct message_edit_terms *terms, const struct entry_caller *caller)
{
	struct buf text = { 0 };

	json_dump_compact(&text, body);
	struct message_change *change = message_change_new(&message_change_edit_kind, conversation, target_seq, buf_str(&text),
	                                                   terms->window_ms, caller);
	buf_release(&text);
	change->is_for_friends = terms->is_for_friends;
	change->body_types = message_body_types(body);
	return &change->entry;
}

struct entry *message_react_new(struct str conversation, uint64_t target_seq, const struct message_reaction *reaction,
                                const struct entry_caller *caller)
{
	struct message_change *change = message_change_new(&message_change_react_kind, conversation, target_seq, reaction->emoji,
	                                                   reaction->max, caller);

	change->is_add = reaction->is_add;
	change->is_for_friends = reaction->is_for_friends;
	return &change->entry;
}

struct entry *message_pin_new(struct str conversation, uint64_t target_seq, bool is_pin, int64_t max,
                              const struct entry_caller *caller)
{
	const struct entry_kind *kind = is_pin ? &message_change_pin_kind : &message_change_unpin_kind;

	return &message_change_new(kind, conversation, target_seq, STR(""), max, caller)->entry;
}
