#ifndef SKEIN_GATEWAY_IM_ADMISSION_H
#define SKEIN_GATEWAY_IM_ADMISSION_H

#include "gateway/im/im_call.h"

/*
 * im's Admit: may this user be connected with this token? im is asked before the
 * upgrade, so that a client learns by a 401 that it may not; the route is bound
 * afterwards, so that a revoked token cannot replace a connection. A logout
 * between the two calls kicks by the route, and once more a little later (im's
 * kicks.c). A kick finds no route after Redis has lost its data, so im is asked
 * again whenever a route was bound again.
 *
 * `answered` is called once, on the worker's thread, unless the connection is
 * gone. ERR_UNAUTHENTICATED: the user may not be connected with this token. Other
 * errors: im gave no answer.
 */
typedef void (*admission_answered)(struct session *session, err_t err);

/* Copies the texts. Thread: the worker's. */
void admission_ask(struct im_caller *caller, uint64_t conn, const char *uid, struct str token_id, uint64_t issued_ms,
                   admission_answered answered);

#endif
