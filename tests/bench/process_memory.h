#ifndef SKEIN_BENCH_PROCESS_MEMORY_H
#define SKEIN_BENCH_PROCESS_MEMORY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Resident memory of each process of a cluster (PostgreSQL's: the postmaster alone), now and at most. */

#define PROCESSES_MAX 64

struct process_memory {
	size_t count;
	struct process_size {
		char name[32];
		uint64_t rss_kib;
		uint64_t most_kib; /* since it was started, or since process_memory_forget() */
	} processes[PROCESSES_MAX];
};

/* Of every process that processes_visit() finds. */
void process_memory_read(struct process_memory *memory);

/* Resets the peak to the present size. Has no effect on processes of other users. */
void process_memory_forget(void);

/* Prints and returns the memory of each process before, at most and after. */
json_t *process_memory_report(const struct process_memory *before, const struct process_memory *after);

#endif
