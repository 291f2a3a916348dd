#ifndef SKEIN_BASE_PAYLOAD_H
#define SKEIN_BASE_PAYLOAD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/str.h"

/*
 * Bytes that many share and nobody changes: one allocation, an atomic count of
 * references. Made by one thread, handed to others, freed by whoever lets go
 * last.
 */
struct payload {
	atomic_uint refs;
	uint32_t len;
	char bytes[];
};

/* A copy of `bytes`, with one reference. */
struct payload *payload_new(struct str bytes);

/* Uninitialised room for `len` bytes; fill it before anybody else sees it. */
struct payload *payload_alloc(uint32_t len);

struct payload *payload_ref(struct payload *payload);
void payload_unref(struct payload *payload); /* NULL is fine */

static inline struct str payload_str(const struct payload *payload)
{
	return (struct str){ payload->bytes, payload->len };
}

#endif
