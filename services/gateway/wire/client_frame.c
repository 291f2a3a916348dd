#include "gateway/wire/client_frame.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text/ident.h"
#include "base/text/json.h"
#include "base/mem.h"
#include "base/text/utf8.h"
#include "gateway/wire/client_signal.h"
#include "gateway/wire/lone_surrogates.h"
#include "gateway/wire/proto_text.h"
#include "message/send_limits.h"
#include "proto/im.pb-c.h"
#include "rpc/protobuf_wire.h"

#define TYPE_MAX 16
#define OFFSET_MAX 20 /* digits */
#define SEQ_MAX INT64_MAX

static err_t PRINTF_LIKE(3, 4) client_frame_fault(struct client_frame *out, err_t err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(out->detail, sizeof(out->detail), format, args);
	va_end(args);
	return err;
}

/* 1 to 64 printable ASCII characters, blanks included. */
static bool client_frame_rid_is_valid(struct str rid)
{
	if (rid.len < 1 || rid.len > CLIENT_RID_MAX)
		return false;
	for (size_t i = 0; i < rid.len; i++)
		if (rid.ptr[i] < ' ' || rid.ptr[i] > '~')
			return false;
	return true;
}

/* Decimal digits. A number over 64 bits becomes UINT64_MAX, which no inbox reaches. */
static bool client_frame_offset_parse(struct str text, uint64_t *offset)
{
	if (text.len < 1 || text.len > OFFSET_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	if (!str_to_u64(text, offset))
		*offset = UINT64_MAX;
	return true;
}

static void client_frame_pack_request(struct client_frame *out, const Skein__V1__SendRequest *request)
{
	size_t len = skein__v1__send_request__get_packed_size(request);

	out->request.len = skein__v1__send_request__pack(request, (uint8_t *)buf_reserve(&out->request, len));
	out->conversation = *request->to_user ? str_hash(str_from(request->to_user)) : ~str_hash(str_from(request->to_group));
}

/* ---- JSON ---- */

/* A text of the message for protobuf-c. The JSON reader terminates strings and refuses NUL. */
static char *client_frame_proto_text(struct str text)
{
	return text.ptr ? (char *)text.ptr : (char *)protobuf_c_empty_string;
}

/* `texts` has room for MENTIONS_MAX. */
static void client_frame_read_mentions(const json_t *message, Skein__V1__SendRequest *request, char **texts,
                                       struct json_error *error)
{
	json_t *mentions = json_array_field(message, "mentions", JSON_OPTIONAL, MENTIONS_MAX, error);

	for (size_t i = 0; mentions && i < json_array_size(mentions); i++) {
		const json_t *mention = json_array_get(mentions, i);
		struct str text = str_of(json_string_value(mention), json_string_length(mention));

		if (!text.ptr || (!ident_is_valid(text) && !str_equal(text, STR("*")))) {
			json_fail(error, ERR_INVALID_ARGUMENT, "mentions", "message.mentions must be a list of uids, or \"*\"");
			return;
		}
		texts[request->n_mentions++] = client_frame_proto_text(text);
	}
	request->mentions = texts;
}

/* What a forward is made of; im checks more of it. */
struct client_forward {
	Skein__V1__Forward forward;
	uint64_t seqs[FORWARD_MAX];
};

/* 0, which no message has, for what is no integer. */
static uint64_t client_frame_seq_of(const json_t *item)
{
	double real = json_is_real(item) ? json_real_value(item) : 0;

	if (json_is_integer(item))
		return json_integer_value(item) > 0 ? (uint64_t)json_integer_value(item) : 0;
	return real >= 1 && real < (double)SEQ_MAX && real == floor(real) ? (uint64_t)real : 0;
}

static void client_frame_read_forward(const json_t *message, Skein__V1__SendRequest *request, struct client_forward *out,
                                      struct json_error *error)
{
	json_t *forward = json_object_field(message, "forward", JSON_OPTIONAL, error);

	if (!forward)
		return;
	skein__v1__forward__init(&out->forward);
	json_prefix(error, "message.forward.");
	out->forward.conversation_id = client_frame_proto_text(
		json_text(forward, "conversation_id", JSON_REQUIRED, 1, CONVERSATION_ID_MAX, error));
	json_t *seqs = json_array_field(forward, "seqs", JSON_REQUIRED, FORWARD_MAX, error);
	json_prefix(error, "message.");
	out->forward.seqs = out->seqs;
	for (size_t i = 0; i < json_array_size(seqs); i++)
		out->seqs[out->forward.n_seqs++] = client_frame_seq_of(json_array_get(seqs, i));
	request->forward = &out->forward;
}

static void client_frame_read_message(const json_t *message, struct client_frame *out, const char *from, struct json_error *error)
{
	Skein__V1__SendRequest request = SKEIN__V1__SEND_REQUEST__INIT;
	char *mentions[MENTIONS_MAX];
	struct client_forward forward;
	struct buf body = { 0 };

	json_prefix(error, "message.");
	struct str client_msg_id = json_text(message, "client_msg_id", JSON_REQUIRED, 1, CLIENT_MSG_ID_MAX, error);
	if (client_msg_id.ptr && !client_msg_id_is_valid(client_msg_id))
		json_fail(error, ERR_INVALID_ARGUMENT, "client_msg_id",
		          "message.client_msg_id must be printable ASCII without a blank");
	json_t *to = json_object_field(message, "to", JSON_REQUIRED, error);
	json_prefix(error, "message.to.");
	struct str user = json_ident(to, "user", JSON_OPTIONAL, error);
	struct str group = json_ident(to, "group", JSON_OPTIONAL, error);
	json_prefix(error, "message.");
	if (to && !user.ptr == !group.ptr)
		json_fail(error, ERR_INVALID_ARGUMENT, "to", "message.to must have either user or group");
	request.to_user = client_frame_proto_text(user);
	request.to_group = client_frame_proto_text(group);
	request.type = client_frame_proto_text(json_text(message, "type", JSON_REQUIRED, 1, TYPE_MAX, error));
	json_t *content = json_object_field(message, "body", JSON_OPTIONAL, error);
	client_frame_read_forward(message, &request, &forward, error);
	request.reply_to = (uint64_t)json_int(message, "reply_to", JSON_OPTIONAL, 1, SEQ_MAX, error);
	request.expire_s = (uint32_t)json_int(message, "expire_s", JSON_OPTIONAL, 1, EXPIRE_MAX_S, error);
	client_frame_read_mentions(message, &request, mentions, error);
	if (!error->err) {
		if (content)
			json_dump_compact(&body, content);
		request.from = (char *)from;
		request.client_msg_id = client_frame_proto_text(client_msg_id);
		request.body = (char *)buf_text(&body);
		client_frame_pack_request(out, &request);
		(void)str_copy(out->client_msg_id, sizeof(out->client_msg_id), client_msg_id);
	}
	buf_release(&body);
}

static void client_frame_read_rid(const json_t *root, enum json_presence presence, struct client_frame *out,
                                  struct json_error *error)
{
	struct str rid = json_text(root, "rid", presence, 1, CLIENT_RID_MAX, error);

	if (rid.ptr && !client_frame_rid_is_valid(rid))
		json_fail(error, ERR_INVALID_ARGUMENT, "rid", "rid must be printable ASCII");
	else if (rid.ptr)
		(void)str_copy(out->rid, sizeof(out->rid), rid);
}

static void client_frame_read_send(const json_t *root, struct client_frame *out, const char *from, struct json_error *error)
{
	out->kind = CLIENT_SEND;
	client_frame_read_rid(root, JSON_REQUIRED, out, error);
	json_t *message = json_object_field(root, "message", JSON_REQUIRED, error);
	if (message)
		client_frame_read_message(message, out, from, error);
}

static void client_frame_read_ack(const json_t *root, struct client_frame *out, struct json_error *error)
{
	struct str offset = json_text(root, "offset", JSON_REQUIRED, 1, OFFSET_MAX, error);

	out->kind = CLIENT_ACK;
	if (offset.ptr && !client_frame_offset_parse(offset, &out->offset))
		json_fail(error, ERR_INVALID_ARGUMENT, "offset",
		          "offset must be the decimal number of a message frame, as a string");
}

static const char *const client_frame_served[] = { "ping", "send", "ack", "read", "typing", "watch", NULL };
static const char *const client_frame_signals[] = { "read", "typing", "watch", NULL };
static const char *const client_frame_not_served[] = { "join", "leave", "focus", NULL };

static bool client_frame_is_one_of(struct str name, const char *const *names)
{
	for (; *names; names++)
		if (str_equal(name, str_from(*names)))
			return true;
	return false;
}

static struct str client_frame_type_of(const json_t *root)
{
	const json_t *type = json_object_get(root, "type");

	return str_of(json_string_value(type), json_string_length(type));
}

static void client_frame_take_signal(struct client_frame *out, const struct client_signal *signal, enum client_frame_kind kind)
{
	out->kind = kind;
	out->conversation = signal->conversation;
	out->uid_count = signal->uid_count;
}

static void client_frame_read_signal(const json_t *root, struct str name, struct client_frame *out, const char *from,
                                     struct json_error *error)
{
	struct client_signal signal = { .request = &out->request };
	bool is_watch = str_equal(name, STR("watch")), is_read = str_equal(name, STR("read"));

	client_frame_read_rid(root, is_watch ? JSON_REQUIRED : JSON_OPTIONAL, out, error);
	if (is_watch)
		client_watch_from_json(&signal, root, error);
	else if (is_read)
		client_read_from_json(&signal, root, from, error);
	else
		client_typing_from_json(&signal, root, from, error);
	client_frame_take_signal(out, &signal, is_watch ? CLIENT_WATCH : is_read ? CLIENT_READ : CLIENT_TYPING);
}

static err_t client_frame_read_typed(const json_t *root, struct client_frame *out, const char *from, struct json_error *error)
{
	struct str name = client_frame_type_of(root);

	if (!name.ptr)
		return client_frame_fault(out, ERR_PROTOCOL, "a frame needs a type");
	if (str_equal(name, STR("ping"))) {
		out->kind = CLIENT_PING;
	} else if (str_equal(name, STR("send"))) {
		client_frame_read_send(root, out, from, error);
	} else if (str_equal(name, STR("ack"))) {
		client_frame_read_ack(root, out, error);
	} else if (client_frame_is_one_of(name, client_frame_signals)) {
		client_frame_read_signal(root, name, out, from, error);
	} else if (client_frame_is_one_of(name, client_frame_not_served)) {
		client_frame_read_rid(root, JSON_OPTIONAL, out, error);
		if (!error->err)
			return client_frame_fault(out, ERR_FAILED_PRECONDITION, "%.*s is not served by this version",
			                          STR_ARG(name));
	} else {
		return client_frame_fault(out, ERR_PROTOCOL, "unknown type");
	}
	return error->err ? client_frame_fault(out, ERR_INVALID_ARGUMENT, "%s", error->detail) : OK;
}

/* The number that ends at `end` becomes a 0, and blanks. */
static void client_frame_blank_number(struct buf *text, size_t end)
{
	size_t at = MIN(end, text->len);

	while (at > 0 && text->ptr[at - 1] && strchr("0123456789+-.eE", text->ptr[at - 1]))
		text->ptr[--at] = ' ';
	if (at < text->len)
		text->ptr[at] = '0';
}

/*
 * jansson has no flags to accept lone surrogates and real numbers out of range. Both are overwritten in a copy: all of the
 * surrogates, and a few of the numbers; more are nobody's mistake.
 */
static json_t *client_frame_load_leniently(struct str text)
{
	json_error_t cause = { 0 };
	struct buf copy = { 0 };
	json_t *root = NULL;

	buf_append_str(&copy, text);
	lone_surrogates_replace(&copy);
	for (int tries = 0; tries < 4 && !root; tries++) {
		root = json_loadb(buf_text(&copy), copy.len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &cause);
		if (root || json_error_code(&cause) != json_error_numeric_overflow)
			break;
		client_frame_blank_number(&copy, (size_t)MAX(cause.position, 0));
	}
	buf_release(&copy);
	return root;
}

/*
 * Too strict a reader for some JSON: a key twice, a number out of range, a lone surrogate, nested too deep. With a known type
 * that is a bad field, and no reason to close the connection.
 */
static err_t client_frame_refuse_json(struct client_frame *out, struct str text, const struct json_error *why)
{
	struct json_error ignored = { 0 };
	json_t *root = client_frame_load_leniently(text);
	err_t err = ERR_PROTOCOL;

	if (client_frame_is_one_of(client_frame_type_of(root), client_frame_served) ||
	    client_frame_is_one_of(client_frame_type_of(root), client_frame_not_served)) {
		client_frame_read_rid(root, JSON_OPTIONAL, out, &ignored);
		err = ERR_INVALID_ARGUMENT;
	}
	json_decref(root);
	return client_frame_fault(out, err, "%s", why->detail);
}

static err_t client_frame_read_json(struct client_frame *out, struct str text, const char *from)
{
	struct json_error error = { 0 };
	json_t *root = json_read(text, &error);

	if (!root)
		return client_frame_refuse_json(out, text, &error);
	err_t err = client_frame_read_typed(root, out, from, &error);
	json_decref(root);
	return err;
}

/* ---- protobuf ---- */

/* protobuf-c takes any bytes for a text; the JSON reader checks UTF-8 itself. For NUL see client_frame_refuse_cut_text(). */
static const char *client_frame_first_bad_text(const Skein__V1__Send *send)
{
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "to_user", send->to_user },
		{ "to_group", send->to_group },
		{ "type", send->type },
		{ "body", send->body },
		{ "forward.conversation_id", send->forward ? send->forward->conversation_id : "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!utf8_is_valid(str_from(texts[i].text)))
			return texts[i].name;
	return NULL;
}

static err_t client_frame_check_proto_send(struct client_frame *out, const Skein__V1__Send *send)
{
	const char *bad = client_frame_first_bad_text(send);

	if (bad)
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.%s must be valid UTF-8", bad);
	if (!client_msg_id_is_valid(str_from(send->client_msg_id)))
		return client_frame_fault(out, ERR_INVALID_ARGUMENT,
		                          "message.client_msg_id must be 1 to 64 printable ASCII characters");
	if (!*send->to_user == !*send->to_group)
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.to must have either user or group");
	if (*send->to_user && !ident_is_valid(str_from(send->to_user)))
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.to.user must be 1 to 64 of A-Z a-z 0-9 _ . -");
	if (*send->to_group && !ident_is_valid(str_from(send->to_group)))
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.to.group must be 1 to 64 of A-Z a-z 0-9 _ . -");
	if (!*send->type || strlen(send->type) > TYPE_MAX)
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.type must be 1 to %d bytes long", TYPE_MAX);
	if (send->reply_to > SEQ_MAX)
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.reply_to is out of range");
	if (send->expire_s > EXPIRE_MAX_S)
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.expire_s must be 1 to %d", EXPIRE_MAX_S);
	if (send->forward && send->forward->n_seqs > FORWARD_MAX)
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.forward.seqs must have at most %d items",
		                          FORWARD_MAX);
	if (send->n_mentions > MENTIONS_MAX)
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.mentions must have at most %d items", MENTIONS_MAX);
	for (size_t i = 0; i < send->n_mentions; i++)
		if (!ident_is_valid(str_from(send->mentions[i])) && strcmp(send->mentions[i], "*") != 0)
			return client_frame_fault(out, ERR_INVALID_ARGUMENT, "message.mentions must be a list of uids, or \"*\"");
	return OK;
}

static err_t client_frame_read_proto_send(struct client_frame *out, const Skein__V1__Send *send, const char *from)
{
	Skein__V1__SendRequest request = SKEIN__V1__SEND_REQUEST__INIT;

	out->kind = CLIENT_SEND;
	if (!client_frame_rid_is_valid(str_from(send->rid)))
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "rid must be 1 to %d printable ASCII characters",
		                          CLIENT_RID_MAX);
	(void)str_copy(out->rid, sizeof(out->rid), str_from(send->rid));
	err_t err = client_frame_check_proto_send(out, send);
	if (err)
		return err;
	request.from = (char *)from;
	request.client_msg_id = send->client_msg_id;
	request.to_user = send->to_user;
	request.to_group = send->to_group;
	request.type = send->type;
	request.body = send->body;
	request.reply_to = send->reply_to;
	request.n_mentions = send->n_mentions;
	request.mentions = send->mentions;
	request.expire_s = send->expire_s;
	request.forward = send->forward;
	client_frame_pack_request(out, &request);
	(void)str_copy(out->client_msg_id, sizeof(out->client_msg_id), str_from(send->client_msg_id));
	return OK;
}

/* An absent rid is empty. */
static err_t client_frame_read_proto_rid(struct client_frame *out, struct str rid, bool is_required)
{
	if (client_frame_rid_is_valid(rid))
		(void)str_copy(out->rid, sizeof(out->rid), rid);
	else if (rid.len || is_required)
		return client_frame_fault(out, ERR_INVALID_ARGUMENT, "rid must be 1 to %d printable ASCII characters",
		                          CLIENT_RID_MAX);
	return OK;
}

/* read, typing and watch; their faults are those of the JSON form. */
static err_t client_frame_read_proto_signal(struct client_frame *out, const Skein__V1__ClientFrame *frame, const char *from)
{
	struct client_signal signal = { .request = &out->request };
	enum client_frame_kind kind;
	struct json_error error = { 0 };
	err_t err;

	if (frame->frame_case == SKEIN__V1__CLIENT_FRAME__FRAME_WATCH) {
		kind = CLIENT_WATCH;
		err = client_frame_read_proto_rid(out, str_from(frame->watch->rid), true);
		client_watch_from_proto(&signal, frame->watch, &error);
	} else if (frame->frame_case == SKEIN__V1__CLIENT_FRAME__FRAME_READ) {
		kind = CLIENT_READ;
		err = client_frame_read_proto_rid(out, str_from(frame->read->rid), false);
		client_read_from_proto(&signal, frame->read, from, &error);
	} else {
		kind = CLIENT_TYPING;
		err = client_frame_read_proto_rid(out, str_from(frame->typing->rid), false);
		client_typing_from_proto(&signal, frame->typing, from, &error);
	}
	client_frame_take_signal(out, &signal, kind);
	if (err || !error.err)
		return err;
	return client_frame_fault(out, ERR_INVALID_ARGUMENT, "%s", error.detail);
}

/* `rid` is that of the frame with what follows a NUL in it. */
static err_t client_frame_refuse_cut_text(struct client_frame *out, struct str rid)
{
	if (!str_equal(rid, str_from(out->rid)))
		out->rid[0] = '\0';
	buf_clear(&out->request);
	return client_frame_fault(out, ERR_INVALID_ARGUMENT, "a text must not hold a NUL character");
}

static err_t client_frame_read_proto(struct client_frame *out, struct str bytes, const char *from)
{
	Skein__V1__ClientFrame *frame = skein__v1__client_frame__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);
	err_t err = OK;

	if (!frame)
		return client_frame_fault(out, ERR_PROTOCOL, "this is not a ClientFrame");
	switch (frame->frame_case) {
	case SKEIN__V1__CLIENT_FRAME__FRAME_PING:
		out->kind = CLIENT_PING;
		break;
	case SKEIN__V1__CLIENT_FRAME__FRAME_SEND:
		err = client_frame_read_proto_send(out, frame->send, from);
		break;
	case SKEIN__V1__CLIENT_FRAME__FRAME_ACK:
		out->kind = CLIENT_ACK;
		if (!client_frame_offset_parse(str_from(frame->ack->offset), &out->offset))
			err = client_frame_fault(out, ERR_INVALID_ARGUMENT,
			                         "offset must be the decimal number of a message frame, as a string");
		break;
	case SKEIN__V1__CLIENT_FRAME__FRAME_READ:
	case SKEIN__V1__CLIENT_FRAME__FRAME_TYPING:
	case SKEIN__V1__CLIENT_FRAME__FRAME_WATCH:
		err = client_frame_read_proto_signal(out, frame, from);
		break;
	default:
		err = client_frame_fault(out, ERR_PROTOCOL, "unknown type");
	}
	/* rid is field 1 of each frame that has one. */
	if (err != ERR_PROTOCOL && !proto_text_is_whole(&skein__v1__client_frame__descriptor, bytes))
		err = client_frame_refuse_cut_text(out, wire_find(wire_find(bytes, frame->frame_case), 1));
	skein__v1__client_frame__free_unpacked(frame, NULL);
	return err;
}

err_t client_frame_read(struct client_frame *out, enum subprotocol subprotocol, struct str bytes, const char *from)
{
	*out = (struct client_frame){ 0 };
	return subprotocol == SUBPROTOCOL_JSON ? client_frame_read_json(out, bytes, from) :
	                                         client_frame_read_proto(out, bytes, from);
}

void client_frame_release(struct client_frame *frame)
{
	buf_release(&frame->request);
}
