#ifndef SKEIN_IM_HTTP_TRACE_CONTEXT_H
#define SKEIN_IM_HTTP_TRACE_CONTEXT_H

#include "base/text/str.h"

/* Returns the header if it is a well-formed W3C traceparent, else an empty text. It is passed on to other systems. */
struct str traceparent_or_none(struct str header);

#endif
