#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "push/events/event_record.h"

/* A record that can be used, for a test to spoil. */
struct example {
	Skein__V1__EventRecord record;
	Skein__V1__EmittedEvent emitted[2], *events[2];
	Skein__V1__Audience audience;
	Skein__V1__Users users;
	Skein__V1__Event event;
	char *uids[EVENT_RECORD_MAX_USERS + 1];
};

static void example_fill(struct example *example)
{
	skein__v1__event_record__init(&example->record);
	skein__v1__audience__init(&example->audience);
	skein__v1__users__init(&example->users);
	skein__v1__event__init(&example->event);
	for (size_t i = 0; i < EVENT_RECORD_MAX_USERS + 1; i++)
		example->uids[i] = "alice";
	example->users.uids = example->uids;
	example->users.n_uids = 1;
	example->audience.who_case = SKEIN__V1__AUDIENCE__WHO_USERS;
	example->audience.users = &example->users;
	example->event.kind = "read";
	example->event.body = "{\"seq\":7}";
	example->record.version = EVENT_RECORD_VERSION;
	for (size_t i = 0; i < 2; i++) {
		skein__v1__emitted_event__init(&example->emitted[i]);
		example->emitted[i].audience = &example->audience;
		example->emitted[i].event = &example->event;
		example->events[i] = &example->emitted[i];
	}
	example->record.events = example->events;
	example->record.n_events = 1;
}

static bool can_be_used(const struct example *example)
{
	size_t size = skein__v1__event_record__get_packed_size(&example->record);
	uint8_t *packed = mem_alloc(size);
	const char *fault;

	skein__v1__event_record__pack(&example->record, packed);
	Skein__V1__EventRecord *record = event_record_read(str_of(packed, size), &fault);
	mem_free(packed);
	assert_int_equal(record == NULL, fault != NULL);
	if (record)
		skein__v1__event_record__free_unpacked(record, NULL);
	return record != NULL;
}

static void a_record_for_one_to_a_thousand_users_can_be_used(void **state)
{
	struct example example;
	(void)state;

	example_fill(&example);
	assert_true(can_be_used(&example));
	example.users.n_uids = EVENT_RECORD_MAX_USERS;
	assert_true(can_be_used(&example));
	example.users.n_uids++;
	assert_false(can_be_used(&example));
	example.users.n_uids = 0; /* would be everybody */
	assert_false(can_be_used(&example));
}

static void the_users_of_all_events_of_a_record_are_counted_together(void **state)
{
	struct example example;
	(void)state;

	example_fill(&example);
	example.record.n_events = 2;
	example.users.n_uids = EVENT_RECORD_MAX_USERS / 2;
	assert_true(can_be_used(&example));
	example.users.n_uids++;
	assert_false(can_be_used(&example));
}

static void one_event_that_cannot_be_used_spoils_its_record(void **state)
{
	struct example example;
	(void)state;

	example_fill(&example);
	example.record.n_events = 2;
	assert_true(can_be_used(&example));
	example.emitted[1].event = NULL;
	assert_false(can_be_used(&example));
}

static void a_record_that_names_what_is_no_uid_cannot_be_used(void **state)
{
	struct example example;
	(void)state;

	example_fill(&example);
	example.users.n_uids = 2;
	example.uids[1] = "a b";
	assert_false(can_be_used(&example));
	example.uids[1] = "";
	assert_false(can_be_used(&example));
}

static void a_record_for_who_watches_a_user_can_be_used_beside_others(void **state)
{
	struct example example;
	Skein__V1__Audience watchers = SKEIN__V1__AUDIENCE__INIT;
	(void)state;

	example_fill(&example);
	watchers.who_case = SKEIN__V1__AUDIENCE__WHO_WATCHED;
	watchers.watched = "alice";
	example.record.n_events = 2;
	example.emitted[1].audience = &watchers;
	assert_true(can_be_used(&example));
	example.users.n_uids = EVENT_RECORD_MAX_USERS;
	assert_true(can_be_used(&example));
	watchers.watched = "a b";
	assert_false(can_be_used(&example));
}

static void a_record_for_another_audience_or_of_another_version_cannot_be_used(void **state)
{
	struct example example;
	(void)state;

	example_fill(&example);
	example.record.version = 2;
	assert_false(can_be_used(&example));
	example_fill(&example);
	example.emitted[0].audience = NULL;
	assert_false(can_be_used(&example));
	example_fill(&example);
	example.audience.who_case = SKEIN__V1__AUDIENCE__WHO_ROOM;
	example.audience.room = "lobby";
	assert_false(can_be_used(&example));
}

static void a_record_without_an_event_or_with_one_that_is_too_large_cannot_be_used(void **state)
{
	struct example example;
	char *large = mem_zalloc(EVENT_RECORD_MAX_BODY + 2);
	(void)state;

	example_fill(&example);
	example.emitted[0].event = NULL;
	assert_false(can_be_used(&example));
	example_fill(&example);
	example.record.n_events = 0;
	assert_false(can_be_used(&example));
	example_fill(&example);
	example.event.kind = "";
	assert_false(can_be_used(&example));
	example_fill(&example);
	memset(large, 'x', EVENT_RECORD_MAX_BODY);
	example.event.body = large;
	assert_true(can_be_used(&example));
	large[EVENT_RECORD_MAX_BODY] = 'x';
	assert_false(can_be_used(&example));
	large[EVENT_RECORD_MAX_KIND + 1] = '\0';
	example.event.body = "";
	example.event.kind = large;
	assert_false(can_be_used(&example));
	mem_free(large);
}

static void what_is_no_record_cannot_be_used(void **state)
{
	const char *fault = NULL;
	(void)state;

	assert_null(event_record_read(STR(""), &fault));
	assert_non_null(fault);
	assert_null(event_record_read(STR("\xff"), &fault));
	assert_non_null(fault);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_for_one_to_a_thousand_users_can_be_used),
		cmocka_unit_test(the_users_of_all_events_of_a_record_are_counted_together),
		cmocka_unit_test(one_event_that_cannot_be_used_spoils_its_record),
		cmocka_unit_test(a_record_that_names_what_is_no_uid_cannot_be_used),
		cmocka_unit_test(a_record_for_who_watches_a_user_can_be_used_beside_others),
		cmocka_unit_test(a_record_for_another_audience_or_of_another_version_cannot_be_used),
		cmocka_unit_test(a_record_without_an_event_or_with_one_that_is_too_large_cannot_be_used),
		cmocka_unit_test(what_is_no_record_cannot_be_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
