#include "process_tree.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 64

static pid_t parent_of(const char *pid)
{
	char path[300], line[512] = "";
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	FILE *stat = fopen(path, "r");
	if (!stat)
		return 0;
	if (fgets(line, sizeof(line), stat) && strrchr(line, ')'))
		(void)sscanf(strrchr(line, ')'), ") %*c %d", &parent);
	fclose(stat);
	return parent;
}

/* How many there are, `root` first. */
static size_t list_processes(pid_t root, pid_t pids[PROCESSES_MAX])
{
	DIR *all = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	pids[count++] = root;
	while (all && count < PROCESSES_MAX && (entry = readdir(all))) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == root)
			pids[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	closedir(all);
	return count;
}

void process_tree_signal(pid_t root, int signal)
{
	pid_t pids[PROCESSES_MAX];
	size_t count = list_processes(root, pids);

	for (size_t i = 0; i < count; i++)
		kill(pids[i], signal);
}

static char state_of(const char *stat_path)
{
	char line[512] = "", state = '?';

	FILE *stat = fopen(stat_path, "r");
	if (!stat)
		return 'X'; /* gone */
	if (fgets(line, sizeof(line), stat) && strrchr(line, ')'))
		(void)sscanf(strrchr(line, ')'), ") %c", &state);
	fclose(stat);
	return state;
}

/* True when no thread of it runs. A thread in a system call, or on another core, stops a moment after the signal. */
static bool is_stopped(pid_t pid)
{
	char path[300];
	struct dirent *entry;
	bool all_are = true;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *threads = opendir(path);
	while (threads && all_are && (entry = readdir(threads))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", (int)pid, entry->d_name);
		all_are = entry->d_name[0] == '.' || strchr("TtXZ", state_of(path));
	}
	if (threads)
		closedir(threads);
	return all_are;
}

void process_tree_await_stop(pid_t root)
{
	pid_t pids[PROCESSES_MAX];
	const struct timespec moment = { .tv_nsec = 1000000 };
	size_t count = list_processes(root, pids);

	for (size_t i = 0; i < count; i++) {
		while (!is_stopped(pids[i]))
			nanosleep(&moment, NULL);
	}
}

static uint64_t cpu_us_of(pid_t pid)
{
	char path[64];
	unsigned long user = 0, kernel = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *stat = fopen(path, "r");
	if (!stat)
		return 0;
	if (fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
		user = kernel = 0;
	fclose(stat);
	return (user + kernel) * (1000000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

uint64_t process_tree_cpu_us(pid_t root)
{
	pid_t pids[PROCESSES_MAX];
	size_t count = list_processes(root, pids);
	uint64_t us = 0;

	for (size_t i = 0; i < count; i++)
		us += cpu_us_of(pids[i]);
	return us;
}
