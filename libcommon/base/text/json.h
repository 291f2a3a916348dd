#ifndef SKEIN_BASE_TEXT_JSON_H
#define SKEIN_BASE_TEXT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/error.h"
#include "base/text/ident.h"

/*
 * JSON from outside, read strictly (one object, valid UTF-8, no duplicate keys,
 * no NUL, depth and size bounded) with jansson; JSON to the outside, written
 * straight into a buffer.
 *
 * Reading is a chain: the first thing that is wrong is kept in `struct
 * json_error` with the name of its field, and everything after it does nothing,
 * so that a handler reads all its fields and looks at the error once.
 *
 *   struct json_error error = {0};
 *   json_t *root = json_read(body, &error);
 *   struct str uid = json_ident(root, "uid", JSON_REQUIRED, &error);
 *   struct str name = json_name(root, "name", JSON_OPTIONAL, &error);
 *   if (error.err) ...
 *
 * For the fields of an object inside the root, `prefix` says where it stands:
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
	err_t err; /* OK as long as all is well */
	char prefix[32]; /* put before the name of each field */
	char field[64]; /* "to.user"; empty when it is the whole document */
	char detail[160]; /* one sentence for the caller, the field's name included: "to.user must be a string" */
};

enum json_presence { JSON_REQUIRED, JSON_OPTIONAL };

/* The root object, or NULL with an error. json_decref() it. */
json_t *json_read(struct str text, struct json_error *error) MUST_CHECK;

/* What stands before the names of the fields that are read next; "" for none. */
void json_prefix(struct json_error *error, const char *prefix);

/* Sets the error unless one is there already. `field` may be NULL for the whole document; `format` is the detail. */
void json_fail(struct json_error *error, err_t err, const char *field, const char *format, ...)
	PRINTF_LIKE(4, 5);

/*
 * An absent optional field gives an empty string with ptr NULL (or 0, false,
 * NULL). JSON null counts as absent; so does every field of a NULL object. A
 * real number that is a whole one (1.0) is an integer.
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

/* Any value as compact text, keys in the order in which they came. */
void json_dump_compact(struct buf *out, const json_t *value);

/* Writing. `s` is valid UTF-8. */
void json_put_string(struct buf *out, struct str s);

/* `"key":` with a comma before it unless it is the first in its object. */
void json_put_key(struct buf *out, const char *key);
void json_put_field(struct buf *out, const char *key, struct str value);
void json_put_u64_field(struct buf *out, const char *key, uint64_t value);
void json_put_bool_field(struct buf *out, const char *key, bool value);

/* A 64-bit id as the decimal string that the contract asks for. */
void json_put_id_field(struct buf *out, const char *key, uint64_t id);

#endif
