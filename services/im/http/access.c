#include "im/http/access.h"

#include <assert.h>

#include "base/text/buf.h"
#include "base/telemetry/log.h"

static void access_make_metrics(struct access_metrics *metrics, const char *route)
{
	struct buf labels = { 0 };

	for (int i = 0; i < ACCESS_CLASSES; i++) {
		buf_clear(&labels);
		buf_printf(&labels, "route=\"%s\",status=\"%dxx\"", route, i + 1);
		metrics->requests[i] = metrics_counter("skein_im_http_requests_total", "HTTP requests.", buf_text(&labels));
	}
	buf_clear(&labels);
	buf_printf(&labels, "route=\"%s\"", route);
	metrics->durations = metrics_histogram("skein_im_http_request_seconds", "From the whole request to its answer.",
	                                       buf_text(&labels));
	buf_release(&labels);
}

void access_init(struct access *access, const struct call_route *routes, size_t route_count)
{
	assert(route_count <= ACCESS_ROUTES_MAX);
	access->routes = routes;
	access->route_count = route_count;
	for (size_t i = 0; i < route_count; i++) {
		struct buf name = { 0 };
		buf_printf(&name, "%s %s", routes[i].method, routes[i].path);
		access_make_metrics(&access->metrics[i], buf_text(&name));
		buf_release(&name);
	}
	access_make_metrics(&access->metrics[route_count], "none");
}

void access_finished(struct access *access, const struct http_request *request, int status, uint64_t duration_us)
{
	const struct call_route *route = http_request_call(request);
	struct access_metrics *metrics = &access->metrics[route ? (size_t)(route - access->routes) : access->route_count];

	if (status >= 100 && status < 100 * (ACCESS_CLASSES + 1))
		counter_add(metrics->requests[status / 100 - 1], 1);
	histogram_observe(metrics->durations, duration_us);
	log_debug("request", LOG_STR("method", http_request_method(request)), LOG_STR("route", http_request_route(request)),
	          LOG_NUM("status", status), LOG_U64("us", duration_us), LOG_STR("request", http_request_id(request)));
}
