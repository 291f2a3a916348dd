#include "im/messages/send_request.h"

#include "gateway/wire/client_frame.h"
#include "tests/fuzz/fuzz.h"

/*
* The body of POST /v1/messages. A body that im accepts over HTTP is accepted by a
 * gateway as the `message` of a send frame, and im reads the same request from the
 * gateway: both ways follow one contract.
 */

#define MAX_BODY (64 * 1024)

static void check_form(const struct send_request *request)
{
	struct str mentions = buf_str(&request->mentions);
	struct json_error error = { 0 };
	unsigned count = 0;

	CHECK(client_msg_id_is_valid(request->client_msg_id));
	CHECK(!request->user.ptr != !request->group.ptr);
	CHECK(ident_is_valid(request->user.ptr ? request->user : request->group));
	CHECK(request->reply_to >= 0 && request->reply_to < 1ll << 53);
	for (; mentions.len; count++) {
		struct str mention = str_cut(&mentions, ',');
		CHECK(ident_is_valid(mention) || (str_equal(mention, STR("*")) && request->group.ptr));
	}
	CHECK(count <= MENTIONS_MAX);
	json_t *body = json_read(buf_str(&request->body), &error);
	CHECK(body);
	CHECK(!str_equal(request->type, STR("text")) || json_text(body, "text", JSON_REQUIRED, 1, SIZE_MAX, &error).len);
	json_decref(body);
}

static void check_same(const struct send_request *a, const struct send_request *b)
{
	CHECK(str_equal(a->client_msg_id, b->client_msg_id) && str_equal(a->type, b->type));
	CHECK(str_equal(a->user, b->user) && !a->user.ptr == !b->user.ptr);
	CHECK(str_equal(a->group, b->group) && !a->group.ptr == !b->group.ptr);
	CHECK(str_equal(buf_str(&a->body), buf_str(&b->body)) && a->reply_to == b->reply_to);
	CHECK(str_equal(buf_str(&a->mentions), buf_str(&b->mentions)));
}

static void check_read_from_gateway(const struct send_request *request, struct str sent)
{
	struct json_error error = { 0 };
	struct send_request again;

	Skein__V1__SendRequest *message = skein__v1__send_request__unpack(NULL, sent.len, (const uint8_t *)sent.ptr);
	CHECK(message);
	send_request_from_proto(&again, message, MAX_BODY, &error);
	if (request->body.len > MAX_BODY) {
		CHECK(error.err == ERR_TOO_LARGE);
	} else {
		CHECK(!error.err);
		check_form(&again);
		check_same(request, &again);
	}
	send_request_release(&again);
	skein__v1__send_request__free_unpacked(message, NULL);
}

static void check_other_way(const struct send_request *request, struct str text)
{
	struct client_frame frame;
	struct buf sent = { 0 };

	buf_append_text(&sent, "{\"type\":\"send\",\"rid\":\"r\",\"message\":");
	buf_append_str(&sent, text);
	buf_append_char(&sent, '}');
	err_t err = client_frame_read(&frame, SUBPROTOCOL_JSON, buf_str(&sent), "alice");
	/* A frame is one level deeper than its message, so the deepest one does not fit. */
	CHECK(!err || strstr(frame.detail, "nested"));
	if (!err)
		check_read_from_gateway(request, buf_str(&frame.request));
	client_frame_release(&frame);
	buf_release(&sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str text = str_of(bytes, len);
	struct json_error error = { 0 };
	struct send_request request;
	json_t *root = json_read(text, &error);

	if (!root)
		return 0;
	send_request_from_json(&request, root, &error);
	if (error.err) {
		CHECK(error.err == ERR_INVALID_ARGUMENT && error.field[0] && error.detail[0]);
		CHECK(utf8_is_valid(str_from(error.detail)));
	} else {
		check_form(&request);
		check_other_way(&request, text);
	}
	send_request_release(&request);
	json_decref(root);
	return 0;
}
