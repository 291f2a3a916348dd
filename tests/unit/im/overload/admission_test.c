/*
 * The admission in a simulation, millisecond by millisecond: two im with a queue each, which store at a pace, the transit
 * through Kafka, and a push that delivers at its own pace. The waits are measured as in the services.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/macros.h"
#include "im/overload/admission.h"
#include "im/entries/queue_wait.h"

#define STORE_TARGET_MS 100
#define DELIVERY_TARGET_MS 150
#define IMS 2
#define BATCH 64
#define MESSAGES_MAX 400000

/* A queue of messages, each with the times at which it came to the system and to the queue. */
struct queue {
	struct stamp {
		unsigned sent_ms, came_ms;
	} * at;
	unsigned first, end;
};

struct im {
	struct admission admission;
	struct queue_wait wait;
	struct queue queue;
	double owed; /* messages that are due to arrive */
	unsigned busy_until_ms, batch;
};

struct system {
	double store_pace, delivery_pace; /* messages a millisecond: of each im, of push */
	unsigned transit_ms; /* from the commit until push has it */
	bool is_push_away;
	struct im ims[IMS];
	struct queue transit, delivery;
	struct queue_wait delivery_wait; /* as in push */
	unsigned delivered_before; /* this interval */
	unsigned told_ms, read_ms; /* the wait that push reported last, the wait that im has read */
	double deliverable;
	unsigned now_ms;
	/* counted since they were set to 0 */
	unsigned offered, refused, delivered, longest_ms;
};

static void queue_put(struct queue *queue, unsigned sent_ms, unsigned came_ms)
{
	if (!queue->at)
		queue->at = malloc(MESSAGES_MAX * sizeof(*queue->at));
	assert_true(queue->end < MESSAGES_MAX);
	queue->at[queue->end++] = (struct stamp){ sent_ms, came_ms };
}

static unsigned queue_len(const struct queue *queue)
{
	return queue->end - queue->first;
}

static struct system *system_new(double store_pace, double delivery_pace)
{
	struct system *system = calloc(1, sizeof(*system));

	system->store_pace = store_pace;
	system->delivery_pace = delivery_pace;
	system->transit_ms = 30;
	for (unsigned i = 0; i < IMS; i++) {
		admission_init(&system->ims[i].admission, STORE_TARGET_MS, DELIVERY_TARGET_MS, 0, i);
		queue_wait_init(&system->ims[i].wait, BATCH);
	}
	return system;
}

static void system_free(struct system *system)
{
	for (unsigned i = 0; i < IMS; i++)
		free(system->ims[i].queue.at);
	free(system->transit.at);
	free(system->delivery.at);
	free(system);
}

static double capacity(const struct system *system)
{
	return MIN(IMS * system->store_pace, system->delivery_pace);
}

static void arrive(struct system *system, struct im *im)
{
	system->offered++;
	if (admission_refuses(&im->admission) || queue_len(&im->queue) >= queue_wait_room(&im->wait))
		system->refused++;
	else
		queue_put(&im->queue, system->now_ms, system->now_ms);
}

static void store(struct system *system, struct im *im)
{
	unsigned now = system->now_ms;

	if (now < im->busy_until_ms)
		return;
	for (unsigned i = 0; i < im->batch; i++)
		queue_put(&system->transit, im->queue.at[im->queue.first - im->batch + i].sent_ms, now + system->transit_ms);
	if (im->batch && queue_len(&im->queue))
		queue_wait_done(&im->wait, im->batch, (uint64_t)((double)im->batch / system->store_pace * 1000));
	im->batch = MIN(queue_len(&im->queue), BATCH);
	if (im->batch == 0)
		return;
	queue_wait_cut(&im->wait, now - im->queue.at[im->queue.first].came_ms);
	im->queue.first += im->batch;
	im->busy_until_ms = now + (unsigned)MAX((double)im->batch / system->store_pace, 1);
}

static void deliver(struct system *system)
{
	struct queue *transit = &system->transit, *delivery = &system->delivery;

	for (; queue_len(transit) && transit->at[transit->first].came_ms <= system->now_ms; transit->first++)
		queue_put(delivery, transit->at[transit->first].sent_ms, system->now_ms);
	system->deliverable = system->is_push_away ? 0 : system->deliverable + system->delivery_pace;
	for (; system->deliverable >= 1 && queue_len(delivery); system->deliverable -= 1, delivery->first++) {
		struct stamp stamp = delivery->at[delivery->first];
		queue_wait_cut(&system->delivery_wait, system->now_ms - stamp.came_ms);
		system->longest_ms = MAX(system->longest_ms, system->now_ms - stamp.sent_ms);
		system->delivered++;
	}
	system->deliverable = MIN(system->deliverable, 1);
}

/* push reports its wait, and im reads the report of the interval before. */
static void end_interval(struct system *system)
{
	unsigned delivered = system->delivery.first - system->delivered_before;

	system->read_ms = system->told_ms;
	system->told_ms = 0;
	if (delivered) {
		queue_wait_done(&system->delivery_wait, delivered, 1000 * ADMISSION_INTERVAL_MS);
		system->told_ms = queue_wait_end_interval(&system->delivery_wait, queue_len(&system->delivery), 0);
	}
	system->delivered_before = system->delivery.first;
	for (unsigned i = 0; i < IMS; i++) {
		struct im *im = &system->ims[i];
		struct queue *queue = &im->queue;
		unsigned head_ms = queue_len(queue) ? system->now_ms - queue->at[queue->first].came_ms : 0;
		const struct admission_waits waits = {
			.store_ms = queue_wait_end_interval(&im->wait, queue_len(queue), head_ms),
			.delivery_ms = system->read_ms,
		};
		admission_update(&im->admission, &waits);
	}
}

/* Offers `times` the capacity for `ms`, and counts from 0. */
static void offer(struct system *system, double times, unsigned ms)
{
	double pace = capacity(system) * times / IMS;

	system->offered = system->refused = system->delivered = system->longest_ms = 0;
	for (unsigned until = system->now_ms + ms; system->now_ms < until; system->now_ms++) {
		for (unsigned i = 0; i < IMS; i++) {
			struct im *im = &system->ims[i];
			for (im->owed += pace; im->owed >= 1; im->owed -= 1)
				arrive(system, im);
			store(system, im);
		}
		deliver(system);
		if (system->now_ms % ADMISSION_INTERVAL_MS == ADMISSION_INTERVAL_MS - 1)
			end_interval(system);
	}
}

static double goodput(const struct system *system, unsigned ms)
{
	return (double)system->delivered / (capacity(system) * ms);
}

/* ---- the tests ---- */

static void nobody_is_refused_below_the_capacity(void **state)
{
	struct system *system = system_new(2, 3);
	(void)state;

	offer(system, 0.9, 20000);
	assert_int_equal(system->refused, 0);
	system_free(system);
}

static void a_burst_is_taken_whole(void **state)
{
	struct system *system = system_new(2, 10);
	(void)state;

	offer(system, 0.3, 1000);
	for (int i = 0; i < 600; i++) /* the sends that are stored in 0.3 s */
		arrive(system, &system->ims[0]);
	assert_int_equal(system->refused, 0);
	offer(system, 0.3, 5000);
	assert_in_range(100 * system->refused / system->offered, 0, 5);
	system_free(system);
}

/* A load that jumps to `times` the capacity and stays there, and a low load afterwards. */
static void check_overload(double store_pace, double delivery_pace, double times)
{
	struct system *system = system_new(store_pace, delivery_pace);

	offer(system, 0.5, 1000);
	offer(system, times, 3000);
	assert_in_range(system->longest_ms, 0, times > 3 ? 2000 : 1000);
	offer(system, times, 10000);
	assert_true(goodput(system, 10000) > 0.95);
	assert_in_range(system->longest_ms, STORE_TARGET_MS, times > 3 ? 2000 : 500);
	offer(system, 0.3, 3500);
	offer(system, 0.3, 1000);
	assert_int_equal(system->refused, 0);
	assert_in_range(system->longest_ms, 0, 100);
	system_free(system);
}

static void an_overload_of_the_store_keeps_the_goodput_and_the_latency(void **state)
{
	static const double times[] = { 1.1, 1.5, 3, 10, 20 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		check_overload(1, 5, times[i]);
}

static void an_overload_of_push_keeps_the_goodput_and_the_latency(void **state)
{
	static const double times[] = { 1.1, 1.5, 3, 10, 20 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		check_overload(2, 3, times[i]);
}

/* The share that is let in settles: after the jump no interval lets in nearly all or nearly nothing. */
static void the_share_does_not_oscillate(void **state)
{
	struct system *system = system_new(2, 3);
	double least = 1, most = 0;
	(void)state;

	offer(system, 3, 4000);
	for (int i = 0; i < 100; i++) {
		offer(system, 3, ADMISSION_INTERVAL_MS);
		least = MIN(least, system->ims[0].admission.share);
		most = MAX(most, system->ims[0].admission.share);
	}
	assert_true(least > 0.15);
	assert_true(most < 0.6);
	system_free(system);
}

static void a_slow_way_to_push_costs_little(void **state)
{
	struct system *system = system_new(2, 3);
	(void)state;

	system->transit_ms = 500;
	offer(system, 3, 4000);
	offer(system, 3, 20000);
	assert_true(goodput(system, 20000) > 0.8);
	assert_in_range(system->longest_ms, 500, 500 + 1000);
	system_free(system);
}

/* The load fits, so the wait goes away by itself: with half of the capacity free, what 0.3 s have left is delivered in 0.3 s. */
static void a_pause_of_push_refuses_nobody(void **state)
{
	struct system *system = system_new(2, 3);
	(void)state;

	offer(system, 0.5, 2000);
	for (int i = 0; i < 10; i++) {
		system->is_push_away = true;
		offer(system, 0.5, 300);
		unsigned refused = system->refused;
		system->is_push_away = false;
		offer(system, 0.5, 2000);
		assert_int_equal(refused + system->refused, 0);
	}
	system_free(system);
}

static void a_push_that_is_away_refuses_nobody(void **state)
{
	struct system *system = system_new(2, 3);
	(void)state;

	system->is_push_away = true;
	offer(system, 0.9, 20000);
	assert_int_equal(system->refused, 0);
	assert_int_equal(system->delivered, 0);
	system_free(system);
}

static void the_backlog_of_an_outage_is_worked_off_while_new_sends_go_on(void **state)
{
	struct system *system = system_new(2, 3);
	(void)state;

	system->is_push_away = true;
	offer(system, 0.9, 10000);
	system->is_push_away = false;
	offer(system, 0.9, 2000); /* until the admission has reacted */
	unsigned before = queue_len(&system->delivery);
	for (int second = 0; second < 5; second++) {
		offer(system, 0.9, 1000);
		assert_true(system->offered - system->refused > system->offered / 3);
	}
	assert_true(queue_len(&system->delivery) < before);
	offer(system, 0.9, 25000);
	offer(system, 0.9, 5000);
	assert_int_equal(system->refused, 0);
	assert_in_range(system->longest_ms, 0, 200);
	system_free(system);
}

static void some_are_always_let_in(void **state)
{
	struct admission admission;
	unsigned in = 0;
	(void)state;

	admission_init(&admission, STORE_TARGET_MS, DELIVERY_TARGET_MS, 0, 1);
	for (unsigned i = 0; i < 1000; i++)
		admission_update(&admission, &(struct admission_waits){ .store_ms = 1000 * i });
	for (int i = 0; i < 100000; i++)
		in += !admission_refuses(&admission);
	assert_in_range(in, 1700, 2300);
}

static void a_free_rate_is_let_in_at_any_wait(void **state)
{
	struct admission admission;
	unsigned in = 0;
	(void)state;

	admission_init(&admission, STORE_TARGET_MS, DELIVERY_TARGET_MS, 50, 1);
	for (unsigned i = 0; i < 1000; i++)
		admission_update(&admission, &(struct admission_waits){ .store_ms = 1000 * i });
	for (int i = 0; i < 50; i++)
		assert_false(admission_refuses(&admission)); /* those that were not used in a second */
	for (int i = 0; i < 100000; i++)
		in += !admission_refuses(&admission);
	assert_in_range(in, 1700, 2300);
	for (int second = 0; second < 100; second++)
		for (int interval = 0; interval < 10; interval++) {
			admission_update(&admission, &(struct admission_waits){ .store_ms = 2000000 });
			for (int i = 0; i < 5; i++)
				assert_false(admission_refuses(&admission));
		}
	in = 0;
	for (int i = 0; i < 1000; i++)
		in += !admission_refuses(&admission);
	assert_in_range(in, 0, 100);
}

static void a_refused_client_may_try_again_after_one_to_three_seconds(void **state)
{
	struct admission admission;
	unsigned seen[5] = { 0 };
	(void)state;

	admission_init(&admission, STORE_TARGET_MS, DELIVERY_TARGET_MS, 0, 1);
	for (int i = 0; i < 3000; i++) {
		unsigned seconds = admission_retry_after_s(&admission);
		assert_in_range(seconds, 1, 3);
		seen[seconds]++;
	}
	for (unsigned s = 1; s <= 3; s++)
		assert_in_range(seen[s], 800, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_refused_below_the_capacity),
		cmocka_unit_test(a_burst_is_taken_whole),
		cmocka_unit_test(an_overload_of_the_store_keeps_the_goodput_and_the_latency),
		cmocka_unit_test(an_overload_of_push_keeps_the_goodput_and_the_latency),
		cmocka_unit_test(the_share_does_not_oscillate),
		cmocka_unit_test(a_slow_way_to_push_costs_little),
		cmocka_unit_test(a_pause_of_push_refuses_nobody),
		cmocka_unit_test(a_push_that_is_away_refuses_nobody),
		cmocka_unit_test(the_backlog_of_an_outage_is_worked_off_while_new_sends_go_on),
		cmocka_unit_test(some_are_always_let_in),
		cmocka_unit_test(a_free_rate_is_let_in_at_any_wait),
		cmocka_unit_test(a_refused_client_may_try_again_after_one_to_three_seconds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
