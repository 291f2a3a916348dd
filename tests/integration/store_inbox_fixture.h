#ifndef SKEIN_TESTS_STORE_INBOX_FIXTURE_H
#define SKEIN_TESTS_STORE_INBOX_FIXTURE_H

#include "cluster/inbox.h"
#include "redis_fixture.h"

/* The inbox of one user in a real Redis: appends and reads must end exactly once, and the test moves times. */

#define UID STR("alice")
#define INBOX "im:inbox:{alice}"
#define META "im:inbox:{alice}:meta"
#define ROUTES "im:route:{alice}"

extern const struct inbox_limits inbox_limits; /* 100 entries, 500 s, and a life of 1000 s to 1500 s */

struct append {
	struct redis_fixture *fixture;
	bool has_ended;
	err_t err;
	uint64_t epoch, offset;
	struct inbox_known known;
	bool routes_are_known, inbox_was_broken, routes_were_broken;
	size_t route_count;
	char first_route[64];
};

/* The callback of inbox_append(): its argument is a struct append, whose fixture the test set. */
void note_appended(void *arg, err_t err, const struct inbox_appended *appended);

/* Does not wait: redis_fixture_turn(). */
void append(struct redis_fixture *f, struct append *append, struct str entry);

/* Waits; the test fails if the append does. */
struct append append_now(struct redis_fixture *f, struct str entry);

/* The entries `first` to `last`, each of which is its own number. Returns the epoch of the inbox. */
uint64_t append_numbers(struct redis_fixture *f, int first, int last);

/* Moves a time in the meta hash by this many seconds, as if it had been written later, or earlier (a negative number). */
void shift(struct redis_fixture *f, const char *field, const char *seconds);

/* Sets the seconds that the inbox has to live. */
void expire_in(struct redis_fixture *f, const char *seconds);

struct read {
	struct redis_fixture *fixture;
	err_t err;
	struct inbox_page page;
	char entries[8][64]; /* the first of them */
};

/* From this position (NULL: from the oldest entry); the test fails if the read does. */
struct read read_now(struct redis_fixture *f, const struct inbox_position *position, unsigned limit);
struct read read_from(struct redis_fixture *f, uint64_t epoch, uint64_t offset, unsigned limit);

/* The page has `count` entries of append_numbers(), the first of which is `after` + 1. */
void check_entries(const struct read *read, uint64_t after, size_t count);

/* Fails unless a read from this position gives the verdict. */
void check_verdict(struct redis_fixture *f, uint64_t epoch, uint64_t offset, enum inbox_verdict verdict);

#endif
