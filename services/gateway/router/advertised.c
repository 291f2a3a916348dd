#include "gateway/router/advertised.h"

#include "base/macros.h"
#include "base/text/str.h"

void advertised_write(struct buf *out, const char *advertise, const char *listen, const char *host)
{
	static const struct str wildcards[] = { STR("0.0.0.0:"), STR("[::]:") };
	struct str address = str_from(*advertise ? advertise : listen);

	for (size_t i = 0; i < ARRAY_LEN(wildcards) && !*advertise && *host; i++) {
		if (!str_starts_with(address, wildcards[i]))
			continue;
		buf_printf(out, "%s:%s", host, address.ptr + wildcards[i].len);
		return;
	}
	buf_append(out, address.ptr, address.len);
}
