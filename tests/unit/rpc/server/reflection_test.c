#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rpc/protobuf_wire.h"
#include "rpc/server/reflection.h"

/* Field numbers of the requests and answers in reflection.proto. */
enum { BY_FILENAME = 3,
       BY_SYMBOL = 4,
       BY_EXTENSION = 5,
       LIST = 7 };
enum { HOST = 1,
       ORIGINAL = 2,
       FILES = 4,
       SERVICES = 6,
       ERROR = 7 };

static struct buf set;

static void put_named(struct buf *file, uint32_t number, const char *name)
{
	struct buf declaration = { 0 };

	wire_put_bytes(&declaration, 1, str_from(name));
	wire_put_bytes(file, number, buf_str(&declaration));
	buf_release(&declaration);
}

static void put_file(const char *name, const char *package, const char *message, const char *service)
{
	struct buf file = { 0 };

	wire_put_bytes(&file, 1, str_from(name));
	if (*package)
		wire_put_bytes(&file, 2, str_from(package));
	put_named(&file, 4, message);
	put_named(&file, 5, "Colour");
	if (*service)
		put_named(&file, 6, service);
	wire_put_bytes(&set, 1, buf_str(&file));
	buf_release(&file);
}

static int set_up(void **state)
{
	(void)state;
	put_file("a.proto", "pack.v1", "Message", "Service");
	put_file("b.proto", "", "Bare", "Plain");
	put_file("c.proto", "pack.v1.inner", "Message", "");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_release(&set);
	return 0;
}

/* The answer's only field of that number. */
static struct str ask(struct buf *answer, uint32_t question, const char *about, uint32_t wanted)
{
	struct buf request = { 0 };

	buf_clear(answer);
	wire_put_bytes(&request, 1, STR("host"));
	wire_put_bytes(&request, question, str_from(about));
	assert_int_equal(reflection_answer(answer, buf_str(&set), buf_str(&request)), OK);
	assert_true(wire_is_valid(buf_str(answer)));
	assert_true(str_equal(wire_find(buf_str(answer), HOST), STR("host")));
	assert_true(str_equal(wire_find(buf_str(answer), ORIGINAL), buf_str(&request)));
	buf_release(&request);
	return wire_find(buf_str(answer), wanted);
}

static void expect_file(uint32_t question, const char *about, const char *name)
{
	struct buf answer = { 0 };
	struct str file = wire_find(ask(&answer, question, about, FILES), 1);

	assert_true(str_equal(wire_find(file, 1), str_from(name)));
	buf_release(&answer);
}

static void expect_error(uint32_t question, const char *about, uint64_t code)
{
	struct buf answer = { 0 };
	struct str error = ask(&answer, question, about, ERROR);
	struct wire_field field;

	assert_true(wire_next(&error, &field));
	assert_int_equal(field.number, 1);
	assert_int_equal(field.value, code);
	assert_int_equal(wire_find(buf_str(&answer), FILES).len, 0);
	buf_release(&answer);
}

static void a_file_is_found_by_its_name(void **state)
{
	(void)state;
	expect_file(BY_FILENAME, "a.proto", "a.proto");
	expect_file(BY_FILENAME, "c.proto", "c.proto");
	expect_error(BY_FILENAME, "d.proto", 5);
	expect_error(BY_FILENAME, "", 5);
}

static void a_file_is_found_by_its_declarations(void **state)
{
	(void)state;
	expect_file(BY_SYMBOL, "pack.v1.Service", "a.proto");
	expect_file(BY_SYMBOL, "pack.v1.Service.Method", "a.proto");
	expect_file(BY_SYMBOL, "pack.v1.Message.Nested.field", "a.proto");
	expect_file(BY_SYMBOL, "pack.v1.Colour", "a.proto");
	expect_file(BY_SYMBOL, "Bare", "b.proto");
	expect_file(BY_SYMBOL, "Plain.Method", "b.proto");
	expect_file(BY_SYMBOL, "pack.v1.inner.Message", "c.proto");
}

static void a_part_of_a_name_is_not_found(void **state)
{
	static const char *const symbols[] = { "", "pack", "pack.v1", "pack.v1.", "pack.v1.Serv", "pack.v1.Services",
		                               "Service", "pack.v1Service", "pack.v2.Service", "pack.v1.inner" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(symbols); i++)
		expect_error(BY_SYMBOL, symbols[i], 5);
}

static void all_services_are_listed_by_their_full_names(void **state)
{
	static const char *const names[] = { "pack.v1.Service", "Plain" };
	struct buf answer = { 0 };
	struct wire_field field;
	(void)state;

	struct str services = ask(&answer, LIST, "", SERVICES);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_true(wire_next(&services, &field));
		assert_true(str_equal(wire_find(field.bytes, 1), str_from(names[i])));
	}
	assert_int_equal(services.len, 0);
	buf_release(&answer);
}

static void extensions_are_not_served(void **state)
{
	(void)state;
	expect_error(BY_EXTENSION, "pack.v1.Message", 12);
}

static void a_malformed_request_is_refused(void **state)
{
	static const struct str requests[] = {
		{ "", 0 },
		{ "\xff", 1 },
		{ "\x0a\x04host", 6 }, /* asks for nothing */
		{ "\x38\x01", 2 }, /* list_services as a number */
		{ "\x3a\x05*", 3 },
	};
	struct buf answer = { 0 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		assert_int_equal(reflection_answer(&answer, buf_str(&set), requests[i]), ERR_INVALID_ARGUMENT);
	buf_release(&answer);
}

static void a_broken_descriptor_set_is_refused(void **state)
{
	(void)state;
	assert_int_equal(reflection_check(buf_str(&set)), OK);
	assert_int_equal(reflection_check(STR("")), OK);
	assert_int_equal(reflection_check(str_of(set.ptr, set.len - 1)), ERR_INVALID_ARGUMENT);
	assert_int_equal(reflection_check(STR("\x0a\x03\x0a\x05x")), ERR_INVALID_ARGUMENT); /* a broken file */
	assert_int_equal(reflection_check(STR("\x0a\x03\x12\x01p")), ERR_INVALID_ARGUMENT); /* without a name */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_found_by_its_name),
		cmocka_unit_test(a_file_is_found_by_its_declarations),
		cmocka_unit_test(a_part_of_a_name_is_not_found),
		cmocka_unit_test(all_services_are_listed_by_their_full_names),
		cmocka_unit_test(extensions_are_not_served),
		cmocka_unit_test(a_malformed_request_is_refused),
		cmocka_unit_test(a_broken_descriptor_set_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
