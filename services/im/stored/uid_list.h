#ifndef SKEIN_IM_STORED_UID_LIST_H
#define SKEIN_IM_STORED_UID_LIST_H

#include <stddef.h>

#include "base/text/str.h"

/* Uids joined by commas, which no uid contains: mentions, and members who joined or left. */

/* How many there are; 0 for an empty list. */
size_t uid_list_count(struct str list);

/* Cuts a terminated list in place; `out` has room for all (uid_list_count()). Returns how many there are. */
size_t uid_list_split(char *list, char **out);

#endif
