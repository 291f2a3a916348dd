#include "base/telemetry/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/telemetry/metrics_process.h"

/*
 * Metrics of one name are a family: they share the help text and are written
 * together, as the format demands. The registry is locked while a metric is
 * made and while all are read, never while one is changed.
 */

enum metric_kind { KIND_COUNTER, KIND_GAUGE, KIND_GAUGE_FN, KIND_HISTOGRAM };

struct family {
	struct list link; /* in the registry */
	struct list metrics;
	const char *name;
	const char *help;
	enum metric_kind kind;
};

struct metric {
	struct list link; /* in its family */
	char *labels; /* "" for none */
};

struct counter {
	struct metric metric;
	atomic_uint_fast64_t value;
};

struct gauge {
	struct metric metric;
	atomic_int_fast64_t value;
};

struct gauge_fn {
	struct metric metric;
	int64_t (*read)(void *arg);
	void *arg;
};

static const uint32_t bounds_us[] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
	1000000, 2500000, 5000000, 10000000, 30000000,
};

struct histogram {
	struct metric metric;
	atomic_uint_fast64_t sum_us;
	atomic_uint_fast64_t counts[ARRAY_LEN(bounds_us) + 1]; /* not cumulative; the last is above all bounds */
};

static struct list families = { &families, &families };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct family *metrics_family_of(const char *name, const char *help, enum metric_kind kind)
{
	list_for_each(link, &families) {
		struct family *family = container_of(link, struct family, link);
		if (strcmp(family->name, name) == 0) {
			assert(family->kind == kind);
			return family;
		}
	}
	struct family *family = MEM_NEW(struct family);
	family->name = name;
	family->help = help;
	family->kind = kind;
	list_init(&family->metrics);
	list_push_back(&families, &family->link);
	return family;
}

/* The metric of that name and those labels, made with `size` bytes if it is new. */
static struct metric *metrics_metric_of(const char *name, const char *help, const char *labels,
                                        enum metric_kind kind, size_t size)
{
	struct metric *metric = NULL;

	labels = labels ? labels : "";
	pthread_mutex_lock(&lock);
	struct family *family = metrics_family_of(name, help, kind);
	list_for_each(link, &family->metrics) {
		struct metric *known = container_of(link, struct metric, link);
		if (strcmp(known->labels, labels) == 0)
			metric = known;
	}
	if (!metric) {
		metric = mem_zalloc(size);
		metric->labels = str_dup(str_from(labels));
		list_push_back(&family->metrics, &metric->link);
	}
	pthread_mutex_unlock(&lock);
	return metric;
}

struct counter *metrics_counter(const char *name, const char *help, const char *labels)
{
	return container_of(metrics_metric_of(name, help, labels, KIND_COUNTER, sizeof(struct counter)),
	                    struct counter, metric);
}

struct gauge *metrics_gauge(const char *name, const char *help, const char *labels)
{
	return container_of(metrics_metric_of(name, help, labels, KIND_GAUGE, sizeof(struct gauge)), struct gauge, metric);
}

struct histogram *metrics_histogram(const char *name, const char *help, const char *labels)
{
	return container_of(metrics_metric_of(name, help, labels, KIND_HISTOGRAM, sizeof(struct histogram)),
	                    struct histogram, metric);
}

void metrics_gauge_fn(const char *name, const char *help, const char *labels,
                      int64_t (*read)(void *arg), void *arg)
{
	struct gauge_fn *gauge = container_of(metrics_metric_of(name, help, labels, KIND_GAUGE_FN, sizeof(*gauge)),
	                                      struct gauge_fn, metric);

	pthread_mutex_lock(&lock);
	gauge->read = read;
	gauge->arg = arg;
	pthread_mutex_unlock(&lock);
}

void counter_add(struct counter *counter, uint64_t n)
{
	atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

uint64_t counter_value(const struct counter *counter)
{
	return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

void gauge_set(struct gauge *gauge, int64_t value)
{
	atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void gauge_add(struct gauge *gauge, int64_t n)
{
	if (!gauge)
		return;
	atomic_fetch_add_explicit(&gauge->value, n, memory_order_relaxed);
}

int64_t gauge_value(const struct gauge *gauge)
{
	return atomic_load_explicit(&gauge->value, memory_order_relaxed);
}

void histogram_observe(struct histogram *histogram, uint64_t duration_us)
{
	size_t bucket = 0;

	while (bucket < ARRAY_LEN(bounds_us) && duration_us > bounds_us[bucket])
		bucket++;
	atomic_fetch_add_explicit(&histogram->counts[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum_us, duration_us, memory_order_relaxed);
}

static void metrics_write_head(struct buf *out, const struct family *family)
{
	static const char *const type_names[] = { "counter", "gauge", "gauge", "histogram" };

	buf_printf(out, "# HELP %s ", family->name);
	for (const char *c = family->help; *c; c++) {
		if (*c == '\\')
			buf_append_text(out, "\\\\");
		else if (*c == '\n')
			buf_append_text(out, "\\n");
		else
			buf_append_char(out, *c);
	}
	buf_printf(out, "\n# TYPE %s %s\n", family->name, type_names[family->kind]);
}

/* `name_suffix{labels}` and the blank before the value. */
static void metrics_write_name(struct buf *out, const char *name, const char *suffix, const char *labels)
{
	buf_append_text(out, name);
	buf_append_text(out, suffix);
	if (*labels)
		buf_printf(out, "{%s}", labels);
	buf_append_char(out, ' ');
}

static void metrics_write_histogram(struct buf *out, const char *name, const struct histogram *histogram)
{
	const char *labels = histogram->metric.labels;
	const char *comma = *labels ? "," : "";
	uint64_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(histogram->counts); i++) {
		count += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
		buf_printf(out, "%s_bucket{%s%sle=\"", name, labels, comma);
		if (i < ARRAY_LEN(bounds_us))
			buf_printf(out, "%g", bounds_us[i] / 1e6);
		else
			buf_append_text(out, "+Inf");
		buf_append_text(out, "\"} ");
		buf_append_u64(out, count);
		buf_append_char(out, '\n');
	}
	uint64_t sum_us = atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
	metrics_write_name(out, name, "_sum", labels);
	buf_printf(out, "%llu.%06u\n", (unsigned long long)(sum_us / 1000000), (unsigned)(sum_us % 1000000));
	metrics_write_name(out, name, "_count", labels);
	buf_append_u64(out, count);
	buf_append_char(out, '\n');
}

static void metrics_write_metric(struct buf *out, const struct family *family, const struct metric *metric)
{
	if (family->kind == KIND_HISTOGRAM) {
		metrics_write_histogram(out, family->name, container_of(metric, struct histogram, metric));
		return;
	}
	metrics_write_name(out, family->name, "", metric->labels);
	switch (family->kind) {
	case KIND_COUNTER:
		buf_append_u64(out, counter_value(container_of(metric, struct counter, metric)));
		break;
	case KIND_GAUGE:
		buf_append_i64(out, gauge_value(container_of(metric, struct gauge, metric)));
		break;
	default: {
		const struct gauge_fn *gauge = container_of(metric, struct gauge_fn, metric);
		buf_append_i64(out, gauge->read(gauge->arg));
	}
	}
	buf_append_char(out, '\n');
}

void metrics_write(struct buf *out)
{
	pthread_mutex_lock(&lock);
	list_for_each(family_link, &families) {
		const struct family *family = container_of(family_link, struct family, link);
		metrics_write_head(out, family);
		list_for_each(link, &family->metrics)
			metrics_write_metric(out, family, container_of(link, struct metric, link));
	}
	pthread_mutex_unlock(&lock);
	metrics_write_process(out);
}
