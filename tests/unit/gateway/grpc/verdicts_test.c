#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "gateway/grpc/verdicts.h"

static Skein__V1__Delivery deliveries[3];
static Skein__V1__Delivery *pointers[3] = { &deliveries[0], &deliveries[1], &deliveries[2] };

static void set_up_batch(Skein__V1__DeliverBatch *batch)
{
	skein__v1__deliver_batch__init(batch);
	for (size_t i = 0; i < ARRAY_LEN(deliveries); i++) {
		skein__v1__delivery__init(&deliveries[i]);
		deliveries[i].id = 100 + i;
	}
	batch->n_deliveries = ARRAY_LEN(deliveries);
	batch->deliveries = pointers;
}

static Skein__V1__DeliverAnswers *pack_and_read(const struct verdict_list *lists, size_t list_count)
{
	Skein__V1__DeliverBatch batch;
	struct buf bytes = { 0 };

	set_up_batch(&batch);
	verdicts_pack(&bytes, &batch, lists, list_count);
	Skein__V1__DeliverAnswers *answers =
		skein__v1__deliver_answers__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);
	buf_release(&bytes);
	assert_non_null(answers);
	return answers;
}

static void without_exceptions_all_deliveries_are_done(void **state)
{
	const struct verdict_list lists[2] = { 0 };
	(void)state;

	Skein__V1__DeliverAnswers *answers = pack_and_read(lists, ARRAY_LEN(lists));
	assert_int_equal(answers->n_done, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(answers->done[i], 100 + i);
	assert_int_equal(answers->n_exceptions, 0);
	skein__v1__deliver_answers__free_unpacked(answers, NULL);
}

static void the_exceptions_of_all_lists_have_their_delivery_connection_and_verdict(void **state)
{
	struct verdict_list lists[3] = { 0 };
	(void)state;

	verdict_list_add(&lists[0], 2, 0x1234567890, VERDICT_GONE);
	for (uint64_t conn = 1; conn <= 20; conn++)
		verdict_list_add(&lists[2], 1, conn, VERDICT_LAGGING);
	Skein__V1__DeliverAnswers *answers = pack_and_read(lists, ARRAY_LEN(lists));
	assert_int_equal(answers->n_done, 3);
	assert_int_equal(answers->n_exceptions, 21);
	assert_int_equal(answers->exceptions[0]->id, 102);
	assert_true(answers->exceptions[0]->conn == 0x1234567890);
	assert_int_equal(answers->exceptions[0]->verdict, SKEIN__V1__VERDICT__GONE);
	for (size_t i = 1; i <= 20; i++) {
		assert_int_equal(answers->exceptions[i]->id, 101);
		assert_int_equal(answers->exceptions[i]->conn, i);
		assert_int_equal(answers->exceptions[i]->verdict, SKEIN__V1__VERDICT__LAGGING);
	}
	skein__v1__deliver_answers__free_unpacked(answers, NULL);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		verdict_list_release(&lists[i]);
}

static void the_answer_is_appended(void **state)
{
	const struct verdict_list list = { 0 };
	Skein__V1__DeliverBatch batch;
	struct buf bytes = { 0 };
	(void)state;

	set_up_batch(&batch);
	buf_append_text(&bytes, "before");
	verdicts_pack(&bytes, &batch, &list, 1);
	assert_memory_equal(bytes.ptr, "before", 6);
	Skein__V1__DeliverAnswers *answers =
		skein__v1__deliver_answers__unpack(NULL, bytes.len - 6, (const uint8_t *)bytes.ptr + 6);
	assert_non_null(answers);
	assert_int_equal(answers->n_done, 3);
	skein__v1__deliver_answers__free_unpacked(answers, NULL);
	buf_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_exceptions_all_deliveries_are_done),
		cmocka_unit_test(the_exceptions_of_all_lists_have_their_delivery_connection_and_verdict),
		cmocka_unit_test(the_answer_is_appended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
