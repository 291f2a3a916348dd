/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "net/http/internal_server.h"

#include "http_client.h"

#define RUNS 64

/* A dependency under the test's control: the test learns of each run and ends it. */
struct dependency {
	uv_sem_t started;
	uv_mutex_t lock;
	struct readiness_run *runs[RUNS]; /* guarded by lock, as the rest */
	int made, taken;
};

struct fixture {
	struct worker worker;
	struct internal_server *server;
	uint16_t port;
	struct dependency dependency;
	struct task stop;
};

static void start_dependency(struct readiness_run *run, void *arg)
{
	struct dependency *dependency = arg;

	uv_mutex_lock(&dependency->lock);
	assert_true(dependency->made < RUNS);
	dependency->runs[dependency->made++] = run;
	uv_mutex_unlock(&dependency->lock);
	uv_sem_post(&dependency->started);
}

static void always_there(struct readiness_run *run, void *arg)
{
	(void)arg;
	readiness_done(run, OK);
}

/* Ends the runs that the test did not end; the server is gone by then. */
static void on_closed(void *arg)
{
	struct fixture *f = arg;
	struct dependency *dependency = &f->dependency;

	while (dependency->taken < dependency->made)
		readiness_done(dependency->runs[dependency->taken++], OK);
	worker_stop(&f->worker);
}

static void stop_all(struct task *task)
{
	struct fixture *f = container_of(task, struct fixture, stop);

	internal_server_close(f->server, on_closed, f);
}

static int start(void **state)
{
	struct fixture *f = MEM_NEW(struct fixture);
	const struct readiness_check checks[] = {
		{ "postgres", start_dependency, &f->dependency },
		{ "redis", always_there, NULL },
	};

	*state = f;
	log_set_fd(open("/dev/null", O_WRONLY));
	f->stop.run = stop_all;
	uv_sem_init(&f->dependency.started, 0);
	uv_mutex_init(&f->dependency.lock);
	if (worker_init(&f->worker, "internal") ||
	    internal_server_new(&f->server, &f->worker, "127.0.0.1:0", checks, ARRAY_LEN(checks)))
		return -1;
	f->port = internal_server_port(f->server);
	return worker_start(&f->worker) ? -1 : 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	worker_post(&f->worker, &f->stop);
	worker_join(&f->worker);
	uv_sem_destroy(&f->dependency.started);
	uv_mutex_destroy(&f->dependency.lock);
	mem_free(f);
	return 0;
}

/* One step on the worker's thread; waits for it. */
struct step {
	struct task task;
	struct fixture *fixture;
	struct readiness_run *run;
	err_t err;
	uv_sem_t done;
};

static void on_worker(struct fixture *f, void (*run)(struct task *task), struct readiness_run *ended, err_t err)
{
	struct step step = { .task = { .run = run }, .fixture = f, .run = ended, .err = err };

	uv_sem_init(&step.done, 0);
	worker_post(&f->worker, &step.task);
	uv_sem_wait(&step.done);
	uv_sem_destroy(&step.done);
}

static void end_run(struct task *task)
{
	struct step *step = container_of(task, struct step, task);

	readiness_done(step->run, step->err);
	uv_sem_post(&step->done);
}

static void drain(struct task *task)
{
	struct step *step = container_of(task, struct step, task);

	internal_server_drain(step->fixture->server);
	uv_sem_post(&step->done);
}

/* Waits for the dependency's next run. */
static struct readiness_run *next_run(struct fixture *f)
{
	uv_sem_wait(&f->dependency.started);
	uv_mutex_lock(&f->dependency.lock);
	struct readiness_run *run = f->dependency.runs[f->dependency.taken++];
	uv_mutex_unlock(&f->dependency.lock);
	return run;
}

static void assert_ready(struct fixture *f, int status, const char *body)
{
	struct reply reply;

	http_ask(f->port, "GET /readyz HTTP/1.1\r\nHost: skein\r\n\r\n", &reply);
	assert_int_equal(reply.status, status);
	assert_string_equal(reply.body, body);
	reply_free(&reply);
}

#define PENDING "{\"ready\":false,\"draining\":false,\"checks\":{\"postgres\":\"pending\",\"redis\":\"ok\"}}"
#define READY "{\"ready\":true,\"draining\":false,\"checks\":{\"postgres\":\"ok\",\"redis\":\"ok\"}}"
#define FAILED "{\"ready\":false,\"draining\":false,\"checks\":{\"postgres\":\"ERR_IO\",\"redis\":\"ok\"}}"
#define TIMED_OUT "{\"ready\":false,\"draining\":false,\"checks\":{\"postgres\":\"ERR_TIMEOUT\",\"redis\":\"ok\"}}"
#define DRAINING "{\"ready\":false,\"draining\":true,\"checks\":{\"postgres\":\"ok\",\"redis\":\"ok\"}}"

static void readiness_follows_the_answers_of_the_dependency(void **state)
{
	struct fixture *f = *state;

	struct readiness_run *run = next_run(f);
	assert_ready(f, 503, PENDING);
	on_worker(f, end_run, run, OK);
	assert_ready(f, 200, READY);
	on_worker(f, end_run, next_run(f), ERR_IO);
	assert_ready(f, 503, FAILED);
	on_worker(f, end_run, next_run(f), OK);
	assert_ready(f, 200, READY);
}

static void a_check_that_does_not_end_counts_as_failed_and_its_late_end_changes_nothing(void **state)
{
	struct fixture *f = *state;

	on_worker(f, end_run, next_run(f), OK);
	struct readiness_run *lost = next_run(f);
	struct readiness_run *next = next_run(f); /* not before the lost one timed out */
	assert_ptr_not_equal(lost, next);
	assert_ready(f, 503, TIMED_OUT);
	on_worker(f, end_run, lost, OK);
	assert_ready(f, 503, TIMED_OUT);
	on_worker(f, end_run, next, OK);
	assert_ready(f, 200, READY);
}

static void a_draining_service_is_not_ready(void **state)
{
	struct fixture *f = *state;

	on_worker(f, end_run, next_run(f), OK);
	assert_ready(f, 200, READY);
	on_worker(f, drain, NULL, OK);
	assert_ready(f, 503, DRAINING);
}

static void no_check_is_started_for_a_draining_service(void **state)
{
	struct fixture *f = *state;
	const struct timespec rounds = { .tv_sec = 3 * READINESS_INTERVAL_MS / 1000, .tv_nsec = 500000000 };

	on_worker(f, end_run, next_run(f), OK);
	assert_ready(f, 200, READY);
	on_worker(f, drain, NULL, OK);
	uv_mutex_lock(&f->dependency.lock);
	int made = f->dependency.made;
	uv_mutex_unlock(&f->dependency.lock);
	nanosleep(&rounds, NULL); /* no event tells that a run did not come */
	uv_mutex_lock(&f->dependency.lock);
	assert_int_equal(f->dependency.made, made);
	uv_mutex_unlock(&f->dependency.lock);
}

/* ---- when nobody asks ---- */

static atomic_uint_fast64_t ahead_us; /* of the real clock */

static uint64_t clock_ahead_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + ahead_us;
}

static uint64_t clock_ahead_wall_ms(void)
{
	return clock_ahead_us() / 1000;
}

static const struct clock_source clock_ahead = { clock_ahead_us, clock_ahead_wall_ms };

static int start_with_clock(void **state)
{
	ahead_us = 0;
	clock_replace(&clock_ahead);
	return start(state);
}

static int stop_with_clock(void **state)
{
	int result = stop(state);

	clock_replace(NULL);
	return result;
}

struct question {
	struct fixture *fixture;
	int status;
	const char *body;
};

static void ask(void *arg)
{
	struct question *question = arg;

	assert_ready(question->fixture, question->status, question->body);
}

static int runs_made(struct fixture *f)
{
	uv_mutex_lock(&f->dependency.lock);
	int made = f->dependency.made;
	uv_mutex_unlock(&f->dependency.lock);
	return made;
}

static void checks_rest_when_nobody_asks_and_the_next_question_waits_for_a_new_one(void **state)
{
	struct fixture *f = *state;
	const struct timespec rounds = { .tv_sec = 3 * READINESS_INTERVAL_MS / 1000, .tv_nsec = 500000000 };
	struct question question = { f, 503, FAILED };
	uv_thread_t asker;

	on_worker(f, end_run, next_run(f), OK);
	assert_ready(f, 200, READY);
	ahead_us = READINESS_WATCHED_MS * 1000;
	while (f->dependency.taken < runs_made(f)) /* it began before the clock was set */
		on_worker(f, end_run, next_run(f), OK);
	int made = runs_made(f);
	nanosleep(&rounds, NULL); /* no event tells that a run did not come */
	assert_int_equal(runs_made(f), made);

	assert_int_equal(uv_thread_create(&asker, ask, &question), 0);
	on_worker(f, end_run, next_run(f), ERR_IO); /* all earlier ones had ended well */
	uv_thread_join(&asker);
}

static void a_question_that_waits_is_answered_when_the_service_drains(void **state)
{
	struct fixture *f = *state;
	struct question question = { f, 503, DRAINING };
	uv_thread_t asker;

	on_worker(f, end_run, next_run(f), OK);
	assert_ready(f, 200, READY);
	ahead_us = READINESS_WATCHED_MS * 1000;
	assert_int_equal(uv_thread_create(&asker, ask, &question), 0);
	struct readiness_run *run = next_run(f); /* the question waits for this one */
	on_worker(f, drain, NULL, OK);
	uv_thread_join(&asker);
	on_worker(f, end_run, run, OK);
}

static void health_and_metrics_are_served_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct reply reply;
	char type[64];

	counter_add(metrics_counter("skein_test_total", "Of a test.", NULL), 3);
	http_ask(f->port, "GET /healthz HTTP/1.1\r\nHost: skein\r\n\r\n", &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "{\"status\":\"ok\"}");
	reply_free(&reply);
	http_ask(f->port, "GET /metrics HTTP/1.1\r\nHost: skein\r\n\r\n", &reply);
	assert_int_equal(reply.status, 200);
	assert_non_null(reply_header(&reply, "Content-Type", type, sizeof(type)));
	assert_memory_equal(type, "text/plain; version=0.0.4", 25);
	assert_non_null(strstr(reply.body, "\nskein_test_total 3\n"));
	reply_free(&reply);
	http_ask(f->port, "GET / HTTP/1.1\r\nHost: skein\r\n\r\n", &reply);
	assert_int_equal(reply.status, 404);
	reply_free(&reply);
	http_ask(f->port, "POST /readyz HTTP/1.1\r\nHost: skein\r\n\r\n", &reply);
	assert_int_equal(reply.status, 405);
	reply_free(&reply);
}

static void a_server_without_dependencies_is_ready_at_once(void **state)
{
	struct fixture f = { .stop = { .run = stop_all } };
	(void)state;

	assert_int_equal(worker_init(&f.worker, "internal"), OK);
	assert_int_equal(internal_server_new(&f.server, &f.worker, "127.0.0.1:0", NULL, 0), OK);
	f.port = internal_server_port(f.server);
	assert_int_equal(worker_start(&f.worker), OK);
	assert_ready(&f, 200, "{\"ready\":true,\"draining\":false,\"checks\":{}}");
	worker_post(&f.worker, &f.stop);
	worker_join(&f.worker);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(readiness_follows_the_answers_of_the_dependency),
		TEST(a_check_that_does_not_end_counts_as_failed_and_its_late_end_changes_nothing),
		TEST(a_draining_service_is_not_ready),
		TEST(no_check_is_started_for_a_draining_service),
		cmocka_unit_test_setup_teardown(checks_rest_when_nobody_asks_and_the_next_question_waits_for_a_new_one,
		                                start_with_clock, stop_with_clock),
		cmocka_unit_test_setup_teardown(a_question_that_waits_is_answered_when_the_service_drains, start_with_clock,
		                                stop_with_clock),
		TEST(health_and_metrics_are_served_and_nothing_else),
		cmocka_unit_test(a_server_without_dependencies_is_ready_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
