#ifndef SKEIN_BASE_TELEMETRY_METRICS_PROCESS_H
#define SKEIN_BASE_TELEMETRY_METRICS_PROCESS_H

#include "base/text/buf.h"

/* Memory, CPU, open files and start time of the process from /proc, under the names that Prometheus's own clients use. */
void metrics_write_process(struct buf *out);

#endif
