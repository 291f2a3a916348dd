#ifndef SKEIN_IM_ADMIN_AUDIT_H
#define SKEIN_IM_ADMIN_AUDIT_H

#include "im/http/call.h"

/*
 * The audit: every call of an admin that changes something, or reads what is private, leaves a row that says who did what to
 * whom. The statement of the call writes it by fn.audit_add(), in the transaction of the change, so that there is not the one
 * without the other; its first four parameters are those of audit_put(). (edits.c inserts the row itself.) What is no transaction
 * of im's own (a kick, a message) is written down before it is done.
 */

/*
 * Puts the actor, its address, the target (a uid, mostly; ptr NULL: none) and the details (a JSON object; empty: none). Details
 * say what was asked for, without passwords and bodies of messages.
 */
void audit_put(struct pg_params *params, struct call *call, struct str target, struct str details);

#endif
