#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "push/order/reorder_buffer.h"

#define VERSION 7
#define PLACE(seq) ((int64_t)(1000 + (seq)))

/* A message with a body of that size, as read from PostgreSQL: without a place in Kafka. */
static struct outgoing *read_message(uint64_t seq, size_t body_size)
{
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	Skein__V1__MessageRecord record = SKEIN__V1__MESSAGE_RECORD__INIT;
	char *body = mem_alloc(body_size + 1);

	memset(body, 'x', body_size);
	body[body_size] = '\0';
	message.conversation_id = "u:alice:bob";
	message.seq = seq;
	message.body = body;
	record.message = &message;
	uint8_t *packed = mem_alloc(skein__v1__message_record__get_packed_size(&record));
	size_t len = skein__v1__message_record__pack(&record, packed);
	struct outgoing *outgoing = outgoing_new(skein__v1__message_record__unpack(NULL, len, packed));
	mem_free(packed);
	mem_free(body);
	return outgoing;
}

/* A message that came from Kafka. */
static struct outgoing *taken_message(uint64_t seq, size_t body_size)
{
	struct outgoing *outgoing = read_message(seq, body_size);

	outgoing->has_place = true;
	outgoing->offset = PLACE(seq);
	outgoing->member_version = VERSION;
	return outgoing;
}

static struct outgoing *add(struct reorder_buffer *pending, uint64_t seq)
{
	struct outgoing *outgoing = taken_message(seq, 2);

	reorder_buffer_add(pending, outgoing);
	return outgoing;
}

static void add_up_to(struct reorder_buffer *pending, uint64_t last)
{
	for (uint64_t seq = 1; seq <= last; seq++)
		assert_false(add(pending, seq)->is_slim);
}

static void remove_first(struct reorder_buffer *pending, uint64_t seq)
{
	struct outgoing *first = reorder_buffer_first(pending);

	assert_non_null(first);
	assert_int_equal(first->seq, seq);
	reorder_buffer_remove(pending, first);
	outgoing_free(first);
}

/* Removes all messages, and expects that nothing is counted then. */
static void assert_empty(const struct reorder_buffer *pending)
{
	assert_null(reorder_buffer_first(pending));
	assert_int_equal(pending->whole, 0);
	assert_int_equal(pending->whole_bytes, 0);
}

static void remove_all(struct reorder_buffer *pending)
{
	for (struct outgoing *first; (first = reorder_buffer_first(pending));)
		remove_first(pending, first->seq);
	assert_empty(pending);
}

static void assert_slim(const struct outgoing *outgoing, uint64_t seq)
{
	assert_true(outgoing->is_slim);
	assert_null(outgoing->record);
	assert_int_equal(outgoing->seq, seq);
	assert_true(outgoing->has_place);
	assert_int_equal(outgoing->offset, PLACE(seq));
}

static void the_lowest_seq_is_first_in_any_order_of_arrival(void **state)
{
	static const uint64_t seqs[] = { 5, 2, 9, 1, 7, 3 }, in_order[] = { 1, 2, 3, 5, 7, 9 };
	struct reorder_buffer pending;
	(void)state;

	reorder_buffer_init(&pending);
	assert_empty(&pending);
	for (size_t i = 0; i < ARRAY_LEN(seqs); i++)
		add(&pending, seqs[i]);
	for (size_t i = 0; i < ARRAY_LEN(in_order); i++)
		remove_first(&pending, in_order[i]);
	assert_empty(&pending);
}

static void of_two_messages_with_one_seq_the_earlier_arrival_is_first(void **state)
{
	struct reorder_buffer pending;
	(void)state;

	reorder_buffer_init(&pending);
	add(&pending, 2);
	struct outgoing *earlier = add(&pending, 1), *later = add(&pending, 1);
	assert_ptr_equal(reorder_buffer_first(&pending), earlier);
	remove_first(&pending, 1);
	assert_ptr_equal(reorder_buffer_first(&pending), later);
	remove_first(&pending, 1);
	remove_first(&pending, 2);
	assert_empty(&pending);
}

static void over_the_limit_of_messages_a_new_message_is_slim(void **state)
{
	struct reorder_buffer pending;
	(void)state;

	reorder_buffer_init(&pending);
	add_up_to(&pending, REORDER_MAX);
	size_t bytes = pending.whole_bytes;
	assert_slim(add(&pending, REORDER_MAX + 1), REORDER_MAX + 1);
	assert_slim(add(&pending, 500), 500); /* between others, too */
	assert_int_equal(pending.whole, REORDER_MAX);
	assert_int_equal(pending.whole_bytes, bytes);
	remove_all(&pending);
}

static void over_the_limit_of_bytes_a_new_message_is_slim(void **state)
{
	struct reorder_buffer pending;
	uint64_t seq = 0;
	(void)state;

	reorder_buffer_init(&pending);
	while (pending.whole_bytes < REORDER_MAX_BYTES) {
		struct outgoing *large = taken_message(++seq, REORDER_MAX_BYTES / 4);
		size_t before = pending.whole_bytes;

		reorder_buffer_add(&pending, large);
		assert_false(large->is_slim);
		assert_int_equal(pending.whole_bytes, before + large->bytes);
		assert_true(large->bytes > REORDER_MAX_BYTES / 4);
	}
	assert_int_equal(seq, 4);
	assert_slim(add(&pending, 5), 5);
	assert_int_equal(pending.whole, 4);
	remove_all(&pending);
}

static void the_message_with_the_lowest_seq_stays_whole_over_the_limit(void **state)
{
	struct reorder_buffer pending;
	(void)state;

	reorder_buffer_init(&pending);
	for (uint64_t seq = 2; seq <= REORDER_MAX + 1; seq++)
		add(&pending, seq);
	struct outgoing *next = add(&pending, 1);
	assert_false(next->is_slim);
	assert_non_null(next->record);
	assert_ptr_equal(reorder_buffer_first(&pending), next);
	assert_int_equal(pending.whole, REORDER_MAX + 1);
	remove_all(&pending);
}

static void a_slim_message_gets_its_content_from_postgresql(void **state)
{
	struct reorder_buffer pending;
	(void)state;

	reorder_buffer_init(&pending);
	add_up_to(&pending, REORDER_MAX);
	struct outgoing *slim = add(&pending, REORDER_MAX + 1), *read = read_message(REORDER_MAX + 1, 3);
	size_t before = pending.whole_bytes;
	assert_slim(slim, REORDER_MAX + 1);
	assert_int_equal(reorder_buffer_fill(&pending, read), FILL_REFILLED);
	assert_false(slim->is_slim);
	assert_string_equal(slim->record->message->body, "xxx");
	assert_int_equal(slim->offset, PLACE(REORDER_MAX + 1));
	assert_int_equal(slim->record->member_version, VERSION); /* of its own record, not of the copy that was read */
	assert_int_equal(slim->bytes, read->bytes);
	assert_int_equal(pending.whole, REORDER_MAX + 1);
	assert_int_equal(pending.whole_bytes, before + slim->bytes);
	assert_null(read->record);
	outgoing_free(read);
	remove_all(&pending);
}

static void a_missing_message_that_is_read_is_put_in_its_order(void **state)
{
	struct reorder_buffer pending;
	(void)state;

	reorder_buffer_init(&pending);
	add(&pending, 1);
	struct outgoing *three = add(&pending, 3), *two = read_message(2, 2), *four = read_message(4, 2);
	assert_int_equal(reorder_buffer_fill(&pending, four), FILL_NEW);
	assert_int_equal(reorder_buffer_fill(&pending, two), FILL_NEW);
	assert_int_equal(pending.whole, 4);
	remove_first(&pending, 1);
	assert_ptr_equal(reorder_buffer_first(&pending), two);
	remove_first(&pending, 2);
	assert_ptr_equal(reorder_buffer_first(&pending), three);
	remove_first(&pending, 3);
	assert_ptr_equal(reorder_buffer_first(&pending), four);
	remove_first(&pending, 4);
	assert_empty(&pending);
}

static void a_message_that_is_read_again_changes_nothing(void **state)
{
	struct reorder_buffer pending;
	(void)state;

	reorder_buffer_init(&pending);
	add(&pending, 1);
	struct outgoing *there = add(&pending, 2), *read = read_message(2, 30);
	size_t bytes = pending.whole_bytes;
	assert_int_equal(reorder_buffer_fill(&pending, read), FILL_USELESS);
	assert_non_null(read->record);
	outgoing_free(read);
	assert_string_equal(there->record->message->body, "xx");
	assert_int_equal(pending.whole, 2);
	assert_int_equal(pending.whole_bytes, bytes);
	remove_first(&pending, 1);
	remove_first(&pending, 2);
	assert_empty(&pending);
}

static void removing_a_whole_message_makes_room_for_one_and_removing_a_slim_message_for_none(void **state)
{
	struct reorder_buffer pending;
	(void)state;

	reorder_buffer_init(&pending);
	add_up_to(&pending, REORDER_MAX);
	struct outgoing *slim = add(&pending, REORDER_MAX + 1);
	reorder_buffer_remove(&pending, slim);
	outgoing_free(slim);
	assert_int_equal(pending.whole, REORDER_MAX);
	assert_slim(add(&pending, REORDER_MAX + 2), REORDER_MAX + 2);
	remove_first(&pending, 1);
	assert_int_equal(pending.whole, REORDER_MAX - 1);
	assert_false(add(&pending, REORDER_MAX + 3)->is_slim);
	assert_slim(add(&pending, REORDER_MAX + 4), REORDER_MAX + 4);
	remove_all(&pending);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lowest_seq_is_first_in_any_order_of_arrival),
		cmocka_unit_test(of_two_messages_with_one_seq_the_earlier_arrival_is_first),
		cmocka_unit_test(over_the_limit_of_messages_a_new_message_is_slim),
		cmocka_unit_test(over_the_limit_of_bytes_a_new_message_is_slim),
		cmocka_unit_test(the_message_with_the_lowest_seq_stays_whole_over_the_limit),
		cmocka_unit_test(a_slim_message_gets_its_content_from_postgresql),
		cmocka_unit_test(a_missing_message_that_is_read_is_put_in_its_order),
		cmocka_unit_test(a_message_that_is_read_again_changes_nothing),
		cmocka_unit_test(removing_a_whole_message_makes_room_for_one_and_removing_a_slim_message_for_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
