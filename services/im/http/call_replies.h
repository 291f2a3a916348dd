#ifndef SKEIN_IM_HTTP_CALL_REPLIES_H
#define SKEIN_IM_HTTP_CALL_REPLIES_H

#include "im/http/call.h"

/*
 * Calls that answer a page of messages and have the query parameter `replies`. With `replies=true` each message that
 * has a reply_to gets `reply`: the message that it replies to, as the caller may see it now, with a body of bounded
 * length.
 *
 *   call_read_replies(call, HISTORY_LIMIT_MAX);                           with the other parameters
 *
 *   message_row_put(out, result, row, HISTORY_MESSAGE, id, call_uid(call));
 *   call_add_reply(call, id, reply_to);                                   after each message of the page
 *
 *   call_ok_with_replies(call);                                           when the answer is written
 *
 * One statement reads all that a page replies to, each message once. It begins after the page was requested, as that of
 * the overlay does (im/stored/message_overlay.h). A page without replies, or without the parameter, costs no statement.
 */

/* Reads the parameter. `max`: the messages of the longest page. It takes the call's state. */
void call_read_replies(struct call *call, size_t max);

/* `reply_to` is that of the message that was appended to call_out() last; 0: it is no reply. The id is copied. */
void call_add_reply(struct call *call, struct str conversation_id, uint64_t reply_to);

/* Answers 200, as call_ok() does, with the replies put in. */
void call_ok_with_replies(struct call *call);

#endif
