#include "im/messages/message_change.h"

#include "im/entries/change_entry.h"
#include "im/messages/message_body.h"

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

/* ---- the kinds: the first number is the message's seq ---- */

/* numbers: the window in milliseconds */
static const struct change_entry_kind message_change_recall_kind = {
	CHANGE_ENTRY_KIND(message_change_explain),
	.name = "recall",
};

/* subject: the body; numbers: the window in milliseconds, is_for_friends */
static const struct change_entry_kind message_change_edit_kind = {
	CHANGE_ENTRY_KIND(message_change_explain),
	.name = "edit",
};

/* subject: the emoji; numbers: the most emojis of the message, is_for_friends */
static const struct change_entry_kind message_change_react_kind = {
	CHANGE_ENTRY_KIND(message_change_explain_reaction),
	.name = "react",
};

/* as of react */
static const struct change_entry_kind message_change_unreact_kind = {
	CHANGE_ENTRY_KIND(message_change_explain_reaction),
	.name = "unreact",
};

/* numbers: the most pins of the conversation, is_for_friends */
static const struct change_entry_kind message_change_pin_kind = {
	CHANGE_ENTRY_KIND(message_change_explain_pin),
	.name = "pin",
};

/* as of pin */
static const struct change_entry_kind message_change_unpin_kind = {
	CHANGE_ENTRY_KIND(message_change_explain_pin),
	.name = "unpin",
};

struct entry *message_recall_new(struct str conversation, uint64_t target_seq, int64_t window_ms,
                                 const struct entry_caller *caller)
{
	const struct change_terms terms = { .numbers = { (int64_t)target_seq, window_ms } };

	return change_entry_new(&message_change_recall_kind, conversation, &terms, caller);
}

/* The types of messages for which this is a body, joined by commas. */
static void message_change_put_types(struct buf *out, const json_t *body)
{
	unsigned types = message_body_types(body);

	for (unsigned i = 0; i < MESSAGE_TYPE_COUNT; i++) {
		if (!(types & (1u << i)))
			continue;
		if (out->len)
			buf_append_char(out, ',');
		buf_append_text(out, message_types[i]);
	}
}

struct entry *message_edit_new(struct str conversation, uint64_t target_seq, const json_t *body,
                               const struct message_edit_terms *terms, const struct entry_caller *caller)
{
	struct buf text = { 0 }, types = { 0 };

	json_dump_compact(&text, body);
	message_change_put_types(&types, body);
	const struct change_terms edit = {
		.subject = buf_str(&text),
		.types = buf_str(&types),
		.numbers = { (int64_t)target_seq, terms->window_ms, terms->is_for_friends },
	};
	struct entry *entry = change_entry_new(&message_change_edit_kind, conversation, &edit, caller);
	buf_release(&text);
	buf_release(&types);
	return entry;
}

struct entry *message_react_new(struct str conversation, uint64_t target_seq, const struct message_reaction *reaction,
                                const struct entry_caller *caller)
{
	const struct change_entry_kind *kind = reaction->is_add ? &message_change_react_kind : &message_change_unreact_kind;
	const struct change_terms terms = {
		.subject = reaction->emoji,
		.numbers = { (int64_t)target_seq, reaction->max, reaction->is_for_friends },
	};

	return change_entry_new(kind, conversation, &terms, caller);
}

struct entry *message_pin_new(struct str conversation, uint64_t target_seq, const struct message_pin *pin,
                              const struct entry_caller *caller)
{
	const struct change_entry_kind *kind = pin->is_pin ? &message_change_pin_kind : &message_change_unpin_kind;
	const struct change_terms terms = { .numbers = { (int64_t)target_seq, pin->max, pin->is_for_friends } };

	return change_entry_new(kind, conversation, &terms, caller);
}
