#ifndef SKEIN_MESSAGE_REACTION_H
#define SKEIN_MESSAGE_REACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text/str.h"

/*
 * A reaction is an entry with `op` and `emoji` and without a body. It is stored with a body that has both, written by
 * fn.reaction_body(): {"op":"add","emoji":"..."}. Whatever makes a message of a stored entry splits that body here.
 */

#define REACTION_EMOJI_MAX 128 /* bytes; the option limits.emoji sets the limit for callers, up to this one */

struct reaction {
	const char *op; /* "add" or "remove"; empty when the entry is no reaction */
	char emoji[REACTION_EMOJI_MAX + 1]; /* terminated */
};

/* Reads the stored body of an entry of `type`. Returns the body that is shown: none of a reaction, else `body` itself. */
struct str reaction_split(struct reaction *reaction, struct str type, struct str body);

/* 1 to `max` bytes of valid UTF-8 without control characters, and not only blanks and characters that have no shape. */
bool reaction_emoji_is_valid(struct str emoji, size_t max);

#endif
