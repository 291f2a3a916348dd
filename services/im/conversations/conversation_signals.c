#include "im/conversations/conversation_signals.h"

#include "base/mem.h"
#include "base/text/ident.h"
#include "im/config.h"
#include "im/events/events.h"

#define SIGNAL_AUDIENCE_MAX 200 /* of read and typing in a group: contract section 4 */

/* caller, conversation, seq, the most members of a group who are told -> verdict, audience */
const struct pg_statement conversation_read = {
	"conversation_read",
	"select verdict, audience from fn.conversation_read($1::text, $2::text, $3::bigint, $4::integer)",
};

/* caller, conversation, the most members of a group who are told, the default of messages_from is friends -> verdict, audience */
static const struct pg_statement conversation_typing = {
	"conversation_typing",
	"select verdict, audience from fn.conversation_typing($1::text, $2::text, $3::integer, $4::boolean)",
};

/* A signal that PostgreSQL has not answered. */
struct pending_signal {
	struct events *events;
	struct conversation_signal signal; /* its texts are in `texts` */
	conversation_signal_done done;
	void *arg;
	char texts[65 + CONVERSATION_ID_MAX + 1 + 56];
};

static struct str signal_keep(char **at, struct str text)
{
	char *copy = *at;

	if (text.len)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	*at += text.len + 1;
	return str_of(copy, text.len);
}

static struct pending_signal *signal_new(struct conversations *conversations, const struct conversation_signal *signal,
                                         conversation_signal_done done, void *arg)
{
	struct pending_signal *pending = MEM_NEW(struct pending_signal);
	char *at = pending->texts;

	pending->events = conversations->events;
	pending->signal.uid = signal_keep(&at, signal->uid);
	pending->signal.conversation_id = signal_keep(&at, signal->conversation_id);
	if (signal->traceparent.len < 56) /* a well-formed one has 55 */
		pending->signal.traceparent = signal_keep(&at, signal->traceparent);
	pending->signal.seq = signal->seq;
	pending->signal.is_unheard = signal->is_unheard;
	pending->signal.reader = signal->reader;
	pending->done = done;
	pending->arg = arg;
	return pending;
}

/* OK, or why this user has no part in a conversation of that id, as far as the id says. */
static err_t signal_fault(const struct conversation_signal *signal, const char **detail)
{
	struct conversation conversation;

	if (!ident_is_valid(signal->uid) || !conversation_parse(signal->conversation_id, &conversation) ||
	    signal->seq > INT64_MAX) {
		*detail = "uid, conversation_id or seq is none";
		return ERR_INVALID_ARGUMENT;
	}
	if (conversation.kind == CONVERSATION_ROOM) {
		*detail = "a room has neither read marks nor typing";
		return ERR_NOT_FOUND;
	}
	if (conversation.kind == CONVERSATION_DIRECT && !str_equal(conversation.first, signal->uid) &&
	    !str_equal(conversation.second, signal->uid)) {
		*detail = "this is a conversation of others";
		return ERR_NOT_MEMBER;
	}
	return OK;
}

static err_t signal_verdict(err_t err, const PGresult *result)
{
	if (err)
		return ERR_UNAVAILABLE;
	return PQntuples(result) ? err_from_code(PQgetvalue(result, 0, 0)) : ERR_INTERNAL;
}

static const char *signal_explain(err_t err)
{
	switch (err) {
	case ERR_NOT_FOUND:
		return "there is no such user, group or conversation";
	case ERR_NOT_MEMBER:
		return "only members may do this in a group";
	case ERR_MUTED:
		return "the group or its member is muted";
	case ERR_BLOCKED:
		return "this user does not accept messages of the sender";
	case ERR_NOT_FRIEND:
		return "this user accepts messages of friends only";
	case ERR_INVALID_ARGUMENT:
		return "seq is past the end of the conversation";
	default:
		return NULL;
	}
}

static void signal_end(struct pending_signal *pending, err_t err)
{
	pending->done(pending->arg, err, signal_explain(err));
	mem_free(pending);
}

/* `{"conversation_id":..., "uid":...`, which the caller ends. */
static void signal_begin_body(struct buf *body, const struct conversation_signal *signal)
{
	buf_append_char(body, '{');
	json_put_field(body, "conversation_id", signal->conversation_id);
	json_put_field(body, "uid", signal->uid);
}

/* ---- read ---- */

void conversation_read_put(struct pg_params *params, struct str uid, struct str conversation_id, int64_t seq)
{
	pg_put_text(params, uid);
	pg_put_text(params, conversation_id);
	pg_put_i64(params, seq);
	pg_put_i32(params, SIGNAL_AUDIENCE_MAX);
}

static void signal_emit(struct events *events, const PGresult *result, const char *kind, struct str body,
                        const struct conversation_signal *signal)
{
	struct str uids[SIGNAL_AUDIENCE_MAX];

	if (PQgetisnull(result, 0, 1))
		return;
	const struct event event = {
		.uids = uids,
		.uid_count = pg_text_array(result, 0, 1, uids, SIGNAL_AUDIENCE_MAX),
		.kind = kind,
		.body = body,
		.traceparent = signal->traceparent,
		.except = signal->reader,
	};
	events_emit(events, &event);
}

void conversation_read_tell(struct events *events, const PGresult *result, const struct conversation_signal *signal)
{
	struct buf body = { 0 };

	signal_begin_body(&body, signal);
	json_put_u64_field(&body, "seq", signal->seq);
	buf_append_char(&body, '}');
	signal_emit(events, result, "read", buf_str(&body), signal);
	buf_release(&body);
}

/* False: the signal has a fault, and `done` was told of it. */
static bool signal_is_good(const struct conversation_signal *signal, conversation_signal_done done, void *arg)
{
	const char *detail = NULL;
	err_t err = signal_fault(signal, &detail);

	if (err)
		done(arg, err, detail);
	return !err;
}

static void signal_on_read(void *arg, err_t err, const PGresult *result)
{
	struct pending_signal *pending = arg;

	err = signal_verdict(err, result);
	if (!err)
		conversation_read_tell(pending->events, result, &pending->signal);
	signal_end(pending, err);
}

void conversation_signal_read(struct conversations *conversations, const struct conversation_signal *signal,
                              conversation_signal_done done, void *arg)
{
	struct pg_params params = { 0 };

	if (!signal_is_good(signal, done, arg))
		return;
	conversation_read_put(&params, signal->uid, signal->conversation_id, (int64_t)signal->seq);
	pg_query(conversations->pg, PG_ANY_LANE, &conversation_read, &params, signal_on_read,
	         signal_new(conversations, signal, done, arg));
}

/* ---- typing ---- */

static void signal_on_typing(void *arg, err_t err, const PGresult *result)
{
	struct pending_signal *pending = arg;
	struct buf body = { 0 };

	err = signal_verdict(err, result);
	if (!err && !pending->signal.is_unheard) {
		signal_begin_body(&body, &pending->signal);
		buf_append_char(&body, '}');
		signal_emit(pending->events, result, "typing", buf_str(&body), &pending->signal);
		buf_release(&body);
	}
	signal_end(pending, err);
}

void conversation_signal_typing(struct conversations *conversations, const struct conversation_signal *signal,
                                conversation_signal_done done, void *arg)
{
	struct pg_params params = { 0 };

	if (!signal_is_good(signal, done, arg))
		return;
	pg_put_text(&params, signal->uid);
	pg_put_text(&params, signal->conversation_id);
	pg_put_i32(&params, SIGNAL_AUDIENCE_MAX);
	pg_put_bool(&params, im_config_is_for_friends(conversations->config));
	pg_query(conversations->pg, PG_ANY_LANE, &conversation_typing, &params, signal_on_typing,
	         signal_new(conversations, signal, done, arg));
}
