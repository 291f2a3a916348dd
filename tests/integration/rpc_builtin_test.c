/* Health and reflection, and a foreign client (python3-grpcio). */
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "rpc/server/descriptor_set.h"
#include "rpc_fixture.h"

#define CHECK "/grpc.health.v1.Health/Check"

struct pair {
	struct test_server server;
	struct test_client client;
};

static int set_up(void **state)
{
	struct pair *pair = MEM_NEW(struct pair);

	pair->server.descriptor_set = str_of(proto_descriptor_set, proto_descriptor_set_len);
	server_start(&pair->server, rpc_port(0));
	client_start(&pair->client, rpc_target(0));
	*state = pair;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *pair = *state;

	client_stop(&pair->client);
	server_stop(&pair->server);
	mem_free(pair);
	return 0;
}

static void health_follows_the_server(void **state)
{
	struct pair *pair = *state;
	struct outcome out;

	call(&pair->client, CHECK, STR(""), 5000, &out);
	assert_int_equal(out.err, OK);
	assert_string_equal(out.text, "\x08\x01");
	rpc_server_set_serving(pair->server.rpc, false);
	call(&pair->client, CHECK, STR("\x0a\x0atest.Unary"), 5000, &out);
	assert_int_equal(out.err, OK);
	assert_string_equal(out.text, "\x08\x02");
	call(&pair->client, CHECK, STR("\x0a\x04none"), 5000, &out);
	assert_int_equal(out.err, ERR_NOT_FOUND);
	rpc_server_set_serving(pair->server.rpc, true);
	call(&pair->client, CHECK, STR(""), 5000, &out);
	assert_string_equal(out.text, "\x08\x01");
}

static void a_foreign_client_is_served(void **state)
{
	char script[256], target[32], *slash;
	char *argv[] = { (char[]){ "/usr/bin/python3" } /* it has grpcio */, script, target, NULL };
	pid_t pid;
	int status;
	(void)state;

	snprintf(target, sizeof(target), "%s", rpc_target(0));
	snprintf(script, sizeof(script), "%s", __FILE__);
	slash = strrchr(script, '/');
	assert_non_null(slash);
	snprintf(slash + 1, sizeof(script) - (size_t)(slash + 1 - script), "rpc_foreign_client.py");
	assert_int_equal(posix_spawn(&pid, argv[0], NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void try_broken_set(void *arg)
{
	struct pair *pair = arg;
	const struct rpc_server_options options = {
		.listen = rpc_target(1),
		.descriptor_set = str_of(proto_descriptor_set, proto_descriptor_set_len - 1),
	};
	struct rpc_server *server;

	assert_int_equal(rpc_server_new(&server, &pair->server.worker, &options), ERR_INVALID_ARGUMENT);
}

static void a_broken_descriptor_set_is_found_at_start(void **state)
{
	struct pair *pair = *state;

	run_on(&pair->server.worker, try_broken_set, pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(health_follows_the_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_foreign_client_is_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_broken_descriptor_set_is_found_at_start, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
