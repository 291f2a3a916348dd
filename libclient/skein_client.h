#ifndef SKEIN_LIBCLIENT_SKEIN_CLIENT_H
#define SKEIN_LIBCLIENT_SKEIN_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/*
 * A client of Skein for one user on one device. It stays connected, and hands over
 * each message once and in order (docs/build/client.md).
 *
 *   struct skein_net *net = skein_net_new(uv_default_loop(), NULL);
 *   const char *bases[] = { "https://im.example.org" };
 *   struct skein_options options = {
 *           .bases = bases, .base_count = 1, .token = token, .device = "phone", .platform = "ios",
 *           .state = what_was_stored, .on_message = show, .on_state = store, .on_token_needed = log_in_again,
 *   };
 *   struct skein_client *client = skein_client_new(net, &options);
 *   uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 *
 * Every function is called on the loop's thread, and every callback runs there;
 * nothing blocks. There are no globals: any number of clients on any number of
 * loops. Memory grows with the number of conversations, up to max_conversations.
 * Text that is handed in is copied, text that is handed out lives as long as the
 * call. A callback may call any function, skein_client_close() too. Out of memory
 * ends the process.
 *
 * Link with what `pkg-config --libs skein-client` prints. The library exports the functions of this header only.
 */

#ifdef __cplusplus
extern "C" {
#endif

struct skein_net;
struct skein_client;

/* ---- the HTTP connections that the clients of one loop share ---- */

/* `ca_file`: the certificate authorities to trust behind https and wss; NULL: those of the system. */
struct skein_net *skein_net_new(uv_loop_t *loop, const char *ca_file);

/* After the last client is closed. `closed` is called on a later turn of the loop. */
void skein_net_close(struct skein_net *net, void (*closed)(void *arg), void *arg);

/* ---- reports to the application ---- */

/*
 * A message, in the shape of contract section 1. (conversation_id, seq) names it. In one conversation seq goes up by one
 * from message to message. It starts above 1, or jumps, only over messages that this user may not read or that this
 * client never followed.
 */
struct skein_message {
	const char *conversation_id, *msg_id, *from, *type;
	uint64_t seq;
	int64_t time_ms;
	const json_t *json; /* all of it */
	uint64_t delivery; /* for skein_client_taken() */
};

enum skein_status {
	SKEIN_CONNECTING, /* looking for a gateway, or connecting */
	SKEIN_UP, /* connected; missed messages come first */
	SKEIN_WAITING, /* the connection was lost or refused; tried again after a time */
	SKEIN_TOKENLESS, /* the server refuses the token: skein_client_set_token() goes on */
	SKEIN_ENDED, /* for good, sends too: only skein_client_close() may follow */
};

enum skein_reason {
	SKEIN_NO_REASON,
	SKEIN_REPLACED, /* the same device connected somewhere else (4001) */
	SKEIN_REFUSED, /* the server refuses this client's requests or frames: a bug here, or in the options */
	SKEIN_UNAUTHENTICATED, /* the server refuses the token, and there is no on_token_needed */
};

/* The answer to a send. `code` is NULL when it was stored, else a code of docs/build/protocol.md, or "closed". */
struct skein_sent {
	const char *client_msg_id;
	const char *code, *detail;
	const char *conversation_id, *msg_id;
	uint64_t seq;
	int64_t time_ms;
	bool is_duplicate; /* an earlier try had been stored */
};

struct skein_options {
	/* im base URLs ("https://im.example.org"), tried in turn. A token is sent to these and to the gateways they name. */
	const char *const *bases;
	size_t base_count;
	const char *gateway; /* always connect to this wss:// URL; NULL: to those of GET /v1/endpoints */
	const char *token, *device, *platform;
	const char *state; /* what skein_client_state() returned last, before this start; NULL or "" at the first one */

	void (*on_message)(struct skein_client *client, const struct skein_message *message, void *arg);
	/* The state has changed: store skein_client_state(), now or later. Called before messages are acked. */
	void (*on_state)(struct skein_client *client, void *arg);
	void (*on_status)(struct skein_client *client, enum skein_status status, enum skein_reason reason, void *arg);
	void (*on_token_needed)(struct skein_client *client, void *arg);
	void (*on_sent)(struct skein_client *client, const struct skein_sent *sent, void *arg);
	/* Every frame that is not about messages: hello, event, room, ok, error ... (docs/asyncapi.yaml). */
	void (*on_frame)(struct skein_client *client, const json_t *frame, void *arg);
	void *arg; /* for the callbacks */

	/*
	 * false: a message is taken when on_message returns. true: it is taken by skein_client_taken(), and no more than
	 * max_untaken messages wait for that.
	 */
	bool takes_explicitly;
	bool never_acks; /* `ack=0`: the server keeps no window for this connection */
	bool starts_from_oldest; /* without a state: from the oldest message of the inbox; false: from the next new one */
	bool returns_when_replaced; /* 4001 is a lost connection like any other */
	bool uses_proxy; /* the proxy of the environment (https_proxy ...) */
	/*
	 * When the server lost the inbox: how many of the last messages to read of a conversation that this client does
	 * not know. 0: all of them, since it may have begun while the client was away.
	 */
	uint32_t unknown_history;

	/* 0 in any of these is the default named beside it. */
	unsigned ack_every; /* 20 messages ... */
	unsigned ack_after_ms; /* ... or 500: then on_state is called and the messages are acked */
	unsigned ping_after_ms; /* 20,000 of silence ... */
	unsigned pong_within_ms; /* ... and 10,000 more: the connection is dead */
	unsigned open_within_ms; /* 15,000 from connecting to `hello` */
	unsigned request_within_ms; /* 15,000 for an HTTP call */
	unsigned stable_after_ms; /* 10,000: a connection that lived that long is no failure */
	unsigned max_held; /* 1,000 live messages while older ones are read; more are read again */
	unsigned max_held_bytes; /* 4 MiB of their text */
	unsigned max_untaken; /* 1,000 */
	unsigned max_sends; /* 1,000 sends that are not answered */
	unsigned max_conversations; /* 100,000 remembered; over it, the quietest one is forgotten */
};

/* ---- a client ---- */

/* Starts to connect on the next turn of the loop. NULL: an option is missing or not valid, the state included. */
struct skein_client *skein_client_new(struct skein_net *net, const struct skein_options *options);

/*
 * Calls on_sent with "closed" for each send that has no answer, before it returns, and `closed` on a later turn of the
 * loop, when the client is gone. No other callback comes. Messages that were not taken come again at the next start.
 */
void skein_client_close(struct skein_client *client, void (*closed)(void *arg), void *arg);

/* In answer to on_token_needed, or any time before. */
void skein_client_set_token(struct skein_client *client, const char *token);

/*
 * Sends a message: a JSON object as the body of POST /v1/messages; client_msg_id is made if it has none. It is tried again
 * under the same client_msg_id, over lost connections and busy servers, until there is an answer for on_sent; sends to
 * one user or group are stored in their order. False: it is no such object, over 64 KiB, or max_sends wait.
 * Sends are not part of the state: the application keeps what has no answer, and sends it again with its client_msg_id.
 */
bool skein_client_send(struct skein_client *client, const json_t *message);

/* A frame on the connection (`typing`, `join` ...). False: not connected, over 16 KiB, or too much is waiting already. */
bool skein_client_frame(struct skein_client *client, const json_t *frame);

/* With takes_explicitly: the application has taken this message and all that were handed over before it. */
void skein_client_taken(struct skein_client *client, uint64_t delivery);

/*
 * The `state` for the next start: the position up to which messages were taken. JSON on the heap, free() it. Its size,
 * and the time to write it, grow with the number of conversations. Messages taken after the last stored state come again
 * after a crash; (conversation_id, seq) tells them.
 */
char *skein_client_state(const struct skein_client *client);

#ifdef __cplusplus
}
#endif

#endif
