#ifndef SKEIN_IM_ENTRIES_CHANGE_ENTRY_H
#define SKEIN_IM_ENTRIES_CHANGE_ENTRY_H

#include "im/entries/entry.h"

/*
 * An entry that changes something: a message, or a group. Its row, and what it changes, are stored in one transaction
 * by a SQL function of its kind. A batch of changes of any kinds is one statement, fn.im_change(), which calls the
 * function of each; the answer has the whole message.
 *
 * A kind is a struct change_entry_kind, made with CHANGE_ENTRY_KIND, or a struct that begins with one. fn.im_change()
 * finds the function by the kind's name, and hands it the subject and the numbers.
 */

#define CHANGE_NUMBERS 3

struct change_entry_kind {
	struct entry_kind kind;
	const char *name;
};

struct change_terms {
	struct str subject;
	struct str types; /* of a change that fits messages of these types only: joined by commas; else absent */
	int64_t numbers[CHANGE_NUMBERS];
};

struct change_entry {
	struct entry entry;
	struct str kind, caller, subject, types;
	int64_t numbers[CHANGE_NUMBERS];
};

#define CHANGE_ENTRY_KIND(explain_refusal) \
	.kind = { \
		.statement = &change_entry_statement, \
		.put = change_entry_put, \
		.explain = explain_refusal, \
	}

extern const struct pg_statement change_entry_statement;
void change_entry_put(struct pg_params *params, const struct batch *batch);

/* Texts are copied. */
struct entry *change_entry_new(const struct change_entry_kind *kind, struct str conversation, const struct change_terms *terms,
                               const struct entry_caller *caller);

/* Of an entry of such a kind. */
const struct change_entry *change_entry_of(const struct entry *entry);

#endif
