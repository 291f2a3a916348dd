#include "tests/bench/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/loop.h"
#include "tests/bench/processes.h"

static struct service_usage *row(struct usage *usage, const char *name)
{
	for (size_t i = 0; i < usage->count; i++)
		if (strcmp(usage->services[i].name, name) == 0)
			return &usage->services[i];
	if (usage->count == USAGE_MAX)
		fail("more than %d services", USAGE_MAX);
	struct service_usage *made = &usage->services[usage->count++];
	snprintf(made->name, sizeof(made->name), "%s", name);
	return made;
}

static void read_memory(pid_t pid, struct service_usage *service)
{
	char path[64], line[256];
	unsigned long kib;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmRSS: %lu", &kib) == 1)
			service->rss_kib += kib;
		else if (sscanf(line, "RssAnon: %lu", &kib) == 1)
			service->anon_kib += kib;
	}
	if (file)
		fclose(file);
}

/* The switches of threads that have ended are not in it. */
static uint64_t count_switches(pid_t pid)
{
	char path[300], line[256];
	unsigned long count;
	uint64_t sum = 0;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *threads = opendir(path);
	while (threads && (entry = readdir(threads))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", pid, entry->d_name);
		FILE *file = *entry->d_name == '.' ? NULL : fopen(path, "r");
		while (file && fgets(line, sizeof(line), file))
			if (sscanf(line, "voluntary_ctxt_switches: %lu", &count) == 1 ||
			    sscanf(line, "nonvoluntary_ctxt_switches: %lu", &count) == 1)
				sum += count;
		if (file)
			fclose(file);
	}
	if (threads)
		closedir(threads);
	return sum;
}

static void add_process(struct service_usage *service, pid_t pid)
{
	struct process_stat stat;

	if (!process_read_stat(pid, &stat))
		return;
	service->cpu_s += stat.cpu_s;
	service->switches += count_switches(pid);
	read_memory(pid, service);
}

/* PostgreSQL is a process a connection. */
static void add_children(struct service_usage *service, pid_t of)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		struct process_stat stat;

		if (pid > 0 && process_read_stat(pid, &stat) && stat.parent == of)
			add_process(service, pid);
	}
	if (folder)
		closedir(folder);
}

static void add_to_service(void *arg, const char *process, pid_t pid)
{
	char name[32];

	snprintf(name, sizeof(name), "%.31s", process);
	name[strcspn(name, "-")] = '\0'; /* gateway-1 is a gateway */
	struct service_usage *service = row(arg, name);
	add_process(service, pid);
	add_children(service, pid);
}

static double machine_cpu_s(void)
{
	FILE *file = fopen("/proc/stat", "r");
	unsigned long long user, nice, system, idle, wait, irq, softirq, stolen;

	if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &wait,
	                    &irq, &softirq, &stolen) != 8)
		fail("/proc/stat cannot be read");
	fclose(file);
	return (double)(user + nice + system + irq + softirq + stolen) / (double)sysconf(_SC_CLK_TCK);
}

void usage_read(struct usage *usage)
{
	struct rusage own;

	*usage = (struct usage){ .machine_cpu_s = machine_cpu_s() };
	processes_visit(add_to_service, usage);
	getrusage(RUSAGE_SELF, &own);
	usage->own_cpu_s = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
	                   (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
}

const struct service_usage *usage_of(const struct usage *usage, const char *name)
{
	for (size_t i = 0; i < usage->count; i++)
		if (strcmp(usage->services[i].name, name) == 0)
			return &usage->services[i];
	return NULL;
}
