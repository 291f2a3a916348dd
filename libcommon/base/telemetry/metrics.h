#ifndef SKEIN_BASE_TELEMETRY_METRICS_H
#define SKEIN_BASE_TELEMETRY_METRICS_H

#include <stdint.h>

#include "base/text/buf.h"

/*
 * The registry of metrics, written as Prometheus text. A metric is made once, at
 * the start, lives as long as the process, and is changed with relaxed atomics
 * from any thread. The same name and labels give the same metric.
 *
 *   static struct counter *sends;
 *   sends = metrics_counter("skein_im_sends_total", "Messages accepted.", NULL);
 *   refused = metrics_counter("skein_im_refused_total", "Sends refused, by code.", "code=\"blocked\"");
 *
 * `labels` is the text between the braces, or NULL; it is copied. Names and help
 * texts live as long as the process.
 */
struct counter;
struct gauge;
struct histogram;

struct counter *metrics_counter(const char *name, const char *help, const char *labels);
struct gauge *metrics_gauge(const char *name, const char *help, const char *labels);

/* A histogram of durations, observed in microseconds and shown in seconds; its buckets go from 100 us to 30 s. */
struct histogram *metrics_histogram(const char *name, const char *help, const char *labels);

/* A gauge whose value is computed when the metrics are read. `read` is called on the thread that reads them. */
void metrics_gauge_fn(const char *name, const char *help, const char *labels,
                      int64_t (*read)(void *arg), void *arg);

void counter_add(struct counter *counter, uint64_t n);
uint64_t counter_value(const struct counter *counter);
void gauge_set(struct gauge *gauge, int64_t value);
void gauge_add(struct gauge *gauge, int64_t n); /* does nothing for NULL */
int64_t gauge_value(const struct gauge *gauge);
void histogram_observe(struct histogram *histogram, uint64_t duration_us);

/* All metrics in Prometheus's text format 0.0.4, with the memory, CPU and open files of the process. */
void metrics_write(struct buf *out);

#endif
