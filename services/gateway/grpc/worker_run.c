#include "gateway/grpc/worker_run.h"

#include "gateway/grpc/service.h"
#include "gateway/queues/conn_table.h"
#include "gateway/worker/ws_worker.h"

static void worker_run_leave(struct worker_run *run)
{
	if (atomic_fetch_sub_explicit(&run->open_parts, 1, memory_order_acq_rel) == 1)
		run->end(run);
}

static void worker_run_part(struct task *task)
{
	struct worker_part *part = container_of(task, struct worker_part, task);

	part->run->work(part->run, part->w);
	worker_run_leave(part->run);
}

void worker_run_init(struct worker_run *run, const struct gateway_service *service,
                     void (*work)(struct worker_run *run, struct ws_worker *w), void (*end)(struct worker_run *run))
{
	run->work = work;
	run->end = end;
	run->worker_count = service->worker_count;
	atomic_init(&run->open_parts, 1);
	for (unsigned i = 0; i < run->worker_count; i++) {
		run->parts[i].run = run;
		run->parts[i].w = &service->workers[i];
		run->parts[i].task.run = worker_run_part;
	}
}

bool worker_run_add(struct worker_run *run, uint64_t conn)
{
	unsigned index = conn_worker(conn);

	if (index >= run->worker_count)
		return false;
	run->parts[index].is_concerned = true;
	return true;
}

void worker_run_add_all(struct worker_run *run)
{
	for (unsigned i = 0; i < run->worker_count; i++)
		run->parts[i].is_concerned = true;
}

void worker_run_start(struct worker_run *run)
{
	for (unsigned i = 0; i < run->worker_count; i++) {
		struct worker_part *part = &run->parts[i];

		if (!part->is_concerned)
			continue;
		atomic_fetch_add_explicit(&run->open_parts, 1, memory_order_relaxed);
		worker_post(&part->w->worker, &part->task);
	}
	worker_run_leave(run);
}
