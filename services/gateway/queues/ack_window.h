#ifndef SKEIN_GATEWAY_QUEUES_ACK_WINDOW_H
#define SKEIN_GATEWAY_QUEUES_ACK_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The messages that one client was sent and has not acknowledged (design
 * section 5).
 * A message is in flight from when it is queued until an ack reaches its
 * number. The window is full when one of its limits is reached; an empty window
 * takes a message of any size. It has room again when half of both limits is free.
 *
 * Numbers in flight are dense: a number that does not follow the last one means
 * that the client was told to read the numbers between (resync, sync_more).
 * Earlier messages no longer need an ack; the window counts from there.
 *
 * While something is in flight and no ack makes progress, doubt grows:
 *
 *   after 1 timeout_ms    PING: does the client live?
 *   after 2               RESEND if it does: perhaps its program missed something; GIVE_UP if it does not
 *   after 3               GIVE_UP
 *
 * Pure: no clock, no I/O. 32 bytes, and 4 for each message in flight.
 */

struct ack_limits {
	uint32_t max_messages, max_bytes;
	uint64_t timeout_ms;
};

enum ack_doubt { ACK_TRUSTED, ACK_PINGED, ACK_PONGED, ACK_RESENT };

enum ack_step { ACK_NOTHING, ACK_PING, ACK_RESEND, ACK_GIVE_UP };

struct ack_ring;

struct ack_window {
	struct ack_ring *ring; /* NULL while nothing is in flight */
	uint64_t acked; /* numbers up to here need no ack: acknowledged, or left to the client to read */
	uint64_t since_ms; /* the last progress */
	uint32_t last_bytes; /* of the message that was added last */
	uint8_t doubt; /* enum ack_doubt */
};

/* A zeroed one is empty. */
void ack_window_release(struct ack_window *window);

/* Empties the window; the next message has a number above `acked`, perhaps of another inbox. */
void ack_window_restart(struct ack_window *window, uint64_t acked);

/* A message was queued. Ignored if its number was acknowledged before: the client has read it over HTTP. */
void ack_window_add(struct ack_window *window, uint64_t offset, uint32_t bytes, uint64_t now_ms);

/* The client has processed everything up to `offset`. True: that frees a message in flight. */
bool ack_window_take(struct ack_window *window, uint64_t offset, uint64_t now_ms);

bool ack_window_is_full(const struct ack_window *window, const struct ack_limits *limits);
bool ack_window_has_room(const struct ack_window *window, const struct ack_limits *limits);

/* How many more messages of the last one's size find room; at least one. */
uint32_t ack_window_room(const struct ack_window *window, const struct ack_limits *limits);

uint32_t ack_window_messages(const struct ack_window *window);
uint32_t ack_window_bytes(const struct ack_window *window);

/* The number of the last message in flight; `acked` if none is. */
uint64_t ack_window_last(const struct ack_window *window);

/* A pong came. */
void ack_window_ponged(struct ack_window *window);

/* When ack_window_step() is to be asked; 0: nothing is in flight. */
uint64_t ack_window_deadline(const struct ack_window *window, const struct ack_limits *limits);

/* The step that is due now; each is returned once. */
enum ack_step ack_window_step(struct ack_window *window, const struct ack_limits *limits, uint64_t now_ms);

/* All messages in flight were sent again: the client has another timeout_ms. */
void ack_window_resent(struct ack_window *window, const struct ack_limits *limits, uint64_t now_ms);

#endif
