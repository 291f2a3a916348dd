/* skein-bench SCENARIO [OPTIONS]: drives a running cluster (.run/env) and says what it did and what it cost. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/config/config.h"
#include "tests/bench/bench.h"

/* Few enough that most messages of a run are not the first ones of their conversation. */
#define PARTNERS 4

static const struct {
	const char *name;
	json_t *(*run)(const struct options *options);
	const char *help;
} scenarios[] = {
	{ "idle", scenario_idle, "memory and CPU of connections that do nothing (--users, --seconds)" },
	{ "p2p", scenario_p2p, "one-to-one messages at a rate (--users, --rate, --seconds)" },
	{ "group", scenario_group, "one group, all members connected (--users, --rate, --seconds)" },
	{ "latency", scenario_latency, "p2p at 1,000 a second" },
	{ "stalled", scenario_stalled, "a group with members who do not read (--users, --rate, --seconds)" },
	{ "reconnect", scenario_reconnect, "everybody comes back at once, with messages waiting (--users)" },
	{ "drain", scenario_drain, "a gateway is restarted with everybody on it (--users, --rate)" },
	{ "rolling", scenario_rolling, "every service is restarted, one after the other (--users, --rate)" },
	{ "crash", scenario_crash, "a gateway is killed with many users on it (--users, --rate)" },
	{ "overload", scenario_overload,
	  "1 and 3 times what it can carry, then 0.3 times (--users, --connections, --rate of the peak, --seconds)" },
	{ "http", scenario_http, "durable sends as fast as they go (--connections, --seconds)" },
	{ "calls", scenario_calls,
	  "every call of a user at a rate, one after the other; wants --seeded (--rate, --seconds of each)" },
	{ "calibrate", scenario_calibrate, "a fixed amount of work without a cluster: how fast this machine is" },
};

static void usage(FILE *out)
{
	fprintf(out, "usage: skein-bench SCENARIO [--users N] [--rate PER_S] [--seconds S] [--connections N] [--json FILE]\n"
	             "       [--partners N] (one-to-one: how many others each user writes to, in turn; %u)\n"
	             "       [--seeded] (the users and conversations of tests/bench/seed)\n"
	             "       [--restart PROGRAM] (for `rolling`: what restarts a cluster that is not the local one)\n\n",
	        PARTNERS);
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		fprintf(out, "  %-9s %s\n", scenarios[i].name, scenarios[i].help);
}

static double positive(const char *name, const char *text, double most)
{
	char *end;
	double number = strtod(text, &end);

	if (*end || !(number > 0) || number > most)
		fail("--%s %s: a number above 0, up to %.0f", name, text, most);
	return number;
}

static void cpu_model(char *out, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(out, size, "unknown");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
			snprintf(out, size, "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"), strchr(line, ':') + 2);
			break;
		}
	if (file)
		fclose(file);
}

static void write_json(const char *path, const char *scenario, json_t *result)
{
	struct utsname system;
	char cpu[200];

	uname(&system);
	cpu_model(cpu, sizeof(cpu));
	json_t *all = json_pack("{s:s, s:s, s:I, s:{s:s, s:i, s:s}, s:o}", "scenario", scenario, "commit", skein_version, "time",
	                        (json_int_t)time(NULL), "machine", "cpu", cpu, "cores", (int)sysconf(_SC_NPROCESSORS_ONLN),
	                        "kernel", system.release, "result", result);
	if (json_dump_file(all, path, JSON_INDENT(2)))
		fail("cannot write %s", path);
	json_decref(all);
}

/* The exit code. Figures go to the file `json` unless it is NULL. */
static int run_scenario(const char *name, const struct options *options, const char *json)
{
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		if (strcmp(name, scenarios[i].name) != 0)
			continue;
		json_t *result = scenarios[i].run(options);
		fflush(stdout);
		if (!result)
			fail("the figures could not be put together");
		if (json)
			write_json(json, scenarios[i].name, result);
		else
			json_decref(result);
		return 0;
	}
	usage(stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "users", required_argument, NULL, 'u' },
		{ "rate", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "connections", required_argument, NULL, 'c' },
		{ "partners", required_argument, NULL, 'p' },
		{ "seeded", no_argument, NULL, 'd' },
		{ "restart", required_argument, NULL, 'R' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct options options = { .partners = PARTNERS };
	const char *json = NULL;

	for (int option; (option = getopt_long(argc, argv, "", names, NULL)) >= 0;) {
		switch (option) {
		case 'u':
			options.users = (unsigned)positive("users", optarg, 100000);
			break;
		case 'r':
			options.rate = positive("rate", optarg, 1e6);
			break;
		case 's':
			options.seconds = positive("seconds", optarg, 3600);
			break;
		case 'c':
			options.connections = (unsigned)positive("connections", optarg, 10000);
			break;
		case 'p':
			options.partners = MAX((unsigned)positive("partners", optarg, 100000), 1);
			break;
		case 'd':
			users_are_seeded();
			break;
		case 'R':
			options.restart = optarg;
			break;
		case 'j':
			json = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	return run_scenario(optind < argc ? argv[optind] : "", &options, json);
}
