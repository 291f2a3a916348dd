#include "tests/bench/process_memory.h"

#include <stdio.h>
#include <string.h>

#include "tests/bench/loop.h"
#include "tests/bench/processes.h"

static void read_sizes(void *arg, const char *name, pid_t pid)
{
	struct process_memory *memory = arg;
	char path[64], line[256];

	if (memory->count == PROCESSES_MAX)
		fail("more than %d processes", PROCESSES_MAX);
	struct process_size *size = &memory->processes[memory->count++];
	snprintf(size->name, sizeof(size->name), "%.31s", name);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmRSS: %lu", &size->rss_kib) != 1)
			(void)sscanf(line, "VmHWM: %lu", &size->most_kib);
	}
	if (file)
		fclose(file);
}

void process_memory_read(struct process_memory *memory)
{
	*memory = (struct process_memory){ 0 };
	processes_visit(read_sizes, memory);
}

static void forget_most(void *arg, const char *name, pid_t pid)
{
	char path[64];
	(void)arg, (void)name;

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
	FILE *file = fopen(path, "w");
	if (file) {
		fputs("5", file);
		fclose(file);
	}
}

void process_memory_forget(void)
{
	processes_visit(forget_most, NULL);
}

static const struct process_size *find(const struct process_memory *memory, const char *name)
{
	for (size_t i = 0; i < memory->count; i++)
		if (strcmp(memory->processes[i].name, name) == 0)
			return &memory->processes[i];
	return NULL;
}

json_t *process_memory_report(const struct process_memory *before, const struct process_memory *after)
{
	json_t *all = json_object();

	printf("  RSS MiB    %-10s %8s %8s %8s\n", "", "before", "most", "after");
	for (size_t i = 0; i < after->count; i++) {
		const struct process_size *now = &after->processes[i], *then = find(before, now->name);
		uint64_t before_kib = then ? then->rss_kib : 0;

		printf("             %-10s %8.1f %8.1f %8.1f\n", now->name, (double)before_kib / 1024,
		       (double)now->most_kib / 1024, (double)now->rss_kib / 1024);
		json_object_set_new(all, now->name,
		                    json_pack("{s:I, s:I, s:I}", "before_kib", (json_int_t)before_kib, "most_kib",
		                              (json_int_t)now->most_kib, "after_kib", (json_int_t)now->rss_kib));
	}
	return all;
}
