#include "net/ws/ws_request.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stddef.h>

static bool request_is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The next element of a comma-separated list; false at its end. */
static bool request_next_element(struct str *list, struct str *element)
{
	while (list->ptr) {
		*element = str_trim(str_cut(list, ','));
		if (element->len)
			return true;
	}
	return false;
}

static bool request_lists(struct str list, struct str wanted)
{
	struct str element;

	while (request_next_element(&list, &element))
		if (str_equal_ignoring_case(element, wanted))
			return true;
	return false;
}

static bool request_is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!request_is_alnum(c) && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return s.len > 0;
}

static bool request_is_field_value(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool request_is_visible(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= 0x20 || (unsigned char)s.ptr[i] >= 0x7f)
			return false;
	return s.len > 0;
}

/* Cuts a line with its CRLF off; false if there is no LF, or no CR before it. */
static bool request_next_line(struct str *rest, struct str *line)
{
	*line = str_cut(rest, '\n');
	if (!rest->ptr || line->len == 0 || line->ptr[line->len - 1] != '\r')
		return false;
	line->len--;
	return true;
}

static err_t request_bad(const char **detail, const char *why)
{
	*detail = why;
	return ERR_INVALID_ARGUMENT;
}

static err_t request_parse_request_line(struct ws_request *request, struct str line, const char **detail)
{
	struct str target, query, bad_field;

	request->method = str_cut(&line, ' ');
	target = str_cut(&line, ' ');

	if (!request_is_token(request->method) || !request_is_visible(target) || !line.ptr)
		return request_bad(detail, "the request line is malformed");
	if (!str_equal(line, STR("HTTP/1.1")))
		return request_bad(detail, "only HTTP/1.1 is spoken here");
	uri_split(target, &request->path, &query);
	buf_reserve(&request->decoded, query.len); /* so that it does not move while fields point into it */
	request->query_count = uri_query_read(query, &request->decoded, request->query,
	                                      WS_REQUEST_MAX_QUERY_FIELDS, &bad_field);
	if (request->query_count >= 0)
		return OK;
	request->query_count = 0;
	return request_bad(detail, "the query is malformed");
}

/* A field that may stand once. */
static err_t request_set_once(struct str *field, struct str value, const char **detail)
{
	if (field->ptr)
		return request_bad(detail, "a header field is repeated");
	*field = value;
	return OK;
}

static err_t request_take_field(struct ws_request *request, struct str name, struct str value, const char **detail)
{
	if (str_equal_ignoring_case(name, STR("Host")))
		return request_set_once(&request->host, value, detail);
	if (str_equal_ignoring_case(name, STR("Authorization")))
		return request_set_once(&request->authorization, value, detail);
	if (str_equal_ignoring_case(name, STR("Sec-WebSocket-Key")))
		return request_set_once(&request->key, value, detail);
	if (str_equal_ignoring_case(name, STR("Sec-WebSocket-Version")))
		return request_set_once(&request->version, value, detail);
	if (str_equal_ignoring_case(name, STR("Sec-WebSocket-Protocol"))) {
		if (request->offer_count == WS_REQUEST_MAX_OFFERS)
			return request_bad(detail, "too many Sec-WebSocket-Protocol fields");
		request->offers[request->offer_count++] = value;
	} else if (str_equal_ignoring_case(name, STR("Connection"))) {
		request->connection_upgrades |= request_lists(value, STR("upgrade"));
	} else if (str_equal_ignoring_case(name, STR("Upgrade"))) {
		request->upgrades_to_websocket |= request_lists(value, STR("websocket"));
	} else if (str_equal_ignoring_case(name, STR("Transfer-Encoding"))) {
		request->has_body = true;
	} else if (str_equal_ignoring_case(name, STR("Content-Length"))) {
		request->has_body |= !str_equal(value, STR("0"));
	}
	return OK;
}

err_t ws_request_parse(struct ws_request *out, struct str head, const char **detail)
{
	struct str line;

	*out = (struct ws_request){ 0 };
	if (!request_next_line(&head, &line))
		return request_bad(detail, "the request line is malformed");
	err_t err = request_parse_request_line(out, line, detail);
	while (err == OK) {
		if (!request_next_line(&head, &line))
			return request_bad(detail, "a header field is malformed");
		if (line.len == 0)
			break;
		struct str name = str_cut(&line, ':');
		/* A line that begins with a blank would continue the one before: its name is no token. */
		if (!line.ptr || !request_is_token(name) || !request_is_field_value(line))
			return request_bad(detail, "a header field is malformed");
		err = request_take_field(out, name, str_trim(line), detail);
	}
	if (err == OK && out->host.len == 0)
		return request_bad(detail, "the Host field is missing");
	return err;
}

void ws_request_release(struct ws_request *request)
{
	buf_release(&request->decoded);
}

/* The base64 of 16 bytes: 22 digits and two signs of padding. */
static bool request_is_handshake_key(struct str key)
{
	if (key.len != 24 || key.ptr[22] != '=' || key.ptr[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++) {
		char c = key.ptr[i];
		if (!request_is_alnum(c) && c != '+' && c != '/')
			return false;
	}
	return true;
}

err_t ws_request_check_upgrade(const struct ws_request *request, const char **detail)
{
	if (!str_equal(request->method, STR("GET"))) {
		*detail = "a WebSocket is opened with GET";
		return ERR_METHOD_NOT_ALLOWED;
	}
	if (!request->connection_upgrades || !request->upgrades_to_websocket)
		return request_bad(detail, "this is a WebSocket endpoint: ask for an upgrade");
	if (!str_equal(request->version, STR("13")))
		return request_bad(detail, "Sec-WebSocket-Version must be 13");
	if (!request_is_handshake_key(request->key))
		return request_bad(detail, "Sec-WebSocket-Key must be 16 bytes in base64");
	if (request->has_body)
		return request_bad(detail, "a handshake has no body");
	return OK;
}

bool ws_request_pick(const struct ws_request *request, const char *const *names, size_t count, unsigned *index)
{
	struct str offer;

	for (unsigned i = 0; i < request->offer_count; i++) {
		struct str list = request->offers[i];
		while (request_next_element(&list, &offer)) {
			for (unsigned n = 0; n < count; n++) {
				if (str_equal(offer, str_from(names[n]))) {
					*index = n;
					return true;
				}
			}
		}
	}
	return false;
}

void ws_request_prove(const struct ws_request *request, char out[WS_PROOF_SIZE])
{
	unsigned char digest[SHA_DIGEST_LENGTH];
	struct buf text = { 0 };

	buf_append_str(&text, request->key);
	buf_append_text(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"); /* RFC 6455 section 4.2.2 */
	SHA1((const unsigned char *)text.ptr, text.len, digest);
	EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
	buf_release(&text);
}
