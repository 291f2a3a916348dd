#ifndef SKEIN_GATEWAY_GRPC_VERDICTS_H
#define SKEIN_GATEWAY_GRPC_VERDICTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "gateway/session/session_order.h"
#include "proto/delivery.pb-c.h"

/*
 * The answer to a batch of push: the verdicts other than QUEUED. Each thread
 * collects its own list. Thread: one at a time.
 */

struct verdict_list {
	struct verdict_item {
		uint64_t conn;
		uint32_t delivery; /* index in the batch */
		enum verdict verdict;
	} * items;
	size_t count, capacity;
};

void verdict_list_add(struct verdict_list *list, uint32_t delivery, uint64_t conn, enum verdict verdict);
void verdict_list_release(struct verdict_list *list);

/* Appends a serialized DeliverAnswers: all deliveries of the batch are done, with the exceptions in these lists. */
void verdicts_pack(struct buf *out, const Skein__V1__DeliverBatch *batch, const struct verdict_list *lists,
                   size_t list_count);

#endif
