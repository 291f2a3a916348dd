#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/sabotage.h"
#include "push/order/conv.h"
#include "push/order/stored_messages.h"

/* $1 conversation, $2 and $3 the seqs around the gap, $4 how many at most */
static const struct pg_statement gap_messages = {
	"push_gap",
	"select seq, msg_id, sender, client_msg_id, type, body, time, reply_to, mentions, target_seq"
	" from fn.messages_between($1::text, $2::bigint, $3::bigint, $4::integer)",
};

#define GAP_READ_MAX 200

bool conv_has_gap(const struct conv *conv)
{
	const struct outgoing *first = reorder_buffer_first(&conv->pending);

	return first && (first->is_slim || first->seq > conv->dispatched + 1);
}

/* PostgreSQL has the message and none before it: it lost them. What comes after them must not wait for ever. */
static void skip_lost(struct conv *conv, const struct outgoing *first)
{
	log_error("messages are missing in PostgreSQL", LOG_TEXT("conversation", conv->id),
	          LOG_U64("after", conv->dispatched), LOG_U64("before", first->seq));
	conv->dispatched = first->seq - 1;
}

/* PostgreSQL does not have it, so nobody was told that it is stored: it must not move the conversation on. */
static void discard_false(struct conv *conv, struct outgoing *first)
{
	struct conversations *all = conv->all;

	reorder_buffer_remove(&conv->pending, first);
	if (first->has_place && !conv->is_orphan)
		all->options.unknown(all->options.arg, first);
	conv_drop(conv, first);
}

static void take_row(struct conv *conv, const PGresult *result, int row, uint64_t member_version)
{
	struct conversations *all = conv->all;
	struct outgoing *read = outgoing_new(stored_message_record(result, row, conv->id, member_version), all->options.redis);
	enum reorder_buffer_fill fill = reorder_buffer_fill(&conv->pending, read);

	if (fill == FILL_REFILLED) { /* the slim one counts as whole now, with these bytes */
		all->slim--;
		all->in_flight++;
		all->in_flight_bytes += read->bytes;
	}
	if (fill == FILL_NEW)
		conv_count_in(all, read);
	else
		outgoing_free(read);
}

static void take_gap(struct conv *conv, const PGresult *result, const struct outgoing *first)
{
	uint64_t member_version = first->member_version;

	for (int row = 0; row < PQntuples(result); row++)
		take_row(conv, result, row, member_version);
	conv->reads_on = PQntuples(result) == GAP_READ_MAX;
	counter_add(conv->all->gaps, (uint64_t)PQntuples(result));
}

static void on_gap_read(void *arg, err_t err, const PGresult *result)
{
	struct conv *conv = arg;

	conv->is_filling = false;
	if (err) {
		worker_arm(conv->all->options.worker, &conv->wait, clock_mono_ms() + CONV_RETRY_MS);
		return;
	}
	/* the missing records may have come meanwhile, or the partition went */
	if (conv_has_gap(conv)) {
		struct outgoing *first = reorder_buffer_first(&conv->pending);

		if (stored_messages_first_seq(result) > first->seq)
			discard_false(conv, first);
		else if (stored_messages_first_seq(result) == first->seq && !first->is_slim)
			skip_lost(conv, first);
		else
			take_gap(conv, result, first);
	}
	conv_advance(conv);
}

static void read_gap(struct conv *conv)
{
	const struct outgoing *first = reorder_buffer_first(&conv->pending);
	uint64_t after = MIN(conv->dispatched, first->seq - 1);
	uint64_t before = first->is_slim ? first->seq + GAP_READ_MAX : first->seq + 1; /* is it there itself? */
	struct pg_params params = { 0 };

	pg_put_text(&params, str_from(conv->id));
	pg_put_i64(&params, (int64_t)after);
	pg_put_i64(&params, (int64_t)before);
	pg_put_i32(&params, GAP_READ_MAX);
	conv->is_filling = true;
	log_debug("reading a gap", LOG_TEXT("conversation", conv->id), LOG_U64("after", after), LOG_U64("before", before));
	pg_query(conv->all->options.pg, PG_ANY_LANE, &gap_messages, &params, on_gap_read, conv);
}

void conv_read_gap(struct conv *conv)
{
	const struct outgoing *first = reorder_buffer_first(&conv->pending);

	if (sabotaged(SABOTAGE_NO_GAP_READ) && !first->is_slim) {
		conv->dispatched = first->seq - 1;
		conv_advance(conv);
	} else {
		read_gap(conv);
	}
}
