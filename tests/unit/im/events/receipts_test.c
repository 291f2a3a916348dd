#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/macros.h"
#include "im/events/receipts.h"

/* ---- in place of the topic: the events that were emitted ---- */

static unsigned emitted;
static char told[65], kind[32], body[512];

void events_emit(struct events *events, const struct event *event)
{
	(void)events;
	assert_int_equal(event->uid_count, 1);
	assert_true(str_copy(told, sizeof(told), event->uids[0]));
	snprintf(kind, sizeof(kind), "%s", event->kind);
	assert_true(str_copy(body, sizeof(body), event->body));
	emitted++;
}

static Skein__V1__Receipt receipt(const char *uid, const char *conversation, uint64_t seq)
{
	Skein__V1__Receipt made = SKEIN__V1__RECEIPT__INIT;

	made.uid = (char *)uid;
	made.conversation_id = (char *)conversation;
	made.seq = seq;
	return made;
}

static bool is_valid(Skein__V1__Receipt one)
{
	Skein__V1__DeliveredRequest request = SKEIN__V1__DELIVERED_REQUEST__INIT;
	Skein__V1__Receipt *receipts[] = { &one };

	request.receipts = receipts;
	request.n_receipts = 1;
	return receipts_are_valid(&request);
}

static void a_receipt_tells_the_other_side(void **state)
{
	Skein__V1__DeliveredRequest request = SKEIN__V1__DELIVERED_REQUEST__INIT;
	Skein__V1__Receipt first = receipt("bob", "u:alice:bob", 7), second = receipt("alice", "u:alice:bob", 8);
	Skein__V1__Receipt *receipts[] = { &first, &second };
	(void)state;

	request.receipts = receipts;
	request.n_receipts = 1;
	emitted = 0;
	receipts_emit(NULL, &request);
	assert_int_equal(emitted, 1);
	assert_string_equal(told, "alice");
	assert_string_equal(kind, "delivered");
	assert_string_equal(body, "{\"conversation_id\":\"u:alice:bob\",\"uid\":\"bob\",\"seq\":7}");
	request.n_receipts = 2;
	receipts_emit(NULL, &request);
	assert_int_equal(emitted, 3);
	assert_string_equal(told, "bob");
}

static void a_note_to_self_tells_nobody(void **state)
{
	Skein__V1__DeliveredRequest request = SKEIN__V1__DELIVERED_REQUEST__INIT;
	Skein__V1__Receipt own = receipt("bob", "u:bob:bob", 1);
	Skein__V1__Receipt *receipts[] = { &own };
	(void)state;

	request.receipts = receipts;
	request.n_receipts = 1;
	emitted = 0;
	assert_true(receipts_are_valid(&request));
	receipts_emit(NULL, &request);
	assert_int_equal(emitted, 0);
}

static void a_receipt_must_name_a_message_of_its_user(void **state)
{
	(void)state;
	assert_true(is_valid(receipt("bob", "u:alice:bob", 1)));
	assert_false(is_valid(receipt("bob", "u:alice:bob", 0)));
	assert_false(is_valid(receipt("carol", "u:alice:bob", 1)));
	assert_false(is_valid(receipt("", "u:alice:bob", 1)));
	assert_false(is_valid(receipt("bob", "g:team", 1)));
	assert_false(is_valid(receipt("bob", "u:bob", 1)));
	assert_false(is_valid(receipt("bob", "", 1)));
}

static void a_call_has_at_most_256_receipts(void **state)
{
	Skein__V1__DeliveredRequest request = SKEIN__V1__DELIVERED_REQUEST__INIT;
	Skein__V1__Receipt one = receipt("bob", "u:alice:bob", 1);
	Skein__V1__Receipt *receipts[RECEIPTS_MAX + 1];
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(receipts); i++)
		receipts[i] = &one;
	request.receipts = receipts;
	request.n_receipts = RECEIPTS_MAX;
	assert_true(receipts_are_valid(&request));
	request.n_receipts++;
	assert_false(receipts_are_valid(&request));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receipt_tells_the_other_side),
		cmocka_unit_test(a_note_to_self_tells_nobody),
		cmocka_unit_test(a_receipt_must_name_a_message_of_its_user),
		cmocka_unit_test(a_call_has_at_most_256_receipts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
