#ifndef SKEIN_LIBCLIENT_MACHINES_LIFE_H
#define SKEIN_LIBCLIENT_MACHINES_LIFE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Decides whether and where to be connected. Pure: no I/O and no clock. Its driver reports events and does the actions
 * that life_take() returns until there is NOTHING. docs/build/client.md draws it.
 *
 *   FINDING    asks one base URL after the other for the gateways
 *   OPENING    tries one gateway after the other, up to its `hello`
 *   UP         pings a silent server. Told to move, it goes to OPENING or FINDING at that time and keeps its connection
 *              (`keeps`) until a new one has said hello; if none can be opened, it goes back to UP
 *   WAITING    until a random moment between retry.min and a ceiling that doubles up to retry.max
 *   TOKENLESS  until there is another token
 *   ENDED      for good
 */

enum life_state { LIFE_IDLE, LIFE_FINDING, LIFE_OPENING, LIFE_UP, LIFE_WAITING, LIFE_TOKENLESS, LIFE_ENDED };

enum life_end { LIFE_NOT_ENDED, LIFE_REPLACED, LIFE_REFUSED, LIFE_UNAUTHENTICATED };

enum life_action {
	LIFE_NOTHING,
	LIFE_DROP, /* every connection */
	LIFE_DROP_NEW, /* the one that has not said hello */
	LIFE_FIND, /* at base number `life.base` */
	LIFE_OPEN, /* gateway number `life.gateway`, or the gateway that the server named if `life.is_moving` */
	LIFE_PING,
	LIFE_ASK_TOKEN,
};

struct life_rules {
	unsigned base_count;
	bool has_gateway; /* a fixed one: nothing to find */
	bool returns_when_replaced;
	bool can_ask_token;
	uint64_t ping_after_ms, pong_within_ms, open_within_ms, stable_after_ms;
	uint64_t (*random_below)(uint64_t bound);
};

struct life {
	const struct life_rules *rules;
	enum life_state state;
	enum life_end end;
	bool is_moving;
	bool keeps; /* FINDING, OPENING: the connection before is still open */
	unsigned base, bases_tried;
	unsigned gateway, gateway_count;
	/* private */
	enum life_action owed;
	bool owes_drop, owes_drop_new, owes_ping;
	uint64_t retry_min_ms, retry_max_ms;
	unsigned tries; /* since the last stable connection */
	uint64_t at_least_ms; /* the longest Retry-After of this round */
	uint64_t deadline_ms; /* OPENING: give this gateway up; WAITING: try again */
	uint64_t up_ms, heard_ms, pinged_ms; /* pinged_ms 0: no ping waits for its pong */
	uint64_t leave_ms; /* when to move; 0: not told to */
	bool has_target; /* the server named a gateway to move to */
};

#define LIFE_MAX_RETRY_MS 3600000

void life_init(struct life *life, const struct life_rules *rules);
void life_start(struct life *life, uint64_t now_ms);

/* FINDING: the answer; or none from this base. `retry_after_ms`: the server's Retry-After, or 0. */
void life_found(struct life *life, unsigned gateway_count, uint64_t retry_min_ms, uint64_t retry_max_ms, uint64_t now_ms);
void life_not_found(struct life *life, uint64_t retry_after_ms, uint64_t now_ms);

/* OPENING: hello came. The driver has closed the connection that was kept: the new one is the only one. */
void life_hello(struct life *life, uint64_t now_ms);

/* Anything arrived on the connection. */
void life_heard(struct life *life, uint64_t now_ms);

/* The connection ended, or could not be opened. `close_code`: WebSocket's, or 0 without one. */
void life_lost(struct life *life, unsigned close_code, uint64_t retry_after_ms, uint64_t now_ms);

/* The connection that was kept ended. 4001 may mean that the new connection replaced it. */
void life_lost_kept(struct life *life, unsigned close_code);

/* A frame on the connection is invalid: drops it, and connects again after a while. */
void life_distrust(struct life *life, uint64_t now_ms);

/* `reconnect`: leave after that time, for the gateway whose URL the driver keeps (`has_target`) or for one to be found. */
void life_move(struct life *life, uint64_t after_ms, bool has_target, uint64_t now_ms);

/* The server refused the token, on any request. life_token(): the application has set another one. */
void life_unauthenticated(struct life *life);
void life_token(struct life *life, uint64_t now_ms);

/* The server called a request invalid; repeating it gives the same answer. */
void life_refused(struct life *life);

enum life_action life_take(struct life *life);

/* When to call life_tick(); 0: when something happens. */
uint64_t life_deadline(const struct life *life);
void life_tick(struct life *life, uint64_t now_ms);

#endif
