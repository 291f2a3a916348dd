#ifndef SKEIN_LIBCLIENT_CLIENT_STATE_H
#define SKEIN_LIBCLIENT_CLIENT_STATE_H

#include "base/backoff.h"
#include "libclient/answers.h"
#include "libclient/machines/life.h"
#include "libclient/machines/outbox.h"
#include "libclient/transport/link.h"

/*
 * The state of a client, shared by the files around it. Three pure machines decide: life.h (connecting), inbox.h
 * (messages in) and outbox.h (sends out). The files here do their actions, and call only those above them in this list:
 *
 *   client_state   the state, requests to im, times of retries
 *   client_read    sync and history, handing over messages
 *   client_link    endpoints, the connection, its frames
 *   client_send    sends until they are answered
 *   client         the turn: asks the machines and calls the others; the timer, the beginning and the end
 *
 * Every event in one of them (an answer, a frame) ends in client->changed(). Thread: the loop's.
 */

#define CLIENT_MAX_GATEWAYS 16
#define CLIENT_MAX_FRAME 16384
#define CLIENT_MAX_SEND 65536
#define CLIENT_MAX_ASKING 8

/* A request that is made one at a time, and repeated until its answer is final. */
struct repeated_call {
	struct http_call http;
	struct backoff backoff;
	uint64_t retry_ms; /* 0: not waiting */
	unsigned token_number; /* of the token that it was sent with */
};

/* A connection to a gateway. */
struct client_link {
	struct skein_client *client;
	struct link *link;
	uint64_t named_offset; /* in its handshake */
};

struct skein_client {
	struct skein_net *net;
	struct skein_options options; /* its texts and arrays are copies */
	char *token;
	unsigned token_number; /* counts the tokens */
	unsigned base; /* index of the base that answered last */

	struct life_rules life_rules;
	struct life life;
	enum skein_status status;
	char *gateways[CLIENT_MAX_GATEWAYS];
	char *target; /* the URL that the server told it to move to */
	struct http_call find;
	struct client_link *up; /* the connection that has said hello, or NULL */
	struct client_link *opening;

	struct inbox_rules inbox_rules;
	struct inbox inbox;
	struct repeated_call read;
	struct buf read_path; /* below /v1; empty: nothing is read */
	char read_conversation[132]; /* whose history is read; "": it is a sync */

	struct outbox outbox;
	struct backoff send_backoff;
	uint64_t send_retry_ms; /* 0: not waiting */

	uv_timer_t timer;
	unsigned open_handles; /* the timer and links */
	bool is_turning, is_closing;
	void (*closed)(void *arg);
	void *closed_arg;

	/* Set by client.c. */
	void (*changed)(struct skein_client *client); /* takes a turn: does all that is due */
	void (*handle_closed)(struct skein_client *client); /* of one of open_handles; the last one frees the client */
};

static inline uint64_t client_now(const struct skein_client *client)
{
	return uv_now(client->timer.loop);
}

/* A request to the base that answered last, below /v1. Its URL is written to `url`. */
struct http_request client_request(const struct skein_client *client, struct buf *url, const char *path);

/*
 * When to repeat a request after this answer. Moves on to the next base unless this one answered with a 4xx: another
 * base may work when this one does not answer, or answers with a 5xx.
 */
uint64_t client_retry_at(struct skein_client *client, struct backoff *backoff, const struct http_answer *answer);

/* The server refused the token that a request was sent with. Ignored if there is a newer token. */
void client_token_refused(struct skein_client *client, unsigned token_number);

#endif
