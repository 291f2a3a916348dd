#ifndef SKEIN_BASE_TEXT_STR_H
#define SKEIN_BASE_TEXT_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A text or bytes, as a pointer and a length: not owned and not terminated. It
 * is passed by value. `ptr` may be NULL when `len` is 0.
 */
struct str {
	const char *ptr;
	size_t len;
};

/* A struct str from a string literal. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })

/* For printf("%.*s"). */
#define STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct str str_from(const char *text)
{
	return (struct str){ text, text ? strlen(text) : 0 };
}

static inline struct str str_of(const void *ptr, size_t len)
{
	return (struct str){ ptr, len };
}

static inline bool str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The same for ASCII letters in any case. */
bool str_equal_ignoring_case(struct str a, struct str b);

/* Bytewise order, the shorter first when one is a prefix of the other. */
int str_compare(struct str a, struct str b);

bool str_starts_with(struct str s, struct str prefix);

static inline bool str_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Without blanks at both ends. */
struct str str_trim(struct str s);

/*
 * Cuts `s` at the first `separator`: returns the part before it and moves `s`
 * behind it. Without a separator it returns all of `s`, and s->ptr becomes NULL.
 */
struct str str_cut(struct str *s, char separator);

/* A terminated copy; free it with mem_free(). */
char *str_dup(struct str s);

/* A terminated copy in `to`. False, and "", if it does not fit. */
bool str_copy(char *to, size_t size, struct str s);

/* All of `s` as a decimal number. False if it has another form or is out of range. */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_i64(struct str s, int64_t *out);

/* A 64-bit hash under a random key of the process, so that input from outside cannot aim at a bucket of a map. */
uint64_t str_hash(struct str s);

/* The same hash under a fixed key, for values that several processes must agree on. */
uint64_t str_hash_stable(struct str s);

#endif
