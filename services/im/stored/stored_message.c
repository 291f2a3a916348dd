#include "im/stored/stored_message.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text/text_arena.h"
#include "cluster/inbox.h"
#include "im/stored/uid_list.h"
#include "message/message_expiry.h"
#include "message/reaction.h"

struct stored_message *stored_message_new(const struct stored_fields *fields)
{
	size_t mention_count = uid_list_count(fields->mentions);
	struct buf key = { 0 };
	struct reaction reaction;
	struct str body = reaction_split(&reaction, fields->type, fields->body);

	inbox_entry_write(&key, fields->conversation_id, fields->seq);
	const struct str texts[] = { buf_str(&key), fields->client_msg_id, fields->conversation_id, fields->sender,
		                     fields->type, body, fields->mentions, str_from(reaction.emoji) };
	size_t texts_size = text_arena_size(texts, ARRAY_LEN(texts));
	size_t size = sizeof(struct stored_message) + mention_count * sizeof(char *) + texts_size;

	struct stored_message *made = mem_alloc(size);
	char **mentions = (char **)(made + 1);
	struct text_arena arena = text_arena(mentions + mention_count, texts_size);
	*made = (struct stored_message){ .refs = 1, .size = size, .message = SKEIN__V1__MESSAGE__INIT };
	list_init(&made->by_use);
	made->key = str_of(text_arena_put_text(&arena, texts[0]), key.len);
	made->client_msg_id = text_arena_put_text(&arena, texts[1]);
	made->message.conversation_id = text_arena_put_text(&arena, texts[2]);
	made->message.from = text_arena_put_text(&arena, texts[3]);
	made->message.type = text_arena_put_text(&arena, texts[4]);
	made->message.body = text_arena_put_text(&arena, texts[5]);
	made->message.n_mentions = uid_list_split(text_arena_put_text(&arena, texts[6]), mentions);
	made->message.mentions = mentions;
	made->message.op = (char *)reaction.op;
	made->message.emoji = text_arena_put_text(&arena, texts[7]);
	made->message.seq = fields->seq;
	made->message.msg_id = fields->msg_id;
	made->message.time = fields->time;
	made->message.reply_to = fields->reply_to;
	made->message.target_seq = fields->target_seq;
	made->message.expires_at = fields->expires_at;
	buf_release(&key);
	return made;
}

struct stored_message *stored_message_ref(struct stored_message *message)
{
	message->refs++;
	return message;
}

void stored_message_unref(struct stored_message *message)
{
	if (message && --message->refs == 0)
		mem_free(message);
}

bool stored_message_is_content(const struct stored_message *message)
{
	static const char *const others[] = { "recall", "edit", "reaction", "system" };

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(message->message.type, others[i]) == 0)
			return false;
	return true;
}

Skein__V1__Message stored_message_view(const struct stored_message *message, const struct message_form *form,
                                       struct str viewer)
{
	Skein__V1__Message view = message->message;

	if (form->is_recalled) {
		view.body = "";
		view.recalled = stored_message_is_content(message);
	} else if (form->is_edited) {
		view.body = form->body.ptr ? (char *)form->body.ptr : (char *)protobuf_c_empty_string;
		view.edited = true;
	}
	if (form->reactions && !form->is_recalled) {
		view.n_reactions = form->reactions->count;
		view.reactions = form->reactions->items;
	}
	if (form->removed_at)
		view.expires_at = form->removed_at;
	(void)message_expire(&view, clock_wall_ms());
	if (str_equal(str_from(view.from), viewer))
		view.client_msg_id = (char *)message->client_msg_id;
	return view;
}
