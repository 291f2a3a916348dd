#ifndef SKEIN_IM_GROUPS_GROUP_HEAD_H
#define SKEIN_IM_GROUPS_GROUP_HEAD_H

#include "base/text/buf.h"

/* The members with which every JSON object of a group begins, and the values of `join` and `history`. */

struct group_head {
	struct str gid, name, owner, join, history;
	uint64_t member_count;
};

/* Appends the members of the object, without its brackets. */
void group_head_put(struct buf *out, const struct group_head *head);

/* NULL ends them; the default is the first. */
extern const char *const group_join_modes[];
extern const char *const group_history_modes[];

#endif
