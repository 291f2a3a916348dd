#ifndef SKEIN_GATEWAY_GATEWAY_METRICS_H
#define SKEIN_GATEWAY_GATEWAY_METRICS_H

#include <stdint.h>

#include "base/telemetry/metrics.h"

/* The counters and gauges of a gateway. Made once, at start; used from any thread. */

enum handshake_outcome {
	HANDSHAKE_OK, /* hello was sent */
	HANDSHAKE_UNAUTHENTICATED,
	HANDSHAKE_INVALID,
	HANDSHAKE_RATE_LIMITED, /* too many of the address or user */
	HANDSHAKE_FULL,
	HANDSHAKE_UNAVAILABLE, /* im or router did not answer, or the node drains */
	HANDSHAKE_OVER_BUDGET, /* too many clients are not admitted yet, or they sent too much */
	HANDSHAKE_LEFT, /* the client closed before hello */
	HANDSHAKE_OUTCOMES,
};

/* Outcomes of reading an inbox for a connection. */
enum sync_outcome {
	SYNC_READ, /* a page came */
	SYNC_MORE, /* a page came, and the client was told with sync_more to read the rest itself */
	SYNC_RESET, /* the inbox does not have the position any more */
	SYNC_FAILED, /* one try failed */
	SYNC_TOO_FAR, /* the hole was too large to be read: the client is told to resync */
	SYNC_OUTCOMES,
};

/* Why a connection did not get an event. */
enum event_drop {
	EVENT_DROPPED_QUEUE, /* its queue is too full */
	EVENT_DROPPED_NOT_LIVE, /* hello was not sent yet, or it is being closed */
	EVENT_DROPS,
};

#define CLOSE_CODES 17

struct gateway_metrics {
	struct counter *handshakes[HANDSHAKE_OUTCOMES];
	struct counter *closes[CLOSE_CODES];
	struct counter *frames_in, *bytes_in, *frames_out, *bytes_out;
	struct counter *sends, *send_errors;
	struct counter *im_retries, *router_changes;
	struct gauge *sends_under_way;
	struct gauge *signals_under_way; /* read and typing frames */
	struct gauge *watching; /* connections that watch somebody */
	struct counter *typing_dropped;
	struct gauge *deliver_bytes;
	struct counter *answers_unread;
	struct counter *deliveries; /* one for each message and connection */
	struct histogram *delivery_time; /* of batches from push */
	struct counter *gone, *lagging, *duplicates, *held, *forgotten, *resyncs, *malformed;
	struct counter *syncs[SYNC_OUTCOMES];
	struct counter *window_stalls, *resends, *shed;
	struct counter *events; /* one for each event and connection */
	struct counter *events_dropped[EVENT_DROPS];
	struct counter *receipts, *receipts_dropped_full, *receipts_dropped_im;
};

void gateway_metrics_init(struct gateway_metrics *metrics);

/* Counts a connection that was closed with this code. */
void gateway_metrics_closed(struct gateway_metrics *metrics, uint16_t code);

#endif
