#ifndef SKEIN_IM_GROUPS_GROUP_CALL_H
#define SKEIN_IM_GROUPS_GROUP_CALL_H

#include "im/groups/group_change.h"
#include "im/groups/groups.h"
#include "im/http/call.h"
#include "im/http/call_entry.h"

/*
 * The end of every handler that changes a group: ends reading and submits the change. `done` is an entry_done that answers
 * the call.
 */
void group_call_submit(struct call *call, struct str gid, enum group_action action, const struct change_terms *terms,
                       entry_done done);

/* Tells the users of the list (uid_list.h) that they were `added` or `removed`, by an event. */
void group_call_emit(struct call *call, struct str gid, const char *op, struct str list);

/* An entry_done: tells the users who came or went by an event, and answers 204, or the refusal. */
void group_call_on_changed(void *call, const struct entry_result *result);

/* The first half of that: false when the change was refused; then the call is answered. */
bool group_call_tell(struct call *call, const struct entry_result *result) MUST_CHECK;

#endif
