#include "gateway/session/session_pages.h"

#include "base/mem.h"
#include "base/telemetry/log.h"
#include "gateway/gateway_metrics.h"
#include "gateway/session/session.h"
#include "gateway/session/session_acks.h"
#include "gateway/session/session_frames.h"
#include "gateway/session/session_order.h"
#include "gateway/session/session_receipts.h"
#include "gateway/wire/message_frame.h"
#include "proto/im.pb-c.h"

#define PAGES_TRIES 3
#define PAGES_RETRY_MS 100 /* doubled with each try */

static void pages_count(const struct session *session, enum sync_outcome outcome)
{
	counter_add(session->home->metrics->syncs[outcome], 1);
}

void session_catch_up(struct session *session, uint64_t offset, uint64_t head)
{
	if (session->state != SESSION_LIVE)
		return;
	sequencer_learn(&session->sequencer, session->sequencer.epoch, head, session_now_ms(session));
	sequencer_begin_fill(&session->sequencer);
	session_read_inbox(session, READ_CATCH_UP, offset, head);
}

/* ---- the end of a read ---- */

static void pages_finish(struct session *session, uint64_t now_ms)
{
	inbox_read_free(session->read);
	session->read = NULL;
	if (session->state != SESSION_LIVE)
		return;
	session_resend_if_owed(session);
	if (!session->read)
		sequencer_fill_ended(&session->sequencer, now_ms);
	session_send_due(session, now_ms);
}

static void pages_give_up(struct session *session, err_t err, uint64_t now_ms)
{
	const struct inbox_read *read = session->read;

	log_warn("an inbox was not read", LOG_TEXT("uid", session_uid(session)), LOG_U64("after", read->after), LOG_ERR(err));
	/* A paused sequencer keeps the hole: it is read when the window has room. */
	if (read->purpose != READ_AGAIN && read->epoch == session->sequencer.epoch && !session->sequencer.is_paused)
		sequencer_skip(&session->sequencer);
	pages_finish(session, now_ms);
}

static void pages_fail(struct session *session, err_t err, uint64_t now_ms)
{
	struct inbox_read *read = session->read;

	pages_count(session, SYNC_FAILED);
	bool may_succeed_later = err_http_status(err) >= 500;
	if (may_succeed_later && ++read->failures < PAGES_TRIES) {
		read->deadline_ms = now_ms + (PAGES_RETRY_MS << (read->failures - 1));
		session_wake_at(session, read->deadline_ms);
	} else {
		pages_give_up(session, err, now_ms);
	}
}

void session_watch_read(struct session *session, uint64_t now_ms)
{
	struct inbox_read *read = session->read;

	if (!read || !read->deadline_ms || now_ms < read->deadline_ms)
		return;
	if (inbox_read_is_waiting(read))
		pages_give_up(session, ERR_TIMEOUT, now_ms);
	else
		session_queue_read(session);
}

/* ---- a page ---- */

/* NULL: the entry cannot be shown. */
static struct worker_frame *pages_frame_of(const Skein__V1__SyncEntry *entry, const char *uid, enum viewer *viewer)
{
	Skein__V1__Message *message = entry->message;
	struct worker_frame *frame = NULL;
	struct buf bytes = { 0 };

	if (!message)
		return NULL;
	char *client_msg_id = message->client_msg_id;
	bool is_own = *client_msg_id && strcmp(message->from, uid) == 0;
	message->client_msg_id = (char *)protobuf_c_empty_string;
	size_t len = skein__v1__message__get_packed_size(message);
	bytes.len = skein__v1__message__pack(message, (uint8_t *)buf_reserve(&bytes, len));
	message->client_msg_id = client_msg_id;
	*viewer = is_own ? VIEWER_SENDER : VIEWER_OTHER;
	struct shared_frame *shared = message_frame_new(buf_str(&bytes), is_own, str_from(client_msg_id));
	if (shared) {
		frame = worker_frame_new(shared);
		shared_frame_unref(shared);
	}
	buf_release(&bytes);
	return frame;
}

static void pages_feed(struct session *session, uint64_t epoch, const Skein__V1__SyncEntry *entry, uint64_t now_ms)
{
	struct sequencer *sequencer = &session->sequencer;
	enum viewer viewer;
	struct worker_frame *frame = pages_frame_of(entry, session_uid(session), &viewer);

	if (frame) {
		(void)session_deliver(session, epoch, entry->offset, frame, viewer, now_ms);
		worker_frame_unref(frame);
		return;
	}
	counter_add(session->home->metrics->malformed, 1);
	log_error("an inbox entry cannot be shown", LOG_TEXT("uid", session_uid(session)), LOG_U64("offset", entry->offset));
	if (epoch == sequencer->epoch && entry->offset >= sequencer->next && !sequencer->is_paused) {
		/* The client is told to read it over HTTP. */
		sequencer_learn(sequencer, epoch, entry->offset, now_ms);
		sequencer_skip(sequencer);
		session_send_due(session, now_ms);
	}
}

static void pages_take_missed(struct session *session, const Skein__V1__SyncResponse *page, uint64_t now_ms)
{
	const struct inbox_read read = *session->read; /* a copy: the connection may be closed here, which frees the read */
	struct sequencer *sequencer = &session->sequencer;
	uint64_t last = page->entries[page->n_entries - 1]->offset;

	pages_count(session, SYNC_READ);
	for (size_t i = 0; i < page->n_entries && session->state == SESSION_LIVE; i++)
		pages_feed(session, read.epoch, page->entries[i], now_ms);
	if (session->state != SESSION_LIVE)
		return;
	if (read.purpose == READ_CATCH_UP && last < read.to && read.epoch == sequencer->epoch && sequencer->next <= read.to) {
		/* The client reads the rest over HTTP; live messages go on after the head in hello. */
		pages_count(session, SYNC_MORE);
		session_write_sync_more(session, sequencer_given_out(sequencer));
		session_leave_to_client(session, sequencer_given_out(sequencer), read.to);
		sequencer_jump(sequencer, read.to + 1, now_ms);
		ack_window_restart(&session->window, read.to);
		if (sequencer->is_paused)
			sequencer_resume(sequencer, now_ms);
	}
	pages_finish(session, now_ms);
}

static void pages_take_again(struct session *session, const Skein__V1__SyncResponse *page, uint64_t now_ms)
{
	const uint64_t to = session->read->to;
	uint64_t last = page->entries[page->n_entries - 1]->offset;

	pages_count(session, SYNC_READ);
	for (size_t i = 0; i < page->n_entries && session->state == SESSION_LIVE; i++) {
		const Skein__V1__SyncEntry *entry = page->entries[i];
		enum viewer viewer;

		if (entry->offset <= session->window.acked || entry->offset > to)
			continue;
		struct worker_frame *frame = pages_frame_of(entry, session_uid(session), &viewer);
		if (frame)
			(void)!session_queue_message(session, frame, viewer, entry->offset); /* a failure closes the session */
	}
	if (session->state != SESSION_LIVE)
		return;
	if (last < to && session->window.doubt == ACK_RESENT) {
		session->read->after = last;
		session_queue_read(session);
		return;
	}
	ack_window_resent(&session->window, &session->home->ack_limits, now_ms);
	pages_finish(session, now_ms);
}

/* The inbox does not have the position any more. */
static void pages_take_reset(struct session *session, const Skein__V1__SyncResponse *page, uint64_t now_ms)
{
	const struct inbox_read *read = session->read;

	pages_count(session, SYNC_RESET);
	if (page->epoch != read->epoch)
		sequencer_learn(&session->sequencer, page->epoch, page->head, now_ms);
	if (session->sequencer.epoch == read->epoch && read->purpose != READ_AGAIN)
		sequencer_skip(&session->sequencer);
	pages_finish(session, now_ms);
}

static bool pages_is_dense(const Skein__V1__SyncResponse *page, uint64_t after)
{
	for (size_t i = 0; i < page->n_entries; i++)
		if (page->entries[i]->offset != after + 1 + i)
			return false;
	return page->n_entries > 0;
}

/* False: the page has holes, for example because im read a replica that lags. The read is repeated then. */
static bool pages_makes_sense(const Skein__V1__SyncResponse *page, const struct inbox_read *read)
{
	return page->epoch && page->head < SEQUENCER_MAX_OFFSET &&
	       (page->reset || page->epoch != read->epoch || pages_is_dense(page, read->after));
}

void session_take_page(struct session *session, err_t err, struct str response)
{
	const struct inbox_read *read = session->read;
	uint64_t now_ms = session_now_ms(session);
	Skein__V1__SyncResponse *page = NULL;

	if (!err) {
		page = skein__v1__sync_response__unpack(NULL, response.len, (const uint8_t *)response.ptr);
		err = page ? OK : ERR_INTERNAL;
	}
	if (err) {
		pages_fail(session, err, now_ms);
		return;
	}
	if (read->epoch != session->sequencer.epoch)
		pages_finish(session, now_ms); /* the inbox has another epoch since, and the client was told */
	else if (!pages_makes_sense(page, read))
		pages_fail(session, ERR_INTERNAL, now_ms);
	else if (page->reset || page->epoch != read->epoch)
		pages_take_reset(session, page, now_ms);
	else if (read->purpose == READ_AGAIN)
		pages_take_again(session, page, now_ms);
	else
		pages_take_missed(session, page, now_ms);
	skein__v1__sync_response__free_unpacked(page, NULL);
}
