#include "gateway/wire/client_signal.h"

#include "base/text/ident.h"
#include "proto/im.pb-c.h"

static void client_signal_check_conversation(struct str id, struct json_error *error)
{
	struct conversation conversation;

	if (id.ptr && !conversation_parse(id, &conversation))
		json_fail(error, ERR_INVALID_ARGUMENT, "conversation_id", "conversation_id is not a conversation id");
}

static struct str client_signal_conversation(const json_t *root, struct json_error *error)
{
	struct str id = json_text(root, "conversation_id", JSON_REQUIRED, 1, CONVERSATION_ID_MAX, error);

	client_signal_check_conversation(id, error);
	return id;
}

/* ---- read ---- */

static void client_read_make(struct client_signal *out, struct str conversation_id, uint64_t seq, const char *from)
{
	Skein__V1__ReadRequest request = SKEIN__V1__READ_REQUEST__INIT;

	request.uid = (char *)from;
	request.conversation_id = (char *)conversation_id.ptr;
	request.seq = seq;
	size_t len = skein__v1__read_request__get_packed_size(&request);
	out->request->len = skein__v1__read_request__pack(&request, (uint8_t *)buf_reserve(out->request, len));
}

void client_read_from_json(struct client_signal *out, const json_t *root, const char *from, struct json_error *error)
{
	struct str id = client_signal_conversation(root, error);
	int64_t seq = json_int(root, "seq", JSON_REQUIRED, 0, INT64_MAX, error);

	if (!error->err)
		client_read_make(out, id, (uint64_t)seq, from);
}

void client_read_from_proto(struct client_signal *out, const Skein__V1__Read *read, const char *from, struct json_error *error)
{
	struct str id = str_from(read->conversation_id);

	client_signal_check_conversation(id, error);
	if (read->seq > INT64_MAX)
		json_fail(error, ERR_INVALID_ARGUMENT, "seq", "seq is out of range");
	if (!error->err)
		client_read_make(out, id, read->seq, from);
}

/* ---- typing ---- */

static void client_typing_make(struct client_signal *out, struct str conversation_id, const char *from)
{
	Skein__V1__TypingRequest request = SKEIN__V1__TYPING_REQUEST__INIT;

	request.uid = (char *)from;
	request.conversation_id = (char *)conversation_id.ptr;
	size_t len = skein__v1__typing_request__get_packed_size(&request);
	out->request->len = skein__v1__typing_request__pack(&request, (uint8_t *)buf_reserve(out->request, len));
	out->conversation = str_hash(conversation_id);
}

void client_typing_from_json(struct client_signal *out, const json_t *root, const char *from, struct json_error *error)
{
	struct str id = client_signal_conversation(root, error);

	if (!error->err)
		client_typing_make(out, id, from);
}

void client_typing_from_proto(struct client_signal *out, const Skein__V1__Typing *typing, const char *from,
                              struct json_error *error)
{
	struct str id = str_from(typing->conversation_id);

	client_signal_check_conversation(id, error);
	if (!error->err)
		client_typing_make(out, id, from);
}

/* ---- watch ---- */

static void client_watch_add(struct client_signal *out, struct str uid, struct json_error *error)
{
	if (!uid.ptr || !ident_is_valid(uid)) {
		json_fail(error, ERR_INVALID_ARGUMENT, "uids", "uids must be a list of uids");
		return;
	}
	buf_append_str(out->request, uid);
	buf_append_char(out->request, '\0');
	out->uid_count++;
}

void client_watch_from_json(struct client_signal *out, const json_t *root, struct json_error *error)
{
	json_t *uids = json_array_field(root, "uids", JSON_REQUIRED, CLIENT_WATCH_MAX, error);

	for (size_t i = 0; uids && i < json_array_size(uids); i++) {
		const json_t *uid = json_array_get(uids, i);

		client_watch_add(out, str_of(json_string_value(uid), json_string_length(uid)), error);
	}
}

void client_watch_from_proto(struct client_signal *out, const Skein__V1__Watch *watch, struct json_error *error)
{
	if (watch->n_uids > CLIENT_WATCH_MAX)
		json_fail(error, ERR_INVALID_ARGUMENT, "uids", "uids must have at most %d items", CLIENT_WATCH_MAX);
	for (size_t i = 0; i < watch->n_uids && !error->err; i++)
		client_watch_add(out, str_from(watch->uids[i]), error);
}
