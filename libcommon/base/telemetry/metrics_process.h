#ifndef SKEIN_BASE_TELEMETRY_METRICS_PROCESS_H
#define SKEIN_BASE_TELEMETRY_METRICS_PROCESS_H

#include "base/text/buf.h"

/* What the kernel knows about this process, under the names that Prometheus's own clients use; from /proc. */
void metrics_write_process(struct buf *out);

#endif
