#include <stdio.h>

#include "base/mem.h"
#include "gateway/app.h"
#include "gateway/session/session.h"
#include "cluster/inbox_epoch.h"

/*
 * Frames wait as references until the turn of the loop ends; then all that a
 * connection has is copied together and written in one system call. What the
 * socket does not take, it is asked again for when it can (`writable`).
 */

static void let_go(const struct out_entry *entry)
{
	if (entry->kind == OUT_FRAME)
		payload_unref(entry->ref);
	else
		fanout_share_unref(entry->ref);
}

static void pop(struct session *session)
{
	struct out_entry entry = *out_queue_first(&session->out);

	out_queue_pop(&session->out);
	session->home->queue_bytes -= entry.bytes;
	let_go(&entry);
}

void session_drop_output(struct session *session)
{
	while (!out_queue_is_empty(&session->out))
		pop(session);
	list_remove(&session->dirty);
}

/* ---- queueing ---- */

static err_t append(struct session *session, const struct out_entry *entry)
{
	struct ws_worker *home = session->home;
	const struct out_limits *limits = &home->app->out_limits;

	if (session->state != SESSION_LIVE) {
		let_go(entry);
		return ERR_CLOSED;
	}
	err_t err = out_queue_append(&session->out, limits, entry);
	if (err && !ws_is_blocked(session->conn)) {
		/* Much in one turn is not a slow peer. */
		session_flush(session);
		err = out_queue_append(&session->out, limits, entry);
	}
	if (err) {
		session_close(session, 4004, "too slow");
		let_go(entry);
		return err;
	}
	home->queue_bytes += entry->bytes;
	if (list_is_empty(&session->dirty) && !ws_is_blocked(session->conn))
		list_push_back(&home->dirty, &session->dirty);
	return OK;
}

err_t session_write_message(struct session *session, struct fanout_share *share, enum audience audience, uint64_t offset)
{
	const struct out_entry entry = {
		.ref = share,
		.offset = offset,
		.bytes = (uint32_t)fanout_frame_max(share->fanout, audience, session->subprotocol),
		.kind = audience == AUDIENCE_OWN ? OUT_OWN_MESSAGE : OUT_MESSAGE,
	};

	return append(session, &entry);
}

void session_write_frame(struct session *session, const Skein__V1__ServerFrame *frame)
{
	struct payload *payload = server_frame(session->subprotocol, frame);
	const struct out_entry entry = { .ref = payload, .bytes = payload->len + WS_HEADER_MAX, .kind = OUT_FRAME };

	/* One that cannot be queued closes the connection. */
	(void)!append(session, &entry);
}

void session_write_error(struct session *session, const char *rid, const char *code, const char *message)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Error error = SKEIN__V1__ERROR__INIT;

	error.rid = (char *)rid;
	error.code = (char *)code;
	error.message = (char *)message;
	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_ERROR;
	frame.error = &error;
	session_write_frame(session, &frame);
}

void session_write_resync(struct session *session, uint64_t epoch)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Resync resync = SKEIN__V1__RESYNC__INIT;
	char text[INBOX_EPOCH_TEXT];

	inbox_epoch_text(text, epoch);
	resync.epoch = text;
	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_RESYNC;
	frame.resync = &resync;
	counter_add(session->home->app->metrics.resyncs, 1);
	session_write_frame(session, &frame);
}

void session_write_sync_more(struct session *session, uint64_t next_offset)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__SyncMore more = SKEIN__V1__SYNC_MORE__INIT;
	char text[21];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)next_offset);
	more.next_offset = text;
	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_SYNC_MORE;
	frame.sync_more = &more;
	session_write_frame(session, &frame);
}

void session_write_reconnect(struct session *session, uint64_t after_ms, const char *url)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Reconnect reconnect = SKEIN__V1__RECONNECT__INIT;

	reconnect.after_ms = (uint32_t)after_ms;
	if (url)
		reconnect.url = (char *)url;
	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_RECONNECT;
	frame.reconnect = &reconnect;
	session_write_frame(session, &frame);
}

/* ---- writing ---- */

static size_t write_entry(char *out, const struct session *session, const struct out_entry *entry)
{
	if (entry->kind != OUT_FRAME) {
		const struct fanout_share *share = entry->ref;

		return fanout_frame_write(out, share->fanout, entry->kind == OUT_OWN_MESSAGE ? AUDIENCE_OWN : AUDIENCE_OTHERS,
		                          session->subprotocol, entry->offset);
	}
	const struct payload *payload = entry->ref;
	size_t header =
		ws_frame_header((unsigned char *)out, subprotocol_opcode(session->subprotocol), payload->len);

	memcpy(out + header, payload->bytes, payload->len);
	return header + payload->len;
}

/* Moves what waits into the worker's scratch memory, as much as makes one write; at least one frame. */
static size_t gather(struct session *session)
{
	struct ws_worker *home = session->home;
	const struct out_entry *entry;
	size_t len = 0;

	while ((entry = out_queue_first(&session->out)) && (len == 0 || len + entry->bytes <= WS_WRITE_SIZE)) {
		len += write_entry(home->scratch + len, session, entry);
		pop(session);
		home->frames_out++;
	}
	home->bytes_out += len;
	return len;
}

void session_flush(struct session *session)
{
	list_remove(&session->dirty);
	while (!out_queue_is_empty(&session->out) && !ws_is_blocked(session->conn)) {
		if (ws_write(session->conn, session->home->scratch, gather(session))) {
			session_drop_output(session); /* it is broken; `closed` follows */
			return;
		}
	}
}
