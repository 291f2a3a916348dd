#include "ws_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct ws_pair pair;

int pair_start(void **state)
{
	(void)state;
	rig_init(&pair.rig);
	pair.rig.options.max_message = 1000;
	return 0;
}

int pair_stop(void **state)
{
	(void)state;
	rig_stop(&pair.rig);
	return 0;
}

void open_client(void)
{
	rig_start(&pair.rig);
	client_open(&pair.client, pair.rig.port, "");
}

void send_frame(unsigned char first, const char *payload)
{
	assert_true(client_send_frame(&pair.client, first, payload, strlen(payload)));
}

void send_close(uint16_t code, const char *reason)
{
	char payload[128] = { (char)(code >> 8), (char)code };

	snprintf(payload + 2, sizeof(payload) - 2, "%s", reason);
	assert_true(client_send_frame(&pair.client, FIN_CLOSE, payload, 2 + strlen(reason)));
}

void expect_closing(uint16_t code)
{
	client_expect_close(&pair.client, code);
	send_close(code, "");
	client_expect_end(&pair.client);
	client_close(&pair.client); /* after a violation the server waits for it */
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, code);
}
