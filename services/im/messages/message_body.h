#ifndef SKEIN_IM_MESSAGES_MESSAGE_BODY_H
#define SKEIN_IM_MESSAGES_MESSAGE_BODY_H

#include "base/text/json.h"

/* The types of messages that clients send, and what their bodies must have (contract section 1). */

enum { MESSAGE_TYPE_COUNT = 7 };
extern const char *const message_types[MESSAGE_TYPE_COUNT];

bool message_type_is_known(struct str type);

/* Checks that `body` is one for a message of `type`, a known type. Else the error names the field. */
void message_body_check(const json_t *body, struct str type, struct json_error *error);

/* A bit for each of message_types[] for which this is a body. */
unsigned message_body_types(const json_t *body);

#endif
