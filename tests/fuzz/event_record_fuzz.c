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
		size_t users = 0;

		CHECK(record->version == EVENT_RECORD_VERSION && record->n_events >= 1);
		for (size_t i = 0; i < record->n_events; i++) {
			const Skein__V1__EmittedEvent *emitted = record->events[i];

			CHECK(emitted->audience->who_case == SKEIN__V1__AUDIENCE__WHO_USERS && emitted->audience->users->n_uids >= 1);
			users += emitted->audience->users->n_uids;
			for (size_t j = 0; j < emitted->audience->users->n_uids; j++)
				CHECK(ident_is_valid(str_from(emitted->audience->users->uids[j])));
			CHECK(emitted->event->kind[0] && str_from(emitted->event->kind).len <= EVENT_RECORD_MAX_KIND);
			CHECK(str_from(emitted->event->body).len <= EVENT_RECORD_MAX_BODY);
		}
		CHECK(users <= EVENT_RECORD_MAX_USERS);
		skein__v1__event_record__free_unpacked(record, NULL);
	}
	mem_free((void *)input.ptr);
	return 0;
}
