#include "im/messages/send_entry.h"

#include "im/entries/batch_params.h"
#include "im/stored/stored_message.h"

/* as fn.im_send() */
static const struct pg_statement send_entry_statement = {
	"send",
	"select ord, status, msg_id, seq, time, duplicate, member_version from fn.im_send($1::integer, $2::bigint,"
	" $3::bigint, $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],"
	" $11::text[], $12::text[], $13::bigint[], $14::text[], $15::boolean, $16::integer[], $17::text[])",
};

static const struct send *send_entry_of(const struct entry *entry)
{
	return container_of(entry, const struct send, entry);
}

/* ---- parameters ---- */

static void send_entry_put_replies(struct pg_params *params, const struct batch *batch)
{
	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < batch->len; i++) {
		const struct send *send = send_entry_of(batch->entries[i]);
		if (send->reply_to)
			pg_array_i64(params, send->reply_to);
		else
			pg_array_null(params);
	}
	pg_array_end(params);
}

static void send_entry_put_lives(struct pg_params *params, const struct batch *batch)
{
	pg_array_begin(params, PG_INT4);
	for (unsigned i = 0; i < batch->len; i++) {
		const struct send *send = send_entry_of(batch->entries[i]);
		if (send->expire_s)
			pg_array_i32(params, send->expire_s);
		else
			pg_array_null(params);
	}
	pg_array_end(params);
}

/* What few sends have; the statement does not look at an array that is absent. */
static void send_entry_put_rare(struct pg_params *params, const struct batch *batch)
{
	bool has_life = false, has_forward = false;

	for (unsigned i = 0; i < batch->len; i++) {
		has_life |= send_entry_of(batch->entries[i])->expire_s > 0;
		has_forward |= send_entry_of(batch->entries[i])->forward.ptr != NULL;
	}
	if (has_life)
		send_entry_put_lives(params, batch);
	else
		pg_put_null(params);
	if (has_forward)
		batch_put_texts(params, batch, offsetof(struct send, forward));
	else
		pg_put_null(params);
}

/* Of a send, besides its texts: what the arrays hold of it. */
#define PARAMS_OF_A_SEND 80

static void send_entry_put(struct pg_params *params, const struct batch *batch)
{
	batch_params_reserve(params, batch, PARAMS_OF_A_SEND);
	batch_put_conversations(params, batch);
	batch_put_texts(params, batch, offsetof(struct send, sender));
	batch_put_texts(params, batch, offsetof(struct send, user));
	batch_put_texts(params, batch, offsetof(struct send, group));
	batch_put_texts(params, batch, offsetof(struct send, client_msg_id));
	batch_put_ids(params, batch);
	batch_put_texts(params, batch, offsetof(struct send, type));
	batch_put_texts(params, batch, offsetof(struct send, body));
	send_entry_put_replies(params, batch);
	batch_put_texts(params, batch, offsetof(struct send, mentions));
	pg_put_bool(params, send_entry_of(batch->entries[0])->is_for_friends);
	send_entry_put_rare(params, batch);
}

/* ---- the rest of the kind ---- */

static int send_entry_compare(const struct entry *left, const struct entry *right)
{
	const struct send *a = send_entry_of(left), *b = send_entry_of(right);
	int order = str_compare(a->sender, b->sender);

	return order ? order : str_compare(a->client_msg_id, b->client_msg_id);
}

static void send_entry_describe(const struct entry *entry, struct stored_fields *fields)
{
	const struct send *send = send_entry_of(entry);

	fields->sender = send->sender;
	fields->client_msg_id = send->client_msg_id;
	fields->type = send->type;
	fields->body = send->body;
	fields->mentions = send->mentions;
	fields->reply_to = (uint64_t)send->reply_to;
	fields->expires_at = send->expire_s ? fields->time + 1000 * (uint64_t)send->expire_s : 0;
}

static void send_entry_explain(const struct entry *entry, struct str subject, struct entry_result *result)
{
	bool is_group = send_entry_of(entry)->group.ptr;
	(void)subject;

	switch (result->err) {
	case ERR_NOT_FOUND:
		result->field = is_group ? "to.group" : "to.user";
		result->detail = is_group ? "there is no such group" : "there is no such user";
		break;
	case ERR_NOT_MEMBER:
		result->detail = "only members may send to a group";
		break;
	case ERR_BLOCKED:
		result->field = "to.user";
		result->detail = "this user does not accept messages of the sender";
		break;
	case ERR_NOT_FRIEND:
		result->field = "to.user";
		result->detail = "this user accepts messages of friends only";
		break;
	case ERR_MUTED:
		result->detail = "the group or its member is muted";
		break;
	case ERR_PERMISSION_DENIED:
		result->field = "mentions";
		result->detail = "only the owner and admins may mention everyone";
		break;
	case ERR_IDEMPOTENCY_CONFLICT:
		result->field = "client_msg_id";
		result->detail = "this client_msg_id was used for another message";
		break;
	case ERR_INVALID_ARGUMENT:
		result->field = "reply_to";
		result->detail = "reply_to must be the seq of a message of this conversation";
		break;
	case ERR_UNAVAILABLE:
		result->detail = "the message with this client_msg_id went away meanwhile; send it again";
		break;
	default:
		break;
	}
}

static const struct entry_kind send_entry_kind = {
	.statement = &send_entry_statement,
	.put = send_entry_put,
	.compare = send_entry_compare,
	.describe = send_entry_describe,
	.explain = send_entry_explain,
};

/* An entry with the fields of `from`. */
static struct entry *send_entry_make(struct str conversation, const struct entry_caller *caller, const struct send *from)
{
	struct str texts[] = { from->sender, from->client_msg_id, from->type, from->body, from->forward,
		               from->user, from->group, from->mentions };

	struct entry *entry = entry_new(&send_entry_kind, sizeof(struct send), conversation, caller, texts, ARRAY_LEN(texts));
	struct send *send = container_of(entry, struct send, entry);
	send->reply_to = from->reply_to;
	send->expire_s = from->expire_s;
	send->is_for_friends = from->is_for_friends;
	send->sender = texts[0];
	send->client_msg_id = texts[1];
	send->type = texts[2];
	send->body = texts[3];
	send->forward = texts[4];
	send->user = texts[5];
	send->group = texts[6];
	send->mentions = texts[7];
	return entry;
}

struct entry *send_entry_new(const struct send_request *request, const struct entry_caller *caller, bool is_for_friends)
{
	const struct send send = {
		.reply_to = request->reply_to,
		.expire_s = (int32_t)request->expire_s,
		.sender = caller->uid,
		.client_msg_id = request->client_msg_id,
		.type = request->type,
		.body = buf_str(&request->body),
		.forward = buf_str(&request->forward.sent),
		.user = request->user,
		.group = request->group,
		.mentions = buf_str(&request->mentions),
		.is_for_friends = is_for_friends,
	};
	char id[CONVERSATION_ID_MAX + 1];
	size_t len = send_request_conversation(id, request, caller->uid);

	return send_entry_make(str_of(id, len), caller, &send);
}

struct entry *send_entry_fill(struct entry *entry, struct str body)
{
	struct send filled = *send_entry_of(entry);
	const struct entry_caller caller = { filled.sender, entry->traceparent, entry->done, entry->arg };

	filled.body = body;
	struct entry *made = send_entry_make(entry->conversation, &caller, &filled);
	entry_free(entry);
	return made;
}
