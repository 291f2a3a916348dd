#include "cluster/routes.h"

#include "base/text/ident.h"
#include "tests/fuzz/fuzz.h"

/* The text of a route in Redis: a route that parses, written again, parses to the same route. */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str text = str_of(bytes, len);
	struct buf written = { 0 };
	struct route route, again;

	if (!route_parse(text, &route))
		return 0;
	CHECK(ident_is_valid(route.node) && platform_is_valid(route.platform));
	CHECK(fuzz_is_inside(route.node, text) && fuzz_is_inside(route.platform, text));
	route_write(&written, &route);
	CHECK(written.len <= text.len); /* without zeros in front */
	CHECK(route_parse(buf_str(&written), &again));
	CHECK(str_equal(route.node, again.node) && str_equal(route.platform, again.platform));
	CHECK(route.node_epoch == again.node_epoch && route.conn == again.conn && route.since_ms == again.since_ms);
	buf_release(&written);
	return 0;
}
