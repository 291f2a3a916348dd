#ifndef SKEIN_PUSH_RECIPIENTS_MEMBER_CACHE_H
#define SKEIN_PUSH_RECIPIENTS_MEMBER_CACHE_H

#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"
#include "push/recipients/recipients.h"

struct pg;

/*
 * The members of groups, as of the version that a message names: the seq of the
 * last entry at or before the message that changed the membership. A member who
 * left before the message does not get it, nor does one who joined after it.
 *
 * Each group has at most one list in memory, with its version and the last seq for
 * which it is known to hold. A question is answered
 * - from the list, if that has the version;
 * - from the list and the delta that the asking entry carries, if the list holds
 *   up to the entry before it: the list is replaced, earlier messages keep theirs;
 * - from PostgreSQL as of the version, in pages, in every other case (nothing
 *   in memory, a gap, an entry without its delta, an older message). The newer list stays.
 *
 * Messages of a conversation come in the order of their seq, so PostgreSQL is
 * asked once for a group and then only after something was missed. About 30 bytes a
 * member. Thread: the worker's.
 */

struct member_cache;

/* Members read from PostgreSQL by one statement. */
#define MEMBERS_PAGE 20000

/* Holds up to max_members uids over all groups. */
struct member_cache *member_cache_new(struct pg *pg, uint64_t max_members);

/* Call it when no look-up is under way. */
void member_cache_free(struct member_cache *cache);

struct member_question {
	struct str conversation_id; /* of a group */
	uint64_t version; /* member_version of the messages */
	uint64_t first_seq, last_seq; /* consecutive messages of that version */
	const Skein__V1__MembershipDelta *delta; /* of the first message; NULL: it carries none. Read during the call only */
};

/*
 * `done` gets a reference to the members, maybe from inside this call. The list is empty if the group had no members or
 * does not exist. After any error the caller may ask again.
 */
typedef void (*members_found)(void *arg, err_t err, struct recipients *members);
void member_cache_find(struct member_cache *cache, const struct member_question *question, members_found done, void *arg);

#endif
