#ifndef SKEIN_IM_GROUPS_GROUP_CHANGE_H
#define SKEIN_IM_GROUPS_GROUP_CHANGE_H

#include "im/entries/entry.h"

/*
 * Changes to a group's members, as entries for entry_writer_submit(): each is a `system` entry of the group's conversation,
 * stored in one transaction with the change. The functions of deploy/schema/functions/08_groups.sql decide who may do what.
 *
 * The caller of an entry is the actor. All idents are valid; texts are copied. The result has is_nothing when there was
 * nothing to change, and the uids that joined or left. Errors: ERR_NOT_FOUND (no such group, or the uid that the detail
 * names), ERR_NOT_MEMBER (the actor), ERR_PERMISSION_DENIED, ERR_FAILED_PRECONDITION.
 */

enum group_role { GROUP_MEMBER,
	          GROUP_ADMIN }; /* as group_member.role; the role of owner cannot be given */

/* Adds all of the users, or none. Members are skipped. The group has at most `max_members` afterwards. */
struct entry *group_add_new(struct str gid, const struct str *uids, size_t count, int64_t max_members,
                            const struct entry_caller *caller);

/* Removes a member. With the actor's own uid, the actor leaves. */
struct entry *group_remove_new(struct str gid, struct str uid, const struct entry_caller *caller);

struct entry *group_role_new(struct str gid, struct str uid, enum group_role role, const struct entry_caller *caller);

#endif
