#include "gateway/wire/client_frame.h"

#include "base/text/ident.h"
#include "base/mem.h"
#include "base/text/utf8.h"
#include "proto/im.pb-c.h"
#include "tests/fuzz/fuzz.h"

/*
* Frames of a client, read as JSON and as protobuf. A send that is accepted has
 * the connected user as its sender and is of valid form. Written in protobuf, it
 * becomes the same request to im.
 */

#define FROM "alice"

static void check_ident_if_set(const char *text)
{
	CHECK(!*text || ident_is_valid(str_from(text)));
}

static void check_request(const Skein__V1__SendRequest *request, const struct client_frame *frame)
{
	CHECK(!strcmp(request->from, FROM));
	CHECK(client_msg_id_is_valid(str_from(request->client_msg_id)));
	CHECK(!strcmp(request->client_msg_id, frame->client_msg_id));
	CHECK(!*request->to_user != !*request->to_group);
	check_ident_if_set(request->to_user);
	check_ident_if_set(request->to_group);
	CHECK(*request->type && strlen(request->type) <= 16 && utf8_is_valid(str_from(request->type)));
	CHECK(utf8_is_valid(str_from(request->body)));
	CHECK(request->reply_to <= INT64_MAX && request->n_mentions <= 50);
	for (size_t i = 0; i < request->n_mentions; i++)
		CHECK(!strcmp(request->mentions[i], "*") || ident_is_valid(str_from(request->mentions[i])));
}

static void check_same_in_proto(const Skein__V1__SendRequest *request, const struct client_frame *frame)
{
	Skein__V1__Send send = SKEIN__V1__SEND__INIT;
	Skein__V1__ClientFrame said = SKEIN__V1__CLIENT_FRAME__INIT;
	struct client_frame again;
	struct buf bytes = { 0 };

	send.rid = (char *)frame->rid;
	send.client_msg_id = request->client_msg_id;
	send.to_user = request->to_user;
	send.to_group = request->to_group;
	send.type = request->type;
	send.body = request->body;
	send.reply_to = request->reply_to;
	send.n_mentions = request->n_mentions;
	send.mentions = request->mentions;
	said.frame_case = SKEIN__V1__CLIENT_FRAME__FRAME_SEND;
	said.send = &send;
	size_t len = skein__v1__client_frame__get_packed_size(&said);
	bytes.len = skein__v1__client_frame__pack(&said, (uint8_t *)buf_reserve(&bytes, len));
	CHECK(client_frame_read(&again, SUBPROTOCOL_PROTO, buf_str(&bytes), FROM) == OK);
	CHECK(again.kind == CLIENT_SEND && !strcmp(again.rid, frame->rid));
	CHECK(str_equal(buf_str(&again.request), buf_str(&frame->request)));
	client_frame_release(&again);
	buf_release(&bytes);
}

static void check_send(const struct client_frame *frame)
{
	Skein__V1__SendRequest *request =
		skein__v1__send_request__unpack(NULL, frame->request.len, (const uint8_t *)frame->request.ptr);

	CHECK(request && frame->rid[0]);
	check_request(request, frame);
	check_same_in_proto(request, frame);
	skein__v1__send_request__free_unpacked(request, NULL);
}

static void check(enum subprotocol subprotocol, struct str bytes)
{
	struct client_frame frame;
	err_t err = client_frame_read(&frame, subprotocol, bytes, FROM);

	CHECK(utf8_is_valid(str_from(frame.detail)) && strlen(frame.rid) <= CLIENT_RID_MAX);
	for (const char *c = frame.rid; *c; c++)
		CHECK(*c >= ' ' && *c <= '~');
	CHECK(!err == !frame.detail[0]);
	CHECK(err == OK || err == ERR_INVALID_ARGUMENT || err == ERR_FAILED_PRECONDITION || err == ERR_PROTOCOL);
	if (err == OK && frame.kind == CLIENT_SEND)
		check_send(&frame);
	else
		CHECK(err || frame.request.len == 0);
	client_frame_release(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	check(SUBPROTOCOL_JSON, str_of(bytes, len));
	check(SUBPROTOCOL_PROTO, str_of(bytes, len));
	return 0;
}
