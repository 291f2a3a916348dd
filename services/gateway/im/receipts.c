#include "gateway/im/receipts.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/text/ident.h"
#include "proto/im.pb-c.h"

struct receipt {
	struct map_node by_key;
	struct list in_order;
	uint64_t seq;
	struct pulled range; /* where the conversation is "" */
	size_t key_len;
	size_t conversation_at; /* in the key */
	char key[]; /* uid and conversation id, each with its terminator */
};

static struct str receipt_key(const struct map_node *node)
{
	const struct receipt *receipt = container_of(node, struct receipt, by_key);

	return str_of(receipt->key, receipt->key_len);
}

void receipts_init(struct receipts *receipts)
{
	map_init(&receipts->by_key, receipt_key);
	list_init(&receipts->order);
}

static struct receipt *receipts_pop(struct receipts *receipts)
{
	struct list *first = list_pop_front(&receipts->order);

	if (!first)
		return NULL;
	struct receipt *receipt = container_of(first, struct receipt, in_order);
	map_remove(&receipts->by_key, &receipt->by_key);
	return receipt;
}

void receipts_release(struct receipts *receipts)
{
	struct receipt *receipt;

	while ((receipt = receipts_pop(receipts)))
		mem_free(receipt);
	map_release(&receipts->by_key);
}

/* The receipt of that key, zeroed if it is new. NULL: it would be one too many. */
static struct receipt *receipts_make(struct receipts *receipts, const char *uid, const char *conversation_id)
{
	size_t uid_size = strlen(uid) + 1, conversation_size = strlen(conversation_id) + 1;
	char key[2 * (CONVERSATION_ID_MAX + 1)]; /* the conversation names the user */

	assert(uid_size + conversation_size <= sizeof(key));
	memcpy(key, uid, uid_size);
	memcpy(key + uid_size, conversation_id, conversation_size);
	struct map_node *known = map_find(&receipts->by_key, str_of(key, uid_size + conversation_size));
	if (known)
		return container_of(known, struct receipt, by_key);
	if (receipts_count(receipts) >= RECEIPTS_MAX)
		return NULL;
	struct receipt *receipt = mem_zalloc(sizeof(*receipt) + uid_size + conversation_size);
	receipt->key_len = uid_size + conversation_size;
	receipt->conversation_at = uid_size;
	memcpy(receipt->key, key, receipt->key_len);
	map_put(&receipts->by_key, &receipt->by_key);
	list_push_back(&receipts->order, &receipt->in_order);
	return receipt;
}

bool receipts_add(struct receipts *receipts, const char *uid, const char *conversation_id, uint64_t seq)
{
	struct receipt *receipt = receipts_make(receipts, uid, conversation_id);

	if (receipt)
		receipt->seq = MAX(receipt->seq, seq);
	return receipt;
}

bool receipts_add_range(struct receipts *receipts, const char *uid, const struct pulled *range)
{
	struct receipt *receipt = receipts_make(receipts, uid, "");

	if (receipt)
		pulled_add(&receipt->range, range->epoch, range->after, range->up_to);
	return receipt;
}

static void receipts_show(struct receipt *receipt, Skein__V1__Receipt *out)
{
	skein__v1__receipt__init(out);
	out->uid = receipt->key;
	out->conversation_id = receipt->key + receipt->conversation_at;
	out->seq = receipt->seq;
}

static void receipts_show_range(struct receipt *receipt, Skein__V1__InboxRange *out)
{
	skein__v1__inbox_range__init(out);
	out->uid = receipt->key;
	out->epoch = receipt->range.epoch;
	out->after = receipt->range.after;
	out->up_to = receipt->range.up_to;
}

size_t receipts_take(struct receipts *receipts, struct buf *out)
{
	Skein__V1__DeliveredRequest request = SKEIN__V1__DELIVERED_REQUEST__INIT;
	Skein__V1__Receipt shown[RECEIPTS_BATCH], *pointers[RECEIPTS_BATCH];
	Skein__V1__InboxRange ranges[RECEIPTS_BATCH], *range_pointers[RECEIPTS_BATCH];
	struct receipt *taken[RECEIPTS_BATCH];
	size_t count = 0;

	request.receipts = pointers;
	request.ranges = range_pointers;
	while (count < RECEIPTS_BATCH && (taken[count] = receipts_pop(receipts))) {
		struct receipt *receipt = taken[count++];
		size_t i = request.n_receipts, j = request.n_ranges;

		if (receipt->key[receipt->conversation_at]) {
			receipts_show(receipt, &shown[i]);
			pointers[request.n_receipts++] = &shown[i];
		} else {
			receipts_show_range(receipt, &ranges[j]);
			range_pointers[request.n_ranges++] = &ranges[j];
		}
	}
	size_t len = skein__v1__delivered_request__get_packed_size(&request);
	out->len += skein__v1__delivered_request__pack(&request, (uint8_t *)buf_reserve(out, len));
	for (size_t i = 0; i < count; i++)
		mem_free(taken[i]);
	return count;
}
