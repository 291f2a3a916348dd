#ifndef SKEIN_IM_MESSAGES_SEND_SUBMIT_H
#define SKEIN_IM_MESSAGES_SEND_SUBMIT_H

#include "im/messages/messages.h"
#include "im/messages/send_request.h"

/*
 * Submits a send that was read, unless the user is over the rate; the same for HTTP and gRPC. `done` of the caller is
 * called later, unless `error` is set already or gets set here. `wait_ms` is how long a refused caller has to wait.
 */
void send_submit(struct messages *messages, const struct entry_caller *caller, const struct send_request *request,
                 struct json_error *error, uint64_t *wait_ms);

#endif
