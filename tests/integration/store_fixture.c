#include "store_fixture.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"

struct alarm {
	struct timer timer;
	bool has_rung;
};

static void ring(struct timer *timer)
{
	container_of(timer, struct alarm, timer)->has_rung = true;
}

static bool turn(struct worker *worker, bool (*is_so)(void *arg), void *arg, uint64_t ms)
{
	struct alarm alarm = { .has_rung = false };

	timer_init(&alarm.timer, ring);
	worker_arm(worker, &alarm.timer, clock_mono_ms() + ms);
	while (!alarm.has_rung && !is_so(arg))
		uv_run(&worker->loop, UV_RUN_ONCE);
	worker_cancel(worker, &alarm.timer);
	return is_so(arg);
}

void turn_until(struct worker *worker, bool (*is_so)(void *arg), void *arg)
{
	assert_true(turn(worker, is_so, arg, STORE_PATIENCE_MS));
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

void turn_for(struct worker *worker, uint64_t ms)
{
	turn(worker, never, NULL, ms);
}

void end_worker(struct worker *worker)
{
	alarm(STORE_PATIENCE_MS / 1000);
	worker_stop(worker);
	worker_run(worker);
	worker_join(worker);
	alarm(0);
}

void note_closed(void *is_closed)
{
	*(bool *)is_closed = true;
}

static bool is_true(void *flag)
{
	return *(bool *)flag;
}

void turn_until_true(struct worker *worker, bool *flag)
{
	turn_until(worker, is_true, flag);
}

struct goal {
	const unsigned *count;
	unsigned wanted;
};

static bool is_reached(void *arg)
{
	const struct goal *goal = arg;

	return *goal->count >= goal->wanted;
}

void turn_until_count(struct worker *worker, const unsigned *count, unsigned wanted)
{
	struct goal goal = { count, wanted };

	turn_until(worker, is_reached, &goal);
}

uint64_t allocated_bytes(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

uint64_t own_cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}
