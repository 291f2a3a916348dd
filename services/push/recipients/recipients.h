#ifndef SKEIN_PUSH_RECIPIENTS_RECIPIENTS_H
#define SKEIN_PUSH_RECIPIENTS_RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/ident.h"
#include "base/text/str.h"
#include "proto/record.pb-c.h"

/*
 * The recipients of a message: a list of uids, each once, in the order of their
 * bytes. It never changes, so messages under way and the member cache share it by
 * references. Costs 16 bytes and the text for each uid. Pure: no I/O. Thread: the
 * worker's.
 */
struct recipients {
	unsigned refs;
	uint32_t count;
	struct str uids[]; /* the text stands behind the array */
};

/* Copies the uids, sorts them and leaves repeats out. One reference is the caller's. */
struct recipients *recipients_new(const struct str *uids, size_t count);

struct recipients *recipients_ref(struct recipients *recipients);
void recipients_unref(struct recipients *recipients); /* NULL is fine */

/* The one or two sides of a one-to-one conversation. */
struct recipients *recipients_of_direct(const struct conversation *conversation);

/*
 * The list after a change of the membership, with a reference for the caller. NULL if the change does not fit `before`:
 * a uid joins that is in it, a uid leaves that is not, or a text is no uid.
 */
struct recipients *recipients_changed(const struct recipients *before, const Skein__V1__MembershipDelta *delta);

bool recipients_have(const struct recipients *recipients, struct str uid);

#endif
