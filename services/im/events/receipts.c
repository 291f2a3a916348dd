#include "im/events/receipts.h"

#include "base/text/ident.h"
#include "base/text/json.h"

/* The other side of the conversation; empty when `uid` is on neither side. */
static struct str receipts_other_side(struct str conversation_id, struct str uid)
{
	struct conversation conversation;

	if (!conversation_parse(conversation_id, &conversation) || conversation.kind != CONVERSATION_DIRECT)
		return (struct str){ 0 };
	if (str_equal(conversation.first, uid))
		return conversation.second;
	return str_equal(conversation.second, uid) ? conversation.first : (struct str){ 0 };
}

bool receipts_are_valid(const Skein__V1__DeliveredRequest *request)
{
	if (request->n_receipts > RECEIPTS_MAX)
		return false;
	for (size_t i = 0; i < request->n_receipts; i++) {
		const Skein__V1__Receipt *receipt = request->receipts[i];
		if (!receipt->seq || !receipts_other_side(str_from(receipt->conversation_id), str_from(receipt->uid)).len)
			return false;
	}
	return true;
}

void receipt_emit(struct events *events, struct str conversation_id, struct str uid, uint64_t seq)
{
	struct str sender = receipts_other_side(conversation_id, uid);
	struct buf body = { 0 };

	if (!sender.len || str_equal(sender, uid)) /* notes to self: nobody has to be told */
		return;
	buf_append_char(&body, '{');
	json_put_field(&body, "conversation_id", conversation_id);
	json_put_field(&body, "uid", uid);
	json_put_u64_field(&body, "seq", seq);
	buf_append_char(&body, '}');
	const struct event event = { .uids = &sender, .uid_count = 1, .kind = "delivered", .body = buf_str(&body) };
	events_emit(events, &event);
	buf_release(&body);
}

void receipts_emit(struct events *events, const Skein__V1__DeliveredRequest *request)
{
	for (size_t i = 0; i < request->n_receipts; i++) {
		const Skein__V1__Receipt *receipt = request->receipts[i];

		receipt_emit(events, str_from(receipt->conversation_id), str_from(receipt->uid), receipt->seq);
	}
}
