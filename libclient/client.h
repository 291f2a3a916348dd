#ifndef SKEIN_LIBCLIENT_CLIENT_H
#define SKEIN_LIBCLIENT_CLIENT_H

#include "base/backoff.h"
#include "libclient/answers.h"
#include "libclient/machines/life.h"
#include "libclient/transport/link.h"
#include "libclient/machines/outbox.h"

/*
 * A client, inside. Three pure machines say what is to be done: life.h (connecting), inbox.h (messages in) and outbox.h (sends
 * out); the files here do it. Whatever happens ends in client_turn(), which does what they say until they say nothing.
 *
 *   client.c        the turn, the timer, opening and closing
 *   client_link.c   what life says: endpoints, the connection, its frames
 *   client_read.c   what the inbox says: sync, history, handing over, acks
 *   client_send.c   what the outbox says
 */

#define CLIENT_MAX_GATEWAYS 16
#define CLIENT_MAX_FRAME 16384
#define CLIENT_MAX_SEND 65536
#define CLIENT_MAX_ASKING 8

/* A request of a kind that there is one of at a time: tried again until it has an answer that will not change. */
struct repeated_call {
	struct http_call http;
	struct backoff backoff;
	uint64_t retry_ms; /* 0: not waiting */
	unsigned token_number; /* of the token it went out with */
};

/* A connection to a gateway. */
struct client_link {
	struct skein_client *client;
	struct link *link;
	uint64_t named_offset; /* in its handshake */
};

struct skein_client {
	struct skein_net *net;
	struct skein_options options; /* its texts and arrays are ours */
	char *token;
	unsigned token_number; /* which one it is */
	unsigned base; /* the one that answers */

	struct life_rules life_rules;
	struct life life;
	enum skein_status status;
	char *gateways[CLIENT_MAX_GATEWAYS];
	char *target; /* where it was told to move */
	struct http_call find;
	struct client_link *up; /* hello came on it; NULL: there is none */
	struct client_link *opening;

	struct inbox_rules inbox_rules;
	struct inbox inbox;
	struct repeated_call read;
	struct buf read_path; /* what is asked, below /v1; empty: nothing */
	char read_conversation[132]; /* whose history it is; "" : it is a sync */

	struct outbox outbox;
	struct backoff send_backoff;
	uint64_t send_retry_ms; /* 0: not waiting */

	uv_timer_t timer;
	unsigned open_handles; /* the timer and links */
	bool is_turning, is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* Does all there is to do now. From anywhere but a machine. */
void client_turn(struct skein_client *client);

/* One of the handles that the client waits for at its end is gone. */
void client_handle_gone(struct skein_client *client);

static inline uint64_t client_now(const struct skein_client *client)
{
	return uv_now(client->timer.loop);
}

/* The request at the base that answered last, below /v1. `url` is a buffer for it. */
struct http_request client_request(const struct skein_client *client, struct buf *url, const char *path);

/* When to ask again after an answer that may be another one the next time; another base is asked if this one is not well. */
uint64_t client_retry_at(struct skein_client *client, struct backoff *backoff, const struct http_answer *answer);

/* The token that went out with a request was refused. */
void client_token_refused(struct skein_client *client, unsigned token_number);

/* ---- client_link.c ---- */

void client_obey_life(struct skein_client *client, enum life_action action);
void client_forget_gateways(struct skein_client *client);
void client_drop(struct skein_client *client); /* every connection */

/* Too much is waiting, or there is no connection: false. */
bool client_send_frame(struct skein_client *client, struct str text);

/* ---- client_read.c ---- */

void client_obey_inbox(struct skein_client *client, enum inbox_action action, struct inbox_effect *effect);
void client_read_again(struct skein_client *client);
void client_stop_reading(struct skein_client *client);

/* ---- client_send.c ---- */

void client_start_sends(struct skein_client *client);
void client_abandon_sends(struct skein_client *client);

#endif
