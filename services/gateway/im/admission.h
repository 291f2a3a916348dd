#ifndef SKEIN_GATEWAY_IM_ADMISSION_H
#define SKEIN_GATEWAY_IM_ADMISSION_H

#include "gateway/im/im_call.h"

/*
 * Who may be connected, and stay so: im's Admit. im is asked before the route is
 * bound, so that a revoked token replaces nobody's connection. A logout between
 * the two kicks by the route, and once more a little later (im's kicks.c). A kick
 * finds nothing while Redis has forgotten the routes, so im is asked again
 * whenever a route was bound again.
 *
 * `answered` is called once, on the worker's thread, unless the connection is
 * gone. ERR_UNAUTHENTICATED: the user may not be connected with this token. Other
 * errors: im did not say.
 */
typedef void (*admission_answered)(struct session *session, err_t err);

/* Copies the texts. Thread: the worker's. */
void admission_ask(struct im_caller *caller, uint64_t conn, const char *uid, struct str token_id,
                   admission_answered answered);

#endif
