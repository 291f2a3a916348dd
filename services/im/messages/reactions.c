/* Reactions to messages: each that is added or removed is an entry. */

#include "im/http/call.h"
#include "im/http/call_entry.h"
#include "im/messages/message_change.h"
#include "im/messages/messages.h"
#include "message/reaction.h"

/* Absent after an error of an earlier reader. */
static struct str reaction_check_emoji(struct call *call, struct str emoji, int64_t max)
{
	if (emoji.ptr && !reaction_emoji_is_valid(emoji, (size_t)max))
		call_reject(call, ERR_INVALID_ARGUMENT, "emoji",
		            "emoji must be 1 to %lld bytes, without control characters, and not only blanks", (long long)max);
	return emoji;
}

static void reaction_submit(struct call *call, bool is_add)
{
	struct messages *messages = call_context(call);
	struct str conversation = call_path_conversation(call, "id");
	uint64_t seq = call_path_u64(call, "seq", 1, INT64_MAX);
	struct str emoji = is_add ? call_text(call, "emoji", JSON_REQUIRED, 0, SIZE_MAX) : call_path_text(call, "emoji");
	const struct message_reaction reaction = {
		.emoji = reaction_check_emoji(call, emoji, messages->config->limits_emoji),
		.is_add = is_add,
		.max = messages->config->limits_reactions,
		.is_for_friends = im_config_is_for_friends(messages->config),
	};
	const struct entry_caller caller = call_entry_caller(call, call_respond_entry);

	if (call_finish_reading(call))
		call_submit_entry(call, messages->entries, message_react_new(conversation, seq, &reaction, &caller));
}

void messages_react(struct call *call)
{
	reaction_submit(call, true);
}

void messages_unreact(struct call *call)
{
	reaction_submit(call, false);
}
