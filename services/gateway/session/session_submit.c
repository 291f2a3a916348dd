#include "gateway/session/session_submit.h"

#include "base/mem.h"
#include "base/sabotage.h"
#include "gateway/config.h"
#include "gateway/gateway_metrics.h"
#include "gateway/session/session.h"
#include "gateway/session/session_frames.h"
#include "gateway/wire/client_frame.h"
#include "proto/im.pb-c.h"

/* A send that im has not answered yet. */
struct pending_send {
	struct im_call call;
	struct gateway_metrics *metrics;
	struct list of_session;
	void (*answered)(struct session *session, uint64_t held_offset);
	uint64_t held_offset; /* its message is held at this number; 0: it has not come yet */
	uint64_t recipient; /* client_frame.conversation */
	char rid[CLIENT_RID_MAX + 1];
	char client_msg_id[CLIENT_MSG_ID_MAX + 1];
};

/* A send was too many, here or at im. A client that goes on regardless is closed. */
static void submit_count_refusal(struct session *session)
{
	const struct gateway_config *config = session->home->config;

	if (config->limits_enabled && !rate_limit_take(&session->refusals, (double)config->limits_refused_rate,
	                                               (double)config->limits_refused_burst, session_now_ms(session)))
		session_close(session, 4006, "too many sends after they were refused");
}

static const char *submit_sentence_of(err_t err, const char *detail)
{
	if (err == ERR_TIMEOUT) /* the detail is gRPC's */
		return "no answer in time, the message may have been stored: send it again with the same client_msg_id";
	if (detail && *detail)
		return detail;
	if (err_http_status(err) == 503)
		return "not stored: try again with the same client_msg_id";
	return err_code(err);
}

static void submit_write_answer(struct session *session, const struct pending_send *send, err_t err, struct str bytes,
                                const char *detail)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Ack ack = SKEIN__V1__ACK__INIT;
	Skein__V1__SendResponse *response = NULL;

	if (!err) {
		response = skein__v1__send_response__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);
		err = response ? OK : ERR_INTERNAL;
	}
	if (err) {
		counter_add(send->metrics->send_errors, 1);
		session_write_error(session, send->rid, err_code(err), submit_sentence_of(err, detail));
		if (err == ERR_RATE_LIMITED)
			submit_count_refusal(session);
		return;
	}
	counter_add(send->metrics->sends, 1);
	ack.rid = (char *)send->rid;
	ack.msg_id = response->msg_id;
	ack.conversation_id = response->conversation_id;
	ack.seq = response->seq;
	ack.time = response->time;
	ack.duplicate = response->duplicate;
	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_ACK;
	frame.ack = &ack;
	session_write_frame(session, &frame);
	skein__v1__send_response__free_unpacked(response, NULL);
}

static void submit_on_answer(struct im_call *call, struct session *session, err_t err, struct str response,
                             const char *detail)
{
	struct pending_send *send = container_of(call, struct pending_send, call);

	gauge_add(send->metrics->sends_under_way, -1);
	if (!session)
		return;
	list_remove(&send->of_session);
	session->send_count--;
	submit_write_answer(session, send, err, response, detail);
	send->answered(session, send->held_offset);
}

static void submit_refuse(struct session *session, const struct client_frame *frame, err_t err, const char *sentence)
{
	counter_add(session->home->metrics->send_errors, 1);
	session_write_error(session, frame->rid, err_code(err), sentence);
	if (err == ERR_RATE_LIMITED)
		submit_count_refusal(session);
}

/* The call of the latest unanswered send to the recipient; NULL: there is none. */
static struct im_call *submit_last_call_to(struct session *session, uint64_t recipient)
{
	for (struct list *link = session->sends.prev; link != &session->sends; link = link->prev) {
		struct pending_send *send = container_of(link, struct pending_send, of_session);

		if (send->recipient == recipient)
			return &send->call;
	}
	return NULL;
}

void session_submit(struct session *session, const struct client_frame *frame,
                    void (*answered)(struct session *session, uint64_t held_offset))
{
	struct gateway_metrics *metrics = session->home->metrics;

	if (session->send_count == SESSION_SENDS_MAX) {
		submit_refuse(session, frame, ERR_RATE_LIMITED, "too many sends without an answer: wait for some");
		return;
	}
	if (gauge_value(metrics->sends_under_way) >= GATEWAY_SENDS_MAX) {
		submit_refuse(session, frame, ERR_UNAVAILABLE, "too many messages at the moment");
		return;
	}
	gauge_add(metrics->sends_under_way, 1);
	struct pending_send *send = MEM_NEW(struct pending_send);
	send->metrics = metrics;
	send->answered = answered;
	send->call.retries = IM_CALL_RETRIES; /* the same client_msg_id: it is stored once */
	(void)str_copy(send->rid, sizeof(send->rid), str_from(frame->rid));
	(void)str_copy(send->client_msg_id, sizeof(send->client_msg_id), str_from(frame->client_msg_id));
	send->recipient = frame->conversation;
	send->call.after = sabotaged(SABOTAGE_SENDS_RACE) ? NULL : submit_last_call_to(session, send->recipient);
	list_push_back(&session->sends, &send->of_session);
	session->send_count++;
	im_call_start(&send->call, &session->home->im, session->id, "/skein.v1.Im/Send", buf_str(&frame->request),
	              submit_on_answer);
}

bool session_awaits(struct session *session, struct str client_msg_id, uint64_t offset)
{
	list_for_each(link, &session->sends) {
		struct pending_send *send = container_of(link, struct pending_send, of_session);

		if (str_equal(str_from(send->client_msg_id), client_msg_id)) {
			send->held_offset = offset;
			return true;
		}
	}
	return false;
}
