#include "gateway/gateway_metrics.h"

#include <stdio.h>

static const uint16_t close_codes[CLOSE_CODES - 1] = {
	1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1013, 4001, 4002, 4003, 4004, 4005, 4006,
};

static const char *const handshake_labels[HANDSHAKE_OUTCOMES] = {
	[HANDSHAKE_OK] = "outcome=\"ok\"",
	[HANDSHAKE_UNAUTHENTICATED] = "outcome=\"unauthenticated\"",
	[HANDSHAKE_INVALID] = "outcome=\"invalid\"",
	[HANDSHAKE_RATE_LIMITED] = "outcome=\"rate_limited\"",
	[HANDSHAKE_FULL] = "outcome=\"full\"",
	[HANDSHAKE_UNAVAILABLE] = "outcome=\"unavailable\"",
	[HANDSHAKE_OVER_BUDGET] = "outcome=\"over_budget\"",
	[HANDSHAKE_LEFT] = "outcome=\"left\"",
};

static const char *const sync_labels[SYNC_OUTCOMES] = {
	[SYNC_READ] = "outcome=\"read\"",
	[SYNC_MORE] = "outcome=\"more\"",
	[SYNC_RESET] = "outcome=\"reset\"",
	[SYNC_FAILED] = "outcome=\"failed\"",
	[SYNC_TOO_FAR] = "outcome=\"too_far\"",
};

static const char *const event_drop_labels[EVENT_DROPS] = {
	[EVENT_DROPPED_QUEUE] = "reason=\"queue\"",
	[EVENT_DROPPED_NOT_LIVE] = "reason=\"not_live\"",
};

static void gateway_metrics_add_each(struct counter **counters, const char *const *labels, int count, const char *name,
                                     const char *help)
{
	for (int i = 0; i < count; i++)
		counters[i] = metrics_counter(name, help, labels[i]);
}

static void gateway_metrics_add_closes(struct gateway_metrics *m)
{
	for (int i = 0; i < CLOSE_CODES; i++) {
		char label[24] = "code=\"other\"";

		if (i < CLOSE_CODES - 1)
			snprintf(label, sizeof(label), "code=\"%u\"", close_codes[i]);
		m->closes[i] = metrics_counter("skein_gateway_closes_total", "Connections that ended, by close code.", label);
	}
}

void gateway_metrics_init(struct gateway_metrics *m)
{
	const char *dropped = "skein_gateway_receipts_dropped_total";
	const char *dropped_help = "Delivered receipts that im was not told, by reason.";

	gateway_metrics_add_each(m->handshakes, handshake_labels, HANDSHAKE_OUTCOMES, "skein_gateway_handshakes_total",
	                         "Handshakes of clients, by outcome.");
	gateway_metrics_add_closes(m);
	gateway_metrics_add_each(m->syncs, sync_labels, SYNC_OUTCOMES, "skein_gateway_syncs_total",
	                         "Pages of inboxes read for connections, by outcome.");
	m->events = metrics_counter("skein_gateway_events_total",
	                            "Events from push that were queued, times their connections.", NULL);
	gateway_metrics_add_each(m->events_dropped, event_drop_labels, EVENT_DROPS, "skein_gateway_events_dropped_total",
	                         "Events that a connection did not get, by reason.");
	m->receipts = metrics_counter("skein_gateway_receipts_total", "Delivered receipts that im took.", NULL);
	m->receipts_dropped_full = metrics_counter(dropped, dropped_help, "reason=\"full\"");
	m->receipts_dropped_im = metrics_counter(dropped, dropped_help, "reason=\"im\"");
	m->frames_in = metrics_counter("skein_gateway_frames_in_total",
	                               "Frames from clients, fragments and control frames included.", NULL);
	m->bytes_in = metrics_counter("skein_gateway_bytes_in_total", "Bytes of messages from clients.", NULL);
	m->frames_out = metrics_counter("skein_gateway_frames_out_total", "Frames written to clients, pings not counted.", NULL);
	m->bytes_out = metrics_counter("skein_gateway_bytes_out_total", "Bytes of frames written to clients.", NULL);
	m->sends = metrics_counter("skein_gateway_sends_total", "Sends of clients that im answered.", NULL);
	m->send_errors = metrics_counter("skein_gateway_send_errors_total", "Sends of clients answered with an error.", NULL);
	m->im_retries = metrics_counter("skein_gateway_im_retries_total", "Calls that an im could not serve, asked again.", NULL);
	m->router_changes = metrics_counter("skein_gateway_router_changes_total",
	                                    "Streams of routes given up because router did not answer in time.", NULL);
	m->sends_under_way = metrics_gauge("skein_gateway_sends_under_way", "Sends of clients that im has not answered.", NULL);
	m->signals_under_way = metrics_gauge("skein_gateway_signals_under_way",
	                                     "Read and typing frames of clients that im has not answered.", NULL);
	m->watching = metrics_gauge("skein_gateway_watching", "Connections that watch the presence of users.", NULL);
	m->typing_dropped = metrics_counter("skein_gateway_typing_dropped_total",
	                                    "Typing frames that came sooner than typing.interval after the last.", NULL);
	m->deliver_bytes = metrics_gauge("skein_gateway_deliver_bytes",
	                                 "Bytes of batches from push that the workers have not finished.", NULL);
	m->answers_unread = metrics_counter("skein_gateway_answers_unread_total",
	                                    "Streams of push that were ended because push did not read its answers.", NULL);
	m->shed = metrics_counter("skein_gateway_shed_total",
	                          "Clients that did not read and lost their queue, because queue.stalled_bytes was reached.",
	                          NULL);
	m->deliveries = metrics_counter("skein_gateway_deliveries_total", "Messages from push, times their connections.", NULL);
	m->delivery_time = metrics_histogram(
		"skein_gateway_delivery_seconds",
		"From a message's arrival from push until its frames are written to their sockets.", NULL);
	m->gone = metrics_counter("skein_gateway_gone_total", "Deliveries to connections that were gone.", NULL);
	m->lagging = metrics_counter("skein_gateway_lagging_total", "Deliveries that could not be queued.", NULL);
	m->duplicates = metrics_counter("skein_gateway_duplicates_total", "Deliveries that the connection had already.", NULL);
	m->held = metrics_counter("skein_gateway_held_total", "Deliveries held because one before them was missing.", NULL);
	m->forgotten = metrics_counter("skein_gateway_forgotten_total",
	                               "Deliveries left to be read from the inbox when their turn comes.", NULL);
	m->window_stalls = metrics_counter("skein_gateway_window_stalls_total",
	                                   "Times that an ack window was full.", NULL);
	m->resends = metrics_counter("skein_gateway_resends_total",
	                             "Times that messages in flight were sent again.", NULL);
	m->resyncs = metrics_counter("skein_gateway_resyncs_total", "Clients told to read what they missed.", NULL);
	m->malformed = metrics_counter("skein_gateway_malformed_total", "Deliveries that could not be read.", NULL);
}

void gateway_metrics_closed(struct gateway_metrics *m, uint16_t code)
{
	int i = 0;

	while (i < CLOSE_CODES - 1 && close_codes[i] != code)
		i++;
	counter_add(m->closes[i], 1);
}
