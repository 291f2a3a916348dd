#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "redis_fixture.h"
#include "store/routes.h"

#define UID STR("bob")
#define PHONE STR("phone")
#define ROUTES "im:route:{bob}"
#define TTL_S 90

static const struct inbox_limits limits = { .max_entries = 100, .max_age_s = 500, .expire_s = 1000 };
static struct real_server server = { .kind = REAL_REDIS };

struct change {
	struct redis_fixture *fixture;
	bool has_ended;
	err_t err;
	struct route_bound bound;
	char replaced[128];
	bool was_ours;
};

static void end(struct change *change, err_t err)
{
	assert_false(change->has_ended);
	change->has_ended = true;
	change->err = err;
	change->fixture->ended++;
}

static void on_bound(void *arg, err_t err, const struct route_bound *bound)
{
	struct change *change = arg;

	end(change, err);
	assert_true((err == OK) == (bound != NULL));
	if (!bound)
		return;
	change->bound = *bound;
	assert_true(str_copy(change->replaced, sizeof(change->replaced), bound->replaced));
}

static void on_changed(void *arg, err_t err, bool was_ours)
{
	struct change *change = arg;

	end(change, err);
	change->was_ours = was_ours;
}

static struct change bind_now(struct redis_fixture *f, struct str device, uint64_t epoch, uint64_t conn)
{
	const struct route route = {
		.node = STR("gateway-1"), .node_epoch = epoch, .conn = conn, .platform = STR("ios"), .since_ms = 5,
	};
	struct change change = { .fixture = f };

	f->given++;
	route_bind(f->redis, &limits, TTL_S, UID, device, &route, on_bound, &change);
	redis_fixture_turn(f);
	return change;
}

static bool unbind(struct redis_fixture *f, struct str device, uint64_t epoch, uint64_t conn)
{
	struct change change = { .fixture = f };

	f->given++;
	route_unbind(f->redis, UID, device, STR("gateway-1"), epoch, conn, on_changed, &change);
	redis_fixture_turn(f);
	assert_int_equal(change.err, OK);
	return change.was_ours;
}

static bool renew(struct redis_fixture *f, struct str device, uint64_t epoch, uint64_t conn)
{
	struct change change = { .fixture = f };

	f->given++;
	route_renew(f->redis, &limits, TTL_S, UID, device, STR("gateway-1"), epoch, conn, on_changed, &change);
	redis_fixture_turn(f);
	assert_int_equal(change.err, OK);
	return change.was_ours;
}

static void command(struct redis_fixture *f, const char *name, const char *key, const char *value)
{
	struct redis_call call = { .fixture = NULL };

	redis_fixture_command(f, &call, name, key, value, NULL);
	redis_fixture_turn(f);
	assert_int_equal(call.err, OK);
}

static void open_empty(struct redis_fixture *f)
{
	redis_fixture_open(f, &server, 1000);
	command(f, "FLUSHALL", NULL, NULL);
}

static void on_appended(void *arg, err_t err, const struct inbox_appended *appended)
{
	struct change *change = arg;

	end(change, err);
	assert_int_equal(err, OK);
	change->bound = (struct route_bound){ .inbox_epoch = appended->epoch, .inbox_head = appended->offset };
}

static struct change append(struct redis_fixture *f)
{
	struct change change = { .fixture = f };

	f->given++;
	inbox_append(f->redis, &limits, UID, STR("m"), on_appended, &change);
	redis_fixture_turn(f);
	return change;
}

static void a_bind_makes_the_inbox_and_knows_its_head(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	struct change first = bind_now(&f, PHONE, 7, 1);
	assert_int_equal(first.err, OK);
	assert_true(first.bound.inbox_epoch != 0);
	assert_int_equal(first.bound.inbox_head, 0);
	struct change appended = append(&f);
	assert_int_equal(appended.bound.inbox_epoch, first.bound.inbox_epoch);
	assert_int_equal(appended.bound.inbox_head, 1);
	struct change second = bind_now(&f, STR("web"), 7, 2);
	assert_int_equal(second.bound.inbox_epoch, first.bound.inbox_epoch);
	assert_int_equal(second.bound.inbox_head, 1);
	assert_string_equal(second.replaced, "");
	assert_int_equal(redis_fixture_number(&f, "HLEN", ROUTES), 2);
	redis_fixture_close(&f);
}

static void a_device_that_binds_again_replaces_its_route(void **state)
{
	struct redis_fixture f;
	struct route old;
	(void)state;

	open_empty(&f);
	bind_now(&f, PHONE, 7, 1);
	struct change second = bind_now(&f, PHONE, 7, 18446744073709551615u);
	assert_true(route_parse(str_from(second.replaced), &old));
	assert_true(str_equal(old.node, STR("gateway-1")));
	assert_int_equal(old.node_epoch, 7);
	assert_int_equal(old.conn, 1);
	assert_int_equal(redis_fixture_number(&f, "HLEN", ROUTES), 1);
	/* The very same connection once more, as a retry does. */
	struct change again = bind_now(&f, PHONE, 7, 18446744073709551615u);
	assert_string_equal(again.replaced, "");
	/* A connection whose number begins alike is another one. */
	struct change other = bind_now(&f, PHONE, 7, 1844674407370955161u);
	assert_string_equal(other.replaced, "gateway-1|7|18446744073709551615|ios|5");
	redis_fixture_close(&f);
}

static void only_the_connection_itself_removes_its_route(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	bind_now(&f, PHONE, 7, 12);
	assert_false(unbind(&f, PHONE, 7, 1)); /* 1 is how 12 begins */
	assert_false(unbind(&f, PHONE, 6, 12));
	assert_false(unbind(&f, STR("web"), 7, 12));
	assert_int_equal(redis_fixture_number(&f, "HLEN", ROUTES), 1);
	assert_true(unbind(&f, PHONE, 7, 12));
	assert_false(unbind(&f, PHONE, 7, 12));
	assert_int_equal(redis_fixture_number(&f, "EXISTS", ROUTES), 0);
	redis_fixture_close(&f);
}

static void a_late_unbind_leaves_the_newer_connection_alone(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	bind_now(&f, PHONE, 7, 1);
	bind_now(&f, PHONE, 8, 1);
	assert_false(unbind(&f, PHONE, 7, 1));
	assert_true(renew(&f, PHONE, 8, 1));
	redis_fixture_close(&f);
}

static void a_renewal_extends_only_what_is_still_ours(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	bind_now(&f, PHONE, 7, 1);
	assert_in_range(redis_fixture_number(&f, "TTL", ROUTES), TTL_S - 5, TTL_S);
	command(&f, "EXPIRE", ROUTES, "10");
	assert_false(renew(&f, PHONE, 7, 2));
	assert_in_range(redis_fixture_number(&f, "TTL", ROUTES), 1, 10);
	assert_true(renew(&f, PHONE, 7, 1));
	assert_in_range(redis_fixture_number(&f, "TTL", ROUTES), TTL_S - 5, TTL_S);
	command(&f, "FLUSHALL", NULL, NULL);
	assert_false(renew(&f, PHONE, 7, 1));
	assert_int_equal(redis_fixture_number(&f, "EXISTS", ROUTES), 0);
	redis_fixture_close(&f);
}

static int64_t life_of_the_inbox(struct redis_fixture *f)
{
	return redis_fixture_number(f, "TTL", "im:inbox:{bob}:meta");
}

static void an_inbox_lives_on_while_its_user_is_connected(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	bind_now(&f, PHONE, 7, 1);
	assert_in_range(life_of_the_inbox(&f), 1490, 1500);
	append(&f);
	command(&f, "EXPIRE", "im:inbox:{bob}:meta", "700");
	command(&f, "EXPIRE", "im:inbox:{bob}", "700");
	/* Less than half of its time went by. */
	assert_true(renew(&f, PHONE, 7, 1));
	assert_in_range(life_of_the_inbox(&f), 600, 700);
	struct redis_call older = { .fixture = NULL };
	redis_fixture_command(&f, &older, "HINCRBY", "im:inbox:{bob}:meta", "x", "-501", NULL);
	redis_fixture_turn(&f);
	assert_false(renew(&f, PHONE, 7, 2));
	assert_in_range(life_of_the_inbox(&f), 600, 700);
	assert_true(renew(&f, PHONE, 7, 1));
	assert_in_range(life_of_the_inbox(&f), 1490, 1500);
	assert_in_range(redis_fixture_number(&f, "TTL", "im:inbox:{bob}"), 1490, 1500);
	/* A renewal makes no inbox. */
	command(&f, "DEL", "im:inbox:{bob}:meta", NULL);
	assert_true(renew(&f, PHONE, 7, 1));
	assert_int_equal(redis_fixture_number(&f, "EXISTS", "im:inbox:{bob}:meta"), 0);
	redis_fixture_close(&f);
}

static void a_bind_to_another_redis_process_gets_another_epoch(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	struct change before = bind_now(&f, PHONE, 7, 1);
	append(&f);
	command(&f, "SAVE", NULL, NULL);
	real_server_kill(&server);
	redis_fixture_await_down(&f);
	real_server_start(&server);
	struct change after = bind_now(&f, PHONE, 7, 1);
	assert_int_equal(after.err, OK);
	assert_true(after.bound.inbox_epoch != before.bound.inbox_epoch);
	assert_int_equal(after.bound.inbox_head, 0);
	redis_fixture_close(&f);
}

static void a_bind_that_cannot_be_is_told_once(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 1000);
	redis_fixture_await_up(&f);
	real_server_pause(&server);
	struct change sent = bind_now(&f, PHONE, 7, 1);
	redis_fixture_await_down(&f);
	struct change waited = bind_now(&f, PHONE, 7, 1);
	real_server_continue(&server);
	assert_int_equal(sent.err, ERR_OUTCOME_UNKNOWN);
	assert_int_equal(waited.err, ERR_UNAVAILABLE);
	redis_fixture_close(&f);
}

static int start_server(void **state)
{
	(void)state;
	real_server_make(&server);
	return 0;
}

static int remove_server(void **state)
{
	(void)state;
	real_server_remove(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bind_makes_the_inbox_and_knows_its_head),
		cmocka_unit_test(a_device_that_binds_again_replaces_its_route),
		cmocka_unit_test(only_the_connection_itself_removes_its_route),
		cmocka_unit_test(a_late_unbind_leaves_the_newer_connection_alone),
		cmocka_unit_test(a_renewal_extends_only_what_is_still_ours),
		cmocka_unit_test(an_inbox_lives_on_while_its_user_is_connected),
		cmocka_unit_test(a_bind_to_another_redis_process_gets_another_epoch),
		cmocka_unit_test(a_bind_that_cannot_be_is_told_once),
	};
	return cmocka_run_group_tests(tests, start_server, remove_server);
}
