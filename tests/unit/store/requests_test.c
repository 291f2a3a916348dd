#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "store/requests.h"

#define TIMEOUT_MS 1000

/* ---- time stands still but for advance() ---- */

static uint64_t now_ms;

static uint64_t mono_us(void)
{
	return now_ms * 1000;
}

static uint64_t wall_ms(void)
{
	return now_ms;
}

struct fixture {
	struct worker worker;
	struct requests requests;
	struct pipeline pipeline;
	unsigned stalls;
};

struct ask {
	struct request request;
	unsigned ended, freed;
	err_t err;
};

static struct fixture f;

static void end_ask(struct request *request, err_t err)
{
	struct ask *ask = container_of(request, struct ask, request);

	ask->ended++;
	ask->err = err;
}

static void free_ask(struct request *request)
{
	container_of(request, struct ask, request)->freed++;
}

static void note_stall(struct pipeline *pipeline)
{
	(void)pipeline;
	f.stalls++;
	pipeline_lose(pipeline);
}

static void advance(uint64_t ms)
{
	for (uint64_t end = now_ms + ms; now_ms < end;) {
		now_ms += WORKER_TICK_MS;
		timer_wheel_advance(&f.worker.wheel, now_ms);
	}
}

static void give(struct ask *ask)
{
	if (requests_admit(&f.requests, &ask->request))
		pipeline_push(&f.pipeline, &ask->request);
}

static void send_all(void)
{
	for (struct request *next; (next = pipeline_next(&f.pipeline));)
		pipeline_mark_sent(&f.pipeline, next);
}

static struct ask *answer_next(void)
{
	struct request *request = pipeline_take_answered(&f.pipeline);

	requests_end(&f.requests, request, OK);
	free_ask(request);
	return container_of(request, struct ask, request);
}

static void assert_ended(const struct ask *ask, err_t err, unsigned freed)
{
	assert_int_equal(ask->ended, 1);
	assert_int_equal(ask->err, err);
	assert_int_equal(ask->freed, freed);
}

static int set_up(void **state)
{
	static const struct clock_source source = { mono_us, wall_ms };
	(void)state;

	now_ms = 1000000;
	clock_replace(&source);
	f.stalls = 0;
	assert_int_equal(worker_init(&f.worker, "test"), OK);
	requests_init(&f.requests, &f.worker, 4, TIMEOUT_MS, NULL);
	f.requests.end = end_ask;
	f.requests.free = free_ask;
	pipeline_init(&f.pipeline, &f.requests, note_stall);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pipeline_close(&f.pipeline);
	requests_close(&f.requests, NULL);
	assert_int_equal(f.requests.open, 0);
	worker_stop(&f.worker);
	worker_run(&f.worker);
	worker_join(&f.worker);
	clock_replace(NULL);
	return 0;
}

static void a_request_not_sent_in_time_ends_as_not_executed(void **state)
{
	struct ask first = { 0 }, second = { 0 };
	(void)state;

	give(&first);
	advance(500);
	give(&second);
	advance(500);
	assert_ended(&first, ERR_UNAVAILABLE, 1);
	assert_int_equal(second.ended, 0);
	advance(500);
	assert_ended(&second, ERR_UNAVAILABLE, 1);
	assert_int_equal(f.pipeline.len, 0);
	assert_int_equal(f.stalls, 0);
}

static void a_sent_request_ends_in_time_and_its_late_answer_is_dropped(void **state)
{
	struct ask slow = { 0 }, behind = { 0 }, quick = { 0 };
	(void)state;

	give(&quick);
	give(&slow);
	send_all();
	advance(600);
	assert_ptr_equal(answer_next(), &quick);
	give(&behind);
	send_all();
	advance(500);
	assert_ended(&slow, ERR_OUTCOME_UNKNOWN, 0);
	assert_int_equal(f.requests.open, 1);
	assert_int_equal(f.stalls, 0); /* something was answered within the last second */
	assert_ptr_equal(answer_next(), &slow);
	assert_ended(&slow, ERR_OUTCOME_UNKNOWN, 1);
	assert_ptr_equal(answer_next(), &behind);
	assert_ended(&behind, OK, 1);
}

static void a_connection_on_which_nothing_is_answered_stalls(void **state)
{
	struct ask sent = { 0 }, waiting = { 0 };
	(void)state;

	give(&sent);
	send_all();
	advance(400);
	give(&waiting);
	advance(590);
	assert_int_equal(f.stalls, 0);
	advance(20);
	assert_int_equal(f.stalls, 1);
	assert_ended(&sent, ERR_OUTCOME_UNKNOWN, 1);
	assert_int_equal(waiting.ended, 0);
	advance(400);
	assert_ended(&waiting, ERR_UNAVAILABLE, 1);
	assert_int_equal(f.stalls, 1);
}

static void requests_that_waited_out_an_outage_do_not_stall_the_new_connection(void **state)
{
	struct ask old = { 0 }, young = { 0 };
	(void)state;

	give(&old);
	advance(980);
	give(&young);
	send_all();
	advance(30);
	assert_ended(&old, ERR_OUTCOME_UNKNOWN, 0);
	assert_int_equal(f.stalls, 0);
	assert_ptr_equal(answer_next(), &old);
	assert_ptr_equal(answer_next(), &young);
	assert_ended(&young, OK, 1);
}

static void a_request_over_the_limit_ends_on_a_later_turn(void **state)
{
	struct ask asks[6] = { 0 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(asks); i++)
		give(&asks[i]);
	assert_int_equal(asks[4].ended + asks[5].ended, 0);
	uv_run(&f.worker.loop, UV_RUN_NOWAIT);
	assert_ended(&asks[4], ERR_UNAVAILABLE, 1);
	assert_ended(&asks[5], ERR_UNAVAILABLE, 1);
	assert_int_equal(asks[3].ended, 0);
	assert_int_equal(f.requests.open, 4);
	pipeline_close(&f.pipeline);
	assert_ended(&asks[3], ERR_UNAVAILABLE, 1);
}

static void requests_put_back_go_before_waiting_ones(void **state)
{
	struct ask first = { 0 }, second = { 0 }, third = { 0 };
	struct list again;
	(void)state;

	list_init(&again);
	give(&first);
	give(&second);
	send_all();
	give(&third);
	list_push_back(&again, &pipeline_take_answered(&f.pipeline)->link);
	list_push_back(&again, &pipeline_take_answered(&f.pipeline)->link);
	assert_int_equal(f.pipeline.len, 1);
	pipeline_put_back(&f.pipeline, &again);
	assert_int_equal(f.pipeline.len, 3);
	send_all();
	assert_ptr_equal(answer_next(), &first);
	assert_ptr_equal(answer_next(), &second);
	assert_ptr_equal(answer_next(), &third);
}

static void moved_requests_keep_their_deadlines(void **state)
{
	struct pipeline homeless;
	struct ask asks[2] = { 0 };
	(void)state;

	pipeline_init(&homeless, &f.requests, NULL);
	assert_true(requests_admit(&f.requests, &asks[0].request));
	pipeline_push(&homeless, &asks[0].request);
	advance(500);
	give(&asks[1]);
	pipeline_move_waiting(&f.pipeline, &homeless);
	assert_int_equal(homeless.len, 0);
	assert_int_equal(f.pipeline.len, 2);
	assert_ptr_equal(pipeline_next(&f.pipeline), &asks[1].request);
	pipeline_close(&homeless);
	advance(1000);
	assert_ended(&asks[0], ERR_UNAVAILABLE, 1);
	assert_ended(&asks[1], ERR_UNAVAILABLE, 1);
}

static void closing_ends_every_request_once(void **state)
{
	struct ask sent = { 0 }, late = { 0 }, waiting = { 0 };
	(void)state;

	give(&late);
	send_all();
	advance(500);
	give(&sent);
	send_all();
	give(&waiting);
	requests_end(&f.requests, &late.request, ERR_OUTCOME_UNKNOWN);
	pipeline_close(&f.pipeline);
	assert_ended(&late, ERR_OUTCOME_UNKNOWN, 1);
	assert_ended(&sent, ERR_OUTCOME_UNKNOWN, 1);
	assert_ended(&waiting, ERR_UNAVAILABLE, 1);
	advance(3000);
	assert_int_equal(f.stalls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_request_not_sent_in_time_ends_as_not_executed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_sent_request_ends_in_time_and_its_late_answer_is_dropped, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_connection_on_which_nothing_is_answered_stalls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(requests_that_waited_out_an_outage_do_not_stall_the_new_connection,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_request_over_the_limit_ends_on_a_later_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(requests_put_back_go_before_waiting_ones, set_up, tear_down),
		cmocka_unit_test_setup_teardown(moved_requests_keep_their_deadlines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closing_ends_every_request_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
