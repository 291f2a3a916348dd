#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "gateway/app.h"
#include "gateway/im/im_call.h"
#include "gateway/session/session.h"
#include "proto/im.pb-c.h"

/*
 * What a connection has missed is read from the inbox through im, a page at a
 * time and one read at a time: when it begins behind the head, when a hole stays,
 * when its window has room again, and when what is in flight is to be sent
 * again. Records that were read go the same way as those that come live, so it
 * does not matter which of the two is first.
 *
 * Thousands may reconnect at once: a worker has a bounded number of calls under
 * way, the others wait for their turn, each connection behind all who came
 * before it.
 */

#define READS_UNDER_WAY_MAX 64
#define READ_TRIES 3
#define READ_RETRY_MS 100 /* doubled with each try */
#define READ_PATIENCE_MS 10000 /* the longest that one waits for its turn */
#define PAGE_MAX 50
#define CATCH_UP_MAX 20 /* what a client is given before it has to read over HTTP: contract section 4 */
#define HOLE_MAX 500 /* what is larger is the client's to read */

enum read_purpose { READ_CATCH_UP, READ_HOLE, READ_AGAIN };

/* The numbers after + 1 .. to are asked for, of this inbox. */
struct inbox_read {
	struct session *session;
	struct list waiting; /* for its turn */
	enum read_purpose purpose;
	unsigned failures;
	uint64_t epoch, after, to;
	uint64_t deadline_ms; /* 0: it is under way; otherwise the next try, or the end of waiting for its turn */
};

static void count(const struct session *session, enum sync_outcome outcome)
{
	counter_add(session->home->app->metrics.syncs[outcome], 1);
}

static const struct ack_limits *limits_of(const struct session *session)
{
	return &session->home->app->ack_limits;
}

/* ---- asking ---- */

static void on_answer(struct im_call *call, struct session *session, err_t err, struct str response, const char *detail);

static uint32_t page_size(const struct inbox_read *read)
{
	const struct session *session = read->session;
	uint64_t size = MIN(read->to - read->after, PAGE_MAX);

	if (read->purpose == READ_CATCH_UP)
		return CATCH_UP_MAX;
	if (read->purpose == READ_HOLE && !session->never_acks)
		size = MIN(size, ack_window_room(&session->window, limits_of(session)));
	return (uint32_t)size;
}

static void ask(struct inbox_read *read)
{
	Skein__V1__SyncRequest request = SKEIN__V1__SYNC_REQUEST__INIT;
	struct session *session = read->session;
	struct im_call *call = MEM_NEW(struct im_call);
	uint8_t bytes[128];

	request.uid = (char *)session_uid(session);
	request.epoch = read->epoch;
	request.offset = read->after;
	request.limit = page_size(read);
	size_t len = skein__v1__sync_request__pack(&request, bytes);
	session->home->reads_under_way++;
	call->timeout_ms = (uint64_t)session->home->app->config.sync_timeout_ms;
	im_call_start(call, session, "/skein.v1.Im/Sync", str_of(bytes, len), on_answer);
}

static void give_turns(struct ws_worker *home)
{
	struct list *waiting;

	while (home->reads_under_way < READS_UNDER_WAY_MAX && (waiting = list_pop_front(&home->waiting_reads))) {
		struct inbox_read *read = container_of(waiting, struct inbox_read, waiting);

		read->deadline_ms = 0;
		ask(read);
	}
}

static void wait_for_turn(struct inbox_read *read)
{
	struct ws_worker *home = read->session->home;

	read->deadline_ms = clock_mono_ms() + READ_PATIENCE_MS;
	list_push_back(&home->waiting_reads, &read->waiting);
	give_turns(home);
	if (read->deadline_ms)
		session_wake_at(read->session, read->deadline_ms);
}

static void begin(struct session *session, enum read_purpose purpose, uint64_t after, uint64_t to)
{
	struct inbox_read *read = MEM_NEW(struct inbox_read);

	read->session = session;
	list_init(&read->waiting);
	read->purpose = purpose;
	read->epoch = session->sequencer.epoch;
	read->after = after;
	read->to = to;
	session->read = read;
	wait_for_turn(read);
}

void session_forget_read(struct session *session)
{
	if (!session->read)
		return;
	list_remove(&session->read->waiting);
	mem_free(session->read);
	session->read = NULL;
}

void session_catch_up(struct session *session, uint64_t offset, uint64_t head)
{
	if (session->state != SESSION_LIVE)
		return;
	sequencer_learn(&session->sequencer, session->sequencer.epoch, head, clock_mono_ms());
	sequencer_begin_fill(&session->sequencer);
	begin(session, READ_CATCH_UP, offset, head);
}

void session_fill(struct session *session, uint64_t from, uint64_t to)
{
	if (to - from >= HOLE_MAX) {
		count(session, SYNC_TOO_FAR);
		sequencer_skip(&session->sequencer);
	} else if (!session->read) {
		begin(session, READ_HOLE, from - 1, to);
	}
	/* Otherwise the end of that read comes back to it. */
}

static void resend(struct session *session)
{
	counter_add(session->home->app->metrics.resends, 1);
	if (ws_is_blocked(session->conn))
		ack_window_resent(&session->window, limits_of(session), clock_mono_ms()); /* the first copy is still on its way */
	else
		begin(session, READ_AGAIN, session->window.acked, ack_window_last(&session->window));
}

/* ---- the end of a read ---- */

static void finish(struct session *session, uint64_t now_ms)
{
	session_forget_read(session);
	if (session->state != SESSION_LIVE)
		return;
	if (session->owes_resend && session->window.doubt == ACK_RESENT)
		resend(session);
	session->owes_resend = false;
	if (!session->read)
		sequencer_fill_ended(&session->sequencer, now_ms);
	session_release(session, now_ms);
}

static bool may_succeed_later(err_t err)
{
	return err_http_status(err) >= 500;
}

static void give_up_reading(struct session *session, err_t err, uint64_t now_ms)
{
	const struct inbox_read *read = session->read;

	log_warn("an inbox was not read", LOG_TEXT("uid", session_uid(session)), LOG_U64("after", read->after), LOG_ERR(err));
	/* While paused nothing is owed at once: there is another try when there is room. */
	if (read->purpose != READ_AGAIN && read->epoch == session->sequencer.epoch && !session->sequencer.is_paused)
		sequencer_skip(&session->sequencer);
	finish(session, now_ms);
}

static void fail(struct session *session, err_t err, uint64_t now_ms)
{
	struct inbox_read *read = session->read;

	count(session, SYNC_FAILED);
	if (may_succeed_later(err) && ++read->failures < READ_TRIES) {
		read->deadline_ms = now_ms + (READ_RETRY_MS << (read->failures - 1));
		session_wake_at(session, read->deadline_ms);
	} else {
		give_up_reading(session, err, now_ms);
	}
}

/* ---- a page ---- */

/* NULL: it cannot be shown. */
static struct fanout_share *share_of(const Skein__V1__SyncEntry *entry, const char *uid, enum audience *audience)
{
	Skein__V1__Message *message = entry->message;
	struct fanout_share *share = NULL;
	struct buf bytes = { 0 };

	if (!message)
		return NULL;
	char *client_msg_id = message->client_msg_id;
	bool is_own = *client_msg_id && strcmp(message->from, uid) == 0;
	message->client_msg_id = (char *)protobuf_c_empty_string;
	size_t len = skein__v1__message__get_packed_size(message);
	bytes.len = skein__v1__message__pack(message, (uint8_t *)buf_reserve(&bytes, len));
	message->client_msg_id = client_msg_id;
	*audience = is_own ? AUDIENCE_OWN : AUDIENCE_OTHERS;
	struct fanout *fanout = fanout_new(buf_str(&bytes), is_own, str_from(client_msg_id));
	if (fanout) {
		share = fanout_share_new(fanout);
		fanout_unref(fanout);
	}
	buf_release(&bytes);
	return share;
}

/* It is in the inbox, but no frame can be made of it: perhaps the client can do more with it over HTTP. */
static void pass_over(struct session *session, uint64_t epoch, uint64_t offset, uint64_t now_ms)
{
	counter_add(session->home->app->metrics.malformed, 1);
	log_error("an inbox entry cannot be shown", LOG_TEXT("uid", session_uid(session)), LOG_U64("offset", offset));
	if (epoch != session->sequencer.epoch || offset < session->sequencer.next || session->sequencer.is_paused)
		return;
	sequencer_learn(&session->sequencer, epoch, offset, now_ms);
	sequencer_skip(&session->sequencer);
	session_release(session, now_ms);
}

static void feed(struct session *session, uint64_t epoch, const Skein__V1__SyncEntry *entry, uint64_t now_ms)
{
	enum audience audience;
	struct fanout_share *share = share_of(entry, session_uid(session), &audience);

	if (!share) {
		pass_over(session, epoch, entry->offset, now_ms);
		return;
	}
	(void)session_deliver(session, epoch, entry->offset, share, audience, now_ms);
	fanout_share_unref(share);
}

/* More than a client is given at once: it reads the rest, and live ones go on after hello's head. */
static void leave_rest_to_client(struct session *session, uint64_t head, uint64_t now_ms)
{
	count(session, SYNC_MORE);
	session_write_sync_more(session, sequencer_given_out(&session->sequencer));
	sequencer_jump(&session->sequencer, head + 1, now_ms);
	ack_window_restart(&session->window, head);
	if (session->sequencer.is_paused)
		sequencer_resume(&session->sequencer, now_ms);
}

static void take_missed(struct session *session, const Skein__V1__SyncResponse *page, uint64_t now_ms)
{
	const struct inbox_read read = *session->read; /* it goes with the connection, which may end here */
	uint64_t last = page->entries[page->n_entries - 1]->offset;

	count(session, SYNC_READ);
	for (size_t i = 0; i < page->n_entries && session->state == SESSION_LIVE; i++)
		feed(session, read.epoch, page->entries[i], now_ms);
	if (session->state != SESSION_LIVE)
		return;
	if (read.purpose == READ_CATCH_UP && last < read.to && read.epoch == session->sequencer.epoch &&
	    session->sequencer.next <= read.to)
		leave_rest_to_client(session, read.to, now_ms);
	finish(session, now_ms);
}

static void write_again(struct session *session, const Skein__V1__SyncEntry *entry, uint64_t to)
{
	enum audience audience;

	if (entry->offset <= session->window.acked || entry->offset > to)
		return;
	struct fanout_share *share = share_of(entry, session_uid(session), &audience);
	if (share)
		(void)!session_write_message(session, share, audience, entry->offset); /* which closes it if it fails */
}

static void take_again(struct session *session, const Skein__V1__SyncResponse *page, uint64_t now_ms)
{
	const uint64_t to = session->read->to;
	uint64_t last = page->entries[page->n_entries - 1]->offset;

	count(session, SYNC_READ);
	for (size_t i = 0; i < page->n_entries && session->state == SESSION_LIVE; i++)
		write_again(session, page->entries[i], to);
	if (session->state != SESSION_LIVE)
		return;
	if (last < to && session->window.doubt == ACK_RESENT) {
		session->read->after = last;
		wait_for_turn(session->read);
		return;
	}
	ack_window_resent(&session->window, limits_of(session), now_ms);
	finish(session, now_ms);
}

/* The numbers up to where the client is are not known any more. */
static void take_reset(struct session *session, const Skein__V1__SyncResponse *page, uint64_t now_ms)
{
	const struct inbox_read *read = session->read;

	count(session, SYNC_RESET);
	if (page->epoch != read->epoch)
		sequencer_learn(&session->sequencer, page->epoch, page->head, now_ms);
	if (session->sequencer.epoch == read->epoch && read->purpose != READ_AGAIN)
		sequencer_skip(&session->sequencer);
	finish(session, now_ms);
}

static bool is_dense(const Skein__V1__SyncResponse *page, uint64_t after)
{
	for (size_t i = 0; i < page->n_entries; i++)
		if (page->entries[i]->offset != after + 1 + i)
			return false;
	return page->n_entries > 0;
}

/* What is known to be there may not be yet where im reads: such a page is asked for again too. */
static bool makes_sense(const Skein__V1__SyncResponse *page, const struct inbox_read *read)
{
	return page->epoch && page->head < SEQUENCER_MAX_OFFSET &&
	       (page->reset || page->epoch != read->epoch || is_dense(page, read->after));
}

static void take_page(struct session *session, const Skein__V1__SyncResponse *page, uint64_t now_ms)
{
	const struct inbox_read *read = session->read;
	bool is_stale = read->epoch != session->sequencer.epoch;

	if (is_stale)
		finish(session, now_ms); /* the inbox was made anew meanwhile, and the client knows */
	else if (!makes_sense(page, read))
		fail(session, ERR_INTERNAL, now_ms);
	else if (page->reset || page->epoch != read->epoch)
		take_reset(session, page, now_ms);
	else if (read->purpose == READ_AGAIN)
		take_again(session, page, now_ms);
	else
		take_missed(session, page, now_ms);
}

static void take_answer(struct session *session, err_t err, struct str response)
{
	uint64_t now_ms = clock_mono_ms();
	Skein__V1__SyncResponse *page = NULL;

	if (!err) {
		page = skein__v1__sync_response__unpack(NULL, response.len, (const uint8_t *)response.ptr);
		err = page ? OK : ERR_INTERNAL;
	}
	if (err) {
		fail(session, err, now_ms);
		return;
	}
	take_page(session, page, now_ms);
	skein__v1__sync_response__free_unpacked(page, NULL);
}

static void on_answer(struct im_call *call, struct session *session, err_t err, struct str response, const char *detail)
{
	struct ws_worker *home = call->home;
	(void)detail;

	home->reads_under_way--;
	if (session)
		take_answer(session, err, response);
	give_turns(home);
}

/* ---- acks ---- */

void session_stall(struct session *session)
{
	counter_add(session->home->app->metrics.window_stalls, 1);
	sequencer_pause(&session->sequencer);
}

void session_acked(struct session *session, uint64_t offset)
{
	uint64_t now_ms = clock_mono_ms();

	if (!ack_window_take(&session->window, offset, now_ms) || !session->sequencer.is_paused ||
	    !ack_window_has_room(&session->window, limits_of(session)))
		return;
	sequencer_resume(&session->sequencer, now_ms);
	session_release(session, now_ms);
}

static void give_up_on(struct session *session)
{
	if (session->window.doubt != ACK_RESENT && !ws_is_blocked(session->conn))
		session_close(session, 4005, "no answer to a ping");
	else if (session->sequencer.is_paused || ws_is_blocked(session->conn))
		session_close(session, 4004, "too slow");
	else
		session_close(session, 4005, "no ack");
}

static void doubt(struct session *session, uint64_t now_ms)
{
	switch (ack_window_step(&session->window, limits_of(session), now_ms)) {
	case ACK_NOTHING:
		break;
	case ACK_PING:
		ws_ping(session->conn);
		break;
	case ACK_RESEND:
		if (session->read)
			session->owes_resend = true;
		else
			resend(session);
		break;
	case ACK_GIVE_UP:
		give_up_on(session);
		break;
	}
}

void session_watch(struct session *session, uint64_t now_ms)
{
	struct inbox_read *read = session->read;

	if (read && read->deadline_ms && now_ms >= read->deadline_ms) {
		if (list_is_empty(&read->waiting))
			wait_for_turn(read);
		else
			give_up_reading(session, ERR_TIMEOUT, now_ms);
	}
	if (session->state == SESSION_LIVE)
		doubt(session, now_ms);
}

uint64_t session_watch_deadline(const struct session *session)
{
	const struct inbox_read *read = session->read;
	uint64_t ack_ms = ack_window_deadline(&session->window, limits_of(session));
	uint64_t deadline = ack_ms ? ack_ms : UINT64_MAX;

	return read && read->deadline_ms ? MIN(deadline, read->deadline_ms) : deadline;
}
