#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "gateway/grpc/service.h"
#include "gateway/grpc/worker_run.h"
#include "gateway/worker/ws_worker.h"

#define WORKERS 3

static struct ws_worker workers[WORKERS];
static const struct gateway_service service = { .workers = workers, .worker_count = WORKERS };

struct request {
	unsigned parts[WORKERS];
	bool is_on_another_thread;
	unsigned ends;
	uv_sem_t ended;
	struct worker_run run;
};

static void work(struct worker_run *run, struct ws_worker *w)
{
	struct request *request = container_of(run, struct request, run);
	uv_thread_t self = uv_thread_self();

	request->parts[w - workers]++;
	if (!uv_thread_equal(&self, &w->worker.thread))
		request->is_on_another_thread = true;
}

static void end(struct worker_run *run)
{
	struct request *request = container_of(run, struct request, run);

	request->ends++;
	uv_sem_post(&request->ended);
}

static struct request *request_new(void)
{
	struct request *request = mem_zalloc(sizeof(*request) + worker_run_size(WORKERS));

	assert_int_equal(uv_sem_init(&request->ended, 0), 0);
	worker_run_init(&request->run, &service, work, end);
	return request;
}

static void request_free(struct request *request)
{
	uv_sem_destroy(&request->ended);
	mem_free(request);
}

static uint64_t conn_of(unsigned worker)
{
	return (uint64_t)worker << 56 | 1;
}

static void each_worker_concerned_does_its_part_once_on_its_thread_before_the_end(void **state)
{
	(void)state;

	for (int i = 0; i < 1000; i++) {
		struct request *request = request_new();

		assert_true(worker_run_add(&request->run, conn_of(0)));
		assert_true(worker_run_add(&request->run, conn_of(2)));
		assert_true(worker_run_add(&request->run, conn_of(0)));
		worker_run_start(&request->run);
		uv_sem_wait(&request->ended);
		assert_int_equal(request->parts[0], 1);
		assert_int_equal(request->parts[1], 0);
		assert_int_equal(request->parts[2], 1);
		assert_int_equal(request->ends, 1);
		assert_false(request->is_on_another_thread);
		request_free(request);
	}
}

static void without_a_part_the_request_ends_at_the_start(void **state)
{
	struct request *request = request_new();
	(void)state;

	worker_run_start(&request->run);
	assert_int_equal(request->ends, 1);
	request_free(request);
}

static void a_connection_of_an_unknown_worker_has_no_part(void **state)
{
	struct request *request = request_new();
	(void)state;

	assert_false(worker_run_add(&request->run, conn_of(WORKERS)));
	assert_false(worker_run_add(&request->run, UINT64_MAX));
	worker_run_start(&request->run);
	assert_int_equal(request->ends, 1);
	request_free(request);
}

static int start_workers(void **state)
{
	(void)state;

	for (unsigned i = 0; i < WORKERS; i++)
		if (worker_init(&workers[i].worker, "test") || worker_start(&workers[i].worker))
			return -1;
	return 0;
}

static void stop_work(struct worker_run *run, struct ws_worker *w)
{
	(void)run;
	worker_stop(&w->worker);
}

static int stop_workers(void **state)
{
	struct request *request = request_new();
	(void)state;

	request->run.work = stop_work;
	for (unsigned i = 0; i < WORKERS; i++)
		(void)worker_run_add(&request->run, conn_of(i));
	worker_run_start(&request->run);
	for (unsigned i = 0; i < WORKERS; i++)
		worker_join(&workers[i].worker);
	request_free(request);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_worker_concerned_does_its_part_once_on_its_thread_before_the_end),
		cmocka_unit_test(without_a_part_the_request_ends_at_the_start),
		cmocka_unit_test(a_connection_of_an_unknown_worker_has_no_part),
	};
	return cmocka_run_group_tests(tests, start_workers, stop_workers);
}
