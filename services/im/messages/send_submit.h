#ifndef SKEIN_IM_MESSAGES_SEND_SUBMIT_H
#define SKEIN_IM_MESSAGES_SEND_SUBMIT_H

#include "im/messages/messages.h"
#include "im/messages/send_request.h"

/*
 * Submits a send from HTTP or gRPC, unless the user or the conversation is over the rate. Each message counts for its sender:
 * those of a batch, duplicates, and those that are refused for what they are; for the conversation only those that go on
 * to be stored. `done` of the caller is called later, unless `error` was set before or is set here. `wait_ms` is how
 * long a refused caller has to wait, or 0. A send that comes while the body of a forward is made may be stored before it.
 */
void send_submit(struct messages *messages, const struct entry_caller *caller, const struct send_request *request,
                 struct json_error *error, uint64_t *wait_ms);

/*
 * The two halves of it, for many sends that are stored in their order. send_take() counts one for the rates and makes its
 * entry, a forward's without a body (forward.h); NULL when `error` is set. send_store() submits the entry; its caller is told
 * in any case, also from inside the call.
 */
struct entry *send_take(struct messages *messages, const struct entry_caller *caller, const struct send_request *request,
                        struct json_error *error, uint64_t *wait_ms);
void send_store(struct messages *messages, struct entry *entry);

#endif
