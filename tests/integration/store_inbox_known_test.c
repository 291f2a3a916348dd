/* Appends with what the last one told: they read no routes, so whatever changes the routes or the inbox must be noticed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "cluster/routes.h"
#include "store_inbox_fixture.h"

#define DEVICE STR("phone")
#define NODE STR("gateway-1")

static struct append append_known(struct redis_fixture *f, const struct append *last)
{
	struct append one = { .fixture = f };
	const struct str entry = STR("m");

	f->given++;
	inbox_append(f->redis, &inbox_limits, UID, &last->known, &entry, 1, note_appended, &one);
	redis_fixture_turn(f);
	return one;
}

static void on_bound(void *arg, err_t err, const struct route_bound *bound)
{
	(void)bound;
	assert_int_equal(err, OK);
	((struct redis_fixture *)arg)->ended++;
}

static void on_changed(void *arg, err_t err, bool was_ours)
{
	assert_int_equal(err, OK);
	assert_true(was_ours);
	((struct redis_fixture *)arg)->ended++;
}

static void bind_conn(struct redis_fixture *f, struct str device, uint64_t conn)
{
	const struct route_binding binding = {
		.uid = UID,
		.device = device,
		.route = { .node = NODE, .node_epoch = 7, .conn = conn, .platform = STR("ios"), .since_ms = 5 },
	};

	f->given++;
	route_bind(f->redis, &inbox_limits, 90, &binding, on_bound, f);
	redis_fixture_turn(f);
}

static void unbind(struct redis_fixture *f)
{
	f->given++;
	route_unbind(f->redis, UID, DEVICE, NODE, 7, 1, on_changed, f);
	redis_fixture_turn(f);
}

static void close_route(struct redis_fixture *f)
{
	f->given++;
	route_close(f->redis, UID, DEVICE, NODE, 7, 2, on_changed, f);
	redis_fixture_turn(f);
}

static void renew(struct redis_fixture *f)
{
	f->given++;
	route_renew(f->redis, &inbox_limits, 90, UID, DEVICE, NODE, 7, 1, on_changed, f);
	redis_fixture_turn(f);
}

/* The append with what `last` told is refused and leaves nothing. Then one without it, which it returns. */
static struct append refused(struct redis_fixture *f, const struct append *last)
{
	int64_t before = redis_fixture_number(f, "LLEN", INBOX);

	assert_int_equal(append_known(f, last).err, ERR_FAILED_PRECONDITION);
	assert_int_equal(redis_fixture_number(f, "LLEN", INBOX), before);
	return append_now(f, STR("m"));
}

static struct append taken(struct redis_fixture *f, const struct append *last)
{
	struct append one = append_known(f, last);

	assert_int_equal(one.err, OK);
	assert_true(one.routes_are_known);
	assert_int_equal(one.epoch, last->epoch);
	assert_int_equal(one.offset, last->offset + 1);
	return one;
}

static void an_append_goes_on_from_what_the_last_one_told(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	bind_conn(&f, DEVICE, 1);
	struct append last = append_now(&f, STR("m"));
	assert_int_equal(last.route_count, 1);
	for (int i = 0; i < 5; i++)
		last = taken(&f, &last);
	bind_conn(&f, DEVICE, 1); /* the same connection again, and its renewal, change nothing */
	renew(&f);
	last = taken(&f, &last);
	append_now(&f, STR("of another push"));
	struct append next = append_known(&f, &last);
	assert_int_equal(next.err, OK);
	assert_int_equal(next.offset, last.offset + 2);
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), next.offset);
	redis_fixture_close(&f);
}

static void a_route_that_is_bound_unbound_or_closed_is_noticed(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	struct append last = append_now(&f, STR("m"));
	bind_conn(&f, DEVICE, 1);
	last = refused(&f, &last);
	assert_int_equal(last.route_count, 1);
	bind_conn(&f, STR("laptop"), 9);
	last = refused(&f, &last);
	assert_int_equal(last.route_count, 2);
	unbind(&f);
	last = refused(&f, &last);
	assert_int_equal(last.route_count, 1);
	struct append before = last;
	bind_conn(&f, DEVICE, 2);
	close_route(&f);
	last = refused(&f, &before); /* the routes are the same again, under another version */
	assert_int_equal(last.route_count, 1);
	taken(&f, &last);
	redis_fixture_close(&f);
}

static void an_inbox_that_was_made_again_is_noticed(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	struct append last = append_now(&f, STR("m"));
	redis_fixture_run(&f, "FLUSHALL", NULL);
	last = refused(&f, &last);
	redis_fixture_run(&f, "FLUSHALL", NULL);
	bind_conn(&f, DEVICE, 1); /* makes the inbox: its first version */
	last = refused(&f, &last);
	redis_fixture_run(&f, "DEL", META, NULL);
	assert_int_equal(append_known(&f, &last).err, ERR_FAILED_PRECONDITION);
	struct append fresh = append_now(&f, STR("m"));
	assert_true(fresh.epoch != last.epoch);
	assert_int_equal(fresh.offset, 1);
	redis_fixture_close(&f);
}

static void the_inbox_of_an_old_dump_is_noticed_although_its_head_is_the_same(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	struct append last = append_now(&f, STR("m"));
	redis_fixture_run(&f, "SAVE", NULL);
	last = taken(&f, &last);
	real_server_kill(&redis_fixture_server);
	redis_fixture_await_down(&f);
	real_server_start(&redis_fixture_server);
	redis_fixture_await_up(&f);
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 1); /* its next number, 2, was given out already */
	assert_int_equal(append_known(&f, &last).err, ERR_FAILED_PRECONDITION);
	struct append fresh = append_now(&f, STR("m"));
	assert_true(fresh.epoch != last.epoch);
	redis_fixture_close(&f);
}

static void a_long_list_is_trimmed_although_the_routes_are_known(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	struct append last = append_now(&f, STR("m"));
	unsigned read = 0;
	for (uint64_t i = 2; i <= 400; i++) {
		last = append_known(&f, &last);
		assert_int_equal(last.err, OK);
		assert_int_equal(last.offset, i);
		read += !last.routes_are_known;
		assert_true(redis_fixture_number(&f, "LLEN", INBOX) <= 110);
	}
	assert_in_range(read, 20, 40); /* one in ten, once it is full */
	redis_fixture_close(&f);
}

static void the_cap_by_age_works_although_the_routes_are_known(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	append_numbers(&f, 1, 2);
	shift(&f, "t", "-1001");
	struct append last = append_now(&f, STR("3"));
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 1);
	shift(&f, "t", "-501");
	last.known.marked_s -= 501;
	struct append next = append_known(&f, &last);
	assert_false(next.routes_are_known);
	last = next;
	last.known.marked_s += 5000; /* of a clock that was ahead */
	assert_false(append_known(&f, &last).routes_are_known);
	redis_fixture_close(&f);
}

static void a_list_that_was_lost_alone_is_made_with_the_life_of_its_inbox(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	struct append last = append_now(&f, STR("m"));
	redis_fixture_run(&f, "DEL", INBOX, NULL);
	taken(&f, &last);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1400, 1500);
	redis_fixture_close(&f);
}

/* ---- keys of another type ---- */

static void an_inbox_whose_key_has_another_type_is_made_again(void **state)
{
	const char *const keys[] = { INBOX, META };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct append last = append_now(&f, STR("m"));

		redis_fixture_run(&f, "SET", keys[i], "what is this", NULL);
		assert_int_equal(append_known(&f, &last).err, ERR_FAILED_PRECONDITION);
		struct append fresh = append_now(&f, STR("m"));
		assert_true(fresh.inbox_was_broken && !fresh.routes_were_broken);
		assert_int_equal(fresh.offset, 1);
		assert_true(fresh.epoch != last.epoch);
		struct append next = taken(&f, &fresh);
		assert_false(next.inbox_was_broken);
		redis_fixture_run(&f, "SET", keys[i], "what is this", NULL);
		check_verdict(&f, fresh.epoch, 1, INBOX_RESET);
		redis_fixture_run(&f, "SET", keys[i], "what is this", NULL);
		bind_conn(&f, DEVICE, i + 1);
	}
	struct append last = append_now(&f, STR("m"));
	redis_fixture_run(&f, "HSET", META, "n", "many", NULL);
	assert_int_equal(append_known(&f, &last).err, ERR_FAILED_PRECONDITION);
	assert_true(append_now(&f, STR("m")).inbox_was_broken);
	redis_fixture_close(&f);
}

static void routes_whose_key_has_another_type_are_none_and_are_bound_anew(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	bind_conn(&f, DEVICE, 1);
	redis_fixture_run(&f, "SET", ROUTES, "what is this", NULL);
	struct append broken = append_now(&f, STR("m"));
	assert_true(broken.routes_were_broken && !broken.inbox_was_broken);
	assert_int_equal(broken.route_count, 0);
	assert_int_equal(redis_fixture_number(&f, "EXISTS", ROUTES), 0);
	redis_fixture_run(&f, "SET", ROUTES, "what is this", NULL);
	bind_conn(&f, DEVICE, 2);
	struct append bound = refused(&f, &broken);
	assert_false(bound.routes_were_broken);
	assert_int_equal(bound.route_count, 1);
	assert_string_equal(bound.first_route, "gateway-1|7|2|ios|5");
	redis_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_append_goes_on_from_what_the_last_one_told),
		cmocka_unit_test(a_route_that_is_bound_unbound_or_closed_is_noticed),
		cmocka_unit_test(an_inbox_that_was_made_again_is_noticed),
		cmocka_unit_test(the_inbox_of_an_old_dump_is_noticed_although_its_head_is_the_same),
		cmocka_unit_test(a_long_list_is_trimmed_although_the_routes_are_known),
		cmocka_unit_test(the_cap_by_age_works_although_the_routes_are_known),
		cmocka_unit_test(a_list_that_was_lost_alone_is_made_with_the_life_of_its_inbox),
		cmocka_unit_test(an_inbox_whose_key_has_another_type_is_made_again),
		cmocka_unit_test(routes_whose_key_has_another_type_are_none_and_are_bound_anew),
	};
	return cmocka_run_group_tests(tests, redis_fixture_make_server, redis_fixture_remove_server);
}
