#include "im/messages/send_request.h"

#include <math.h>

#include "im/messages/message_body.h"

/* JSON readers that use a double are exact up to this number. */
#define SEQ_MAX ((1ll << 53) - 1)

static bool send_request_is_forward(const struct send_request *request)
{
	return str_equal(request->type, STR("forward"));
}

static void send_request_check_key(struct str key, struct json_error *error)
{
	if (!client_msg_id_is_valid(key))
		json_fail(error, ERR_INVALID_ARGUMENT, "client_msg_id",
		          "client_msg_id must be 1 to 64 printable ASCII characters, no space");
}

static void send_request_check_recipient(struct str user, struct str group, struct json_error *error)
{
	if (user.ptr && group.ptr)
		json_fail(error, ERR_INVALID_ARGUMENT, "to", "to must name a user or a group, not both");
	if (!user.ptr && !group.ptr)
		json_fail(error, ERR_INVALID_ARGUMENT, "to", "to must name a user or a group");
}

static void send_request_check_type(struct str type, struct json_error *error)
{
	if (!message_type_is_known(type) && !str_equal(type, STR("forward")))
		json_fail(error, ERR_INVALID_ARGUMENT, "type",
		          "type must be one of text, image, audio, video, file, location, custom, forward");
}

static void send_request_add_mention(struct send_request *request, struct str mention, struct json_error *error)
{
	bool is_everyone = str_equal(mention, STR("*"));

	if (!is_everyone && !ident_is_valid(mention))
		json_fail(error, ERR_INVALID_ARGUMENT, "mentions", "mentions must be uids or \"*\"");
	if (is_everyone && request->user.ptr)
		json_fail(error, ERR_INVALID_ARGUMENT, "mentions", "mentions of \"*\" are for groups only");
	if (error->err)
		return;
	if (request->mentions.len)
		buf_append_char(&request->mentions, ',');
	buf_append_str(&request->mentions, mention);
}

/* ---- a forward ---- */

/* A forward has messages in place of a body, everything else a body. */
static void send_request_check_content(const struct send_request *request, bool has_body, bool has_forward,
                                       struct json_error *error)
{
	bool is_forward = send_request_is_forward(request);

	if (is_forward && !has_forward)
		json_fail(error, ERR_INVALID_ARGUMENT, "forward", "forward is required");
	if (is_forward && has_body)
		json_fail(error, ERR_INVALID_ARGUMENT, "body", "the body of a forward is made of its messages");
	if (!is_forward && has_forward)
		json_fail(error, ERR_INVALID_ARGUMENT, "forward", "only a message of type forward has a forward");
	if (!is_forward && !has_body)
		json_fail(error, ERR_INVALID_ARGUMENT, "body", "body is required");
}

static void send_forward_set_conversation(struct send_forward *forward, struct str id, struct json_error *error)
{
	struct conversation conversation;

	if (!conversation_parse(id, &conversation) || conversation.kind == CONVERSATION_ROOM)
		json_fail(error, ERR_INVALID_ARGUMENT, "forward.conversation_id",
		          "forward.conversation_id must be a one-to-one conversation or a group");
	forward->conversation_id = id;
}

static void send_forward_check_count(size_t count, struct json_error *error)
{
	if (count < 1 || count > FORWARD_MAX)
		json_fail(error, ERR_INVALID_ARGUMENT, "forward.seqs", "forward.seqs must have 1 to %d items", FORWARD_MAX);
}

static void send_forward_add(struct send_forward *forward, int64_t seq, struct json_error *error)
{
	if (seq < 1 || seq > SEQ_MAX)
		json_fail(error, ERR_INVALID_ARGUMENT, "forward.seqs", "forward.seqs must be integers from 1 to %lld", SEQ_MAX);
	else
		forward->seqs[forward->count++] = seq;
}

/* Writes what repeats of the send are compared with. */
static void send_forward_note(struct send_forward *forward)
{
	struct buf *out = &forward->sent;

	buf_append_char(out, '{');
	json_put_field(out, "conversation_id", forward->conversation_id);
	json_put_key(out, "seqs");
	for (size_t i = 0; i < forward->count; i++) {
		buf_append_char(out, i ? ',' : '[');
		buf_append_u64(out, (uint64_t)forward->seqs[i]);
	}
	buf_append_text(out, "]}");
}

/* An integer, or a real number without a fraction; 0 for anything else. */
static int64_t send_forward_read_seq(const json_t *item)
{
	double real = json_is_real(item) ? json_real_value(item) : 0;

	if (json_is_integer(item))
		return json_integer_value(item);
	return real >= 1 && real <= (double)SEQ_MAX && real == floor(real) ? (int64_t)real : 0;
}

static void send_forward_from_json(struct send_forward *out, const json_t *forward, struct json_error *error)
{
	json_prefix(error, "forward.");
	struct str id = json_text(forward, "conversation_id", JSON_REQUIRED, 0, SIZE_MAX, error);
	const json_t *seqs = json_array_field(forward, "seqs", JSON_REQUIRED, FORWARD_MAX, error);
	json_prefix(error, "");
	if (error->err)
		return;
	send_forward_set_conversation(out, id, error);
	send_forward_check_count(json_array_size(seqs), error);
	for (size_t i = 0; i < json_array_size(seqs) && !error->err; i++)
		send_forward_add(out, send_forward_read_seq(json_array_get(seqs, i)), error);
	if (!error->err)
		send_forward_note(out);
}

static void send_forward_from_proto(struct send_forward *out, const Skein__V1__Forward *forward, struct json_error *error)
{
	send_forward_set_conversation(out, str_from(forward->conversation_id), error);
	send_forward_check_count(forward->n_seqs, error);
	for (size_t i = 0; i < forward->n_seqs && !error->err; i++)
		send_forward_add(out, (int64_t)MIN(forward->seqs[i], (uint64_t)INT64_MAX), error);
	if (!error->err)
		send_forward_note(out);
}

/* ---- JSON ---- */

void send_request_from_json(struct send_request *request, const json_t *object, struct json_error *error)
{
	*request = (struct send_request){ 0 };
	request->client_msg_id = json_text(object, "client_msg_id", JSON_REQUIRED, 0, SIZE_MAX, error);
	if (!error->err)
		send_request_check_key(request->client_msg_id, error);
	const json_t *to = json_object_field(object, "to", JSON_REQUIRED, error);
	json_prefix(error, "to.");
	request->user = json_ident(to, "user", JSON_OPTIONAL, error);
	request->group = json_ident(to, "group", JSON_OPTIONAL, error);
	json_prefix(error, "");
	if (!error->err)
		send_request_check_recipient(request->user, request->group, error);
	request->type = json_text(object, "type", JSON_REQUIRED, 0, SIZE_MAX, error);
	if (!error->err)
		send_request_check_type(request->type, error);
	const json_t *body = json_object_field(object, "body", JSON_OPTIONAL, error);
	const json_t *forward = json_object_field(object, "forward", JSON_OPTIONAL, error);
	send_request_check_content(request, body, forward, error);
	message_body_check(body, request->type, error);
	if (forward)
		send_forward_from_json(&request->forward, forward, error);
	request->reply_to = json_int(object, "reply_to", JSON_OPTIONAL, 1, SEQ_MAX, error);
	request->expire_s = json_int(object, "expire_s", JSON_OPTIONAL, 1, EXPIRE_MAX_S, error);
	const json_t *mentions = json_array_field(object, "mentions", JSON_OPTIONAL, MENTIONS_MAX, error);
	for (size_t i = 0; i < json_array_size(mentions) && !error->err; i++) {
		const json_t *mention = json_array_get(mentions, i);
		/* An item that is not a string has an empty text, which is refused. */
		send_request_add_mention(request, str_of(json_string_value(mention), json_string_length(mention)), error);
	}
	if (!error->err && body)
		json_dump_compact(&request->body, body);
}

/* ---- protobuf ---- */

/* Protobuf has no absent strings: an empty one is absent. */
static struct str send_request_given(const char *text)
{
	return *text ? str_from(text) : (struct str){ 0 };
}

static void send_request_check_given_ident(struct str ident, const char *field, struct json_error *error)
{
	if (ident.ptr && !ident_is_valid(ident))
		json_fail(error, ERR_INVALID_ARGUMENT, field, "%s must be 1 to 64 of A-Z a-z 0-9 _ . -", field);
}

static void send_request_read_body_text(struct send_request *request, struct str text, size_t max_body,
                                        struct json_error *error)
{
	struct json_error why = { 0 };

	if (text.len > max_body)
		json_fail(error, ERR_TOO_LARGE, "body", "body must be at most %zu bytes long", max_body);
	if (error->err)
		return;
	json_t *body = json_read(text, &why);
	if (!body) {
		json_fail(error, why.err, "body", "body: %s", why.detail);
		return;
	}
	message_body_check(body, request->type, error);
	if (!error->err)
		json_dump_compact(&request->body, body);
	json_decref(body);
}

void send_request_from_proto(struct send_request *request, const Skein__V1__SendRequest *message, size_t max_body,
                             struct json_error *error)
{
	*request = (struct send_request){
		.client_msg_id = str_from(message->client_msg_id),
		.user = send_request_given(message->to_user),
		.group = send_request_given(message->to_group),
		.type = str_from(message->type),
		.reply_to = (int64_t)message->reply_to,
		.expire_s = message->expire_s,
	};
	send_request_check_key(request->client_msg_id, error);
	send_request_check_given_ident(request->user, "to.user", error);
	send_request_check_given_ident(request->group, "to.group", error);
	send_request_check_recipient(request->user, request->group, error);
	send_request_check_type(request->type, error);
	send_request_check_content(request, *message->body, message->forward, error);
	if (*message->body)
		send_request_read_body_text(request, str_from(message->body), max_body, error);
	if (message->forward)
		send_forward_from_proto(&request->forward, message->forward, error);
	if (message->reply_to > SEQ_MAX)
		json_fail(error, ERR_INVALID_ARGUMENT, "reply_to", "reply_to must be 1 to %lld", SEQ_MAX);
	if (message->expire_s > EXPIRE_MAX_S)
		json_fail(error, ERR_INVALID_ARGUMENT, "expire_s", "expire_s must be 1 to %d", EXPIRE_MAX_S);
	if (message->n_mentions > MENTIONS_MAX)
		json_fail(error, ERR_INVALID_ARGUMENT, "mentions", "mentions must have at most %d items", MENTIONS_MAX);
	for (size_t i = 0; i < message->n_mentions && !error->err; i++)
		send_request_add_mention(request, str_from(message->mentions[i]), error);
}

void send_request_release(struct send_request *request)
{
	buf_release(&request->body);
	buf_release(&request->forward.sent);
	buf_release(&request->mentions);
}

size_t send_request_conversation(char out[CONVERSATION_ID_MAX + 1], const struct send_request *request, struct str sender)
{
	return request->group.ptr ? conversation_group(out, request->group) : conversation_direct(out, sender, request->user);
}
