#include <stdio.h>

#include "tests/bench/bench.h"

json_t *report_latency(const char *title, const struct latency *latency)
{
	double p50 = latency_ms(latency, 0.5), p95 = latency_ms(latency, 0.95), p99 = latency_ms(latency, 0.99);
	double p999 = latency_ms(latency, 0.999), max = (double)latency->max_us / 1000;

	printf("  %-18s p50 %8.2f   p95 %8.2f   p99 %8.2f   p99.9 %8.2f   max %8.2f ms\n", title, p50, p95, p99, p999, max);
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "p50", p50, "p95", p95, "p99", p99, "p999", p999, "max", max);
}

json_t *report_time(const char *title, uint64_t from_us, uint64_t to_us, const char *what)
{
	if (!to_us) {
		printf("  %-10s was not seen (%s)\n", title, what);
		return json_null();
	}
	printf("  %-10s %10.2f s %s\n", title, (double)(to_us - from_us) / 1e6, what);
	return json_real((double)(to_us - from_us) / 1e6);
}

json_t *report_cpu(const struct usage *before, const struct usage *after, uint64_t deliveries, double seconds)
{
	double millions = (double)deliveries / 1e6, own = after->own_cpu_s - before->own_cpu_s, total = own;
	double all_switches_each = 0;
	json_t *services = json_object();

	printf("  CPU        %-10s %8s %8s %14s %14s %10s\n", "", "seconds", "cores", "us each", "switches each", "RSS MiB");
	for (size_t i = 0; i < after->count; i++) {
		const struct service_usage *now = &after->services[i], *then = usage_of(before, now->name);
		double cpu_s = now->cpu_s - (then ? then->cpu_s : 0);
		double switches = (double)now->switches - (then ? (double)then->switches : 0);
		double cpu_each_us = millions > 0 ? cpu_s / millions : 0,
		       switches_each = millions > 0 ? switches / millions / 1e6 : 0;

		total += cpu_s;
		all_switches_each += switches_each;
		printf("             %-10s %8.2f %8.2f %14.1f %14.2f %10.1f\n", now->name, cpu_s, cpu_s / seconds, cpu_each_us,
		       switches_each, (double)now->rss_kib / 1024);
		json_object_set_new(services, now->name,
		                    json_pack("{s:f, s:f, s:f, s:I}", "cpu_s", cpu_s, "cpu_s_per_million", cpu_each_us,
		                              "switches_each", switches_each, "rss_kib", (json_int_t)now->rss_kib));
	}
	printf("             %-10s %8.2f %8.2f %14.1f\n", "(bench)", own, own / seconds, millions > 0 ? own / millions : 0);
	printf("             %-10s %8.2f %8.2f %14.1f %14.2f\n", "total", total, total / seconds,
	       millions > 0 ? total / millions : 0, all_switches_each);
	double others = after->machine_cpu_s - before->machine_cpu_s - total;
	printf("             %-10s %8.2f %8.2f   on a machine that does nothing else: the kernel's own\n", "(others)", others,
	       others / seconds);
	json_object_set_new(services, "bench", json_pack("{s:f}", "cpu_s", own));
	json_object_set_new(services, "others", json_pack("{s:f}", "cpu_s", others));
	return services;
}
