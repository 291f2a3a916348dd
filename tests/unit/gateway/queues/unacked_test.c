#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/queues/unacked.h"

#define EPOCH 7

static struct message_name *name_of(uint64_t seq)
{
	return message_name_new("u:alice:bob", seq, "alice");
}

static void add(struct unacked *unacked, uint64_t epoch, uint64_t offset)
{
	unacked_add(unacked, epoch, offset, name_of(offset));
}

/* The number of names that an ack takes; their seqs rise and end with `last`. */
static unsigned take(struct unacked *unacked, uint64_t epoch, uint64_t offset, uint64_t last)
{
	struct message_name *name;
	uint64_t seq = 0;
	unsigned count = 0;

	for (; (name = unacked_take(unacked, epoch, offset)); count++) {
		assert_true(name->seq > seq);
		seq = name->seq;
		message_name_unref(name);
	}
	assert_int_equal(seq, last);
	return count;
}

static void an_ack_takes_the_names_it_covers_oldest_first(void **state)
{
	struct unacked unacked = { 0 };
	(void)state;

	/* The numbers between are messages in groups or of the user: their acks are not told. */
	add(&unacked, EPOCH, 3);
	add(&unacked, EPOCH, 5);
	add(&unacked, EPOCH, 9);
	assert_int_equal(take(&unacked, EPOCH, 2, 0), 0);
	assert_int_equal(take(&unacked, EPOCH, 6, 5), 2);
	assert_int_equal(take(&unacked, EPOCH, 6, 0), 0);
	assert_int_equal(take(&unacked, EPOCH, 100, 9), 1);
	assert_null(unacked.ring);
}

static void names_come_out_in_order_at_every_size_of_the_ring(void **state)
{
	struct unacked unacked = { 0 };
	uint64_t in = 0, out = 0;
	(void)state;

	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 7; i++)
			add(&unacked, EPOCH, ++in);
		assert_int_equal(take(&unacked, EPOCH, out + 4, out + 4), 4);
		out += 4;
	}
	assert_int_equal(take(&unacked, EPOCH, in, in), in - out);
	assert_null(unacked.ring);
}

static void an_ack_of_another_epoch_takes_nothing(void **state)
{
	struct unacked unacked = { 0 };
	(void)state;

	add(&unacked, EPOCH, 3);
	assert_int_equal(take(&unacked, EPOCH + 1, 100, 0), 0);
	assert_null(unacked.ring);
	add(&unacked, EPOCH, 3);
	add(&unacked, EPOCH + 1, 1);
	assert_int_equal(take(&unacked, EPOCH + 1, 100, 1), 1);
}

static void when_full_the_oldest_name_is_dropped(void **state)
{
	struct unacked unacked = { 0 };
	(void)state;

	for (uint64_t offset = 1; offset <= UNACKED_MAX + 10; offset++)
		add(&unacked, EPOCH, offset);
	assert_int_equal(take(&unacked, EPOCH, 10, 0), 0);
	assert_int_equal(take(&unacked, EPOCH, UNACKED_MAX + 10, UNACKED_MAX + 10), UNACKED_MAX);
}

static void clearing_releases_every_reference(void **state)
{
	struct unacked unacked = { 0 };
	struct message_name *name = name_of(1);
	(void)state;

	unacked_add(&unacked, EPOCH, 1, message_name_ref(name));
	unacked_clear(&unacked);
	assert_int_equal(atomic_load(&name->refs), 1);
	message_name_unref(name);
}

static void only_a_message_from_one_user_to_another_has_a_name(void **state)
{
	struct message_name *name = message_name_new("u:alice:bob", 17, "bob");
	(void)state;

	assert_string_equal(message_name_recipient(name), "alice");
	assert_string_equal(name->conversation_id, "u:alice:bob");
	assert_int_equal(name->seq, 17);
	message_name_unref(name);
	name = message_name_new("u:alice:bob", 18, "alice");
	assert_string_equal(message_name_recipient(name), "bob");
	message_name_unref(name);
	assert_null(message_name_new("g:crew", 17, "bob"));
	assert_null(message_name_new("r:stage", 17, "bob"));
	assert_null(message_name_new("u:bob:bob", 17, "bob"));
	assert_null(message_name_new("u:alice:bob", 17, "carol"));
	assert_null(message_name_new("u:bob:alice", 17, "bob")); /* not in order: no conversation has this id */
	assert_null(message_name_new("u:bob", 17, "bob"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ack_takes_the_names_it_covers_oldest_first),
		cmocka_unit_test(names_come_out_in_order_at_every_size_of_the_ring),
		cmocka_unit_test(an_ack_of_another_epoch_takes_nothing),
		cmocka_unit_test(when_full_the_oldest_name_is_dropped),
		cmocka_unit_test(clearing_releases_every_reference),
		cmocka_unit_test(only_a_message_from_one_user_to_another_has_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
