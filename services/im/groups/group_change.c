#include "im/groups/group_change.h"

#include "base/text/ident.h"
#include "im/entries/change_entry.h"

struct group_change_kind {
	struct change_entry_kind change;
	const char *field; /* of the request: where the subject came from; may be NULL */
	const char *unknown; /* what is wrong with the user whom a not_found names */
	const char *precondition; /* NULL: the group is full, the first of the numbers is the most members that it may have */
};

/* ---- refusals ---- */

static void group_change_explain(const struct entry *entry, struct str subject, struct entry_result *result)
{
	const struct group_change_kind *kind = container_of(entry->kind, const struct group_change_kind, change.kind);

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
			entry_detail(result, "a group has at most %lld members", (long long)change_entry_of(entry)->numbers[0]);
		}
		break;
	default:
		break;
	}
}

/* ---- the kinds: subject and numbers as in group_change.h. Those that add members go alone, because they lock accounts ---- */

#define GROUP_KIND(change_name) \
	.change = { \
		CHANGE_ENTRY_KIND(group_change_explain), \
		.name = change_name, \
	}

#define NO_MEMBER "is not a member of the group"

static const struct group_change_kind group_change_kinds[] = {
	[GROUP_ADD] = {
		GROUP_KIND("group_add"),
		.change.kind.is_alone = true,
		.field = "uids",
		.unknown = "is no user",
	},
	[GROUP_REMOVE] = {
		GROUP_KIND("group_remove"),
		.unknown = NO_MEMBER,
		.precondition = "the owner must hand the group over before leaving",
	},
	[GROUP_SET_ROLE] = {
		GROUP_KIND("group_role"),
		.unknown = NO_MEMBER,
		.precondition = "the owner's role cannot be changed, the group can be handed over",
	},
	[GROUP_MUTE] = { GROUP_KIND("group_mute"), .unknown = NO_MEMBER },
	[GROUP_HAND_OVER] = {
		GROUP_KIND("group_hand_over"),
		.field = "uid",
		.unknown = NO_MEMBER,
		.precondition = "this user is the owner",
	},
	[GROUP_CHANGE_PROFILE] = { GROUP_KIND("group_profile") },
	[GROUP_DISSOLVE] = { GROUP_KIND("group_dissolve") },
	[GROUP_JOIN] = { GROUP_KIND("group_join"), .change.kind.is_alone = true },
	[GROUP_ACCEPT] = {
		GROUP_KIND("group_accept"),
		.change.kind.is_alone = true,
		.unknown = "has not asked to join the group",
	},
};

struct entry *group_change_new(enum group_action action, struct str gid, const struct change_terms *terms,
                               const struct entry_caller *caller)
{
	char conversation[CONVERSATION_ID_MAX + 1];
	size_t len = conversation_group(conversation, gid);

	struct entry *entry =
		change_entry_new(&group_change_kinds[action].change, str_of(conversation, len), terms, caller);
	/* The record has the uids twice, in the body and in the delta, each with a quote or a length on both sides. */
	entry->record_size += 4 * terms->subject.len;
	return entry;
}
