#ifndef SKEIN_TESTS_PROCESS_TREE_H
#define SKEIN_TESTS_PROCESS_TREE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * A process and its children, found in /proc. A process group does not reach them all: PostgreSQL's children have sessions of
 * their own.
 */
void process_tree_signal(pid_t root, int signal);

/* After SIGSTOP: returns once no thread of them runs. */
void process_tree_await_stop(pid_t root);

/* CPU that they used, in microseconds. */
uint64_t process_tree_cpu_us(pid_t root);

#endif
