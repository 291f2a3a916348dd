#ifndef SKEIN_IM_MESSAGES_SEND_ENTRY_H
#define SKEIN_IM_MESSAGES_SEND_ENTRY_H

#include "im/entries/entry.h"
#include "im/messages/send_request.h"

/*
 * A message of a client on its way into the database: the kind of entry that is
 * batched. The statement decides everything about it: whether the sender may send,
 * whether the key was used before, the seq.
 */
struct send {
	struct entry entry;
	int64_t reply_to; /* 0: none */
	struct str sender, client_msg_id, type, body;
	struct str user, group; /* one of the two has a ptr */
	struct str mentions; /* joined by commas; ptr NULL: none */
	bool is_for_friends; /* recipients who have not said whom they let write: only friends */
};

/* `request` is copied; the caller's uid is the sender. */
struct entry *send_entry_new(const struct send_request *request, const struct entry_caller *caller, bool is_for_friends);

#endif
