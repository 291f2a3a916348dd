#ifndef SKEIN_TESTS_NET_WS_PAIR_H
#define SKEIN_TESTS_NET_WS_PAIR_H

#include "ws_client.h"
#include "ws_rig.h"

/* A server (ws_rig.h) with messages of at most 1000 bytes, and the one client of the test. */

#define FIN_TEXT 0x81
#define FIN_BINARY 0x82
#define TEXT 0x01
#define BINARY 0x02
#define MORE 0x00
#define FIN_MORE 0x80
#define FIN_CLOSE 0x88
#define FIN_PING 0x89
#define FIN_PONG 0x8a

extern struct ws_pair {
	struct rig rig;
	struct client client;
	struct frame frame; /* the one that was read last */
} pair;

/* The setup and teardown of each test. */
int pair_start(void **state);
int pair_stop(void **state);

void open_client(void);
void send_frame(unsigned char first, const char *payload);
void send_close(uint16_t code, const char *reason);

/* The server closes with this code. The client takes part in the closing handshake: its echo is the end. */
void expect_closing(uint16_t code);

#endif
