#include "im/http/trace_context.h"

/* version-traceid-parentid-flags, in lowercase hexadecimal; a later version may have more after a dash. */
static const char pattern[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";

#define TRACE_AT 3
#define TRACE_LEN 32
#define PARENT_AT 36
#define PARENT_LEN 16
#define TRACEPARENT_MAX 128

static bool trace_context_is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool trace_context_is_all(struct str s, char c)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != c)
			return false;
	return true;
}

static bool trace_context_has_form(struct str header)
{
	size_t len = sizeof(pattern) - 1;

	if (header.len < len || header.len > TRACEPARENT_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (pattern[i] == 'h' ? !trace_context_is_hex(header.ptr[i]) : header.ptr[i] != '-')
			return false;
	if (str_starts_with(header, STR("ff")))
		return false;
	if (header.len == len)
		return true;
	for (size_t i = len; i < header.len; i++)
		if (header.ptr[i] <= ' ' || header.ptr[i] > '~')
			return false;
	return header.ptr[len] == '-' && !str_starts_with(header, STR("00"));
}

struct str traceparent_or_none(struct str header)
{
	if (!trace_context_has_form(header) || trace_context_is_all(str_of(header.ptr + TRACE_AT, TRACE_LEN), '0') ||
	    trace_context_is_all(str_of(header.ptr + PARENT_AT, PARENT_LEN), '0'))
		return (struct str){ 0 };
	return header;
}
