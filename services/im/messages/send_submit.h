#ifndef SKEIN_IM_MESSAGES_SEND_SUBMIT_H
#define SKEIN_IM_MESSAGES_SEND_SUBMIT_H

#include "im/app.h"

/*
 * Hands a send that was read to the batcher, if the user is not over the rate;
 * the same for HTTP and gRPC. `done` is called later, unless there is an error
 * already or this finds one; `wait_ms` is how long who is refused has to wait.
 */
void send_submit(struct app *app, struct str uid, const struct send_request *request, struct str traceparent,
                 send_done done, void *arg, struct json_error *error, uint64_t *wait_ms);

#endif
