#include "message/message_json.h"

#include "base/text/json.h"

static void message_json_put_number_if_set(struct buf *out, const char *key, uint64_t number)
{
	if (number)
		json_put_u64_field(out, key, number);
}

static void message_json_put_text_if_set(struct buf *out, const char *key, const char *text)
{
	if (text && *text)
		json_put_field(out, key, str_from(text));
}

static void message_json_put_reactions(struct buf *out, const Skein__V1__Message *message)
{
	if (message->n_reactions == 0)
		return;
	json_put_key(out, "reactions");
	for (size_t i = 0; i < message->n_reactions; i++) {
		const Skein__V1__Reaction *reaction = message->reactions[i];

		buf_append_text(out, i ? ",{" : "[{");
		json_put_field(out, "emoji", str_from(reaction->emoji));
		json_put_u64_field(out, "count", reaction->count);
		json_put_bool_field(out, "mine", reaction->mine);
		buf_append_char(out, '}');
	}
	buf_append_char(out, ']');
}

void message_json(struct buf *out, const Skein__V1__Message *message)
{
	buf_append_char(out, '{');
	json_put_field(out, "conversation_id", str_from(message->conversation_id));
	json_put_u64_field(out, "seq", message->seq);
	json_put_id_field(out, "msg_id", message->msg_id);
	json_put_field(out, "from", str_from(message->from));
	json_put_field(out, "type", str_from(message->type));
	if (message->body && *message->body) {
		json_put_key(out, "body");
		buf_append_text(out, message->body);
	}
	json_put_u64_field(out, "time", message->time);
	message_json_put_number_if_set(out, "reply_to", message->reply_to);
	if (message->n_mentions) {
		json_put_key(out, "mentions");
		for (size_t i = 0; i < message->n_mentions; i++) {
			buf_append_char(out, i ? ',' : '[');
			json_put_string(out, str_from(message->mentions[i]));
		}
		buf_append_char(out, ']');
	}
	if (message->edited)
		json_put_bool_field(out, "edited", true);
	if (message->recalled)
		json_put_bool_field(out, "recalled", true);
	message_json_put_number_if_set(out, "expires_at", message->expires_at);
	if (message->expired)
		json_put_bool_field(out, "expired", true);
	message_json_put_reactions(out, message);
	message_json_put_number_if_set(out, "target_seq", message->target_seq);
	message_json_put_text_if_set(out, "op", message->op);
	message_json_put_text_if_set(out, "emoji", message->emoji);
	message_json_put_text_if_set(out, "client_msg_id", message->client_msg_id);
	buf_append_char(out, '}');
}
