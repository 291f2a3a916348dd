#include "im/entries/entry.h"

#include "base/text/ident.h"
#include "base/mem.h"

/* Where the next text of the allocation goes. */
static struct str place_text(char **at, struct str text)
{
	if (!text.ptr)
		return text;
	char *copy = *at;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	*at += text.len + 1;
	return str_of(copy, text.len);
}

static size_t conversation_of(char out[CONVERSATION_ID_MAX + 1], struct str sender, const struct send_request *request)
{
	return request->group.ptr ? conversation_group(out, request->group) : conversation_direct(out, sender, request->user);
}

struct send *send_new(struct str sender, const struct send_request *request, struct str traceparent,
                      send_done done, void *arg)
{
	char id[CONVERSATION_ID_MAX + 1];
	struct str conversation = str_of(id, conversation_of(id, sender, request));
	const struct str texts[] = { conversation, sender, request->client_msg_id, request->type, buf_str(&request->body),
		                     request->user, request->group, buf_str(&request->mentions), traceparent };
	size_t size = sizeof(struct send);

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		size += texts[i].ptr ? texts[i].len + 1 : 0;
	struct send *send = mem_alloc(size);
	char *at = (char *)(send + 1);
	*send = (struct send){
		.done = done,
		.arg = arg,
		.reply_to = request->reply_to,
		.conversation_hash = str_hash(conversation),
		.conversation = place_text(&at, texts[0]),
		.sender = place_text(&at, texts[1]),
		.client_msg_id = place_text(&at, texts[2]),
		.type = place_text(&at, texts[3]),
		.body = place_text(&at, texts[4]),
		.user = place_text(&at, texts[5]),
		.group = place_text(&at, texts[6]),
		.mentions = place_text(&at, texts[7]),
		.traceparent = place_text(&at, texts[8]),
		.size = size,
	};
	list_init(&send->link);
	list_init(&send->by_deadline);
	return send;
}

void send_free(struct send *send)
{
	list_remove(&send->link);
	list_remove(&send->by_deadline);
	mem_free(send);
}

void send_answer(struct send *send, const struct send_result *result)
{
	send_done done = send->done;

	send->done = NULL;
	list_remove(&send->by_deadline);
	if (done)
		done(send->arg, result);
}
