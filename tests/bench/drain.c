/* A gateway drains, or every process restarts in turn, under a steady trickle of messages: what the clients notice. */

#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "tests/bench/processes.h"
#include "tests/bench/trickle.h"

#define BEFORE_US 2000000
#define AFTER_US 3000000
#define PATIENCE_US 600000000

struct run {
	struct movers *movers; /* by gateway */
	unsigned groups;
	struct trickle *trickles;
	pid_t child, gateway;
	uint64_t started_us, gone_us, ended_us;
	bool failed;
};

static uint64_t tick(void *arg)
{
	struct run *run = arg;
	uint64_t due_us = UINT64_MAX;

	for (unsigned i = 0; i < run->groups; i++) {
		due_us = MIN(due_us, movers_tick(&run->movers[i]));
		due_us = MIN(due_us, trickle_tick(&run->trickles[i]));
	}
	return run->child ? MIN(due_us, now_us() + 5000) : due_us;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static bool has_ended(void *arg)
{
	struct run *run = arg;
	int status;

	if (!run->gone_us && run->gateway && process_is_gone(run->gateway))
		run->gone_us = now_us();
	if (run->child && waitpid(run->child, &status, WNOHANG) == run->child) {
		run->child = 0;
		run->ended_us = now_us();
		run->failed = status != 0;
	}
	return !run->child;
}

static bool is_complete(void *arg)
{
	const struct run *run = arg;

	for (unsigned i = 0; i < run->groups; i++)
		if (!trickle_is_complete(&run->trickles[i]) || run->movers[i].up < run->movers[i].count)
			return false;
	return true;
}

static void spawn(pid_t *child, char **arguments)
{
	if (posix_spawn(child, arguments[0], NULL, NULL, arguments, environ))
		fail("cannot run %s", arguments[0]);
}

void bench_cluster(pid_t *child, char *command, char *name)
{
	char *arguments[] = { "deploy/local/cluster", command, name, NULL };

	spawn(child, arguments);
}

static void play(struct run *run, char **arguments)
{
	loop_run(now_us() + BEFORE_US, tick, never, run);
	run->started_us = now_us();
	spawn(&run->child, arguments);
	loop_run(now_us() + PATIENCE_US, tick, has_ended, run);
	if (!run->ended_us)
		fail("%s has not ended", arguments[0]);
	loop_run(now_us() + AFTER_US, tick, never, run);
	for (unsigned i = 0; i < run->groups; i++)
		trickle_end(&run->trickles[i]);
	loop_run(now_us() + 30000000, tick, is_complete, run);
}

static json_t *report(const struct run *run)
{
	bool is_drain = run->gateway != 0;
	json_t *exit_s = is_drain ? report_time("exit", run->started_us, run->gone_us, "after SIGTERM") : json_null();
	json_t *restart_s = report_time(is_drain ? "up again" : "took", run->started_us, run->ended_us,
	                                is_drain ? "after SIGTERM" : "for all processes");
	json_t *groups = json_array();

	if (run->failed)
		printf("  which failed\n");
	for (unsigned i = 0; i < run->groups; i++) {
		json_t *moved = movers_report(&run->movers[i]);

		json_array_append_new(
			groups, json_pack("{s:o, s:o}", "moved", moved, "messages", trickle_report(&run->trickles[i])));
	}
	return json_pack("{s:o, s:o, s:b, s:o}", "exit_s", exit_s, "restart_s", restart_s, "failed", run->failed, "groups", groups);
}

/* `name`: the gateway that is restarted; NULL: every process is. */
static json_t *run_groups(unsigned groups, unsigned users, double rate, char **arguments, const char *name)
{
	struct movers movers[2] = { 0 };
	struct trickle trickles[2];
	struct run run = { .movers = movers, .groups = groups, .trickles = trickles };

	for (unsigned i = 0; i < groups; i++) {
		movers[i].count = users / groups;
		movers[i].users = users_make(movers[i].count, i ? "second" : "first");
		movers_connect(&movers[i], i);
		trickle_begin(&trickles[i], rate / groups, &movers[i]);
	}
	if (name)
		run.gateway = processes_find(name);
	play(&run, arguments);
	printf("\n%s: %u users, %.0f messages/s\n", name ? "drain" : "rolling", users, rate);
	json_t *result = report(&run);
	for (unsigned i = 0; i < groups; i++) {
		trickle_release(&trickles[i]);
		movers_release(&movers[i]);
	}
	return result;
}

json_t *scenario_drain(const struct options *options)
{
	char *arguments[] = { "deploy/local/cluster", "restart", "gateway-1", NULL };

	want_two_gateways("drain");
	return run_groups(1, options->users ? options->users : 5000, options->rate > 0 ? options->rate : 200, arguments,
	                  arguments[2]);
}

json_t *scenario_rolling(const struct options *options)
{
	char *ours[] = { "deploy/local/cluster", "rolling-restart", NULL }, *theirs[] = { options->restart, NULL };

	if (!options->restart) /* behind a balancer, all gateways have one address */
		want_two_gateways("rolling");
	return run_groups(2, options->users ? options->users : 1000, options->rate > 0 ? options->rate : 500,
	                  options->restart ? theirs : ours, NULL);
}
