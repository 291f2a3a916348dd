#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cluster/routes.h"
#include "redis_fixture.h"

#define UID STR("bob")
#define PHONE STR("phone")
#define ROUTES "im:route:{bob}"
#define TTL_S 90

static const struct inbox_limits limits = { .max_entries = 100, .max_age_s = 500, .expire_s = 1000 };

struct change {
	struct redis_fixture *fixture;
	bool has_ended;
	err_t err;
	struct route_bound bound;
	char replaced[512]; /* "device route" of each, in the order of the devices, with commas between */
	bool was_ours;
};

static void end(struct change *change, err_t err)
{
	assert_false(change->has_ended);
	change->has_ended = true;
	change->err = err;
	change->fixture->ended++;
}

static int compare_devices(const void *a, const void *b)
{
	return str_compare(((const struct device_route *)a)->device, ((const struct device_route *)b)->device);
}

static void write_routes(struct change *change, const struct device_route *routes, size_t count)
{
	struct device_route sorted[16];
	struct buf text = { 0 };

	assert_true(count <= ARRAY_LEN(sorted));
	if (count)
		memcpy(sorted, routes, count * sizeof(*routes));
	qsort(sorted, count, sizeof(*sorted), compare_devices);
	for (size_t i = 0; i < count; i++) {
		buf_append_text(&text, i ? "," : "");
		buf_append_str(&text, sorted[i].device);
		buf_append_char(&text, ' ');
		route_write(&text, &sorted[i].route);
	}
	assert_true(str_copy(change->replaced, sizeof(change->replaced), buf_str(&text)));
	buf_release(&text);
}

static void on_bound(void *arg, err_t err, const struct route_bound *bound)
{
	struct change *change = arg;

	end(change, err);
	assert_true((err == OK) == (bound != NULL));
	if (!bound)
		return;
	change->bound = *bound;
	write_routes(change, bound->replaced, bound->replaced_count);
}

static void on_listed(void *arg, err_t err, const struct device_route *routes, size_t count)
{
	struct change *change = arg;

	end(change, err);
	write_routes(change, routes, count);
}

static void on_changed(void *arg, err_t err, bool was_ours)
{
	struct change *change = arg;

	end(change, err);
	change->was_ours = was_ours;
}

static struct change bind_as(struct redis_fixture *f, const struct route_binding *binding)
{
	struct change change = { .fixture = f };

	f->given++;
	route_bind(f->redis, &limits, TTL_S, binding, on_bound, &change);
	redis_fixture_turn(f);
	return change;
}

/* A binding of a connection on node 7 of gateway-1. */
static struct route_binding binding_of(struct str device, uint64_t conn)
{
	return (struct route_binding){
		.uid = UID,
		.device = device,
		.route = { .node = STR("gateway-1"), .node_epoch = 7, .conn = conn, .platform = STR("ios"), .since_ms = 5 },
	};
}

static struct change bind_now(struct redis_fixture *f, struct str device, uint64_t epoch, uint64_t conn)
{
	struct route_binding binding = binding_of(device, conn);

	binding.route.node_epoch = epoch;
	return bind_as(f, &binding);
}

/* A new connection of that platform, where the policy holds. */
static struct change bind_under(struct redis_fixture *f, enum route_policy policy, struct str device, struct str platform,
                                uint64_t conn)
{
	struct route_binding binding = binding_of(device, conn);

	binding.policy = policy;
	binding.route.platform = platform;
	return bind_as(f, &binding);
}

/* The routes in Redis, in the form of `replaced`. */
static struct change list_now(struct redis_fixture *f)
{
	struct change change = { .fixture = f };

	f->given++;
	route_list(f->redis, UID, on_listed, &change);
	redis_fixture_turn(f);
	assert_int_equal(change.err, OK);
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

static bool close_now(struct redis_fixture *f, struct str device, uint64_t epoch, uint64_t conn)
{
	struct change change = { .fixture = f };

	f->given++;
	route_close(f->redis, UID, device, STR("gateway-1"), epoch, conn, on_changed, &change);
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
	const struct str entry = STR("m");

	f->given++;
	inbox_append(f->redis, &limits, UID, NULL, &entry, 1, on_appended, &change);
	redis_fixture_turn(f);
	return change;
}

static void a_bind_makes_the_inbox_and_knows_its_head(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
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
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	bind_now(&f, PHONE, 7, 1);
	struct change second = bind_now(&f, PHONE, 7, 18446744073709551615u);
	assert_string_equal(second.replaced, "phone gateway-1|7|1|ios|5");
	assert_int_equal(redis_fixture_number(&f, "HLEN", ROUTES), 1);
	/* The same connection binds once more, as a retry does. */
	struct change again = bind_now(&f, PHONE, 7, 18446744073709551615u);
	assert_string_equal(again.replaced, "");
	/* A connection whose number begins alike is another one. */
	struct change other = bind_now(&f, PHONE, 7, 1844674407370955161u);
	assert_string_equal(other.replaced, "phone gateway-1|7|18446744073709551615|ios|5");
	redis_fixture_close(&f);
}

static void under_per_platform_a_bind_removes_the_other_routes_of_its_platform(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	bind_under(&f, ROUTE_PER_PLATFORM, PHONE, STR("ios"), 1);
	bind_under(&f, ROUTE_PER_PLATFORM, STR("laptop"), STR("desktop"), 2);
	struct change bound = bind_under(&f, ROUTE_PER_PLATFORM, STR("tablet"), STR("ios"), 3);
	assert_string_equal(bound.replaced, "phone gateway-1|7|1|ios|5");
	assert_string_equal(list_now(&f).replaced, "laptop gateway-1|7|2|desktop|5,tablet gateway-1|7|3|ios|5");
	/* The device has another platform now. */
	bound = bind_under(&f, ROUTE_PER_PLATFORM, STR("laptop"), STR("ios"), 4);
	assert_string_equal(bound.replaced, "laptop gateway-1|7|2|desktop|5,tablet gateway-1|7|3|ios|5");
	assert_string_equal(list_now(&f).replaced, "laptop gateway-1|7|4|ios|5");
	assert_false(unbind(&f, PHONE, 7, 1));
	redis_fixture_close(&f);
}

static void under_single_a_bind_removes_all_others(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	bind_now(&f, PHONE, 7, 1);
	bind_now(&f, STR("web"), 6, 2); /* of a node that may have died: all of them go */
	struct change bound = bind_under(&f, ROUTE_SINGLE, STR("laptop"), STR("desktop"), 3);
	assert_string_equal(bound.replaced, "phone gateway-1|7|1|ios|5,web gateway-1|6|2|ios|5");
	assert_string_equal(list_now(&f).replaced, "laptop gateway-1|7|3|desktop|5");
	/* The same connection once more changes nothing. */
	bound = bind_under(&f, ROUTE_SINGLE, STR("laptop"), STR("desktop"), 3);
	assert_string_equal(bound.replaced, "");
	assert_string_equal(list_now(&f).replaced, "laptop gateway-1|7|3|desktop|5");
	redis_fixture_close(&f);
}

static void a_connection_that_binds_again_yields_to_those_that_came_later(void **state)
{
	static const enum route_policy policies[] = { ROUTE_PER_DEVICE, ROUTE_PER_PLATFORM, ROUTE_SINGLE };
	struct redis_fixture f;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		struct route_binding old = binding_of(PHONE, 1);
		struct route_binding newer = binding_of(policies[i] == ROUTE_PER_DEVICE ? PHONE : STR("tablet"), 2);

		redis_fixture_open_empty(&f, 1000);
		old.policy = newer.policy = policies[i];
		newer.route.since_ms = 10000000000000; /* has more digits than the other one */
		old.again = newer.again = true;
		bind_as(&f, &newer);
		assert_int_equal(bind_as(&f, &old).err, ERR_FAILED_PRECONDITION);
		assert_true(str_starts_with(str_from(list_now(&f).replaced), newer.device));
		assert_int_equal(redis_fixture_number(&f, "HLEN", ROUTES), 1);
		/* A new connection never yields, whatever the clock of its gateway says; nor does one that is still bound. */
		old.again = false;
		assert_int_equal(bind_as(&f, &old).err, OK);
		old.again = true;
		assert_int_equal(bind_as(&f, &old).err, OK);
		/* The later connection takes the place again. */
		assert_string_equal(bind_as(&f, &newer).replaced, "phone gateway-1|7|1|ios|5");
		redis_fixture_close(&f);
	}
}

static void a_bind_that_comes_after_its_connection_was_closed_replaces_nobody(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	bind_now(&f, PHONE, 7, 1);
	assert_true(close_now(&f, PHONE, 7, 1));
	assert_false(close_now(&f, PHONE, 7, 2)); /* its bind is still on its way */
	bind_now(&f, PHONE, 7, 3);
	for (uint64_t late = 1; late <= 2; late++) {
		struct route_binding binding = binding_of(PHONE, late);

		assert_int_equal(bind_as(&f, &binding).err, ERR_FAILED_PRECONDITION);
		binding.again = true;
		assert_int_equal(bind_as(&f, &binding).err, ERR_FAILED_PRECONDITION);
	}
	assert_string_equal(list_now(&f).replaced, "phone gateway-1|7|3|ios|5");
	/* another connection with this number, after a restart of the gateway */
	assert_int_equal(bind_now(&f, PHONE, 8, 1).err, OK);
	assert_int_equal(redis_fixture_number(&f, "TTL", "im:gone:{bob}:gateway-1|7|1|"), ROUTE_GONE_S);
	redis_fixture_close(&f);
}

static void a_connection_whose_route_was_missing_may_bind_again(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	bind_now(&f, PHONE, 7, 1);
	assert_true(unbind(&f, PHONE, 7, 1));
	assert_int_equal(bind_now(&f, PHONE, 7, 1).err, OK);
	redis_fixture_close(&f);
}

static void malformed_routes_are_not_listed(void **state)
{
	struct redis_fixture f;
	struct redis_call call = { .fixture = NULL };
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	assert_string_equal(list_now(&f).replaced, "");
	redis_fixture_command(&f, &call, "HSET", ROUTES, "tablet", "gateway-1|7", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(call.err, OK);
	bind_now(&f, PHONE, 7, 1);
	assert_string_equal(list_now(&f).replaced, "phone gateway-1|7|1|ios|5");
	/* A bind that meets a malformed route ignores it. */
	assert_int_equal(bind_under(&f, ROUTE_SINGLE, PHONE, STR("ios"), 2).err, OK);
	redis_fixture_close(&f);
}

static void only_the_connection_itself_removes_its_route(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	bind_now(&f, PHONE, 7, 12);
	assert_false(unbind(&f, PHONE, 7, 1)); /* 1 is a prefix of 12 */
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

	redis_fixture_open_empty(&f, 1000);
	bind_now(&f, PHONE, 7, 1);
	bind_now(&f, PHONE, 8, 1);
	assert_false(unbind(&f, PHONE, 7, 1));
	assert_true(renew(&f, PHONE, 8, 1));
	redis_fixture_close(&f);
}

static void a_renewal_extends_only_the_route_of_its_own_connection(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	bind_now(&f, PHONE, 7, 1);
	assert_in_range(redis_fixture_number(&f, "TTL", ROUTES), TTL_S - 5, TTL_S);
	redis_fixture_run(&f, "EXPIRE", ROUTES, "10", NULL);
	assert_false(renew(&f, PHONE, 7, 2));
	assert_in_range(redis_fixture_number(&f, "TTL", ROUTES), 1, 10);
	assert_true(renew(&f, PHONE, 7, 1));
	assert_in_range(redis_fixture_number(&f, "TTL", ROUTES), TTL_S - 5, TTL_S);
	redis_fixture_run(&f, "FLUSHALL", NULL);
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

	redis_fixture_open_empty(&f, 1000);
	bind_now(&f, PHONE, 7, 1);
	assert_in_range(life_of_the_inbox(&f), 1490, 1500);
	append(&f);
	redis_fixture_run(&f, "EXPIRE", "im:inbox:{bob}:meta", "700", NULL);
	redis_fixture_run(&f, "EXPIRE", "im:inbox:{bob}", "700", NULL);
	/* Less than half of its lifetime has passed. */
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
	/* A renewal does not create an inbox. */
	redis_fixture_run(&f, "DEL", "im:inbox:{bob}:meta", NULL);
	assert_true(renew(&f, PHONE, 7, 1));
	assert_int_equal(redis_fixture_number(&f, "EXISTS", "im:inbox:{bob}:meta"), 0);
	redis_fixture_close(&f);
}

static void a_bind_to_another_redis_process_gets_another_epoch(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	struct change before = bind_now(&f, PHONE, 7, 1);
	append(&f);
	redis_fixture_run(&f, "SAVE", NULL);
	real_server_kill(&redis_fixture_server);
	redis_fixture_await_down(&f);
	real_server_start(&redis_fixture_server);
	struct change after = bind_now(&f, PHONE, 7, 1);
	assert_int_equal(after.err, OK);
	assert_true(after.bound.inbox_epoch != before.bound.inbox_epoch);
	assert_int_equal(after.bound.inbox_head, 0);
	redis_fixture_close(&f);
}

static void a_failed_bind_is_reported_once(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &redis_fixture_server, 1000);
	redis_fixture_await_up(&f);
	real_server_pause(&redis_fixture_server);
	struct change sent = bind_now(&f, PHONE, 7, 1);
	redis_fixture_await_down(&f);
	struct change waited = bind_now(&f, PHONE, 7, 1);
	real_server_continue(&redis_fixture_server);
	assert_int_equal(sent.err, ERR_OUTCOME_UNKNOWN);
	assert_int_equal(waited.err, ERR_UNAVAILABLE);
	redis_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bind_makes_the_inbox_and_knows_its_head),
		cmocka_unit_test(a_device_that_binds_again_replaces_its_route),
		cmocka_unit_test(under_per_platform_a_bind_removes_the_other_routes_of_its_platform),
		cmocka_unit_test(under_single_a_bind_removes_all_others),
		cmocka_unit_test(a_connection_that_binds_again_yields_to_those_that_came_later),
		cmocka_unit_test(a_bind_that_comes_after_its_connection_was_closed_replaces_nobody),
		cmocka_unit_test(a_connection_whose_route_was_missing_may_bind_again),
		cmocka_unit_test(malformed_routes_are_not_listed),
		cmocka_unit_test(only_the_connection_itself_removes_its_route),
		cmocka_unit_test(a_late_unbind_leaves_the_newer_connection_alone),
		cmocka_unit_test(a_renewal_extends_only_the_route_of_its_own_connection),
		cmocka_unit_test(an_inbox_lives_on_while_its_user_is_connected),
		cmocka_unit_test(a_bind_to_another_redis_process_gets_another_epoch),
		cmocka_unit_test(a_failed_bind_is_reported_once),
	};
	return cmocka_run_group_tests(tests, redis_fixture_make_server, redis_fixture_remove_server);
}
