#ifndef SKEIN_GATEWAY_IM_INBOX_HEAD_H
#define SKEIN_GATEWAY_IM_INBOX_HEAD_H

#include "gateway/im/im_call.h"

/*
 * For SABOTAGE_SYNC_FIRST only: reads an inbox's epoch and head before the route
 * is bound, against the rule "bind, then read". `answered` is called once, on the
 * worker's thread, unless the connection is gone; epoch 0: im gave no answer.
 */
#ifdef SKEIN_SABOTAGE
void inbox_head_ask(struct im_caller *caller, uint64_t conn, const char *uid,
                    void (*answered)(struct session *session, uint64_t epoch, uint64_t head));
#else
static inline void inbox_head_ask(struct im_caller *caller, uint64_t conn, const char *uid,
                                  void (*answered)(struct session *session, uint64_t epoch, uint64_t head))
{
	(void)caller;
	(void)conn;
	(void)uid;
	(void)answered;
}
#endif

#endif
