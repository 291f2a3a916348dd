/*
 * A fixed amount of work on the processor, without a cluster: how many CPU seconds it takes says how fast this machine is right
 * now. Half of the time goes to arithmetic over memory of the size of a second-level cache, half to system calls and to switches
 * between two threads, as with services that answer small messages. The gate (tests/bench/gate) divides by it.
 */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/bench/bench.h"

#define WORDS (1u << 17) /* of 8 bytes: 1 MiB */
#define STEPS 130000000u
#define TURNS 60000u

struct pipes {
	int there[2], back[2];
};

static uint64_t mix_words(void)
{
	uint64_t *words = mem_zalloc(WORDS * sizeof(*words)), state = 88172645463325252ull;

	for (unsigned i = 0; i < STEPS; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		words[state % WORDS] += state;
	}
	for (unsigned i = 0; i < WORDS; i++)
		state ^= words[i];
	mem_free(words);
	return state;
}

static void *answer_each(void *arg)
{
	struct pipes *pipes = arg;
	char byte;

	while (read(pipes->there[0], &byte, 1) == 1)
		if (write(pipes->back[1], &byte, 1) != 1)
			fail("a pipe is broken");
	return NULL;
}

static void take_turns(void)
{
	struct pipes pipes;
	pthread_t peer;
	char byte = 'x';

	if (pipe(pipes.there) || pipe(pipes.back) || pthread_create(&peer, NULL, answer_each, &pipes))
		fail("no pipe or thread");
	for (unsigned i = 0; i < TURNS; i++)
		if (write(pipes.there[1], &byte, 1) != 1 || read(pipes.back[0], &byte, 1) != 1)
			fail("a pipe is broken");
	close(pipes.there[1]);
	pthread_join(peer, NULL);
	close(pipes.there[0]);
	close(pipes.back[0]);
	close(pipes.back[1]);
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

json_t *scenario_calibrate(const struct options *options)
{
	(void)options;
	double start = cpu_s();
	uint64_t mixed = mix_words();
	double between = cpu_s();
	take_turns();
	double end = cpu_s();
	printf("\ncalibrate: %.3f s of CPU for memory (%llx), %.3f s for turns\n", between - start, (unsigned long long)mixed,
	       end - between);
	return json_pack("{s:f, s:f, s:f}", "cpu_s", end - start, "memory_cpu_s", between - start, "turns_cpu_s", end - between);
}
