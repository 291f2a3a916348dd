#include <ctype.h>
#include <stdio.h>

#include "base/text/json.h"
#include "net/http/http_internal.h"

/* "not_found" as people write it: "Not found". */
static void title_of(const char *code, char *out, size_t size)
{
	str_copy(out, size, str_from(code));
	for (char *c = out; *c; c++)
		if (*c == '_')
			*c = ' ';
	out[0] = (char)toupper((unsigned char)out[0]);
}

static void write_members(struct buf *out, err_t err, int status, const char *field, const char *detail)
{
	const char *code = err_code(err);
	char type[64], title[48];

	snprintf(type, sizeof(type), "urn:skein:error:%s", code);
	title_of(code, title, sizeof(title));
	json_put_field(out, "type", str_from(type));
	json_put_field(out, "title", str_from(title));
	json_put_u64_field(out, "status", (uint64_t)status);
	json_put_field(out, "code", str_from(code));
	if (detail)
		json_put_field(out, "detail", str_from(detail));
	if (field && *field)
		json_put_field(out, "field", str_from(field));
}

void http_write_problem(struct buf *out, err_t err, const char *field, const char *detail)
{
	buf_append_char(out, '{');
	write_members(out, err, err_http_status(err), field, detail);
	buf_append_char(out, '}');
}

/* The request's id as a URN: the caller may have put anything printable into it. */
static void write_instance(struct buf *out, const char *id)
{
	static const char hex[] = "0123456789ABCDEF";
	struct buf urn = { 0 };

	buf_append_text(&urn, "urn:skein:request:");
	for (; *id; id++) {
		unsigned char c = (unsigned char)*id;
		if (isalnum(c) || strchr("-._~", c)) {
			buf_append_char(&urn, (char)c);
		} else {
			buf_append_char(&urn, '%');
			buf_append_char(&urn, hex[c >> 4]);
			buf_append_char(&urn, hex[c & 15]);
		}
	}
	json_put_field(out, "instance", buf_str(&urn));
	buf_release(&urn);
}

void http_respond_problem_as(struct http_request *request, err_t err, int status, const char *field, const char *detail)
{
	struct buf body = { 0 };

	if (status == MHD_HTTP_UNAUTHORIZED)
		http_add_header(request, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	buf_append_char(&body, '{');
	write_members(&body, err, status, field, detail);
	write_instance(&body, request->id);
	buf_append_char(&body, '}');
	http_respond_text(request, status, "application/problem+json", &body);
}

void http_respond_problem(struct http_request *request, err_t err, const char *field, const char *detail)
{
	http_respond_problem_as(request, err, err_http_status(err), field, detail);
}
