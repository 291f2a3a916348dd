#include "base/text/host_port.h"

#include <string.h>

bool host_port_parse(struct str text, struct host_port *out)
{
	const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
	uint64_t number;

	if (!colon)
		return false;
	struct str host = str_of(text.ptr, (size_t)(colon - text.ptr));
	struct str port = str_of(colon + 1, text.len - host.len - 1);
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = str_of(host.ptr + 1, host.len - 2);
	else if (host.len && memchr(host.ptr, ':', host.len))
		return false; /* IPv6 without brackets */
	return host.len && str_copy(out->host, sizeof(out->host), host) && str_to_u64(port, &number) && number <= UINT16_MAX &&
	       str_copy(out->port, sizeof(out->port), port);
}
