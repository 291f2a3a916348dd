#ifndef SKEIN_BENCH_BENCH_H
#define SKEIN_BENCH_BENCH_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text/str.h"
#include "tests/bench/latency.h"
#include "tests/bench/usage.h"
#include "tests/bench/ws_peer.h"

/* What the scenarios share: options, users with their connections, and the report. */

struct options {
	unsigned users; /* 0: the scenario's own */
	double rate; /* messages a second; 0: the scenario's own */
	double seconds;
	unsigned connections; /* HTTP connections */
	unsigned partners; /* to how many others each user writes; never 0 */
	char *restart; /* the program with which `rolling` restarts a cluster that is not the local one; or NULL */
};

struct address {
	char host[64];
	int port;
};

/* The servers of SKEIN_HTTP and SKEIN_WS; `index` wraps around. */
struct address im_address(unsigned index);
struct address gateway_address(unsigned index);

/* Ends the tool unless there are two gateways at least: with one, clients have nowhere to go. */
void want_two_gateways(const char *scenario);

struct user {
	char uid[32];
	char *token;
	char position[64]; /* "&epoch=...&offset=..." of its handshake, or empty */
	struct ws_peer peer;
};

/* `count` users with tokens, named after the run so that runs do not meet. Or the next ones of tests/bench/seed. */
struct user *users_make(unsigned count, const char *kind);

/* From here on users are those that tests/bench/seed has made, whose first partners have a conversation with them. */
void users_are_seeded(void);

/*
 * The recipient of message `i` of `count` users who write by turns: the next users behind the sender, another one in each
 * round. With two gateways half of them are on the other one.
 */
unsigned partner_of(uint64_t i, unsigned count, unsigned partners);

/* Connects each over its gateway in turn and waits for all hellos. Returns connects per second. */
double users_connect(struct user *users, unsigned count, void (*frame)(struct ws_peer *peer, struct str text), void *arg);

/* Creates each user by connecting once, as above, and closes all connections again. */
void users_introduce(struct user *users, unsigned count, void (*frame)(struct ws_peer *peer, struct str text), void *arg);

/* Makes a group of all users, who must exist, owned by the first one. Returns its id, on the heap. */
char *group_make(const struct user *users, unsigned count);
void users_free(struct user *users, unsigned count);

/* A name of this run, for ids that must differ from those of other runs. */
const char *run_name(void);

/* A scenario runs, prints its table and returns its figures. */
json_t *scenario_idle(const struct options *options);
json_t *scenario_p2p(const struct options *options);
json_t *scenario_group(const struct options *options);
json_t *scenario_latency(const struct options *options);
json_t *scenario_http(const struct options *options);
json_t *scenario_stalled(const struct options *options);
json_t *scenario_reconnect(const struct options *options);
json_t *scenario_drain(const struct options *options);
json_t *scenario_rolling(const struct options *options);
json_t *scenario_crash(const struct options *options);
json_t *scenario_overload(const struct options *options);
json_t *scenario_calls(const struct options *options);
json_t *scenario_calibrate(const struct options *options);

/* deploy/local/cluster COMMAND [NAME], as a child that runs on. */
void bench_cluster(pid_t *child, char *command, char *name);

/* Prints and returns CPU seconds and context switches by service between two readings, and for each delivery. */
json_t *report_cpu(const struct usage *before, const struct usage *after, uint64_t deliveries, double seconds);
json_t *report_latency(const char *title, const struct latency *latency);

/* The seconds between two times; null if the second was not seen (0). */
json_t *report_time(const char *title, uint64_t from_us, uint64_t to_us, const char *what);

#endif
