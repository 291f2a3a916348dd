#ifndef SKEIN_RPC_PROTOBUF_WIRE_H
#define SKEIN_RPC_PROTOBUF_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"

/*
 * The protobuf wire format: a reader and writers for code that handles fields
 * one by one (health checks, reflection, frames that are put together from
 * parts). Whole messages go through protobuf-c. Thread: any.
 */

enum wire_type { WIRE_VARINT = 0,
	         WIRE_FIXED64 = 1,
	         WIRE_BYTES = 2,
	         WIRE_FIXED32 = 5 };

struct wire_field {
	uint32_t number;
	enum wire_type type;
	uint64_t value; /* of a varint */
	struct str bytes; /* of WIRE_BYTES; points into the message */
};

/* Reads the next field and moves `rest` behind it. False at the end, and for malformed input: then `rest` is not empty. */
bool wire_next(struct str *rest, struct wire_field *field);

/* Whether all of it is well-formed. */
bool wire_is_valid(struct str message);

/* The last field of WIRE_BYTES with that number. Empty if there is none, or if the message is malformed. */
struct str wire_find(struct str message, uint32_t number);

void wire_put_varint(struct buf *out, uint32_t number, uint64_t value);
void wire_put_bytes(struct buf *out, uint32_t number, struct str bytes);

/* The beginning of a WIRE_BYTES field: tag and length. The caller appends `len` bytes itself. */
void wire_put_bytes_head(struct buf *out, uint32_t number, size_t len);

#endif
