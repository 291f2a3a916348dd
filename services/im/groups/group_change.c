#include "im/groups/group_change.h"

#include "base/text/buf.h"
#include "base/text/ident.h"
#include "im/entries/batch_queue.h"

struct group_change {
	struct entry entry;
	struct str gid, actor;
	struct str subject;
	int64_t numbers[GROUP_CHANGE_NUMBERS];
};

struct group_change_kind {
	struct entry_kind kind;
	const char *field; /* of the request: where the subject came from; may be NULL */
	const char *unknown; /* what is wrong with the user whom a not_found names */
	const char *precondition; /* NULL: the group is full, the first of the numbers is the most members that it may have */
	unsigned number_count; /* of the action (group_change.h) */
};

/* ---- parameters: $5 gid, $6 actor, and those that a kind has besides ---- */

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

static void group_change_put_group(struct pg_params *params, const struct batch *batch)
{
	(void)group_change_put(params, batch);
}

static void group_change_put_subject(struct pg_params *params, const struct batch *batch)
{
	const struct group_change *change = group_change_put(params, batch);
	const struct group_change_kind *kind = container_of(change->entry.kind, const struct group_change_kind, kind);

	pg_put_text(params, change->subject);
	for (unsigned i = 0; i < kind->number_count; i++)
		pg_put_i64(params, change->numbers[i]);
}

/* ---- refusals ---- */

static void group_change_explain(const struct entry *entry, struct str subject, struct entry_result *result)
{
	const struct group_change_kind *kind = container_of(entry->kind, const struct group_change_kind, kind);

	switch (result->err) {
	case ERR_NOT_FOUND:
		if (subject.len) {
			result->field = kind->field;
			entry_detail(result, "%.*s %s", STR_ARG(subject), kind->unknown);
		} else {
			result->detail = "there is no such group";
		}
		break;
	case ERR_NOT_MEMBER:
		result->detail = "only members may do this in a group";
		break;
	case ERR_PERMISSION_DENIED:
		result->detail = "the caller's role in the group does not allow this";
		break;
	case ERR_ALREADY_EXISTS:
		result->detail = "the caller is a member of the group";
		break;
	case ERR_FAILED_PRECONDITION:
		if (subject.len) {
			entry_detail(result, "%.*s", STR_ARG(subject));
		} else if (kind->precondition) {
			result->detail = kind->precondition;
		} else {
			result->field = kind->field;
			entry_detail(result, "a group has at most %lld members", (long long)group_change_of(entry)->numbers[0]);
		}
		break;
	default:
		break;
	}
}

/* ---- the kinds ---- */

#define GROUP_STATEMENT(function, parameters) \
	&(const struct pg_statement) \
	{ \
		#function, "select " ENTRY_ANSWER_COLUMNS " from fn." #function \
			   "($1::integer, $2::bigint, $4::bigint, $3::bigint, $5::text, $6::text" parameters ")" \
	}

#define GROUP_KIND(function, parameters, put_parameters) \
	.kind = { \
		.statement = GROUP_STATEMENT(function, parameters), \
		.put = put_parameters, \
		.explain = group_change_explain, \
	}

#define NO_MEMBER "is not a member of the group"

static const struct group_change_kind group_change_kinds[] = {
	[GROUP_ADD] = {
		GROUP_KIND(group_members_add, ", string_to_array($7::text, ','), $8::bigint::integer, $9::bigint::integer",
	                   group_change_put_subject),
		.number_count = 2,
		.field = "uids",
		.unknown = "is no user",
	},
	[GROUP_REMOVE] = {
		GROUP_KIND(group_member_remove, ", $7::text", group_change_put_subject),
		.unknown = NO_MEMBER,
		.precondition = "the owner must hand the group over before leaving",
	},
	[GROUP_SET_ROLE] = {
		GROUP_KIND(group_member_role, ", $7::text, $8::bigint::smallint, $9::bigint::integer", group_change_put_subject),
		.number_count = 2,
		.unknown = NO_MEMBER,
		.precondition = "the owner's role cannot be changed, the group can be handed over",
	},
	[GROUP_MUTE] = {
		GROUP_KIND(group_member_mute, ", $7::text, $8::bigint", group_change_put_subject),
		.number_count = 1,
		.unknown = NO_MEMBER,
	},
	[GROUP_HAND_OVER] = {
		GROUP_KIND(group_hand_over, ", $7::text, $8::bigint::integer", group_change_put_subject),
		.number_count = 1,
		.field = "uid",
		.unknown = NO_MEMBER,
		.precondition = "this user is the owner",
	},
	[GROUP_CHANGE_PROFILE] = { GROUP_KIND(group_change_profile, ", $7::text", group_change_put_subject) },
	[GROUP_DISSOLVE] = { GROUP_KIND(group_dissolve, "", group_change_put_group) },
	[GROUP_JOIN] = {
		GROUP_KIND(group_join, ", $7::text, $8::bigint::integer, $9::bigint::integer, $10::bigint::integer",
		           group_change_put_subject),
		.number_count = 3,
	},
	[GROUP_ACCEPT] = {
		GROUP_KIND(group_request_accept, ", $7::text, $8::bigint::integer, $9::bigint::integer", group_change_put_subject),
		.number_count = 2,
		.unknown = "has not asked to join the group",
	},
};

struct entry *group_change_new(enum group_action action, struct str gid, const struct group_change_terms *terms,
                               const struct entry_caller *caller)
{
	struct str texts[] = { gid, caller->uid, terms->subject };
	char conversation[CONVERSATION_ID_MAX + 1];
	size_t len = conversation_group(conversation, gid);

	struct entry *entry = entry_new(&group_change_kinds[action].kind, sizeof(struct group_change), str_of(conversation, len),
	                                caller, texts, ARRAY_LEN(texts));
	struct group_change *change = container_of(entry, struct group_change, entry);
	change->gid = texts[0];
	change->actor = texts[1];
	change->subject = texts[2];
	memcpy(change->numbers, terms->numbers, sizeof(change->numbers));
	/* The record has the uids twice, in the body and in the delta, each with a quote or a length on both sides. */
	entry->record_size += 4 * terms->subject.len;
	return entry;
}
