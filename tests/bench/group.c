/* One group whose members are all connected: the cost of a message to a thousand members. */

#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/traffic.h"

static unsigned sender(const struct traffic *traffic, uint64_t i)
{
	return (unsigned)(i * 7 % traffic->user_count);
}

json_t *scenario_group(const struct options *options)
{
	struct traffic traffic = {
		.user_count = options->users ? options->users : 1000,
		.http_connections = options->connections ? options->connections : 16,
		.rate = options->rate > 0 ? options->rate : 20,
		.seconds = options->seconds > 0 ? options->seconds : 10,
		.sender = sender,
	};

	if (traffic.user_count < 2 || traffic.user_count > 1000)
		fail("group wants 2 to 1000 members");
	traffic.users = users_make(traffic.user_count, "group");
	users_introduce(traffic.users, traffic.user_count, NULL, NULL);
	char *gid = group_make(traffic.users, traffic.user_count);
	traffic.group = gid;
	traffic_run(&traffic);
	users_free(traffic.users, traffic.user_count);
	free(gid);
	return traffic_report(&traffic, "group");
}
