#ifndef SKEIN_TESTS_PUSH_EVENTS_FIXTURE_H
#define SKEIN_TESTS_PUSH_EVENTS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/telemetry/metrics.h"
#include "base/text/str.h"
#include "cluster/node.h"
#include "loop/worker.h"
#include "servers.h"

/*
 * Events through push: a real Redis and Kafka, the event intake of push, and a gateway that the test plays. Each test has users of
 * its own. alice has two connections, 1 and 2, bob has 3 and carol has 4.
 */

#define KEPT_MAX 4000
#define CONNS_MAX 8

/* A delivery as the gateway got it. */
struct seen {
	uint64_t id;
	bool is_event;
	char kind[16], body[32];
	char watched[24]; /* in place of connections */
	uint64_t conns[CONNS_MAX], offset; /* of a message: its only number */
	size_t conn_count, number_count;
};

struct event_scene {
	struct worker worker;
	struct redis *redis;
	struct rpc_client *client;
	struct node_list *nodes;
	struct gateways *gateways;
	struct kafka_producer *producer;
	struct event_intake *events;
	struct node node;
	bool is_registered, is_busy;
	char alice[24], bob[24], carol[24]; /* each test's own */
	/* the gateway that is played */
	struct rpc_server *server;
	char address[32];
	struct rpc_stream *stream;
	bool is_silent;
	struct seen seen[KEPT_MAX];
	unsigned seen_count, event_count, message_count, answered;
	unsigned produced, done; /* messages given to the gateway that have ended */
};

extern struct event_scene event_scene;
extern struct real_server event_redis;

void played_gateway_answer_all(void);

bool events_are_quiet(void *arg);

void produce_event_bytes(struct str value);

/* A record that has the event `times` times: once or twice. */
void produce_event_times(size_t times, const char *kind, const char *body, const char *first, const char *second);

void produce_event(const char *kind, const char *body, const char *first, const char *second);

/* An event for a user, except for one connection. */
void produce_event_except(const char *kind, const char *body, const char *uid, uint64_t conn);

/* An event for who watches this user. */
void produce_watched_event(const char *kind, const char *body, const char *watched);

/* A message to the gateway, as push delivers it, whose number is `offset`; whether the number was only noted. */
bool deliver_message_to_played_gateway(uint64_t offset);

struct counter *dropped_events(const char *reason);

void turn_until_events_dropped(const char *reason, uint64_t value);

/* An event for alice arrives, after whatever was before it. */
void assert_an_event_arrives(void);

int open_event_scene(void **state);

int close_event_scene(void **state);

/* Each test has users of its own. alice has two connections, 1 and 2, bob has 3 and carol has 4. */
int begin_event_test(void **state);

int end_event_test(void **state);

#endif
