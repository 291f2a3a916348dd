#ifndef SKEIN_IM_MESSAGES_MESSAGE_CHANGE_H
#define SKEIN_IM_MESSAGES_MESSAGE_CHANGE_H

#include "base/text/json.h"
#include "im/entries/entry.h"

/*
 * Changes to a message, as entries for entry_writer_submit(): each is an entry of the conversation with a seq of its own, and
 * is answered like a send. fn.entry_recall(), fn.entry_edit() and fn.entry_react() decide which users may change
 * a message, and for how long.
 *
 * The caller of an entry is the user who makes the change. The conversation id is well-formed and not a room's; the
 * statement finds whether the caller has a part in it. Texts are copied.
 */

/*
 * When the message is recalled already, the result is that of the first recall, with is_duplicate. Errors:
 * ERR_PERMISSION_DENIED (not the caller's message), ERR_FAILED_PRECONDITION (later than the window; not a message),
 * ERR_NOT_FOUND, ERR_NOT_MEMBER.
 */
struct entry *message_recall_new(struct str conversation, uint64_t target_seq, int64_t window_ms,
                                 const struct entry_caller *caller);

struct message_edit_terms {
	int64_t window_ms;
	bool is_for_friends; /* a recipient who has not said whom it lets write lets friends */
};

/*
 * `body` is the new body, a JSON object. The type of the message stays; ERR_INVALID_ARGUMENT when the body does not
 * fit it. The other errors are those of a recall, ERR_FAILED_PRECONDITION for a message that is recalled, and ERR_BLOCKED and
 * ERR_NOT_FRIEND, as for a send.
 */
struct entry *message_edit_new(struct str conversation, uint64_t target_seq, const json_t *body,
                               const struct message_edit_terms *terms, const struct entry_caller *caller);

struct message_reaction {
	struct str emoji;
	bool is_add; /* else it is removed */
	int64_t max; /* different emojis of one message */
	bool is_for_friends; /* as in message_edit_terms */
};

/*
 * When the reaction stands already, the result is that of the entry that added it, with is_duplicate. ERR_NOT_FOUND
 * also when the one to remove does not stand, ERR_FAILED_PRECONDITION when the message is recalled, has expired, is
 * none, or has `max` emojis; ERR_BLOCKED and ERR_NOT_FRIEND as for a send, of one that is added.
 */
struct entry *message_react_new(struct str conversation, uint64_t target_seq, const struct message_reaction *reaction,
                                const struct entry_caller *caller);

struct message_pin {
	bool is_pin; /* else it is unpinned */
	int64_t max; /* pins of one conversation */
	bool is_for_friends; /* as in message_edit_terms */
};

/*
 * Pins the message, or unpins it: a `system` entry. is_nothing when it is pinned already; ERR_NOT_FOUND also when it is not pinned,
 * ERR_PERMISSION_DENIED for a group's members, ERR_FAILED_PRECONDITION when `max` are pinned, or the message is recalled;
 * ERR_BLOCKED and ERR_NOT_FRIEND as for a send.
 */
struct entry *message_pin_new(struct str conversation, uint64_t target_seq, const struct message_pin *pin,
                              const struct entry_caller *caller);

#endif
