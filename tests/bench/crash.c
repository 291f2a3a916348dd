/* A gateway with many users is killed: what the users of the other gateway notice, and how its own users come back. */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/bench/http_peer.h"
#include "tests/bench/processes.h"
#include "tests/bench/trickle.h"

#define WARM_US 10000000 /* the first seconds of Kafka and PostgreSQL are slow and not measured */
#define CALM_US 5000000
#define STORM_US 15000000
#define LOOK_EVERY_US 100000

struct run {
	struct movers victims, witnesses;
	struct trickle to_victims, to_witnesses;
	struct http_peer im;
	uint64_t killed_us, out_us, look_us;
};

static uint64_t tick(void *arg)
{
	struct run *run = arg;
	uint64_t due_us = MIN(movers_tick(&run->victims), movers_tick(&run->witnesses));

	due_us = MIN(due_us, MIN(trickle_tick(&run->to_victims), trickle_tick(&run->to_witnesses)));
	if (!run->killed_us || run->out_us)
		return due_us;
	if (!run->im.is_busy && now_us() >= run->look_us) {
		run->look_us = now_us() + LOOK_EVERY_US;
		http_peer_get(&run->im, "/v1/endpoints", str_from(run->witnesses.users[0].token));
	}
	return MIN(due_us, run->look_us);
}

static void on_endpoints(struct http_peer *peer, int status, struct str body)
{
	struct run *run = peer->arg;

	if (status == 200 && !memmem(body.ptr, body.len, "\"gateway-1\"", 11))
		run->out_us = now_us();
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static bool is_complete(void *arg)
{
	const struct run *run = arg;

	return trickle_is_complete(&run->to_victims) && trickle_is_complete(&run->to_witnesses);
}

static void begin(struct run *run, const struct options *options, struct address *im)
{
	double rate = options->rate > 0 ? options->rate : 200;

	run->victims.count = options->users ? options->users : 1000;
	run->witnesses.count = 200;
	run->victims.users = users_make(run->victims.count, "victim");
	run->witnesses.users = users_make(run->witnesses.count, "witness");
	movers_connect(&run->victims, 0);
	movers_connect(&run->witnesses, 1);
	trickle_begin(&run->to_victims, rate / 2, &run->victims);
	trickle_begin(&run->to_witnesses, rate / 2, &run->witnesses);
	*im = im_address(0);
	run->im = (struct http_peer){ .answered = on_endpoints, .arg = run };
	http_peer_open(&run->im, im->host, im->port);
}

static void play(struct run *run, struct latency *calm, struct latency *storm)
{
	pid_t child;

	loop_run(now_us() + WARM_US, tick, never, run);
	run->to_witnesses.delivery = calm;
	loop_run(now_us() + CALM_US, tick, never, run);
	run->to_witnesses.delivery = storm;
	if (kill(processes_find("gateway-1"), SIGKILL))
		fail("gateway-1 cannot be killed");
	run->killed_us = now_us();
	loop_run(now_us() + STORM_US, tick, never, run);
	trickle_end(&run->to_victims);
	trickle_end(&run->to_witnesses);
	loop_run(now_us() + 30000000, tick, is_complete, run);
	bench_cluster(&child, "up", NULL);
	(void)waitpid(child, NULL, 0);
}

json_t *scenario_crash(const struct options *options)
{
	struct latency calm = { 0 }, storm = { 0 };
	struct run run = { 0 };
	struct address im;

	want_two_gateways("crash");
	begin(&run, options, &im);
	play(&run, &calm, &storm);
	printf("\ncrash: a gateway with %u users is killed, %u are on the other one\n", run.victims.count, run.witnesses.count);
	json_t *out_s = report_time("out", run.killed_us, run.out_us, "until it is not offered any more");
	json_t *before = report_latency("others, before", &calm), *after = report_latency("others, after", &storm);
	json_t *victims = movers_report(&run.victims), *lost = trickle_report(&run.to_victims);
	json_t *result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "out_s", out_s, "before_ms", before, "after_ms", after,
	                           "victims", victims, "to_victims", lost, "to_others", trickle_report(&run.to_witnesses));
	http_peer_close(&run.im);
	trickle_release(&run.to_victims);
	trickle_release(&run.to_witnesses);
	movers_release(&run.victims);
	movers_release(&run.witnesses);
	return result;
}
