#ifndef SKEIN_BENCH_USAGE_H
#define SKEIN_BENCH_USAGE_H

#include <stddef.h>
#include <stdint.h>

/* CPU time, context switches and memory of a cluster's processes, summed by service ("gateway", "im", "postgres" ...). */

#define USAGE_MAX 16

struct usage {
	size_t count;
	struct service_usage {
		char name[32];
		double cpu_s;
		uint64_t switches; /* context switches of all threads, by their own will or not */
		uint64_t rss_kib; /* resident */
		uint64_t anon_kib; /* resident and not shared with files: what grows with connections */
	} services[USAGE_MAX];
	double own_cpu_s; /* of this tool */
	double machine_cpu_s; /* of everything on this machine, and what its host took away */
};

/* Of every process that processes_visit() finds. */
void usage_read(struct usage *usage);

/* The service's row; NULL if it does not run. */
const struct service_usage *usage_of(const struct usage *usage, const char *name);

#endif
