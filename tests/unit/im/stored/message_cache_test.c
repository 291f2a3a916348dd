/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/stored/message_cache.h"

static const struct message_form as_stored;

static struct stored_message *make(uint64_t seq)
{
	const struct stored_fields fields = {
		.conversation_id = STR("g:team"),
		.sender = STR("alice"),
		.client_msg_id = STR("k"),
		.type = STR("text"),
		.body = STR("{\"text\":\"hi\"}"),
		.mentions = STR("bob,carol"),
		.seq = seq,
		.msg_id = 77,
		.time = 1000,
		.reply_to = 3,
	};

	return stored_message_new(&fields);
}

static void put(struct message_cache *cache, uint64_t seq)
{
	struct stored_message *message = make(seq);

	message_cache_put(cache, message);
	stored_message_unref(message);
}

static bool has(struct message_cache *cache, struct str key)
{
	struct stored_message *message = message_cache_find(cache, key);

	stored_message_unref(message);
	return message;
}

/* Room for this many messages of make(), and not one more. */
static size_t room_for(size_t count)
{
	struct message_cache probe;

	message_cache_init(&probe, 1 << 20);
	put(&probe, 1);
	size_t each = probe.bytes;
	message_cache_release(&probe);
	return count * each + each / 2;
}

static void a_message_has_copies_of_its_fields(void **state)
{
	struct stored_message *message = make(5);
	(void)state;

	assert_true(str_equal(message->key, STR("g:team 5")));
	assert_string_equal(message->message.conversation_id, "g:team");
	assert_string_equal(message->message.from, "alice");
	assert_string_equal(message->message.type, "text");
	assert_string_equal(message->message.body, "{\"text\":\"hi\"}");
	assert_int_equal(message->message.seq, 5);
	assert_int_equal(message->message.msg_id, 77);
	assert_int_equal(message->message.time, 1000);
	assert_int_equal(message->message.reply_to, 3);
	assert_int_equal(message->message.n_mentions, 2);
	assert_string_equal(message->message.mentions[0], "bob");
	assert_string_equal(message->message.mentions[1], "carol");
	stored_message_unref(message);
}

static void only_its_sender_sees_the_key_of_a_message(void **state)
{
	struct stored_message *message = make(1);
	(void)state;

	assert_string_equal(stored_message_view(message, &as_stored, STR("alice")).client_msg_id, "k");
	assert_string_equal(stored_message_view(message, &as_stored, STR("bob")).client_msg_id, "");
	assert_string_equal(stored_message_view(message, &as_stored, STR("alic")).client_msg_id, "");
	assert_string_equal(stored_message_view(message, &as_stored, STR("alice2")).client_msg_id, "");
	stored_message_unref(message);
}

static void a_message_may_have_empty_texts(void **state)
{
	const struct stored_fields fields = {
		.conversation_id = STR("u:a:b"), .sender = STR("a"), .type = STR("recall"), .seq = 1
	};
	struct stored_message *message = stored_message_new(&fields);
	(void)state;

	assert_string_equal(message->message.body, "");
	assert_string_equal(stored_message_view(message, &as_stored, STR("a")).client_msg_id, "");
	assert_int_equal(message->message.n_mentions, 0);
	stored_message_unref(message);
}

static void a_message_is_found_by_conversation_and_seq(void **state)
{
	struct message_cache cache;
	(void)state;

	message_cache_init(&cache, 1 << 20);
	assert_false(has(&cache, STR("g:team 1")));
	put(&cache, 1);
	put(&cache, 11);
	struct stored_message *found = message_cache_find(&cache, STR("g:team 11"));
	assert_non_null(found);
	assert_int_equal(found->message.seq, 11);
	assert_false(has(&cache, STR("g:team 2")));
	assert_false(has(&cache, STR("g:tea 1")));
	/* A reference outlives the cache. */
	message_cache_release(&cache);
	assert_int_equal(found->message.seq, 11);
	stored_message_unref(found);
}

static void the_least_recently_used_message_makes_room(void **state)
{
	struct message_cache cache;
	(void)state;

	message_cache_init(&cache, room_for(3));
	put(&cache, 1);
	put(&cache, 2);
	put(&cache, 3);
	assert_true(has(&cache, STR("g:team 1")));
	put(&cache, 4);
	assert_false(has(&cache, STR("g:team 2")));
	assert_true(has(&cache, STR("g:team 1")));
	assert_true(has(&cache, STR("g:team 3")));
	assert_true(has(&cache, STR("g:team 4")));
	message_cache_release(&cache);
}

static void the_cache_never_exceeds_its_bytes(void **state)
{
	struct message_cache cache;
	(void)state;

	message_cache_init(&cache, room_for(10));
	for (uint64_t i = 1; i <= 1000; i++) {
		put(&cache, i % 37 + 1);
		assert_in_range(cache.bytes, 1, cache.max_bytes);
		assert_in_range(cache.messages.len, 1, 10);
	}
	message_cache_release(&cache);
	assert_int_equal(cache.bytes, 0);
}

static void a_message_larger_than_the_cache_is_not_kept_and_removes_no_other(void **state)
{
	static char body[4000];
	const struct stored_fields fields = { .conversation_id = STR("g:team"), .sender = STR("a"), .type = STR("text"),
		                              .body = str_of(body, sizeof(body)), .seq = 9 };
	struct message_cache cache, none;
	struct stored_message *large = stored_message_new(&fields);
	(void)state;

	message_cache_init(&cache, room_for(2));
	put(&cache, 1);
	message_cache_put(&cache, large);
	assert_false(has(&cache, STR("g:team 9")));
	assert_true(has(&cache, STR("g:team 1")));
	message_cache_release(&cache);
	message_cache_init(&none, 0);
	put(&none, 1);
	assert_false(has(&none, STR("g:team 1")));
	message_cache_release(&none);
	stored_message_unref(large);
}

static void putting_a_message_again_changes_nothing(void **state)
{
	struct message_cache cache;
	(void)state;

	message_cache_init(&cache, room_for(2));
	put(&cache, 1);
	struct stored_message *first = message_cache_find(&cache, STR("g:team 1"));
	size_t bytes = cache.bytes;
	put(&cache, 1);
	struct stored_message *second = message_cache_find(&cache, STR("g:team 1"));
	assert_ptr_equal(first, second);
	assert_int_equal(cache.bytes, bytes);
	stored_message_unref(first);
	stored_message_unref(second);
	message_cache_release(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_has_copies_of_its_fields),
		cmocka_unit_test(only_its_sender_sees_the_key_of_a_message),
		cmocka_unit_test(a_message_may_have_empty_texts),
		cmocka_unit_test(a_message_is_found_by_conversation_and_seq),
		cmocka_unit_test(the_least_recently_used_message_makes_room),
		cmocka_unit_test(the_cache_never_exceeds_its_bytes),
		cmocka_unit_test(a_message_larger_than_the_cache_is_not_kept_and_removes_no_other),
		cmocka_unit_test(putting_a_message_again_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
