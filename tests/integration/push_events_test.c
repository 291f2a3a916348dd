/* Events through push (push_events_fixture.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "deliver/gateways.h"
#include "push_events_fixture.h"
#include "store_fixture.h"

static void an_event_reaches_every_connection_of_its_users_and_no_other_without_a_number(void **state)
{
	const struct seen *seen = &event_scene.seen[0];
	bool has[5] = { false };
	(void)state;

	produce_event("read", "{\"seq\":7}", event_scene.alice, event_scene.bob);
	turn_until_count(&event_scene.worker, &event_scene.event_count, 1);
	assert_int_equal(event_scene.seen_count, 1);
	assert_string_equal(seen->kind, "read");
	assert_string_equal(seen->body, "{\"seq\":7}");
	assert_int_equal(seen->number_count, 0);
	assert_int_equal(seen->conn_count, 3);
	for (size_t i = 0; i < seen->conn_count; i++)
		has[seen->conns[i]] = true;
	assert_true(has[1] && has[2] && has[3]);
}

static void the_connection_that_knows_already_is_not_told(void **state)
{
	(void)state;

	produce_event_except("read", "{\"seq\":7}", event_scene.alice, 2);
	produce_event_except("read", "{\"seq\":8}", event_scene.alice, 3); /* a connection of another user */
	turn_until_count(&event_scene.worker, &event_scene.event_count, 2);
	assert_int_equal(event_scene.seen[0].conn_count, 1);
	assert_int_equal(event_scene.seen[0].conns[0], 1);
	assert_int_equal(event_scene.seen[1].conn_count, 2);
}

static void every_event_of_a_record_arrives(void **state)
{
	(void)state;

	produce_event_times(2, "read", "{\"seq\":7}", event_scene.alice, event_scene.bob);
	turn_until_count(&event_scene.worker, &event_scene.event_count, 2);
	assert_int_equal(event_scene.seen_count, 2);
	assert_int_equal(event_scene.seen[0].conn_count, 3);
	assert_int_equal(event_scene.seen[1].conn_count, 3);
}

static void an_event_for_watchers_reaches_the_gateway_whoever_is_connected(void **state)
{
	(void)state;

	produce_watched_event("presence", "{\"online\":true}", "nobody-1");
	turn_until_count(&event_scene.worker, &event_scene.event_count, 1);
	assert_string_equal(event_scene.seen[0].watched, "nobody-1");
	assert_string_equal(event_scene.seen[0].body, "{\"online\":true}");
	assert_int_equal(event_scene.seen[0].conn_count, 0);
	assert_an_event_arrives();
}

static void an_event_for_users_who_are_not_connected_goes_nowhere(void **state)
{
	(void)state;

	produce_event("typing", "{}", "nobody-1", "nobody-2");
	assert_an_event_arrives();
	assert_int_equal(event_scene.event_count, 1);
}

static void a_record_that_is_no_event_is_counted_and_the_next_one_arrives(void **state)
{
	uint64_t before = counter_value(dropped_events("unusable"));
	(void)state;

	produce_event_bytes(STR("\xff\xff\xff"));
	produce_event("typing", "{}", "not a uid", NULL);
	assert_an_event_arrives();
	assert_int_equal(counter_value(dropped_events("unusable")), before + 2);
	assert_int_equal(event_scene.event_count, 1);
}

static void while_push_has_all_the_messages_it_can_take_events_are_dropped(void **state)
{
	uint64_t before = counter_value(dropped_events("push_busy"));
	(void)state;

	event_scene.is_busy = true;
	produce_event("typing", "{}", event_scene.alice, NULL);
	turn_until_events_dropped("push_busy", before + 1);
	event_scene.is_busy = false;
	assert_an_event_arrives();
	assert_int_equal(event_scene.event_count, 1);
}

static bool are_all_messages_seen(void *arg)
{
	(void)arg;
	return event_scene.message_count == GATEWAY_MAX_IN_FLIGHT;
}

static void a_gateway_that_is_behind_gets_no_event_and_its_numbers_all_the_same(void **state)
{
	uint64_t before = counter_value(dropped_events("gateway_behind"));
	(void)state;

	event_scene.is_silent = true;
	for (unsigned i = 0; i < GATEWAY_MAX_IN_FLIGHT; i++)
		assert_false(deliver_message_to_played_gateway(i + 1));
	turn_until(&event_scene.worker, are_all_messages_seen, NULL);
	assert_true(deliver_message_to_played_gateway(GATEWAY_MAX_IN_FLIGHT + 1));
	produce_event("typing", "{}", event_scene.alice, NULL);
	turn_until_events_dropped("gateway_behind", before + 1);
	event_scene.is_silent = false;
	played_gateway_answer_all();
	turn_until_count(&event_scene.worker, &event_scene.done, event_scene.produced);
	assert_int_equal(event_scene.event_count, 0);
	assert_int_equal(event_scene.seen[event_scene.seen_count - 1].offset, GATEWAY_MAX_IN_FLIGHT + 1);
	assert_an_event_arrives();
}

static void events_wait_for_a_gateway_in_a_window_of_their_own_and_leave_the_messages_theirs(void **state)
{
	uint64_t before = counter_value(dropped_events("gateway_full"));
	(void)state;

	event_scene.is_silent = true;
	for (unsigned i = 0; i < GATEWAY_MAX_EVENTS + 10; i++)
		produce_event("typing", "{}", event_scene.bob, NULL);
	turn_until_events_dropped("gateway_full", before + 10);
	turn_until_count(&event_scene.worker, &event_scene.event_count, GATEWAY_MAX_EVENTS);
	for (unsigned i = 0; i < GATEWAY_MAX_IN_FLIGHT; i++)
		assert_false(deliver_message_to_played_gateway(i + 1));
	turn_until(&event_scene.worker, are_all_messages_seen, NULL);
	event_scene.is_silent = false;
	played_gateway_answer_all();
	turn_until(&event_scene.worker, events_are_quiet, NULL);
	assert_an_event_arrives();
}

static void messages_between_events_keep_their_order(void **state)
{
	uint64_t offset = 0;
	(void)state;

	for (unsigned i = 0; i < 300; i++) {
		produce_event("typing", "{}", event_scene.alice, NULL);
		deliver_message_to_played_gateway(i + 1);
		if (i % 10 == 0)
			turn_for(&event_scene.worker, 2);
	}
	turn_until_count(&event_scene.worker, &event_scene.event_count, 300);
	turn_until_count(&event_scene.worker, &event_scene.done, 300);
	for (unsigned i = 0; i < event_scene.seen_count; i++)
		if (!event_scene.seen[i].is_event)
			assert_int_equal(event_scene.seen[i].offset, ++offset);
	assert_int_equal(offset, 300);
}

static void an_event_whose_routes_redis_does_not_tell_is_dropped_and_the_next_one_arrives(void **state)
{
	uint64_t before = counter_value(dropped_events("routes_unknown"));
	(void)state;

	real_server_pause(&event_redis);
	produce_event("typing", "{}", event_scene.alice, event_scene.bob);
	turn_until_events_dropped("routes_unknown", before + 2);
	real_server_continue(&event_redis);
	assert_an_event_arrives();
}

#define EVENT_TEST(name) cmocka_unit_test_setup_teardown(name, begin_event_test, end_event_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(an_event_reaches_every_connection_of_its_users_and_no_other_without_a_number),
		EVENT_TEST(the_connection_that_knows_already_is_not_told),
		EVENT_TEST(every_event_of_a_record_arrives),
		EVENT_TEST(an_event_for_watchers_reaches_the_gateway_whoever_is_connected),
		EVENT_TEST(an_event_for_users_who_are_not_connected_goes_nowhere),
		EVENT_TEST(a_record_that_is_no_event_is_counted_and_the_next_one_arrives),
		EVENT_TEST(while_push_has_all_the_messages_it_can_take_events_are_dropped),
		EVENT_TEST(a_gateway_that_is_behind_gets_no_event_and_its_numbers_all_the_same),
		EVENT_TEST(events_wait_for_a_gateway_in_a_window_of_their_own_and_leave_the_messages_theirs),
		EVENT_TEST(messages_between_events_keep_their_order),
		EVENT_TEST(an_event_whose_routes_redis_does_not_tell_is_dropped_and_the_next_one_arrives),
	};
	return cmocka_run_group_tests(tests, open_event_scene, close_event_scene);
}
