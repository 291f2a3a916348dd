#include "im/groups/group_change.h"

#include "base/text/buf.h"
#include "base/text/ident.h"
#include "im/entries/batch_queue.h"

struct group_change {
	struct entry entry;
	struct str gid, actor;
	struct str uids; /* joined by commas; only an addition has more than one */
	int64_t number; /* of an addition: the most members the group may have; of a change of a role: the role */
};

/* All three have the parameters $5 gid and $6 actor. */
#define GROUP_CHANGE(function) \
	"select " ENTRY_ANSWER_COLUMNS " from " function "($1::integer, $2::bigint, $4::bigint, $3::bigint, $5::text, $6::text, "

static const struct pg_statement group_change_add_statement = {
	"group_members_add",
	GROUP_CHANGE("fn.group_members_add") "$7::text[], $8::integer)",
};

static const struct pg_statement group_change_remove_statement = {
	"group_member_remove",
	GROUP_CHANGE("fn.group_member_remove") "$7::text)",
};

static const struct pg_statement group_change_role_statement = {
	"group_member_role",
	GROUP_CHANGE("fn.group_member_role") "$7::text, $8::smallint)",
};

/* ---- parameters ---- */

static const struct group_change *group_change_of(const struct entry *entry)
{
	return container_of(entry, const struct group_change, entry);
}

static const struct group_change *group_change_put(struct pg_params *params, const struct batch *batch)
{
	const struct group_change *change = group_change_of(batch->entries[0]);

	pg_put_text(params, change->gid);
	pg_put_text(params, change->actor);
	return change;
}

static void group_change_put_add(struct pg_params *params, const struct batch *batch)
{
	const struct group_change *change = group_change_put(params, batch);
	struct str uids = change->uids;

	pg_array_begin(params, PG_TEXT);
	while (uids.len)
		pg_array_text(params, str_cut(&uids, ','));
	pg_array_end(params);
	pg_put_i32(params, (int32_t)change->number);
}

static void group_change_put_remove(struct pg_params *params, const struct batch *batch)
{
	pg_put_text(params, group_change_put(params, batch)->uids);
}

static void group_change_put_role(struct pg_params *params, const struct batch *batch)
{
	const struct group_change *change = group_change_put(params, batch);

	pg_put_text(params, change->uids);
	pg_put_i16(params, (int16_t)change->number);
}

/* ---- refusals ---- */

static void group_change_explain(const struct entry *entry, struct str subject, struct entry_result *result)
{
	const struct group_change *change = group_change_of(entry);

	switch (result->err) {
	case ERR_NOT_FOUND:
		if (subject.len)
			entry_detail(result, "%.*s is not a member of the group", STR_ARG(subject));
		else
			result->detail = "there is no such group";
		break;
	case ERR_NOT_MEMBER:
		result->detail = "only members may do this in a group";
		break;
	case ERR_PERMISSION_DENIED:
		result->detail = "the caller's role in the group does not allow this";
		break;
	case ERR_FAILED_PRECONDITION:
		result->detail = str_equal(change->uids, change->actor) ?
		                         "the owner must hand the group over before leaving" :
		                         "the owner's role cannot be changed, the group can be handed over";
		break;
	default:
		break;
	}
}

static void group_change_explain_add(const struct entry *entry, struct str subject, struct entry_result *result)
{
	if (result->err == ERR_NOT_FOUND && subject.len) {
		result->field = "uids";
		entry_detail(result, "there is no user %.*s", STR_ARG(subject));
	} else if (result->err == ERR_FAILED_PRECONDITION) {
		result->field = "uids";
		entry_detail(result, "a group has at most %lld members", (long long)group_change_of(entry)->number);
	} else {
		group_change_explain(entry, subject, result);
	}
}

/* ---- the kinds ---- */

static const struct entry_kind group_change_add_kind = {
	.statement = &group_change_add_statement,
	.put = group_change_put_add,
	.explain = group_change_explain_add,
};

static const struct entry_kind group_change_remove_kind = {
	.statement = &group_change_remove_statement,
	.put = group_change_put_remove,
	.explain = group_change_explain,
};

static const struct entry_kind group_change_role_kind = {
	.statement = &group_change_role_statement,
	.put = group_change_put_role,
	.explain = group_change_explain,
};

static struct group_change *group_change_new(const struct entry_kind *kind, struct str gid, struct str uids,
                                             const struct entry_caller *caller)
{
	struct str texts[] = { gid, caller->uid, uids };
	char conversation[CONVERSATION_ID_MAX + 1];
	size_t len = conversation_group(conversation, gid);

	struct entry *entry = entry_new(kind, sizeof(struct group_change), str_of(conversation, len), caller, texts,
	                                ARRAY_LEN(texts));
	struct group_change *change = container_of(entry, struct group_change, entry);
	change->gid = texts[0];
	change->actor = texts[1];
	change->uids = texts[2];
	/* The record has the uids twice, in the body and in the delta, each with a quote or a length on both sides. */
	entry->record_size += 4 * uids.len;
	return change;
}

struct entry *group_add_new(struct str gid, const struct str *uids, size_t count, int64_t max_members,
                            const struct entry_caller *caller)
{
	struct buf joined = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(&joined, ',');
		buf_append_str(&joined, uids[i]);
	}
	struct group_change *change = group_change_new(&group_change_add_kind, gid, buf_str(&joined), caller);
	buf_release(&joined);
	change->number = max_members;
	return &change->entry;
}

struct entry *group_remove_new(struct str gid, struct str uid, const struct entry_caller *caller)
{
	return &group_change_new(&group_change_remove_kind, gid, uid, caller)->entry;
}

struct entry *group_role_new(struct str gid, struct str uid, enum group_role role, const struct entry_caller *caller)
{
	struct group_change *change = group_change_new(&group_change_role_kind, gid, uid, caller);

	change->number = role;
	return &change->entry;
}
