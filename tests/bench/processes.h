#ifndef SKEIN_BENCH_PROCESSES_H
#define SKEIN_BENCH_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

/* A cluster's processes, by the files RUN_DIR/pids/NAME (RUN_DIR from the environment, .run without). */

/* Calls `visit` for each process that has a file. */
void processes_visit(void (*visit)(void *arg, const char *name, pid_t pid), void *arg);

/* The one of this name ("gateway-1"); without it the tool ends. */
pid_t processes_find(const char *name);

struct process_stat {
	char state; /* as ps says it: R, S ... */
	pid_t parent;
	double cpu_s; /* with that of the children that it waited for */
};

/* From /proc; false if there is none. */
bool process_read_stat(pid_t pid, struct process_stat *stat);

/* True if the process has ended, reaped or not. Until its parent reaps it, kill(pid, 0) still succeeds. */
bool process_is_gone(pid_t pid);

#endif
