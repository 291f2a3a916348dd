#include "base/mem.h"
#include "base/text/ident.h"
#include "push/events/event_record.h"
#include "tests/fuzz/fuzz.h"

/* Records of events as push takes them from Kafka: one that can be used names a bounded number of users, and an event
 * of bounded size. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str input = fuzz_exact(str_of(bytes, len));
	const char *fault = NULL;
	Skein__V1__EventRecord *record = event_record_read(input, &fault);

	CHECK(!record == (fault != NULL));
	if (record) {
		const Skein__V1__Users *users = record->audience->users;

		CHECK(record->version == EVENT_RECORD_VERSION);
		CHECK(record->audience->who_case == SKEIN__V1__AUDIENCE__WHO_USERS);
		CHECK(users->n_uids >= 1 && users->n_uids <= EVENT_RECORD_MAX_USERS);
		for (size_t i = 0; i < users->n_uids; i++)
			CHECK(ident_is_valid(str_from(users->uids[i])));
		CHECK(record->event->kind[0] && str_from(record->event->kind).len <= EVENT_RECORD_MAX_KIND);
		CHECK(str_from(record->event->body).len <= EVENT_RECORD_MAX_BODY);
		skein__v1__event_record__free_unpacked(record, NULL);
	}
	mem_free((void *)input.ptr);
	return 0;
}
