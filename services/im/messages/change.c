#include "im/http/call.h"
#include "im/http/call_entry.h"
#include "im/messages/message_change.h"
#include "im/messages/messages.h"

void messages_recall(struct call *call)
{
	struct messages *messages = call_context(call);
	struct str conversation = call_path_conversation(call, "id");
	uint64_t seq = call_path_u64(call, "seq", 1, INT64_MAX);
	const struct entry_caller caller = call_entry_caller(call, call_respond_entry);

	if (call_finish_reading(call))
		call_submit_entry(call, messages->entries,
		                  message_recall_new(conversation, seq, messages->config->messages_recall_window_ms, &caller));
}

void messages_edit(struct call *call)
{
	struct messages *messages = call_context(call);
	struct str conversation = call_path_conversation(call, "id");
	uint64_t seq = call_path_u64(call, "seq", 1, INT64_MAX);
	const json_t *body = call_object(call, "body", JSON_REQUIRED);
	const struct message_edit_terms terms = { messages->config->messages_edit_window_ms,
		                                  im_config_is_for_friends(messages->config) };
	const struct entry_caller caller = call_entry_caller(call, call_respond_entry);

	if (call_check_reading(call))
		call_submit_entry(call, messages->entries, message_edit_new(conversation, seq, body, &terms, &caller));
}
