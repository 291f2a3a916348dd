#include "im/stored/stored_message.h"

#include "base/mem.h"
#include "im/stored/mentions.h"
#include "cluster/inbox.h"

/* Where the next text of the allocation goes. */
static char *place_text(char **at, struct str text)
{
	char *copy = *at;

	if (text.len)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	*at += text.len + 1;
	return copy;
}

static size_t count_mentions(struct str joined)
{
	size_t count = joined.len > 0;

	for (size_t i = 0; i < joined.len; i++)
		count += joined.ptr[i] == ',';
	return MIN(count, MENTIONS_MAX);
}

struct stored_message *stored_message_new(const struct stored_fields *fields)
{
	size_t mention_count = count_mentions(fields->mentions);
	struct buf key = { 0 };

	inbox_entry_write(&key, fields->conversation_id, fields->seq);
	const struct str texts[] = { buf_str(&key), fields->client_msg_id, fields->conversation_id, fields->sender,
		                     fields->type, fields->body, fields->mentions };
	size_t size = sizeof(struct stored_message) + mention_count * sizeof(char *);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		size += texts[i].len + 1;

	struct stored_message *made = mem_alloc(size);
	char **mentions = (char **)(made + 1);
	char *at = (char *)(mentions + mention_count);
	*made = (struct stored_message){ .refs = 1, .size = size, .message = SKEIN__V1__MESSAGE__INIT };
	list_init(&made->by_use);
	made->key = str_of(place_text(&at, texts[0]), key.len);
	made->client_msg_id = place_text(&at, texts[1]);
	made->message.conversation_id = place_text(&at, texts[2]);
	made->message.from = place_text(&at, texts[3]);
	made->message.type = place_text(&at, texts[4]);
	made->message.body = place_text(&at, texts[5]);
	made->message.n_mentions = mentions_split(place_text(&at, texts[6]), mentions);
	made->message.mentions = mentions;
	made->message.seq = fields->seq;
	made->message.msg_id = fields->msg_id;
	made->message.time = fields->time;
	made->message.reply_to = fields->reply_to;
	made->message.target_seq = fields->target_seq;
	made->message.edited = fields->is_edited;
	made->message.recalled = fields->is_recalled;
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

Skein__V1__Message stored_message_view(const struct stored_message *message, struct str viewer)
{
	Skein__V1__Message view = message->message;

	if (str_equal(str_from(view.from), viewer))
		view.client_msg_id = (char *)message->client_msg_id;
	return view;
}
