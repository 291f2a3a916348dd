#ifndef SKEIN_IM_STORED_REACTION_LIST_H
#define SKEIN_IM_STORED_REACTION_LIST_H

#include "base/text/str.h"
#include "proto/client.pb-c.h"

/* The reactions to a message, as one of its readers sees them: one allocation. */
struct reaction_list {
	size_t size; /* of all of it */
	size_t count;
	Skein__V1__Reaction **items; /* as in Skein__V1__Message */
};

/* Reads a text of fn.reactions_in(). NULL for an empty or absent one. Free with mem_free(). */
struct reaction_list *reaction_list_new(struct str text);

#endif
