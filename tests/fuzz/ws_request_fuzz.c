#include "net/ws/ws_request.h"

#include "base/text/ident.h"
#include "base/macros.h"
#include "tests/fuzz/fuzz.h"

/*
* The head of a WebSocket handshake. An accepted head, written again in its plainest
 * form, is read as the same. The bytes after the empty line do not matter. A refusal
 * has a sentence for the client.
 */

static const char *const names[] = { "skein.v1.json", "skein.v1.proto" };

static void put_encoded(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		buf_printf(out, "%%%02X", (unsigned char)text.ptr[i]);
}

static void put_target(struct buf *out, const struct ws_request *request)
{
	buf_append_str(out, request->path);
	for (int i = 0; i < request->query_count; i++) {
		buf_append_char(out, i ? '&' : '?');
		put_encoded(out, request->query[i].name);
		buf_append_char(out, '=');
		put_encoded(out, request->query[i].value);
	}
}

static void put_field(struct buf *out, const char *name, struct str value)
{
	if (!value.ptr)
		return;
	buf_printf(out, "%s: ", name);
	buf_append_str(out, value);
	buf_append_text(out, "\r\n");
}

static void put_head(struct buf *out, const struct ws_request *request)
{
	buf_append_str(out, request->method);
	buf_append_char(out, ' ');
	put_target(out, request);
	buf_append_text(out, " HTTP/1.1\r\n");
	put_field(out, "host", request->host);
	put_field(out, "authorization", request->authorization);
	put_field(out, "sec-websocket-key", request->key);
	put_field(out, "sec-websocket-version", request->version);
	for (unsigned i = 0; i < request->offer_count; i++)
		put_field(out, "sec-websocket-protocol", request->offers[i]);
	put_field(out, "connection", request->connection_upgrades ? STR("Upgrade") : str_of(NULL, 0));
	put_field(out, "upgrade", request->upgrades_to_websocket ? STR("WebSocket") : str_of(NULL, 0));
	put_field(out, "content-length", request->has_body ? STR("1") : STR("0"));
	buf_append_text(out, "\r\nwhat follows is not of the head\r\n");
}

static void check_text(struct str text, const struct ws_request *request, struct str head)
{
	CHECK(fuzz_is_inside(text, head) || fuzz_is_inside(text, buf_str(&request->decoded)) || str_equal(text, STR("/")));
	for (size_t i = 0; i < text.len; i++)
		CHECK(text.ptr[i] != '\r' && text.ptr[i] != '\n' && text.ptr[i] != '\0');
}

static void check_texts(const struct ws_request *request, struct str head)
{
	const struct str texts[] = { request->method, request->path, request->authorization, request->key,
		                     request->version, request->host };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_text(texts[i], request, head);
	for (unsigned i = 0; i < request->offer_count; i++)
		check_text(request->offers[i], request, head);
	for (int i = 0; i < request->query_count; i++) {
		CHECK(utf8_is_valid(request->query[i].name) && utf8_is_valid(request->query[i].value));
		CHECK(request->query[i].value.ptr);
	}
}

static void check_same(const struct ws_request *a, const struct ws_request *b)
{
	CHECK(str_equal(a->method, b->method) && str_equal(a->path, b->path) && str_equal(a->host, b->host));
	CHECK(str_equal(a->authorization, b->authorization) && !a->authorization.ptr == !b->authorization.ptr);
	CHECK(str_equal(a->key, b->key) && str_equal(a->version, b->version));
	CHECK(a->offer_count == b->offer_count && a->query_count == b->query_count);
	for (unsigned i = 0; i < a->offer_count; i++)
		CHECK(str_equal(a->offers[i], b->offers[i]));
	for (int i = 0; i < a->query_count; i++)
		CHECK(str_equal(a->query[i].name, b->query[i].name) && str_equal(a->query[i].value, b->query[i].value));
	CHECK(a->connection_upgrades == b->connection_upgrades);
	CHECK(a->upgrades_to_websocket == b->upgrades_to_websocket && a->has_body == b->has_body);
}

static void check_accepted(const struct ws_request *request)
{
	struct ws_request again;
	struct buf head = { 0 };
	const char *detail = NULL;
	unsigned index = 99, index_again = 99;

	put_head(&head, request);
	CHECK(ws_request_parse(&again, buf_str(&head), &detail) == OK);
	check_same(request, &again);
	bool has_picked = ws_request_pick(request, names, ARRAY_LEN(names), &index);
	CHECK(has_picked == ws_request_pick(&again, names, ARRAY_LEN(names), &index_again));
	CHECK(index == index_again && (has_picked ? index < ARRAY_LEN(names) : index == 99));
	ws_request_release(&again);
	buf_release(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str head = str_of(bytes, len);
	struct ws_request request;
	const char *detail = NULL;

	err_t err = ws_request_parse(&request, head, &detail);
	CHECK(err == OK || (err == ERR_INVALID_ARGUMENT && detail));
	if (err == OK) {
		CHECK(!detail && request.host.len);
		check_texts(&request, head);
		check_accepted(&request);
		err = ws_request_check_upgrade(&request, &detail);
		CHECK(!err == !detail);
		CHECK(err || (request.key.len == 24 && str_equal(request.version, STR("13")) && !request.has_body));
	}
	ws_request_release(&request);
	return 0;
}
