#ifndef SKEIN_IM_HTTP_ACCESS_H
#define SKEIN_IM_HTTP_ACCESS_H

#include "base/telemetry/metrics.h"
#include "im/http/call_route.h"
#include "net/http/http_server.h"

/* One debug line and the metrics of each HTTP request. */

#define ACCESS_ROUTES_MAX 128
#define ACCESS_CLASSES 5 /* 1xx to 5xx */

struct access {
	const struct call_route *routes;
	size_t route_count;
	/* One for each route, and one for requests that matched none. */
	struct access_metrics {
		struct counter *requests[ACCESS_CLASSES];
		struct histogram *durations;
	} metrics[ACCESS_ROUTES_MAX + 1];
};

void access_init(struct access *access, const struct call_route *routes, size_t route_count);
void access_finished(struct access *access, const struct http_request *request, int status, uint64_t duration_us);

#endif
