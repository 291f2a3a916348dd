#include "gateway/session/session_signals.h"

#include "base/mem.h"
#include "gateway/config.h"
#include "gateway/gateway_metrics.h"
#include "gateway/router/route_link.h"
#include "gateway/session/session.h"
#include "gateway/session/session_frames.h"
#include "gateway/wire/client_frame.h"
#include "proto/im.pb-c.h"

#define SIGNALS_TYPING_TIMEOUT_MS 2000 /* of what nobody waits for */

/* A `read` or `typing` frame that im has not answered. */
struct pending_signal {
	struct im_call call;
	struct gateway_metrics *metrics;
	bool is_typing;
	char rid[CLIENT_RID_MAX + 1];
};

static void signals_answer(struct session *session, const char *rid)
{
	if (*rid)
		session_write_ok(session, rid);
}

static const char *signals_sentence_of(err_t err, const char *detail)
{
	if (detail && *detail && err_http_status(err) != 503)
		return detail;
	return err_http_status(err) == 503 ? "not done: try again" : err_code(err);
}

static void signals_on_answer(struct im_call *call, struct session *session, err_t err, struct str response,
                              const char *detail)
{
	struct pending_signal *signal = container_of(call, struct pending_signal, call);
	(void)response;

	gauge_add(signal->metrics->signals_under_way, -1);
	if (!session)
		return;
	/* Typing that does not come through is worth no error, and no second try. */
	if (!err || (signal->is_typing && err_http_status(err) == 503))
		signals_answer(session, signal->rid);
	else
		session_write_error(session, signal->rid, err_code(err), signals_sentence_of(err, detail));
}

static struct pending_signal *signals_start(struct session *session, const struct client_frame *frame)
{
	struct gateway_metrics *metrics = session->home->metrics;

	if (gauge_value(metrics->signals_under_way) >= GATEWAY_SIGNALS_MAX) {
		session_write_error(session, frame->rid, err_code(ERR_UNAVAILABLE), "too much at the moment");
		return NULL;
	}
	struct pending_signal *signal = MEM_NEW(struct pending_signal);
	gauge_add(metrics->signals_under_way, 1);
	signal->metrics = metrics;
	(void)str_copy(signal->rid, sizeof(signal->rid), str_from(frame->rid));
	return signal;
}

/* Names the connection that has read: it is not told. protobuf merges concatenated messages, so this adds to the request. */
static void signals_put_reader(struct buf *request, const struct session *session)
{
	Skein__V1__ReadRequest more = SKEIN__V1__READ_REQUEST__INIT;
	Skein__V1__RoutedConnection reader = SKEIN__V1__ROUTED_CONNECTION__INIT;

	reader.node_epoch = route_link_node_epoch(session->home->routes);
	reader.conn = session->id;
	more.reader = &reader;
	uint8_t *at = (uint8_t *)buf_reserve(request, skein__v1__read_request__get_packed_size(&more));
	request->len += skein__v1__read_request__pack(&more, at);
}

void session_read_mark(struct session *session, const struct client_frame *frame)
{
	struct pending_signal *signal = signals_start(session, frame);
	struct buf request = { 0 };

	if (!signal)
		return;
	signal->call.retries = IM_CALL_RETRIES;
	buf_append_str(&request, buf_str(&frame->request));
	signals_put_reader(&request, session);
	im_call_start(&signal->call, &session->home->im, session->id, "/skein.v1.Im/Read", buf_str(&request), signals_on_answer);
	buf_release(&request);
}

void session_typing(struct session *session, const struct client_frame *frame)
{
	uint64_t interval_ms = (uint64_t)session->home->config->typing_interval_ms;

	if (!session->typing)
		session->typing = MEM_NEW(struct typing_pace);
	bool is_heard = typing_pace_take(session->typing, frame->conversation, session_now_ms(session), interval_ms);
	if (!is_heard)
		counter_add(session->home->metrics->typing_dropped, 1);
	struct pending_signal *signal = signals_start(session, frame);
	if (!signal)
		return;
	signal->is_typing = true;
	signal->call.timeout_ms = SIGNALS_TYPING_TIMEOUT_MS;
	/* The answer is im's in any case: the user may have been muted since the frame before. */
	im_call_start(&signal->call, &session->home->im, session->id, is_heard ? "/skein.v1.Im/Typing" : "/skein.v1.Im/MayType",
	              buf_str(&frame->request), signals_on_answer);
}

void session_watch(struct session *session, const struct client_frame *frame)
{
	struct watch_list *before = session->watching;

	session->watching = NULL;
	if (frame->uid_count)
		session->watching = watch_list_new(&session->home->watches, session, frame->request.ptr, frame->uid_count);
	gauge_add(session->home->metrics->watching, (session->watching != NULL) - (before != NULL));
	if (before)
		watch_list_free(before);
	session_write_ok(session, frame->rid);
}
