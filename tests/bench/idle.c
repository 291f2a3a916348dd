/* Idle connections: the gateways' memory for one, and their CPU for all. */

#include <stdio.h>

#include "tests/bench/bench.h"

static bool never(void *arg)
{
	(void)arg;
	return false;
}

json_t *scenario_idle(const struct options *options)
{
	unsigned count = options->users ? options->users : 10000;
	double seconds = options->seconds > 0 ? options->seconds : 10;
	struct user *users = users_make(count, "idle");
	struct usage before, connected, after;

	usage_read(&before);
	double per_s = users_connect(users, count, NULL, NULL);
	loop_run(now_us() + 1000000, NULL, never, NULL); /* until the work of the handshakes is done */
	usage_read(&connected);
	loop_run(now_us() + (uint64_t)(seconds * 1e6), NULL, never, NULL);
	usage_read(&after);
	const struct service_usage *empty = usage_of(&before, "gateway"), *full = usage_of(&connected, "gateway");
	const struct service_usage *later = usage_of(&after, "gateway");
	if (!empty || !full || !later)
		fail("no gateway runs");
	double bytes = ((double)full->anon_kib - (double)empty->anon_kib) * 1024 / count;
	double cpu_percent = (later->cpu_s - full->cpu_s) / seconds * 100;
	printf("\nidle: %u connections, watched for %.0f s\n  connects   %10.0f /s\n  memory     %10.0f bytes of user space each\n"
	       "  CPU        %10.2f %% of a core, all gateways, pings included\n  lost       %10u\n",
	       count, seconds, per_s, bytes, cpu_percent, ws_peers_lost);
	json_t *cpu = report_cpu(&connected, &after, 0, seconds);
	users_free(users, count);
	return json_pack("{s:i, s:f, s:f, s:f, s:f, s:i, s:o}", "connections", (int)count, "seconds", seconds,
	                 "connects_per_s", per_s, "bytes_per_connection", bytes, "gateway_cpu_percent", cpu_percent,
	                 "lost", (int)ws_peers_lost, "cpu", cpu);
}
