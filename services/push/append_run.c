#include "push/append_run.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static void issue(struct append_run *run);

static void end(struct append_run *run)
{
	mem_free(run->jobs);
	run->jobs = NULL;
	run->done(run, run->arg);
}

/* Everything that was issued has ended: done, or the failed ones once more after a pause. */
static void settle(struct append_run *run)
{
	struct backoff backoff;
	size_t left = 0;

	if (!run->has_failed && run->next == run->job_count) {
		end(run);
		return;
	}
	for (size_t i = 0; i < run->job_count; i++) {
		if (i < run->next && !run->jobs[i].has_failed)
			continue;
		run->jobs[left] = run->jobs[i];
		run->jobs[left++].has_failed = false;
	}
	run->job_count = left;
	run->next = 0;
	run->has_failed = false;
	backoff_init(&backoff, 20, 1000);
	backoff.tries = run->tries++;
	worker_arm(run->worker, &run->retry, clock_mono_ms() + backoff_next_ms(&backoff));
}

static void on_appended(void *arg, err_t err, const struct inbox_appended *appended)
{
	struct append_job *job = arg;
	struct append_run *run = job->run;

	run->under_way--;
	if (!err) {
		outgoing_add_routes(job->outgoing, run->gateways, job->recipient, appended);
	} else {
		log_warn("append to an inbox failed, trying again", LOG_ERR(err),
		         LOG_TEXT("conversation", job->outgoing->record->message->conversation_id),
		         LOG_U64("seq", job->outgoing->seq));
		job->has_failed = run->has_failed = true;
	}
	if (!run->has_failed && run->next < run->job_count)
		issue(run);
	else if (!run->under_way)
		settle(run);
}

static void issue(struct append_run *run)
{
	struct buf entry = { 0 };
	const struct outgoing *written = NULL;

	while (run->next < run->job_count && run->under_way < APPEND_WINDOW) {
		struct append_job *job = &run->jobs[run->next++];

		if (!written || job->outgoing != written) {
			const Skein__V1__Message *message = job->outgoing->record->message;

			buf_clear(&entry);
			inbox_entry_write(&entry, str_from(message->conversation_id), message->seq);
			written = job->outgoing;
		}
		run->under_way++;
		inbox_append(run->redis, run->limits, job->outgoing->recipients->uids[job->recipient], buf_str(&entry),
		             on_appended, job);
	}
	buf_release(&entry);
}

static void on_retry(struct timer *timer)
{
	issue(container_of(timer, struct append_run, retry));
}

void append_run_start(struct append_run *run, const struct list *batch, void (*done)(struct append_run *run, void *arg),
                      void *arg)
{
	size_t count = 0, at = 0;

	list_for_each(link, batch)
		count += container_of(link, struct outgoing, link)->recipients->count;
	run->done = done;
	run->arg = arg;
	if (!count) {
		done(run, arg);
		return;
	}
	run->jobs = mem_alloc(count * sizeof(*run->jobs));
	list_for_each(link, batch) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);

		outgoing_clear_targets(outgoing);
		for (uint32_t i = 0; i < outgoing->recipients->count; i++)
			run->jobs[at++] =
				(struct append_job){ .run = run, .outgoing = outgoing, .recipient = i };
	}
	run->job_count = count;
	run->next = run->under_way = 0;
	run->has_failed = false;
	run->tries = 0;
	timer_init(&run->retry, on_retry);
	issue(run);
}

void append_run_abort(struct append_run *run)
{
	if (!run->jobs)
		return;
	worker_cancel(run->worker, &run->retry);
	mem_free(run->jobs);
	run->jobs = NULL;
}
