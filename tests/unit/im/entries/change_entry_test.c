/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/entries/batch_queue.h"
#include "im/entries/change_entry.h"

static const struct change_entry_kind kind = {
	CHANGE_ENTRY_KIND(NULL),
	.name = "change_of_a_kind",
};

static struct entry *make(size_t subject_len)
{
	const struct entry_caller caller = { .uid = STR("alice"), .traceparent = STR("trace") };
	struct buf subject = { 0 };

	for (size_t i = 0; i < subject_len; i++)
		buf_append_char(&subject, 's');
	const struct change_terms terms = { .subject = buf_str(&subject), .numbers = { 1, -2, INT64_MAX } };
	struct entry *entry = change_entry_new(&kind, STR("g:team"), &terms, &caller);
	buf_release(&subject);
	return entry;
}

static void a_change_has_copies_of_all_its_fields(void **state)
{
	struct entry *entry = make(3);
	const struct change_entry *change = change_entry_of(entry);
	(void)state;

	assert_string_equal(entry->conversation.ptr, "g:team");
	assert_string_equal(entry->traceparent.ptr, "trace");
	assert_string_equal(change->kind.ptr, "change_of_a_kind");
	assert_string_equal(change->caller.ptr, "alice");
	assert_string_equal(change->subject.ptr, "sss");
	assert_null(change->types.ptr);
	assert_int_equal(change->numbers[1], -2);
	assert_int_equal(change->numbers[2], INT64_MAX);
	entry_free(entry);
}

/* The buffer grows by doubling, so memory that still has the size of the first reservation was allocated once. */
static void the_parameters_of_a_batch_are_allocated_once(void **state)
{
	static struct batch batch;
	struct pg_params params = { 0 };
	size_t texts = 0;
	(void)state;

	batch.conversation_count = 1;
	for (batch.len = 0; batch.len < BATCH_MAX; batch.len++) {
		batch.entries[batch.len] = make(batch.len);
		texts += batch.entries[batch.len]->record_size;
	}
	batch.conversations[0] = batch.entries[0]->conversation;
	kind.kind.put(&params, &batch);
	assert_int_equal(params.count, 10);
	assert_in_range(params.bytes.cap, params.bytes.len, texts + 1024 + BATCH_MAX * 96);
	pg_params_release(&params);
	for (unsigned i = 0; i < batch.len; i++)
		entry_free(batch.entries[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_has_copies_of_all_its_fields),
		cmocka_unit_test(the_parameters_of_a_batch_are_allocated_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
