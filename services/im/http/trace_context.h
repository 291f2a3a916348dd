#ifndef SKEIN_IM_HTTP_TRACE_CONTEXT_H
#define SKEIN_IM_HTTP_TRACE_CONTEXT_H

#include "base/text/str.h"

/* A W3C traceparent as it came, or nothing when it is not one: it is passed on, so it must be well-formed. */
struct str traceparent_or_none(struct str header);

#endif
