#include "tests/bench/stages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text/buf.h"
#include "tests/bench/http_peer.h"
#include "tools/skeinctl/skeinctl.h"

static const struct {
	const char *metric, *name, *title;
} stages_table[STAGES] = {
	{ "skein_im_batch_wait_seconds", "batch_wait", "wait for a batch" },
	{ "skein_im_batch_seconds", "batch_commit", "batch to commit" },
	{ "skein_push_record_age_seconds", "kafka", "commit to push (Kafka)" },
	{ "skein_push_order_seconds", "order", "order in push" },
	{ "skein_push_append_seconds", "append", "inboxes, routes (Redis)" },
	{ "skein_push_answer_seconds", "gateway_answer", "push to gateway and back" },
	{ "skein_gateway_delivery_seconds", "gateway_write", "gateway to sockets" },
	{ "skein_push_total_seconds", "total", "batch to the last answer" },
};

/* ---- reading ---- */

static unsigned stages_bucket(struct stage_counts *stage, double bound_s)
{
	for (unsigned i = 0; i < stage->buckets; i++)
		if (stage->bounds_s[i] >= bound_s)
			return i;
	if (stage->buckets == STAGE_BUCKETS)
		fail("a histogram has more than %d buckets", STAGE_BUCKETS);
	stage->bounds_s[stage->buckets] = bound_s;
	return stage->buckets++;
}

/* `_bucket{le="0.001"} 17` or `_sum 0.5`, behind the name. */
static void stages_add_sample(struct stage_counts *stage, const char *sample)
{
	char bound[32];
	double value;

	if (sscanf(sample, "_bucket{le=\"%31[^\"]\"} %lf", bound, &value) == 2)
		stage->counts[stages_bucket(stage, strtod(bound, NULL))] += (uint64_t)value;
	else if (sscanf(sample, "_sum %lf", &value) == 1)
		stage->sum_s += value;
}

void stages_add(struct stages *stages, struct str metrics)
{
	char line[256];

	while (metrics.len) {
		struct str text = str_cut(&metrics, '\n');

		snprintf(line, sizeof(line), "%.*s", STR_ARG(text));
		for (unsigned i = 0; i < STAGES; i++) {
			size_t len = strlen(stages_table[i].metric);

			if (strncmp(line, stages_table[i].metric, len) == 0)
				stages_add_sample(&stages->all[i], line + len);
		}
	}
}

void stages_read(struct stages *stages)
{
	struct str list = str_from(setting("SKEIN_INTERNAL"));
	struct buf metrics = { 0 };

	*stages = (struct stages){ 0 };
	while (list.len) {
		struct str process = str_cut(&list, ',');
		char text[128], host[64];
		int port;

		snprintf(text, sizeof(text), "%.*s", STR_ARG(process));
		if (sscanf(text, "%*[^=]=http://%63[0-9.]:%d", host, &port) != 2)
			fail("SKEIN_INTERNAL: \"%s\" is no name and URL", text);
		buf_clear(&metrics);
		int status = http_get_now(host, port, "/metrics", STR(""), &metrics);
		if (status != 200)
			fail("GET /metrics of %s: %d", text, status);
		stages_add(stages, buf_str(&metrics));
	}
	buf_release(&metrics);
}

/* ---- figures ---- */

static uint64_t stages_between(const struct stage_counts *before, const struct stage_counts *after, unsigned bucket)
{
	return after->counts[bucket] - (bucket < before->buckets ? before->counts[bucket] : 0);
}

static double stages_quantile_ms(const struct stage_counts *before, const struct stage_counts *after, double quantile)
{
	uint64_t total = after->buckets ? stages_between(before, after, after->buckets - 1) : 0, below = 0;
	double wanted = (double)total * quantile, from_s = 0;

	for (unsigned i = 0; total && i < after->buckets; i++) {
		uint64_t upto = stages_between(before, after, i);

		if ((double)upto >= wanted && upto > below) {
			double part = (wanted - (double)below) / (double)(upto - below);
			double to_s = isinf(after->bounds_s[i]) ? from_s : after->bounds_s[i];
			return 1000 * (from_s + part * (to_s - from_s));
		}
		below = upto;
		from_s = after->bounds_s[i];
	}
	return 0;
}

static json_t *stages_report_one(const struct stage_counts *before, const struct stage_counts *after, const char *title)
{
	uint64_t count = after->buckets ? stages_between(before, after, after->buckets - 1) : 0;
	double p50 = stages_quantile_ms(before, after, 0.5), p90 = stages_quantile_ms(before, after, 0.9);
	double p99 = stages_quantile_ms(before, after, 0.99);
	double mean = count ? 1000 * (after->sum_s - before->sum_s) / (double)count : 0;

	printf("             %-24s %8.2f %8.2f %8.2f %8.2f %10llu\n", title, p50, p90, p99, mean, (unsigned long long)count);
	return json_pack("{s:f, s:f, s:f, s:f, s:I}", "p50", p50, "p90", p90, "p99", p99, "mean", mean, "count",
	                 (json_int_t)count);
}

json_t *stages_report(const struct stages *before, const struct stages *after)
{
	json_t *stages = json_object();

	printf("  stages, ms %-24s %8s %8s %8s %8s %10s\n", "", "p50", "p90", "p99", "mean", "count");
	for (unsigned i = 0; i < STAGES; i++)
		json_object_set_new(stages, stages_table[i].name,
		                    stages_report_one(&before->all[i], &after->all[i], stages_table[i].title));
	return stages;
}
