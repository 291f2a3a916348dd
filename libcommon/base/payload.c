#include "base/payload.h"

#include <assert.h>

#include "base/mem.h"

struct payload *payload_alloc(uint32_t len)
{
	struct payload *payload = mem_alloc(sizeof(*payload) + len);

	atomic_init(&payload->refs, 1);
	payload->len = len;
	return payload;
}

struct payload *payload_new(struct str bytes)
{
	assert(bytes.len <= UINT32_MAX);
	struct payload *payload = payload_alloc((uint32_t)bytes.len);
	if (bytes.len)
		memcpy(payload->bytes, bytes.ptr, bytes.len);
	return payload;
}

struct payload *payload_ref(struct payload *payload)
{
	atomic_fetch_add_explicit(&payload->refs, 1, memory_order_relaxed);
	return payload;
}

void payload_unref(struct payload *payload)
{
	/* Release: our reads happen before the free. Acquire: so do the reads of all other owners. */
	if (payload && atomic_fetch_sub_explicit(&payload->refs, 1, memory_order_acq_rel) == 1)
		mem_free(payload);
}
