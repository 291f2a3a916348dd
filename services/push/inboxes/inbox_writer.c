#include "push/inboxes/inbox_writer.h"

#include <assert.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"

static void issue(struct inbox_writer *run);

static void release(struct inbox_writer *run)
{
	buf_release(&run->text);
	mem_free(run->entries);
	mem_free(run->jobs);
	run->jobs = NULL;
}

static void end(struct inbox_writer *run)
{
	release(run);
	run->done(run, run->arg);
}

/* Everything that was issued has ended: done, or the failed ones once more after a pause. */
static void settle(struct inbox_writer *run)
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

static struct outgoing *first_of(const struct inbox_writer *run)
{
	return container_of(run->batch->next, struct outgoing, link);
}

static void on_appended(void *arg, err_t err, const struct inbox_appended *appended)
{
	struct inbox_write *job = arg;
	struct inbox_writer *run = job->run;

	run->under_way--;
	if (!err) {
		struct inbox_appended one = *appended;

		list_for_each(link, run->batch) {
			outgoing_add_routes(container_of(link, struct outgoing, link), run->gateways, job->recipient, &one);
			one.offset++;
		}
	} else {
		log_warn("append to an inbox failed, trying again", LOG_ERR(err),
		         LOG_TEXT("conversation", first_of(run)->record->message->conversation_id),
		         LOG_U64("seq", first_of(run)->seq), LOG_U64("messages", run->entry_count));
		job->has_failed = run->has_failed = true;
	}
	if (!run->has_failed && run->next < run->job_count)
		issue(run);
	else if (!run->under_way)
		settle(run);
}

static void issue(struct inbox_writer *run)
{
	const struct recipients *recipients = first_of(run)->recipients;

	while (run->next < run->job_count && run->under_way < APPEND_WINDOW) {
		struct inbox_write *job = &run->jobs[run->next++];

		run->under_way++;
		inbox_append(run->redis, run->limits, recipients->uids[job->recipient], run->entries, run->entry_count,
		             on_appended, job);
	}
}

static void on_retry(struct timer *timer)
{
	issue(container_of(timer, struct inbox_writer, retry));
}

/* The text may move while it grows, so the entries point into it at the end. */
static void write_entries(struct inbox_writer *run, const struct list *batch)
{
	size_t count = 0;

	run->text = (struct buf){ 0 };
	run->entries = mem_alloc(APPEND_BATCH_MAX * sizeof(*run->entries));
	list_for_each(link, batch) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);
		size_t before = run->text.len;

		assert(count < APPEND_BATCH_MAX);
		outgoing_clear_targets(outgoing);
		inbox_entry_write(&run->text, str_from(outgoing->record->message->conversation_id), outgoing->seq);
		run->entries[count++].len = run->text.len - before;
	}
	const char *at = run->text.ptr;
	for (size_t i = 0; i < count; at += run->entries[i++].len)
		run->entries[i].ptr = at;
	run->entry_count = count;
}

void inbox_writer_start(struct inbox_writer *run, const struct list *batch, void (*done)(struct inbox_writer *run, void *arg),
                        void *arg)
{
	run->batch = batch;
	run->done = done;
	run->arg = arg;
	run->job_count = first_of(run)->recipients->count;
	if (!run->job_count) {
		done(run, arg);
		return;
	}
	write_entries(run, batch);
	run->jobs = mem_alloc(run->job_count * sizeof(*run->jobs));
	for (uint32_t i = 0; i < run->job_count; i++)
		run->jobs[i] = (struct inbox_write){ .run = run, .recipient = i };
	run->next = run->under_way = 0;
	run->has_failed = false;
	run->tries = 0;
	timer_init(&run->retry, on_retry);
	issue(run);
}

void inbox_writer_abort(struct inbox_writer *run)
{
	if (!run->jobs)
		return;
	worker_cancel(run->worker, &run->retry);
	release(run);
}
