/* Unary calls over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "rpc_fixture.h"

struct pair {
	struct test_server server;
	struct test_client client;
};

static int set_up(void **state)
{
	struct pair *pair = MEM_NEW(struct pair);

	server_start(&pair->server, rpc_port(0));
	client_start(&pair->client, rpc_target(0));
	client_wait_up(&pair->client);
	*state = pair;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *pair = *state;

	client_stop(&pair->client);
	server_stop(&pair->server);
	mem_free(pair);
	return 0;
}

static void a_call_is_answered_on_the_callers_worker(void **state)
{
	struct pair *pair = *state;
	struct outcome out;

	call(&pair->client, UNARY_ECHO, STR("hello"), 5000, &out);
	assert_int_equal(out.err, OK);
	assert_string_equal(out.text, "hello");
	assert_string_equal(out.detail, "");
	assert_true(out.is_on_worker);
	call(&pair->client, UNARY_ON_LOOP, STR("hello again"), 5000, &out);
	assert_int_equal(out.err, OK);
	assert_string_equal(out.text, "hello again");
}

static void an_empty_message_is_a_message(void **state)
{
	struct pair *pair = *state;
	struct outcome out;

	call(&pair->client, UNARY_ECHO, STR(""), 5000, &out);
	assert_int_equal(out.err, OK);
	assert_int_equal(out.len, 0);
}

static void public_errors_arrive_as_themselves(void **state)
{
	struct pair *pair = *state;
	struct outcome out;

	for (unsigned i = ERR_INVALID_ARGUMENT; i <= ERR_UNAVAILABLE; i++) {
		const char *name = err_name((err_t)i);

		call(&pair->client, UNARY_FAIL, str_from(name), 5000, &out);
		assert_string_equal(err_name(out.err), name);
		assert_string_equal(out.detail, name);
		assert_int_equal(out.len, 0);
	}
}

static void internal_errors_arrive_as_their_public_codes(void **state)
{
	static const struct {
		err_t sent, got;
	} rows[] = {
		{ ERR_PROTOCOL, ERR_INVALID_ARGUMENT },
		{ ERR_TIMEOUT, ERR_TIMEOUT },
		{ ERR_INTERNAL, ERR_INTERNAL },
		{ ERR_BAD_CONFIG, ERR_INTERNAL },
		{ ERR_IO, ERR_UNAVAILABLE },
		{ ERR_FULL, ERR_UNAVAILABLE },
		{ ERR_CLOSED, ERR_UNAVAILABLE },
		{ ERR_NO_MEMORY, ERR_UNAVAILABLE },
	};
	struct pair *pair = *state;
	struct outcome out;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		call(&pair->client, UNARY_FAIL, str_from(err_name(rows[i].sent)), 5000, &out);
		assert_string_equal(err_name(out.err), err_name(rows[i].got));
	}
}

static void a_detail_is_ascii_and_bounded(void **state)
{
	struct pair *pair = *state;
	struct outcome out;

	call(&pair->client, UNARY_FAIL, STR("caf\xc3\xa9\n"), 5000, &out);
	assert_int_equal(out.err, ERR_INVALID_ARGUMENT);
	assert_string_equal(out.detail, "caf\\xc3\\xa9\\x0a");
}

static void a_call_without_an_answer_ends_at_its_deadline(void **state)
{
	struct pair *pair = *state;
	struct outcome out;
	uint64_t start = now_ms();

	call(&pair->client, UNARY_KEEP, STR(""), 200, &out);
	assert_int_equal(out.err, ERR_TIMEOUT);
	assert_in_range(now_ms() - start, 190, 2000);
	server_reply_kept(&pair->server); /* the late reply does no harm */
	call(&pair->client, UNARY_ECHO, STR("next"), 5000, &out);
	assert_int_equal(out.err, OK);
}

static void an_unknown_method_is_refused(void **state)
{
	struct pair *pair = *state;
	struct outcome out;

	call(&pair->client, "/test.Unary/Nothing", STR("hello"), 5000, &out);
	assert_int_equal(out.err, ERR_METHOD_NOT_ALLOWED);
	assert_string_equal(out.detail, "no such method");
}

static void a_message_over_the_limit_is_refused_and_the_connection_lives(void **state)
{
	struct pair *pair = *state;
	struct outcome out;
	size_t len = RPC_MESSAGE_MAX;
	char *big = mem_zalloc(len + 1);

	call(&pair->client, UNARY_ECHO, str_of(big, len), 20000, &out);
	assert_int_equal(out.err, OK);
	assert_int_equal(out.len, len);
	call(&pair->client, UNARY_ECHO, str_of(big, len + 1), 20000, &out);
	assert_int_equal(out.err, ERR_TOO_LARGE);
	call(&pair->client, UNARY_ECHO, STR("small"), 5000, &out);
	assert_int_equal(out.err, OK);
	mem_free(big);
}

static void on_trace(void *arg, err_t err, struct str response, const char *detail)
{
	struct outcome *out = arg;
	(void)detail;

	out->err = err;
	assert_true(str_copy(out->text, sizeof(out->text), response));
	tally_add(&out->done, 1);
}

static void trace_of(struct test_client *client, const char *sent, struct outcome *out)
{
	*out = (struct outcome){ 0 };
	tally_init(&out->done);
	rpc_call(client->channel, &client->worker, UNARY_TRACE, STR(""), 5000, true, str_from(sent), on_trace, out);
	outcome_wait(out);
	assert_int_equal(out->err, OK);
}

static void a_traceparent_is_passed_on_if_it_is_valid(void **state)
{
	static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	struct pair *pair = *state;
	struct outcome out;

	trace_of(&pair->client, good, &out);
	assert_string_equal(out.text, good);
	trace_of(&pair->client, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nx: y", &out);
	assert_string_equal(out.text, "");
	trace_of(&pair->client, "", &out);
	assert_string_equal(out.text, "");
}

#ifdef __SANITIZE_THREAD__
#define MANY 200 /* each pass through the library costs a report that is then suppressed */
#else
#define MANY 10000
#endif

struct crowd {
	struct tally done;
	atomic_uint wrong;
};

struct one_of_many {
	struct crowd *crowd;
	uint32_t number;
};

static void on_one(void *arg, err_t err, struct str response, const char *detail)
{
	struct one_of_many *one = arg;
	(void)detail;

	if (err || !str_equal(response, str_of(&one->number, sizeof(one->number))))
		atomic_fetch_add(&one->crowd->wrong, 1);
	tally_add(&one->crowd->done, 1);
}

static void ten_thousand_calls_at_once_get_their_own_answers(void **state)
{
	struct pair *pair = *state;
	struct crowd crowd = { 0 };
	struct one_of_many *all = mem_alloc(MANY * sizeof(*all));

	tally_init(&crowd.done);
	for (uint32_t i = 0; i < MANY; i++) {
		all[i] = (struct one_of_many){ &crowd, i };
		rpc_call(pair->client.channel, &pair->client.worker, i % 2 ? UNARY_ECHO : UNARY_ON_LOOP,
		         str_of(&all[i].number, sizeof(uint32_t)), 20000, true, (struct str){ 0 }, on_one, &all[i]);
	}
	assert_true(tally_reach(&crowd.done, MANY));
	assert_int_equal(crowd.wrong, 0);
	assert_int_equal(tally_now(&pair->server.calls), MANY);
	tally_release(&crowd.done);
	mem_free(all);
}

static void closing_a_channel_ends_its_calls_each_once(void **state)
{
	struct pair *pair = *state;
	struct outcome out[KEPT_MAX];

	for (size_t i = 0; i < KEPT_MAX; i++)
		call_start(&pair->client, UNARY_KEEP, STR(""), 20000, true, &out[i]);
	assert_true(tally_reach(&pair->server.calls, KEPT_MAX));
	rpc_channel_close(pair->client.channel);
	pair->client.channel = NULL;
	for (size_t i = 0; i < KEPT_MAX; i++) {
		outcome_wait(&out[i]);
		assert_int_equal(out[i].err, ERR_CLOSED);
		assert_int_equal(out[i].done.count, 1);
	}
	server_reply_kept(&pair->server);
}

static bool is_done(const void *arg)
{
	return tally_now(&((struct outcome *)arg)->done) > 0;
}

static void a_closing_server_lets_calls_under_way_end(void **state)
{
	struct test_server server = { 0 };
	struct test_client client = { 0 };
	struct outcome kept, late;
	(void)state;

	server_start(&server, rpc_port(1));
	client_start(&client, rpc_target(1));
	call_start(&client, UNARY_KEEP, STR(""), 20000, true, &kept);
	assert_true(tally_reach(&server.calls, 1));
	server_close(&server, PATIENCE_MS);
	call_start(&client, UNARY_ECHO, STR("late"), 500, false, &late);
	outcome_wait(&late);
	assert_true(late.err == ERR_UNAVAILABLE || late.err == ERR_TIMEOUT);
	assert_false(becomes_true(is_done, &kept, 200));
	server_reply_kept(&server);
	outcome_wait(&kept);
	assert_int_equal(kept.err, OK);
	assert_string_equal(kept.text, "kept");
	server_join(&server);
	client_stop(&client);
}

static void a_closing_server_cancels_calls_that_outlast_its_grace(void **state)
{
	struct test_server server = { 0 };
	struct test_client client = { 0 };
	struct outcome kept;
	(void)state;

	server_start(&server, rpc_port(2));
	client_start(&client, rpc_target(2));
	call_start(&client, UNARY_KEEP, STR(""), 20000, true, &kept);
	assert_true(tally_reach(&server.calls, 1));
	server_close(&server, 50);
	outcome_wait(&kept);
	assert_int_equal(kept.err, ERR_UNAVAILABLE);
	assert_int_equal(tally_now(&server.closed), 0); /* it still needs its reply */
	server_reply_kept(&server);
	server_join(&server);
	client_stop(&client);
}

static void without_a_server_a_call_fails_at_once_or_waits(void **state)
{
	struct test_server server = { 0 };
	struct test_client client = { 0 };
	struct outcome hasty, patient;
	(void)state;

	client_start(&client, rpc_target(3));
	uint64_t start = now_ms();
	call_start(&client, UNARY_ECHO, STR(""), 20000, false, &hasty);
	outcome_wait(&hasty);
	assert_int_equal(hasty.err, ERR_UNAVAILABLE);
	assert_in_range(now_ms() - start, 0, 1500);
	call_start(&client, UNARY_ECHO, STR("patient"), 20000, true, &patient);
	server_start(&server, rpc_port(3));
	outcome_wait(&patient);
	assert_int_equal(patient.err, OK);
	assert_string_equal(patient.text, "patient");
	client_stop(&client);
	server_stop(&server);
}

static void try_port(void *arg)
{
	struct test_server *taken = arg;
	const struct rpc_server_options options = { .listen = taken->listen };
	struct rpc_server *second;

	assert_int_equal(rpc_server_new(&second, &taken->worker, &options), ERR_IO);
}

static void a_taken_port_is_an_error(void **state)
{
	struct pair *pair = *state;

	run_on(&pair->server.worker, try_port, &pair->server);
}

static void a_malformed_list_of_targets_is_refused(void **state)
{
	static const char *const lists[] = { "", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:1,localhost:2", "a:1,b:2", "::1:80" };
	struct pair *pair = *state;
	struct rpc_channel *channel;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		assert_int_equal(rpc_channel_new(&channel, pair->client.rpc, lists[i]), ERR_BAD_CONFIG);
}

static void a_name_is_resolved(void **state)
{
	struct pair *pair = *state;
	struct rpc_channel *by_address = pair->client.channel;
	struct outcome out;
	char name[32];

	snprintf(name, sizeof(name), "dns:localhost:%u", rpc_port(0));
	assert_int_equal(rpc_channel_new(&pair->client.channel, pair->client.rpc, name), OK);
	call(&pair->client, UNARY_ECHO, STR("by name"), 10000, &out);
	assert_int_equal(out.err, OK);
	rpc_channel_close(pair->client.channel);
	pair->client.channel = by_address;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_is_answered_on_the_callers_worker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_empty_message_is_a_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(public_errors_arrive_as_themselves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(internal_errors_arrive_as_their_public_codes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_detail_is_ascii_and_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_call_without_an_answer_ends_at_its_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_unknown_method_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_message_over_the_limit_is_refused_and_the_connection_lives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_traceparent_is_passed_on_if_it_is_valid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ten_thousand_calls_at_once_get_their_own_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closing_a_channel_ends_its_calls_each_once, set_up, tear_down),
		cmocka_unit_test(a_closing_server_lets_calls_under_way_end),
		cmocka_unit_test(a_closing_server_cancels_calls_that_outlast_its_grace),
		cmocka_unit_test(without_a_server_a_call_fails_at_once_or_waits),
		cmocka_unit_test_setup_teardown(a_taken_port_is_an_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_malformed_list_of_targets_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_is_resolved, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
