#include "gateway/grpc/verdicts.h"

#include "base/mem.h"

void verdict_list_add(struct verdict_list *list, uint32_t delivery, uint64_t conn, enum verdict verdict)
{
	MEM_RESERVE_ONE(list->items, list->count, list->capacity, 8);
	list->items[list->count++] = (struct verdict_item){ .conn = conn, .delivery = delivery, .verdict = verdict };
}

void verdict_list_release(struct verdict_list *list)
{
	mem_free(list->items);
}

void verdicts_pack(struct buf *out, const Skein__V1__DeliverBatch *batch, const struct verdict_list *lists,
                   size_t list_count)
{
	Skein__V1__DeliverAnswers answers = SKEIN__V1__DELIVER_ANSWERS__INIT;
	size_t count = 0, filled = 0;

	for (size_t i = 0; i < list_count; i++)
		count += lists[i].count;
	uint64_t *ids = mem_alloc(batch->n_deliveries * sizeof(*ids));
	Skein__V1__Exception *exceptions = mem_alloc(count * sizeof(*exceptions));
	Skein__V1__Exception **pointers = mem_alloc(count * sizeof(*pointers));
	for (size_t i = 0; i < list_count; i++) {
		for (size_t j = 0; j < lists[i].count; j++) {
			const struct verdict_item *item = &lists[i].items[j];
			Skein__V1__Exception *exception = pointers[filled] = &exceptions[filled];

			skein__v1__exception__init(exception);
			exception->id = batch->deliveries[item->delivery]->id;
			exception->conn = item->conn;
			exception->verdict =
				item->verdict == VERDICT_GONE ? SKEIN__V1__VERDICT__GONE : SKEIN__V1__VERDICT__LAGGING;
			filled++;
		}
	}
	for (size_t i = 0; i < batch->n_deliveries; i++)
		ids[i] = batch->deliveries[i]->id;
	answers.n_exceptions = count;
	answers.exceptions = pointers;
	answers.n_done = batch->n_deliveries;
	answers.done = ids;
	size_t len = skein__v1__deliver_answers__get_packed_size(&answers);
	out->len += skein__v1__deliver_answers__pack(&answers, (uint8_t *)buf_reserve(out, len));
	mem_free(ids);
	mem_free(pointers);
	mem_free(exceptions);
}
