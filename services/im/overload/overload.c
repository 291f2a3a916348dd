#include "im/overload/overload.h"

#include "base/clock.h"
#include "base/telemetry/metrics.h"

/* The last wait of push counts for this long after Redis has stopped answering. */
#define DELIVERY_LIFE_MS 500

static int64_t overload_read_store_wait(void *arg)
{
	return ((const struct overload *)arg)->waits.store_ms;
}

static int64_t overload_read_delivery_wait(void *arg)
{
	return ((const struct overload *)arg)->waits.delivery_ms;
}

static int64_t overload_read_refused_percent(void *arg)
{
	return (int64_t)(100 * (1 - ((const struct overload *)arg)->admission.share));
}

static void overload_on_delivery_wait(void *arg, err_t err, unsigned wait_ms)
{
	struct overload *overload = arg;

	overload->is_reading = false;
	if (err)
		return;
	overload->waits.delivery_ms = wait_ms;
	overload->delivery_read_ms = clock_mono_ms();
}

static void overload_on_interval(struct timer *timer)
{
	struct overload *overload = container_of(timer, struct overload, timer);
	uint64_t now = clock_mono_ms();

	worker_arm(overload->worker, timer, now + ADMISSION_INTERVAL_MS);
	overload->waits.store_ms = entry_writer_end_interval(overload->entries, now);
	if (now > overload->delivery_read_ms + DELIVERY_LIFE_MS)
		overload->waits.delivery_ms = 0;
	admission_update(&overload->admission, &overload->waits);
	if (overload->is_reading)
		return;
	overload->is_reading = true;
	push_load_read(overload->redis, overload_on_delivery_wait, overload);
}

void overload_start(struct overload *overload, struct worker *worker, struct redis *redis, struct entry_writer *entries,
                    const struct admission *admission)
{
	const char *wait = "skein_im_wait_milliseconds", *help = "How long messages wait in a queue, by the shortest of 0.1 s.";

	*overload = (struct overload){ .worker = worker, .redis = redis, .entries = entries, .admission = *admission };
	overload->refused = entry_writer_refusal_counter("reason=\"overload\"");
	metrics_gauge_fn(wait, help, "queue=\"store\"", overload_read_store_wait, overload);
	metrics_gauge_fn(wait, help, "queue=\"delivery\"", overload_read_delivery_wait, overload);
	metrics_gauge_fn("skein_im_admission_refused_percent", "Share of new sends that is refused because of overload.", NULL,
	                 overload_read_refused_percent, overload);
	timer_init(&overload->timer, overload_on_interval);
	worker_arm_in(worker, &overload->timer, ADMISSION_INTERVAL_MS);
}

void overload_stop(struct overload *overload)
{
	worker_cancel(overload->worker, &overload->timer);
}

bool overload_refuses(struct overload *overload)
{
	if (!admission_refuses(&overload->admission))
		return false;
	counter_add(overload->refused, 1);
	return true;
}

bool overload_is_calm(const struct overload *overload)
{
	const struct admission *admission = &overload->admission;

	return admission->share >= 1 && 2 * overload->waits.store_ms <= admission->store_target_ms &&
	       2 * overload->waits.delivery_ms <= admission->delivery_target_ms;
}

unsigned overload_retry_after_s(struct overload *overload)
{
	return admission_retry_after_s(&overload->admission);
}
