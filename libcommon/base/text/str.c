#include "base/text/str.h"

#include <strings.h>

#include "base/macros.h"
#include "base/mem.h"

bool str_equal_ignoring_case(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

int str_compare(struct str a, struct str b)
{
	size_t common = MIN(a.len, b.len);
	int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

	if (order)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool str_starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_equal(str_of(s.ptr, prefix.len), prefix);
}

struct str str_trim(struct str s)
{
	while (s.len && str_is_blank(s.ptr[0]))
		s = str_of(s.ptr + 1, s.len - 1);
	while (s.len && str_is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

struct str str_cut(struct str *s, char separator)
{
	struct str head = *s;
	const char *at = s->len ? memchr(s->ptr, separator, s->len) : NULL;

	if (at) {
		head.len = (size_t)(at - s->ptr);
		*s = str_of(at + 1, s->len - head.len - 1);
	} else {
		*s = str_of(NULL, 0);
	}
	return head;
}

char *str_dup(struct str s)
{
	char *copy = mem_alloc(s.len + 1);

	if (s.len)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

bool str_copy(char *to, size_t size, struct str s)
{
	if (size == 0)
		return false;
	bool fits = s.len < size;
	size_t len = fits ? s.len : 0;
	if (len)
		memcpy(to, s.ptr, len);
	to[len] = '\0';
	return fits;
}

bool str_to_u64(struct str s, uint64_t *out)
{
	uint64_t number = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(s.ptr[i] - '0'), &number))
			return false;
	}
	*out = number;
	return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
	bool is_negative = s.len && s.ptr[0] == '-';
	uint64_t size, limit = (uint64_t)INT64_MAX + is_negative;

	if (is_negative)
		s = str_of(s.ptr + 1, s.len - 1);
	if (!str_to_u64(s, &size) || size > limit)
		return false;
	*out = (int64_t)(is_negative ? 0 - size : size);
	return true;
}
