#include "net/http/problem.h"

#include <ctype.h>
#include <stdio.h>

#include "base/text/json.h"
#include "net/http/http_request.h"

static void problem_write_members(struct buf *out, err_t err, int status, const char *field, const char *detail)
{
	const char *code = err_code(err);
	char type[64], title[48];

	snprintf(type, sizeof(type), "urn:skein:error:%s", code);
	/* "not_found" becomes "Not found". */
	str_copy(title, sizeof(title), str_from(code));
	for (char *c = title; *c; c++)
		if (*c == '_')
			*c = ' ';
	title[0] = (char)toupper((unsigned char)title[0]);
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
	problem_write_members(out, err, err_http_status(err), field, detail);
	buf_append_char(out, '}');
}

/* The request's id as a URN, percent-encoded: a caller's id may hold any printable character. */
static void problem_write_instance(struct buf *out, struct str id)
{
	static const char hex[] = "0123456789ABCDEF";
	struct buf urn = { 0 };

	buf_append_text(&urn, "urn:skein:request:");
	for (size_t i = 0; i < id.len; i++) {
		unsigned char c = (unsigned char)id.ptr[i];
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

	if (status == 401)
		http_add_header(request, "WWW-Authenticate", "Bearer");
	buf_append_char(&body, '{');
	problem_write_members(&body, err, status, field, detail);
	problem_write_instance(&body, http_request_id(request));
	buf_append_char(&body, '}');
	http_respond_text(request, status, "application/problem+json", &body);
}

void http_respond_problem(struct http_request *request, err_t err, const char *field, const char *detail)
{
	http_respond_problem_as(request, err, err_http_status(err), field, detail);
}
