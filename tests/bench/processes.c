#include "tests/bench/processes.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/loop.h"

#define FOLDER_SIZE 4000

static void name_folder(char folder[FOLDER_SIZE])
{
	const char *run = getenv("RUN_DIR");

	snprintf(folder, FOLDER_SIZE, "%s/pids", run && *run ? run : ".run");
}

static pid_t read_pid(const char *folder, const char *name)
{
	char path[FOLDER_SIZE + 256];
	pid_t pid = -1;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	if (file && fscanf(file, "%d", &pid) != 1)
		pid = -1;
	if (file)
		fclose(file);
	return pid;
}

void processes_visit(void (*visit)(void *arg, const char *name, pid_t pid), void *arg)
{
	char folder[FOLDER_SIZE];
	struct dirent *entry;

	name_folder(folder);
	DIR *files = opendir(folder);
	if (!files)
		fail("no %s: is the cluster up (make up)?", folder);
	while ((entry = readdir(files))) {
		pid_t pid = *entry->d_name == '.' ? -1 : read_pid(folder, entry->d_name);

		if (pid > 0)
			visit(arg, entry->d_name, pid);
	}
	closedir(files);
}

pid_t processes_find(const char *name)
{
	char folder[FOLDER_SIZE];

	name_folder(folder);
	pid_t pid = read_pid(folder, name);
	if (pid <= 0)
		fail("%s/%s does not name a process", folder, name);
	return pid;
}

/* "State ppid ... utime stime cutime cstime" behind the name in parentheses. */
bool process_read_stat(pid_t pid, struct process_stat *stat)
{
	unsigned long user, system, child_user, child_system;
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	char *got = fgets(line, sizeof(line), file);
	fclose(file);
	char *after = got ? strrchr(line, ')') : NULL;
	if (!after || sscanf(after + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &stat->state,
	                     &stat->parent, &user, &system, &child_user, &child_system) != 6)
		return false;
	stat->cpu_s = (double)(user + system + child_user + child_system) / (double)sysconf(_SC_CLK_TCK);
	return true;
}

bool process_is_gone(pid_t pid)
{
	struct process_stat stat;

	if (kill(pid, 0) && errno == ESRCH)
		return true;
	return process_read_stat(pid, &stat) && (stat.state == 'Z' || stat.state == 'X');
}
