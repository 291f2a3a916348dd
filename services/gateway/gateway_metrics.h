#ifndef SKEIN_GATEWAY_GATEWAY_METRICS_H
#define SKEIN_GATEWAY_GATEWAY_METRICS_H

#include <stdint.h>

#include "base/telemetry/metrics.h"

/* What a gateway counts. Made once, at start; used from any thread. */

enum handshake_outcome {
	HANDSHAKE_OK, /* hello was sent */
	HANDSHAKE_UNAUTHENTICATED,
	HANDSHAKE_INVALID,
	HANDSHAKE_FULL,
	HANDSHAKE_UNAVAILABLE, /* im or router did not let it in */
	HANDSHAKE_LEFT, /* the client went before hello */
	HANDSHAKE_OUTCOMES,
};

/* What became of reading an inbox for a connection. */
enum sync_outcome {
	SYNC_READ, /* a page came */
	SYNC_MORE, /* and there is more than a connection is given: sync_more */
	SYNC_RESET, /* the position is not known any more */
	SYNC_FAILED, /* no good answer, this time */
	SYNC_TOO_FAR, /* not asked for: the client is told to resync */
	SYNC_OUTCOMES,
};

#define CLOSE_CODES 17

struct gateway_metrics {
	struct counter *handshakes[HANDSHAKE_OUTCOMES];
	struct counter *closes[CLOSE_CODES];
	struct counter *frames_in, *bytes_in, *frames_out, *bytes_out;
	struct counter *sends, *send_errors;
	struct counter *im_retries, *router_changes;
	struct gauge *sends_under_way;
	struct counter *deliveries; /* targets: a message for a connection */
	struct counter *gone, *lagging, *duplicates, *held, *forgotten, *resyncs, *malformed;
	struct counter *syncs[SYNC_OUTCOMES];
	struct counter *window_stalls, *resends;
};

void gateway_metrics_init(struct gateway_metrics *metrics);

/* Counts a connection that was closed with this code. */
void gateway_metrics_closed(struct gateway_metrics *metrics, uint16_t code);

#endif
