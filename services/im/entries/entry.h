#ifndef SKEIN_IM_ENTRIES_ENTRY_H
#define SKEIN_IM_ENTRIES_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "base/text/str.h"
#include "im/lease/watermark.h"
#include "store/pg/pg.h"

/*
 * An entry is anything that gets a seq of a conversation: a message, a change to a
 * message, a `system` entry of a change of a group. This is an entry that is being
 * stored; see entry_writer.h.
 *
 * The differences between a send, a recall and a change of a group are in a const
 * struct entry_kind and in a struct of the kind's own that begins with the
 * entry:
 *
 *   struct send { struct entry entry; struct str sender; ... };
 *
 * It is one allocation (entry_new()), every text in it terminated. It belongs to
 * the writer from entry_writer_submit() on. Thread: the worker's.
 */

struct batch;
struct entry;
struct entry_result;
struct stored_fields;

#define ENTRY_DETAIL_MAX 160

/* The outcome of an entry. */
struct entry_result {
	err_t err;
	const char *field; /* of an err; may be NULL */
	const char *detail; /* of an err; may be NULL */
	char detail_text[ENTRY_DETAIL_MAX]; /* memory for a detail; see entry_detail() */
	struct str conversation_id;
	uint64_t msg_id;
	int64_t seq;
	int64_t time;
	bool is_duplicate; /* it was stored before, by another request */
	bool is_nothing; /* there was nothing to change: no entry was made, and there is no msg_id, seq or time */
	struct str joined, left; /* of a change of a membership: uids, joined by commas */
};

/* `result` is valid during the call. */
typedef void (*entry_done)(void *arg, const struct entry_result *result);

/*
 * One per kind, static. The statement's first parameters are $1 node, $2 epoch and $3 time (milliseconds); put() adds the others.
 * Its answer has the columns of enum entry_column, and a row for each entry of the batch. Kinds with the same statement go into
 * one batch.
 */
struct entry_kind {
	const struct pg_statement *statement;
	bool is_alone; /* in a batch of its own */
	void (*put)(struct pg_params *params, const struct batch *batch);
	/* 0 for two entries of one conversation that the statement must not get at once; NULL: it may get any. */
	int (*compare)(const struct entry *a, const struct entry *b);
	/* Adds to the stored message what is known besides its place, id and time. NULL: the answer has it. */
	void (*describe)(const struct entry *entry, struct stored_fields *fields);
	/* The field and the detail of a refusal: result->err is set; `subject` is the answer's ENTRY_SUBJECT, or empty. */
	void (*explain)(const struct entry *entry, struct str subject, struct entry_result *result);
};

enum entry_column {
	ENTRY_ORD, /* in the batch, from 1 */
	ENTRY_STATUS, /* ok, none, lease, again, or a public error code; see deploy/schema/functions */
	ENTRY_MSG_ID,
	ENTRY_SEQ,
	ENTRY_TIME,
	ENTRY_DUPLICATE,
	ENTRY_MEMBER_VERSION,
	/* The rest only of a kind without describe(). */
	ENTRY_SUBJECT, /* of a refusal */
	ENTRY_TYPE,
	ENTRY_SENDER,
	ENTRY_BODY,
	ENTRY_TARGET_SEQ,
	ENTRY_JOINED, /* uids, joined by commas */
	ENTRY_LEFT,
	ENTRY_EXPIRES_AT, /* of the message that it changes; null: never */
};

struct entry {
	const struct entry_kind *kind;
	struct list link; /* in its lane */
	struct list by_deadline;
	uint64_t submitted_us;
	uint64_t deadline_ms;
	uint64_t conversation_hash;
	entry_done done; /* NULL once the caller was told; the outcome may still be open then */
	void *arg;
	uint64_t id; /* drawn when it is first put into a batch; 0: not yet */
	struct watermark_place place; /* of the id */
	int64_t epoch; /* of the lease, in its last statement */
	bool is_of_job; /* set before it is submitted: entries of users go first */
	bool is_in_doubt; /* a statement with it may have been committed */
	struct str conversation;
	struct str traceparent; /* may be empty */
	size_t record_size; /* an upper bound of what its record takes in Kafka's producer */
};

/* The user who wants an entry, and the callback that is told. */
struct entry_caller {
	struct str uid;
	struct str traceparent; /* may be empty */
	entry_done done;
	void *arg;
};

/*
 * Allocates the kind's struct of `size` bytes, which begins with the entry, and the texts. The conversation and the
 * traceparent are set from the arguments. texts[] are copied, terminated, and point to the copies afterwards; absent ones
 * stay absent. The rest of the struct is zeroed. record_size is `size` and the texts; raise it when the record has them more
 * than once.
 */
struct entry *entry_new(const struct entry_kind *kind, size_t size, struct str conversation,
                        const struct entry_caller *caller, struct str *texts, size_t text_count);

/* For an entry that was not submitted; the entry writer frees the others. */
void entry_free(struct entry *entry);

/* Tells the caller, once. */
void entry_answer(struct entry *entry, const struct entry_result *result);

/* For kind->explain: writes a detail into the result; cut when it is too long. */
void entry_detail(struct entry_result *result, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
