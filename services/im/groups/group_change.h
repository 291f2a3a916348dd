#ifndef SKEIN_IM_GROUPS_GROUP_CHANGE_H
#define SKEIN_IM_GROUPS_GROUP_CHANGE_H

#include "im/entries/change_entry.h"

/*
 * Changes of a group, as entries for entry_writer_submit(): each is a `system` entry of the group's conversation, stored in one
 * transaction with the change. The functions of deploy/schema/functions/08_groups.sql decide who may do what; an action is one of
 * them.
 *
 * The caller of an entry is the actor. The result has is_nothing when there was nothing to change, and the uids that joined or
 * left. Errors: ERR_NOT_FOUND (no such group, or the uid that the detail names), ERR_NOT_MEMBER (the actor), ERR_PERMISSION_DENIED,
 * ERR_ALREADY_EXISTS, ERR_FAILED_PRECONDITION.
 */

enum group_action {
	GROUP_ADD, /* subject: uids, joined by commas; numbers: the most members, the most groups of a user. All come, or none */
	GROUP_REMOVE, /* subject: a uid; with the actor's own the actor leaves */
	GROUP_SET_ROLE, /* subject: a uid; numbers: an enum group_role, the most admins */
	GROUP_MUTE, /* subject: a uid; numbers: until when, in milliseconds since 1970; a time that has come ends the mute */
	GROUP_HAND_OVER, /* subject: the uid of the new owner; numbers: the most admins */
	GROUP_CHANGE_PROFILE, /* subject: a JSON object of what is to be different */
	GROUP_DISSOLVE,
	GROUP_JOIN, /* subject: a note for those who decide; numbers: the most members, requests, groups of a user */
	GROUP_ACCEPT, /* subject: the uid of a user who has asked to join; numbers: the most members, groups of a user */
};

enum group_role { GROUP_MEMBER,
	          GROUP_ADMIN }; /* as group_member.role; the role of owner cannot be given */

/* The gid and uids are valid; texts are copied. */
struct entry *group_change_new(enum group_action action, struct str gid, const struct change_terms *terms,
                               const struct entry_caller *caller);

#endif
