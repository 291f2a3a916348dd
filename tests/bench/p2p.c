/* One-to-one messages at a rate, between users that are all connected; and `latency`, the same at 1,000 a second. */

#include "tests/bench/traffic.h"

static unsigned sender(const struct traffic *traffic, uint64_t i)
{
	return (unsigned)(i % traffic->user_count);
}

static unsigned recipient(const struct traffic *traffic, uint64_t i)
{
	return partner_of(i, traffic->user_count, traffic->partners);
}

static json_t *run_p2p(const struct options *options, const char *title, unsigned users, double rate, double seconds)
{
	struct traffic traffic = {
		.user_count = options->users ? options->users : users,
		.http_connections = options->connections ? options->connections : 64,
		.rate = options->rate > 0 ? options->rate : rate,
		.seconds = options->seconds > 0 ? options->seconds : seconds,
		.partners = options->partners,
		.sender = sender,
		.recipient = recipient,
	};

	if (traffic.user_count < 2)
		fail("%s wants at least 2 users", title);
	traffic.users = users_make(traffic.user_count, "p2p");
	traffic_run(&traffic);
	users_free(traffic.users, traffic.user_count);
	return traffic_report(&traffic, title);
}

json_t *scenario_p2p(const struct options *options)
{
	return run_p2p(options, "p2p", 1000, 5000, 10);
}

json_t *scenario_latency(const struct options *options)
{
	return run_p2p(options, "latency", 200, 1000, 10);
}
