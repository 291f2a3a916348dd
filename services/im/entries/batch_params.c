#include "im/entries/batch_params.h"

void batch_params_reserve(struct pg_params *params, const struct batch *batch, size_t size)
{
	size_t room = 1024; /* the heads of the arrays, and what stands before them */

	/* record_size is an upper bound of an entry's texts. */
	for (unsigned i = 0; i < batch->len; i++)
		room += batch->entries[i]->record_size + size;
	(void)buf_reserve(&params->bytes, room);
}

void batch_put_conversations(struct pg_params *params, const struct batch *batch)
{
	pg_array_begin(params, PG_TEXT);
	for (unsigned i = 0; i < batch->conversation_count; i++)
		pg_array_text(params, batch->conversations[i]);
	pg_array_end(params);
	pg_array_begin(params, PG_INT4);
	for (unsigned i = 0; i < batch->len; i++)
		pg_array_i32(params, batch->conversation_of[i] + 1);
	pg_array_end(params);
}

void batch_put_ids(struct pg_params *params, const struct batch *batch)
{
	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < batch->len; i++)
		pg_array_i64(params, (int64_t)batch->entries[i]->id);
	pg_array_end(params);
}

static const void *batch_params_field(const struct entry *entry, size_t member)
{
	return (const char *)entry + member;
}

void batch_put_texts(struct pg_params *params, const struct batch *batch, size_t member)
{
	pg_array_begin(params, PG_TEXT);
	for (unsigned i = 0; i < batch->len; i++) {
		const struct str *text = batch_params_field(batch->entries[i], member);
		if (text->ptr)
			pg_array_text(params, *text);
		else
			pg_array_null(params);
	}
	pg_array_end(params);
}

void batch_put_numbers(struct pg_params *params, const struct batch *batch, size_t member)
{
	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < batch->len; i++)
		pg_array_i64(params, *(const int64_t *)batch_params_field(batch->entries[i], member));
	pg_array_end(params);
}
