#ifndef SKEIN_BASE_CONFIG_CONFIG_VALUE_H
#define SKEIN_BASE_CONFIG_CONFIG_VALUE_H

#include "base/config/config_table.h"
#include "base/error.h"
#include "base/text/buf.h"

/* The value of one option: parsing, comparing, storing and showing it. Only the files of this folder use it. */
struct config_value {
	bool is_set;
	int64_t number; /* of every type but CONFIG_TEXT */
	char *text; /* CONFIG_TEXT, on the heap */
};

/*
 * Parses `text` as a value of `option`. On an error, appends the rest
 * of a sentence to `reason` ("must be 1s to 1h, not 2h"), without the value of a secret.
 */
err_t config_value_parse(const struct config_option *option, struct str text,
                         struct config_value *out, struct buf *reason) MUST_CHECK;

void config_value_release(struct config_value *value);
bool config_value_equal(const struct config_value *a, const struct config_value *b);

/* To and from the service's struct. Storing hands over the text and frees the old one; loading lends it. */
void config_value_store(const struct config_option *option, struct config_value *value, void *target);
struct config_value config_value_load(const struct config_option *option, const void *target);

/* Sets the member to zero without freeing a text. */
void config_value_forget(const struct config_option *option, void *target);

/* "1s to 1h", "3 to 128 bytes"; nothing if there is no range. */
void config_write_range(struct buf *out, const struct config_option *option);

/* "size", "duration", "text|json" ... */
void config_write_type(struct buf *out, const struct config_option *option);

/* SKEIN_HTTP_LISTEN */
void config_write_environment_name(struct buf *out, const struct config_option *option);

#endif
