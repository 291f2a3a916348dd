#ifndef SKEIN_IM_HTTP_CALL_ENTRY_H
#define SKEIN_IM_HTTP_CALL_ENTRY_H

#include "im/entries/entry_writer.h"

struct call;

/*
 * Calls that make an entry of a conversation: a send, a change of a message, a change of a group.
 *
 *   const struct entry_caller caller = call_entry_caller(call, groups_on_changed);
 *
 *   call_submit_entry(call, groups->entries, group_change_new(GROUP_DISSOLVE, gid, &terms, &caller));
 *
 * The `done` of the entry gets the call as its argument and answers it.
 */

struct entry_caller call_entry_caller(struct call *call, entry_done done);

/* Ends reading and submits the entry. An entry that the writer does not take is answered 503. */
void call_submit_entry(struct call *call, struct entry_writer *writer, struct entry *entry);

/* An entry_done: answers {msg_id, conversation_id, seq, time, duplicate}, or the refusal. */
void call_respond_entry(void *call, const struct entry_result *result);

/* The object of that answer, where it is one of many. */
void entry_result_put(struct buf *out, const struct entry_result *result);

#endif
