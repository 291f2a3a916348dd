#ifndef SKEIN_GATEWAY_ROUTER_REGISTRATION_H
#define SKEIN_GATEWAY_ROUTER_REGISTRATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "base/backoff.h"

/*
 * This gateway in router's list of nodes: registered at the start, with retries
 * until that succeeds; renewed every 3 s with fresh figures; removed at the end.
 * Every route has the epoch of the registration. Thread: the main worker's.
 */

struct gateway_config;
struct rpc_channel;
struct worker;
struct Skein__V1__Renewed; /* proto/router.proto */

/* The figures about the node that router gets. */
struct node_figures {
	uint64_t connections;
	uint64_t queue_bytes;
	uint64_t lag_ms; /* longest turn of a worker's loop since the last renewal */
};

/* Every function is called with `arg`. */
struct registration_setup {
	struct worker *main;
	struct rpc_channel *channel; /* to router */
	const struct gateway_config *config;
	atomic_uint_fast64_t *node_epoch; /* set by the registration; 0 until then */
	void (*read_figures)(struct node_figures *out, void *arg);
	void (*registered)(void *arg); /* once */
	void (*was_out)(void *arg); /* the node was out of the list for a while, and is in it again */
	void (*lost)(void *arg); /* another process took the name */
	void *arg;
};

struct registration {
	struct registration_setup setup;
	char *grpc_address; /* what the others know this gateway by; looked up once */
	uv_timer_t timer; /* the next try or renewal; a uv timer, so that the timer wheel of an idle process stops */
	struct backoff backoff;
	uint64_t asked_ms; /* when the last call began */
	uint64_t alive_ms; /* when the last call that succeeded began: the node's key lives NODE_LIFE_S from then on */
	bool is_registered;
	bool is_calling; /* no answer yet */
	bool is_draining;
	bool was_asked_draining; /* the last call said that the node drains */
	bool is_over; /* no calls any more */
	bool is_lost; /* the name is another process's */
	atomic_uint_fast64_t lag_ms; /* of the last call */
	void (*told)(const struct Skein__V1__Renewed *renewed, void *arg);
	void (*removed)(void *arg);
};

/* Blocks while the host's name is looked up (advertised.h). */
void registration_begin(struct registration *registration, const struct registration_setup *setup);

/* From now on calls say that the node drains. `told` is called with each answer: where its clients may go. */
void registration_drain(struct registration *registration,
                        void (*told)(const struct Skein__V1__Renewed *renewed, void *arg));

/* Takes the node out of the list. Calls `removed` in any case, after 3 s at most. */
void registration_end(struct registration *registration, void (*removed)(void *arg));

#endif
