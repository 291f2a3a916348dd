#include "push/events/event_record.h"

#include "base/text/ident.h"

/* The connections that watch a user, at whichever gateway. */
static bool event_record_is_for_watchers(const Skein__V1__Audience *audience)
{
	return audience && audience->who_case == SKEIN__V1__AUDIENCE__WHO_WATCHED && ident_is_valid(str_from(audience->watched));
}

static bool event_record_names_users(const Skein__V1__Audience *audience)
{
	if (!audience || audience->who_case != SKEIN__V1__AUDIENCE__WHO_USERS || !audience->users->n_uids)
		return false;
	for (size_t i = 0; i < audience->users->n_uids; i++)
		if (!ident_is_valid(str_from(audience->users->uids[i])))
			return false;
	return true;
}

static const char *event_record_fault(const Skein__V1__EventRecord *record)
{
	size_t users = 0;

	if (record->version != EVENT_RECORD_VERSION)
		return "of another version";
	if (!record->n_events)
		return "without an event";
	for (size_t i = 0; i < record->n_events; i++) {
		const Skein__V1__EmittedEvent *emitted = record->events[i];

		if (event_record_names_users(emitted->audience))
			users += emitted->audience->users->n_uids;
		else if (!event_record_is_for_watchers(emitted->audience))
			return "an event that is neither for named users nor for watchers";
		if (!emitted->event)
			return "an audience without an event";
		size_t kind = str_from(emitted->event->kind).len, body = str_from(emitted->event->body).len;
		if (!kind || kind > EVENT_RECORD_MAX_KIND || body > EVENT_RECORD_MAX_BODY)
			return "an event without a kind, or too large";
	}
	return users > EVENT_RECORD_MAX_USERS ? "for more than 1,000 users" : NULL;
}

Skein__V1__EventRecord *event_record_read(struct str value, const char **fault)
{
	Skein__V1__EventRecord *record = NULL;

	if (value.len && value.len <= EVENT_RECORD_MAX_BYTES)
		record = skein__v1__event_record__unpack(NULL, value.len, (const uint8_t *)value.ptr);
	*fault = record ? event_record_fault(record) : "not an EventRecord";
	if (record && *fault) {
		skein__v1__event_record__free_unpacked(record, NULL);
		record = NULL;
	}
	return record;
}
