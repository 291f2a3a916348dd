#include "libclient/answers.h"

#include <stdlib.h>
#include <string.h>

#include "base/text/ident.h"
#include "base/text/json.h"
#include "base/mem.h"

#define MAX_MESSAGES 1000 /* of a page; client_read.c asks for fewer */
#define MAX_MARKS 200000
#define MAX_OFFSET (UINT64_MAX >> 1)

json_t *answer_read(struct str text)
{
	json_t *root = text.len ? json_loadb(text.ptr, text.len, 0, NULL) : NULL;

	if (json_is_object(root))
		return root;
	json_decref(root);
	return NULL;
}

/* ---- fields ---- */

static struct str answer_conversation_in(const json_t *object)
{
	const char *id = json_string_value(json_object_get(object, "conversation_id"));
	struct conversation parsed;

	return conversation_parse(str_from(id), &parsed) ? str_from(id) : STR("");
}

static bool answer_number_in(const json_t *object, const char *name, uint64_t *number)
{
	const json_t *value = json_object_get(object, name);

	*number = (uint64_t)json_integer_value(value);
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

bool answer_offset(const json_t *object, const char *name, bool may_be_absent, uint64_t *offset)
{
	const json_t *value = json_object_get(object, name);

	*offset = 0;
	if (!value)
		return may_be_absent;
	return json_is_string(value) && str_to_u64(str_from(json_string_value(value)), offset) && *offset <= MAX_OFFSET;
}

struct str answer_epoch(const json_t *object)
{
	struct str epoch = str_from(json_string_value(json_object_get(object, "epoch")));

	return epoch.len <= INBOX_EPOCH_MAX && ident_is_valid(epoch) ? epoch : STR("");
}

/* ---- messages ---- */

struct delivery *delivery_new(json_t *json, uint64_t offset, uint32_t bytes)
{
	struct str conversation = answer_conversation_in(json);
	struct skein_message message = {
		.conversation_id = conversation.ptr,
		.msg_id = json_string_value(json_object_get(json, "msg_id")),
		.from = json_string_value(json_object_get(json, "from")),
		.type = json_string_value(json_object_get(json, "type")),
		.json = json,
	};
	uint64_t time_ms;

	if (!conversation.len || !message.msg_id || !message.from || !message.type || !answer_number_in(json, "time", &time_ms) ||
	    !answer_number_in(json, "seq", &message.seq) || !message.seq)
		return NULL;
	message.time_ms = (int64_t)time_ms;
	struct delivery *delivery = MEM_NEW(struct delivery);
	delivery->message = message;
	delivery->json = json_incref(json);
	delivery->item.conversation = conversation;
	delivery->item.seq = message.seq;
	delivery->item.offset = offset;
	delivery->item.bytes = bytes;
	return delivery;
}

void delivery_free(struct delivery *delivery)
{
	json_decref(delivery->json);
	mem_free(delivery);
}

void delivery_let_go(struct inbox_item *item)
{
	delivery_free(delivery_of(item));
}

static void answer_let_all_go(struct list *items)
{
	for (struct list *link; (link = list_pop_front(items));)
		delivery_let_go(container_of(link, struct inbox_item, link));
}

static bool answer_add(struct list *items, json_t *message, uint64_t offset)
{
	struct delivery *delivery = delivery_new(message, offset, 0);

	if (delivery)
		list_push_back(items, &delivery->item.link);
	return delivery;
}

/* ---- sync and history ---- */

static bool answer_add_entries(struct list *items, const json_t *entries, const struct inbox_position *end)
{
	size_t count = json_array_size(entries);
	uint64_t offset;

	for (size_t i = 0; i < count; i++) {
		const json_t *entry = json_array_get(entries, i);

		if (!answer_offset(entry, "offset", false, &offset) || offset > end->offset ||
		    !answer_add(items, json_object_get(entry, "message"), offset))
			return false;
	}
	return count <= MAX_MESSAGES;
}

static bool answer_read_marks(const json_t *array, struct inbox_mark **marks, size_t *count)
{
	size_t len = json_array_size(array);

	*count = 0;
	if (len > MAX_MARKS)
		return false;
	*marks = len ? mem_alloc(len * sizeof(**marks)) : NULL;
	for (; *count < len; ++*count) {
		const json_t *object = json_array_get(array, *count);
		struct inbox_mark *mark = &(*marks)[*count];

		mark->conversation = answer_conversation_in(object);
		if (!mark->conversation.len || !answer_number_in(object, "last_seq", &mark->last_seq))
			return false;
	}
	return true;
}

bool answer_page(const json_t *root, struct inbox_page *page, struct inbox_mark **marks)
{
	*page = (struct inbox_page){
		.has_more = json_is_true(json_object_get(root, "more")),
		.is_reset = json_is_true(json_object_get(root, "reset")),
	};
	*marks = NULL;
	list_init(&page->items);
	bool is_good =
		str_copy(page->end.epoch, sizeof(page->end.epoch), answer_epoch(root)) && *page->end.epoch &&
		answer_offset(root, "next_offset", false, &page->end.offset) &&
		answer_read_marks(json_object_get(root, page->is_reset ? "conversations" : "hot"), marks,
	                          &page->mark_count) &&
		(page->is_reset || answer_add_entries(&page->items, json_object_get(root, "messages"), &page->end));
	page->marks = *marks;
	if (is_good)
		return true;
	answer_let_all_go(&page->items);
	mem_free(*marks);
	*marks = NULL;
	return false;
}

bool answer_history(const json_t *root, struct str conversation, struct list *items, bool *is_last)
{
	const json_t *messages = json_object_get(root, "messages");
	uint64_t last_seq = 0;
	bool is_good = json_is_array(messages) && json_array_size(messages) <= MAX_MESSAGES;

	list_init(items);
	for (size_t i = 0; is_good && i < json_array_size(messages); i++) {
		is_good = answer_add(items, json_array_get(messages, i), 0);
		if (!is_good)
			break;
		const struct inbox_item *item = container_of(items->prev, struct inbox_item, link);
		is_good = str_equal(item->conversation, conversation) && item->seq > last_seq;
		last_seq = item->seq;
	}
	*is_last = !json_object_get(root, "next_cursor");
	if (!is_good)
		answer_let_all_go(items);
	return is_good;
}

/* ---- the rest ---- */

bool answer_endpoints(const json_t *root, struct answer_endpoints *endpoints)
{
	const json_t *gateways = json_object_get(root, "gateways"), *retry = json_object_get(root, "retry");

	*endpoints = (struct answer_endpoints){ 0 };
	for (size_t i = 0; i < json_array_size(gateways) && endpoints->count < ARRAY_LEN(endpoints->urls); i++) {
		const char *url = json_string_value(json_object_get(json_array_get(gateways, i), "url"));

		if (!url || (strncmp(url, "ws://", 5) != 0 && strncmp(url, "wss://", 6) != 0))
			return false;
		endpoints->urls[endpoints->count++] = url;
	}
	return json_is_array(gateways) && answer_number_in(retry, "min_ms", &endpoints->retry_min_ms) &&
	       answer_number_in(retry, "max_ms", &endpoints->retry_max_ms);
}

bool answer_sent(const json_t *root, struct skein_sent *sent)
{
	struct str conversation = answer_conversation_in(root);
	uint64_t time_ms;

	sent->conversation_id = conversation.ptr;
	sent->msg_id = json_string_value(json_object_get(root, "msg_id"));
	sent->is_duplicate = json_is_true(json_object_get(root, "duplicate"));
	if (!answer_number_in(root, "seq", &sent->seq) || !answer_number_in(root, "time", &time_ms))
		return false;
	sent->time_ms = (int64_t)time_ms;
	return conversation.len && sent->msg_id;
}

/* ---- the state ---- */

static void answer_put_conversation(void *arg, struct str conversation, uint64_t seq)
{
	json_put_u64_field(arg, conversation.ptr, seq);
}

char *state_write(const struct inbox *inbox)
{
	struct buf out = { 0 };

	buf_append_text(&out, "{\"conversations\":{");
	const struct inbox_position *at = inbox_stored(inbox, answer_put_conversation, &out);
	buf_append_char(&out, '}');
	json_put_bool_field(&out, "hot", inbox->knows_hot);
	if (*at->epoch) {
		json_put_field(&out, "epoch", str_from(at->epoch));
		json_put_id_field(&out, "offset", at->offset);
	}
	buf_append_char(&out, '}');
	(void)buf_text(&out);
	return buf_take(&out);
}

bool state_read(struct inbox *inbox, const char *text)
{
	json_t *root = answer_read(str_from(text));
	json_t *conversations = json_object_get(root, "conversations"), *seq;
	struct inbox_position at = { 0 };
	struct conversation parsed;
	const char *id;
	bool is_good = json_is_object(conversations) && answer_offset(root, "offset", true, &at.offset) &&
	               str_copy(at.epoch, sizeof(at.epoch), answer_epoch(root));

	inbox_restore(inbox, &at, json_is_true(json_object_get(root, "hot")));
	json_object_foreach(conversations, id, seq)
	{
		is_good = is_good && conversation_parse(str_from(id), &parsed) && json_is_integer(seq) &&
		          json_integer_value(seq) >= 0;
		if (is_good)
			inbox_restore_conversation(inbox, str_from(id), (uint64_t)json_integer_value(seq));
	}
	json_decref(root);
	return is_good;
}
