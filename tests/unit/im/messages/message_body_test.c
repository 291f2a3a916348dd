/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "im/messages/message_body.h"

/* NULL: a good body; else the field that the error names. */
static void check_body(const char *type, const char *text, const char *field)
{
	struct json_error error = { 0 };
	json_t *body = json_read(str_from(text), &error);

	assert_int_equal(error.err, OK);
	message_body_check(body, str_from(type), &error);
	json_decref(body);
	if (!field && error.err)
		fail_msg("%s %s: %s", type, text, error.detail);
	if (field && (!error.err || strcmp(error.field, field) != 0))
		fail_msg("%s %s: the field %s, not %s", type, text, error.field, field);
}

#define URL "\"url\":\"https://x.y/z\""

static void each_field_of_a_body_is_checked(void **state)
{
	static const struct {
		const char *type, *text, *field;
	} rows[] = {
		{ "text", "{\"text\":\"a\",\"more\":[1]}", NULL },
		{ "text", "{}", "body.text" },
		{ "text", "{\"text\":\"\"}", "body.text" },
		{ "text", "{\"text\":null}", "body.text" },
		{ "text", "{\"text\":1}", "body.text" },
		{ "image", "{" URL "}", NULL },
		{ "image",
		  "{\"url\":\"http://x\",\"name\":\"\",\"size\":0,\"mime\":\"image/png\",\"width\":1,\"height\":2.0,\"thumbnail\":null}",
		  NULL },
		{ "video", "{" URL ",\"duration_ms\":9007199254740991,\"thumbnail\":\"http://t\",\"other\":{}}", NULL },
		{ "image", "{}", "body.url" },
		{ "audio", "{\"url\":1}", "body.url" },
		{ "video", "{\"url\":\"\"}", "body.url" },
		{ "file", "{\"url\":\"ftp://x\"}", "body.url" },
		{ "file", "{\"url\":\"javascript:x\"}", "body.url" },
		{ "file", "{\"url\":\"HTTPS://x/y\"}", NULL },
		{ "file", "{\"url\":\"http://\"}", "body.url" },
		{ "file", "{\"url\":\"https:///y\"}", "body.url" },
		{ "file", "{\"url\":\"http://x y\"}", "body.url" },
		{ "file", "{\"url\":\"http://x\\n\"}", "body.url" },
		{ "file", "{\"url\":\"http://x\\u007f\"}", "body.url" },
		{ "file", "{" URL ",\"name\":1}", "body.name" },
		{ "file", "{" URL ",\"size\":-1}", "body.size" },
		{ "file", "{" URL ",\"size\":1.5}", "body.size" },
		{ "file", "{" URL ",\"size\":9007199254740992}", "body.size" },
		{ "file", "{" URL ",\"mime\":[]}", "body.mime" },
		{ "image", "{" URL ",\"width\":\"1\"}", "body.width" },
		{ "image", "{" URL ",\"height\":true}", "body.height" },
		{ "audio", "{" URL ",\"duration_ms\":-1}", "body.duration_ms" },
		{ "image", "{" URL ",\"thumbnail\":\"x\"}", "body.thumbnail" },
		{ "location", "{\"latitude\":90,\"longitude\":-180}", NULL },
		{ "location", "{\"latitude\":-90.0,\"longitude\":11.5,\"name\":\"Z\xc3\xbcrich\"}", NULL },
		{ "location", "{\"longitude\":1}", "body.latitude" },
		{ "location", "{\"latitude\":1}", "body.longitude" },
		{ "location", "{\"latitude\":90.1,\"longitude\":1}", "body.latitude" },
		{ "location", "{\"latitude\":1,\"longitude\":-180.01}", "body.longitude" },
		{ "location", "{\"latitude\":\"1\",\"longitude\":1}", "body.latitude" },
		{ "location", "{\"latitude\":1,\"longitude\":1,\"name\":{}}", "body.name" },
		{ "custom", "{}", NULL },
		{ "custom", "{\"url\":1,\"text\":null}", NULL },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_body(rows[i].type, rows[i].text, rows[i].field);
}

/* A body of one field that is `count` times `piece` long, after `prefix`. */
static void check_long(const char *type, const char *head, const char *prefix, const char *piece, unsigned count, const char *field)
{
	struct buf text = { 0 };

	buf_append_text(&text, head);
	buf_append_text(&text, prefix);
	for (unsigned i = 0; i < count; i++)
		buf_append_text(&text, piece);
	buf_append_text(&text, "\"}");
	check_body(type, buf_text(&text), field);
	buf_release(&text);
}

static void texts_are_limited_by_characters_and_urls_by_bytes(void **state)
{
	(void)state;

	check_long("text", "{\"text\":\"", "", "\xc3\xa9", 20000, NULL);
	check_long("text", "{\"text\":\"", "", "x", 20001, "body.text");
	check_long("image", "{\"url\":\"", "https://", "u", 2040, NULL);
	check_long("image", "{\"url\":\"", "https://", "u", 2041, "body.url");
	check_long("image", "{" URL ",\"thumbnail\":\"", "https://", "u", 2041, "body.thumbnail");
	check_long("file", "{" URL ",\"name\":\"", "", "\xc3\xa9", 1024, NULL);
	check_long("file", "{" URL ",\"name\":\"", "", "n", 1025, "body.name");
	check_long("file", "{" URL ",\"mime\":\"", "", "m", 256, "body.mime");
}

static void a_body_tells_for_which_types_it_is_one(void **state)
{
	static const struct {
		const char *text;
		unsigned types; /* bits in the order of message_types */
	} rows[] = {
		{ "{}", 1u << 6 },
		{ "{\"text\":\"x\"}", 1u << 0 | 1u << 6 },
		{ "{" URL "}", 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 6 },
		{ "{\"latitude\":1,\"longitude\":2}", 1u << 5 | 1u << 6 },
		{ "{" URL ",\"text\":\"x\",\"latitude\":1,\"longitude\":2}", 127 },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_error error = { 0 };
		json_t *body = json_read(str_from(rows[i].text), &error);
		assert_int_equal(message_body_types(body), rows[i].types);
		json_decref(body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_of_a_body_is_checked),
		cmocka_unit_test(texts_are_limited_by_characters_and_urls_by_bytes),
		cmocka_unit_test(a_body_tells_for_which_types_it_is_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
