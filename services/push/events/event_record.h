#ifndef SKEIN_PUSH_EVENTS_EVENT_RECORD_H
#define SKEIN_PUSH_EVENTS_EVENT_RECORD_H

#include "base/text/str.h"
#include "message/event_limits.h"
#include "proto/record.pb-c.h"

/* The records of the topic im.event, as im writes them. Input from outside is bounded here. Pure: no I/O. */

#define EVENT_RECORD_MAX_BYTES (256u << 10)

/* NULL: push cannot use it, and `fault` says why, as a literal. Free with skein__v1__event_record__free_unpacked(). */
Skein__V1__EventRecord *event_record_read(struct str value, const char **fault);

#endif
