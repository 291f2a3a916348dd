#ifndef SKEIN_TESTS_IM_ENTRIES_FIXTURE_H
#define SKEIN_TESTS_IM_ENTRIES_FIXTURE_H

#include "base/text/ident.h"
#include "im/entries/entry_writer.h"
#include "im/groups/group_change.h"
#include "im/stored/message_reader.h"
#include "loop/worker.h"
#include "proto/record.pb-c.h"
#include "store_fixture.h"

/*
 * The entry writer of an im and its stores, without the im's own servers, against PostgreSQL and Kafka: entries are submitted,
 * their answers are noted, and the records are read back from Kafka.
 */

#define TEAM STR("team")
#define TEAM_ID STR("g:team")
#define WINDOW_MS 120000
#define RECORDS_MAX 1000

struct entries_im {
	struct worker worker;
	struct pg *sends, *control;
	struct kafka_producer *producer;
	struct kafka_consumer *consumer;
	struct lease_keeper keeper;
	struct publisher publisher;
	struct message_cache messages;
	struct entry_writer writer;
	Skein__V1__MessageRecord *records[RECORDS_MAX]; /* as they came from Kafka */
	unsigned record_count;
};

extern struct entries_im im;

/* The setup and teardown of a whole program. */
int open_im(void **state);
int close_im(void **state);

/* Before each test: alice owns the group `team`, bob is a member; carol and dave exist. The lease stays. */
int reset_group(void **state);

struct outcome {
	bool is_told;
	struct entry_result result;
	char conversation[CONVERSATION_ID_MAX + 1], detail[ENTRY_DETAIL_MAX], joined[200], left[200];
};

void note_told(void *arg, const struct entry_result *result);

#define BY(who, outcome) (&(struct entry_caller){ .uid = STR(who), .done = note_told, .arg = (outcome) })

void submit(struct entry *entry);

/* Entries of the group `team`. */
struct entry *send_new(const char *key, const char *type, const struct entry_caller *caller);
struct entry *edit_new(uint64_t seq, const char *text, const struct entry_caller *caller);
struct entry *react_new(const char *emoji, bool is_add, const struct entry_caller *caller); /* to the first message */
struct entry *pin_new(struct str conversation, uint64_t target_seq, int64_t max, const struct entry_caller *caller);
struct entry *group_new(enum group_action action, const char *subject, int64_t number, const struct entry_caller *caller);
struct entry *add_new(const char *uid, const struct entry_caller *caller);

/* Waits until every entry is answered and published. */
void settle(void);

const struct outcome *assert_stored(const struct outcome *outcome, int64_t seq);

/* The records since the last call; waits for `count` of them. */
Skein__V1__MessageRecord **next_records(unsigned count);

#endif
