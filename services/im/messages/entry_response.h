#ifndef SKEIN_IM_MESSAGES_ENTRY_RESPONSE_H
#define SKEIN_IM_MESSAGES_ENTRY_RESPONSE_H

#include "im/entries/entry.h"

struct call;

/* Answers what became of an entry (contract section 3): a send, or a change of a message, which is answered like one. */
void call_respond_entry(struct call *call, const struct entry_result *result);

/* The object of that answer, where it is one of many. */
void entry_response_put(struct buf *out, const struct entry_result *result);

#endif
