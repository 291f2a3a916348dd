#ifndef SKEIN_MESSAGE_EVENT_LIMITS_H
#define SKEIN_MESSAGE_EVENT_LIMITS_H

/* An EventRecord (proto/record.proto): im writes none that is over these limits, and push takes none. */

#define EVENT_RECORD_VERSION 1
#define EVENT_RECORD_MAX_USERS 1000 /* named in one record, by all of its events */
#define EVENT_RECORD_MAX_KIND 32 /* bytes of an event's kind */
#define EVENT_RECORD_MAX_BODY (16u << 10) /* bytes of its body */

#endif
