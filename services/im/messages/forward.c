#include "im/messages/forward.h"

#include "base/clock.h"
#include "base/mem.h"
#include "im/messages/send_entry.h"

/* caller, conversation it goes to, key, conversation it comes from, seqs, bytes, time -> as fn.forward_body() */
static const struct pg_statement forward_body = {
	"forward_body",
	"select verdict, field, reason, body from fn.forward_body($1::text, $2::text, $3::text, $4::text, $5::bigint[],"
	" $6::integer, $7::bigint)",
};

enum forward_column { FORWARD_VERDICT, FORWARD_FIELD, FORWARD_REASON, FORWARD_BODY };

/* A forward whose body is being made. */
struct forwarding {
	struct entry *entry;
	forward_made made;
	void *arg;
};

static void forward_fail(struct entry *entry, const struct entry_result *result)
{
	entry_answer(entry, result);
	entry_free(entry);
}

static const char *forward_sentence(err_t err, struct str field, struct str reason)
{
	switch (err) {
	case ERR_NOT_FOUND:
		return str_equal(field, STR("forward.seqs")) ?
		               "one of these messages does not exist, or the sender cannot read it" :
		               "there is no such user or group";
	case ERR_NOT_MEMBER:
		return "only who has a part in a conversation may forward its messages";
	case ERR_TOO_LARGE:
		return "these messages are too large together";
	default:
		return str_equal(reason, STR("empty")) ? "all of these messages are recalled or have expired" :
		                                         "only messages can be forwarded: one of these entries is a change or "
		                                         "tells of the conversation";
	}
}

static void forward_refuse(struct entry *entry, const PGresult *rows)
{
	struct str field = pg_text(rows, 0, FORWARD_FIELD);
	struct entry_result result = { .err = err_from_code(pg_text(rows, 0, FORWARD_VERDICT).ptr), .field = field.ptr };

	result.detail = forward_sentence(result.err, field, pg_text(rows, 0, FORWARD_REASON));
	forward_fail(entry, &result);
}

static void forward_on_made(void *arg, err_t err, const PGresult *rows)
{
	static const struct entry_result away = { .err = ERR_UNAVAILABLE, .detail = "the messages cannot be read at the moment" };
	struct forwarding *forwarding = arg;
	struct entry *entry = NULL;

	if (err)
		forward_fail(forwarding->entry, &away);
	else if (!str_equal(pg_text(rows, 0, FORWARD_VERDICT), STR("ok")))
		forward_refuse(forwarding->entry, rows);
	else if (PQgetisnull(rows, 0, FORWARD_BODY))
		entry = forwarding->entry;
	else
		entry = send_entry_fill(forwarding->entry, pg_text(rows, 0, FORWARD_BODY));
	forwarding->made(forwarding->arg, entry);
	mem_free(forwarding);
}

void forward_make(struct messages *messages, const struct send_forward *forward, struct entry *entry, forward_made made, void *arg)
{
	const struct send *send = container_of(entry, const struct send, entry);
	struct forwarding *forwarding = MEM_NEW(struct forwarding);
	struct pg_params params = { 0 };

	*forwarding = (struct forwarding){ entry, made, arg };
	pg_put_text(&params, send->sender);
	pg_put_text(&params, entry->conversation);
	pg_put_text(&params, send->client_msg_id);
	pg_put_text(&params, forward->conversation_id);
	pg_array_begin(&params, PG_INT8);
	for (size_t i = 0; i < forward->count; i++)
		pg_array_i64(&params, forward->seqs[i]);
	pg_array_end(&params);
	pg_put_i32(&params, (int32_t)messages->config->limits_body);
	pg_put_i64(&params, (int64_t)clock_wall_ms());
	pg_query(messages->pg, PG_ANY_LANE, &forward_body, &params, forward_on_made, forwarding);
}
