#include "gateway/session/session_frames.h"

#include "base/text/decimal.h"
#include "cluster/inbox_epoch.h"
#include "gateway/config.h"
#include "gateway/gateway_metrics.h"
#include "gateway/session/opening.h"
#include "gateway/session/session.h"

void session_write_frame(struct session *session, const Skein__V1__ServerFrame *frame)
{
	struct payload *payload = server_frame(session->subprotocol, frame);
	const struct out_entry entry = { .ref = payload, .bytes = payload->len + WS_HEADER_MAX, .kind = OUT_FRAME };

	(void)!session_queue(session, &entry);
}

void session_write_hello(struct session *session, const struct opening *opening)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Hello hello = SKEIN__V1__HELLO__INIT;
	const struct gateway_config *config = session->home->config;
	char conn[DECIMAL_SIZE], epoch[INBOX_EPOCH_TEXT], head[DECIMAL_SIZE];

	inbox_epoch_text(epoch, opening->epoch);
	hello.node = config->common.node_name;
	hello.conn = (char *)decimal(conn, session->id).ptr;
	hello.uid = (char *)session_uid(session);
	hello.device = (char *)session_device(session);
	hello.heartbeat_s = (uint32_t)MAX(1, config->ws_heartbeat_ms / 1000);
	hello.epoch = epoch;
	hello.head = (char *)decimal(head, opening->head).ptr;
	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_HELLO;
	frame.hello = &hello;
	session_write_frame(session, &frame);
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

void session_write_ok(struct session *session, const char *rid)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Ok ok = SKEIN__V1__OK__INIT;

	ok.rid = (char *)rid;
	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_OK;
	frame.ok = &ok;
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
	counter_add(session->home->metrics->resyncs, 1);
	session_write_frame(session, &frame);
}

void session_write_sync_more(struct session *session, uint64_t next_offset)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__SyncMore more = SKEIN__V1__SYNC_MORE__INIT;
	char text[DECIMAL_SIZE];

	more.next_offset = (char *)decimal(text, next_offset).ptr;
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

void session_write_pong(struct session *session)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Pong pong = SKEIN__V1__PONG__INIT;

	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_PONG;
	frame.pong = &pong;
	session_write_frame(session, &frame);
}
