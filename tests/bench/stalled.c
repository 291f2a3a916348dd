/* A group in which some members do not read: what the others notice. Measured without and with the stalled members. */

#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/traffic.h"

static unsigned sender(const struct traffic *traffic, uint64_t i)
{
	return (unsigned)(i * 7 % (traffic->user_count - traffic->stalled));
}

static struct traffic run(const struct options *options, unsigned stalled)
{
	struct traffic traffic = {
		.user_count = options->users ? options->users : 200,
		.http_connections = options->connections ? options->connections : 16,
		.rate = options->rate > 0 ? options->rate : 100,
		.seconds = options->seconds > 0 ? options->seconds : 10,
		.sender = sender,
		.stalled = stalled,
	};

	if (traffic.user_count < 20 || traffic.user_count > 1000)
		fail("stalled wants 20 to 1000 members");
	traffic.users = users_make(traffic.user_count, stalled ? "stalled" : "fluent");
	users_introduce(traffic.users, traffic.user_count, NULL, NULL);
	char *gid = group_make(traffic.users, traffic.user_count);
	traffic.group = gid;
	traffic_run(&traffic);
	users_free(traffic.users, traffic.user_count);
	free(gid);
	return traffic;
}

json_t *scenario_stalled(const struct options *options)
{
	struct traffic without = run(options, 0);
	struct traffic with = run(options, 10);
	double ratio = latency_ms(&with.delivery, 0.99) / latency_ms(&without.delivery, 0.99);

	json_t *first = traffic_report(&without, "group without stalled members");
	json_t *second = traffic_report(&with, "the same with 10 stalled members");
	printf("  p99 of the others, with / without: %.2f\n", ratio);
	return json_pack("{s:o, s:o, s:f}", "without", first, "with", second, "p99_ratio", ratio);
}
