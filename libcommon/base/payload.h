#ifndef SKEIN_BASE_PAYLOAD_H
#define SKEIN_BASE_PAYLOAD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/str.h"

/*
 * Immutable bytes with an atomic reference count, in one allocation. One thread
 * makes a payload and hands it to others; the last unref frees it. Thread: any.
 */
struct payload {
	atomic_uint refs;
	uint32_t len;
	char bytes[];
};

/* A copy of `bytes`, with one reference. */
struct payload *payload_new(struct str bytes);

/* With `len` uninitialised bytes: write them before you hand it to another thread. */
struct payload *payload_alloc(uint32_t len);

struct payload *payload_ref(struct payload *payload);
void payload_unref(struct payload *payload); /* NULL is fine */

static inline struct str payload_str(const struct payload *payload)
{
	return (struct str){ payload->bytes, payload->len };
}

#endif
