#include "tests/bench/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/loop.h"

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

/* "State ppid ... utime stime cutime cstime" behind the name in parentheses. */
static int read_stat(int pid, int *parent, double *cpu_s)
{
	unsigned long user, system, child_user, child_system;
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");
	if (!file)
		return -1;
	char *got = fgets(line, sizeof(line), file);
	fclose(file);
	char *after = got ? strrchr(line, ')') : NULL;
	if (!after || sscanf(after + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", parent, &user, &system,
	                     &child_user, &child_system) != 5)
		return -1;
	*cpu_s = (double)(user + system + child_user + child_system) / (double)sysconf(_SC_CLK_TCK);
	return 0;
}

static void read_memory(int pid, struct service_usage *service)
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

static void add_process(struct service_usage *service, int pid)
{
	int parent;
	double cpu_s;

	if (read_stat(pid, &parent, &cpu_s))
		return;
	service->cpu_s += cpu_s;
	read_memory(pid, service);
}

/* PostgreSQL is a process a connection. */
static void add_children(struct service_usage *service, int of)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		int pid = (int)strtol(entry->d_name, NULL, 10), parent;
		double cpu_s;

		if (pid > 0 && read_stat(pid, &parent, &cpu_s) == 0 && parent == of)
			add_process(service, pid);
	}
	if (folder)
		closedir(folder);
}

static int read_pid(const char *folder, const char *name)
{
	char path[4096 + 256];
	int pid = -1;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	if (file && fscanf(file, "%d", &pid) != 1)
		pid = -1;
	if (file)
		fclose(file);
	return pid;
}

void usage_read(struct usage *usage)
{
	const char *run = getenv("RUN_DIR");
	struct rusage own;
	struct dirent *entry;
	char pids[4000];

	*usage = (struct usage){ 0 };
	snprintf(pids, sizeof(pids), "%s/pids", run && *run ? run : ".run");
	DIR *folder = opendir(pids);
	if (!folder)
		fail("no %s: is the cluster up (make up)?", pids);
	while ((entry = readdir(folder))) {
		char name[32];
		int pid = *entry->d_name == '.' ? -1 : read_pid(pids, entry->d_name);

		if (pid <= 0)
			continue;
		snprintf(name, sizeof(name), "%.31s", entry->d_name);
		name[strcspn(name, "-")] = '\0'; /* gateway-1 is a gateway */
		struct service_usage *service = row(usage, name);
		add_process(service, pid);
		add_children(service, pid);
	}
	closedir(folder);
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
