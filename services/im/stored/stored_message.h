#ifndef SKEIN_IM_STORED_STORED_MESSAGE_H
#define SKEIN_IM_STORED_STORED_MESSAGE_H

#include "base/list.h"
#include "base/map.h"
#include "im/stored/reaction_list.h"
#include "proto/client.pb-c.h"

/*
 * A message as it stands in PostgreSQL, to be shown to many: one allocation,
 * shared by reference, never changed. Thread: one.
 */
struct stored_message {
	struct map_node node; /* in the cache */
	struct list by_use; /* in the cache */
	unsigned refs;
	size_t size; /* of all of it */
	struct str key; /* "<conversation id> <seq>", as an inbox's entry */
	const char *client_msg_id; /* empty: it has none */
	Skein__V1__Message message; /* without client_msg_id, which is the sender's; its texts belong to this */
};

/* The fields of a message. A text may be empty. */
struct stored_fields {
	struct str conversation_id, sender, client_msg_id, type, body;
	struct str mentions; /* joined by commas */
	uint64_t seq, msg_id, time;
	uint64_t reply_to, target_seq; /* 0: none */
	uint64_t expires_at; /* 0: never */
};

/* Copies the fields. The caller gets one reference. */
struct stored_message *stored_message_new(const struct stored_fields *fields);

struct stored_message *stored_message_ref(struct stored_message *message);
void stored_message_unref(struct stored_message *message); /* NULL is fine */

/* What has become of a message; {0}: it is as it was stored. */
struct message_form {
	bool is_recalled; /* of an entry that is an edit: the edited message is recalled */
	bool is_edited;
	uint64_t removed_at; /* retention has removed the message, which a cache may still have, and this time has
	                        passed; 0: it has not */
	struct str body; /* of an edited message; terminated */
	const struct reaction_list *reactions; /* NULL: none; recalled and expired messages show none */
};

/* True for a message of a client, which may be recalled and edited; false for a change and a `system` entry. */
bool stored_message_is_content(const struct stored_message *message);

/* The message in this form as `viewer` sees it now: one that has expired has no body. Valid as long as the message and the form. */
Skein__V1__Message stored_message_view(const struct stored_message *message, const struct message_form *form,
                                       struct str viewer);

#endif
