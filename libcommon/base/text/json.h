#ifndef SKEIN_BASE_TEXT_JSON_H
#define SKEIN_BASE_TEXT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/error.h"
#include "base/text/ident.h"

/*
 * Reading JSON from outside, and writing JSON.
 *
 * Reading is strict: one object, valid UTF-8, no duplicate keys, no NUL, bounded
 * depth. jansson parses. The first error is kept in `struct json_error` with the
 * name of its field, and later calls with the same error do nothing, so a handler
 * reads all its fields and checks once. Writing goes straight into a buffer.
 *
 *   struct json_error error = {0};
 *   json_t *root = json_read(body, &error);
 *   struct str uid = json_ident(root, "uid", JSON_REQUIRED, &error);
 *   struct str name = json_name(root, "name", JSON_OPTIONAL, &error);
 *   if (error.err) ...
 *
 * For the fields of an object inside the root, a prefix names its place:
 *
 *   json_t *to = json_object_field(root, "to", JSON_REQUIRED, &error);
 *   json_prefix(&error, "to.");
 *   struct str user = json_ident(to, "user", JSON_OPTIONAL, &error);
 *   json_prefix(&error, "");
 *
 * Strings live as long as the root.
 */

#define JSON_MAX_DEPTH 32

struct json_error {
	err_t err; /* OK without an error */
	char prefix[32]; /* stands before the name of each field */
	char field[64]; /* "to.user"; empty for an error of the whole document */
	char detail[160]; /* a sentence for the caller: "to.user must be a string" */
};

enum json_presence { JSON_REQUIRED, JSON_OPTIONAL };

/* The root object, or NULL with an error. json_decref() it. */
json_t *json_read(struct str text, struct json_error *error) MUST_CHECK;

/* Sets the prefix of the fields that are read next; "" for none. */
void json_prefix(struct json_error *error, const char *prefix);

/* Sets the error unless there is one. `field` is NULL for an error of the whole document; `format` gives the detail. */
void json_fail(struct json_error *error, err_t err, const char *field, const char *format, ...)
	PRINTF_LIKE(4, 5);

/*
 * An absent optional field is a str with ptr NULL (or 0, false, NULL). JSON null
 * counts as absent, and so does every field of a NULL object. A real number
 * without a fraction (1.0) counts as an integer.
 */
struct str json_text(const json_t *object, const char *field, enum json_presence presence,
                     size_t min_bytes, size_t max_bytes, struct json_error *error);
struct str json_ident(const json_t *object, const char *field, enum json_presence presence, struct json_error *error);
struct str json_name(const json_t *object, const char *field, enum json_presence presence, struct json_error *error);
int64_t json_int(const json_t *object, const char *field, enum json_presence presence,
                 int64_t min, int64_t max, struct json_error *error);
bool json_bool(const json_t *object, const char *field, enum json_presence presence, struct json_error *error);
json_t *json_object_field(const json_t *object, const char *field, enum json_presence presence,
                          struct json_error *error);
json_t *json_array_field(const json_t *object, const char *field, enum json_presence presence,
                         size_t max_items, struct json_error *error);

/* Any value as compact text, with the keys in their original order. */
void json_dump_compact(struct buf *out, const json_t *value);

/* Writing. `s` is valid UTF-8. */
void json_put_string(struct buf *out, struct str s);

/* `"key":`, after a comma unless it is the first in its object. */
void json_put_key(struct buf *out, const char *key);
void json_put_field(struct buf *out, const char *key, struct str value);
void json_put_u64_field(struct buf *out, const char *key, uint64_t value);
void json_put_bool_field(struct buf *out, const char *key, bool value);

/* A 64-bit id as a decimal string, as the contract says. */
void json_put_id_field(struct buf *out, const char *key, uint64_t id);

#endif
