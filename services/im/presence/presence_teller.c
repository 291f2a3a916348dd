#include "im/presence/presence_teller.h"

#include "base/clock.h"

static void presence_teller_on_poll(struct timer *timer);

static void presence_teller_wait(struct presence_teller *teller, uint64_t pause_ms)
{
	if (!teller->context.is_stopped)
		worker_arm_in(teller->worker, &teller->poll, pause_ms);
}

/* A full batch: more users may be due. */
static void presence_teller_on_batch_end(void *arg, bool was_full)
{
	struct presence_teller *teller = arg;

	teller->batch = NULL;
	presence_teller_wait(teller, was_full ? 0 : PRESENCE_POLL_MS);
}

static void presence_teller_on_claimed(void *arg, err_t err, const struct presence_claim *claims, size_t count)
{
	struct presence_teller *teller = arg;

	if (err || !count || teller->context.is_stopped) {
		presence_teller_wait(teller, PRESENCE_POLL_MS);
		return;
	}
	teller->batch = transition_batch_new(&teller->context, claims, count, presence_teller_on_batch_end, teller);
	transition_batch_start(teller->batch);
}

static void presence_teller_on_poll(struct timer *timer)
{
	struct presence_teller *teller = container_of(timer, struct presence_teller, poll);

	presence_claim(teller->context.redis, clock_wall_ms(), teller->offline_delay_ms, presence_teller_on_claimed,
	               teller);
}

void presence_teller_start(struct presence_teller *teller, struct worker *worker, const struct transition_context *context,
                           uint64_t offline_delay_ms)
{
	const char *name = "skein_im_presence_total", *help = "Users who were due because they came or went, by outcome.";

	*teller = (struct presence_teller){ .worker = worker, .context = *context, .offline_delay_ms = offline_delay_ms };
	teller->context.came = metrics_counter(name, help, "outcome=\"online\"");
	teller->context.went = metrics_counter(name, help, "outcome=\"offline\"");
	teller->context.undecided = metrics_counter(name, help, "outcome=\"undecided\"");
	timer_init(&teller->poll, presence_teller_on_poll);
	presence_teller_wait(teller, PRESENCE_POLL_MS);
}

void presence_teller_stop(struct presence_teller *teller)
{
	teller->context.is_stopped = true;
	worker_cancel(teller->worker, &teller->poll);
}

void presence_teller_release(struct presence_teller *teller)
{
	if (teller->batch)
		transition_batch_free(teller->batch);
	teller->batch = NULL;
}
