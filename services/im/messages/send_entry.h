#ifndef SKEIN_IM_MESSAGES_SEND_ENTRY_H
#define SKEIN_IM_MESSAGES_SEND_ENTRY_H

#include "im/entries/entry.h"
#include "im/messages/send_request.h"

/*
 * A message of a client on its way into the database. The statement decides
 * everything about it: whether the sender may send, whether the key was used
 * before, the seq.
 */
struct send {
	struct entry entry;
	int64_t reply_to; /* 0: none */
	int32_t expire_s; /* 0: never */
	struct str sender, client_msg_id, type;
	struct str body; /* ptr NULL: of a forward, not made yet or never needed */
	struct str forward; /* of a forward: what it is made of, as JSON; else ptr NULL */
	struct str user, group; /* one of the two has a ptr */
	struct str mentions; /* joined by commas; ptr NULL: none */
	bool is_for_friends; /* recipients who have not said whom they let write: only friends */
};

/* `request` is copied; the caller's uid is the sender. */
struct entry *send_entry_new(const struct send_request *request, const struct entry_caller *caller, bool is_for_friends);

/* The same send with this body, in its place; the old entry is freed, and its caller is the new one's. */
struct entry *send_entry_fill(struct entry *entry, struct str body);

#endif
