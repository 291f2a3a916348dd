#ifndef SKEIN_IM_STORED_MENTIONS_H
#define SKEIN_IM_STORED_MENTIONS_H

#include <stddef.h>

/* Mentions are uids or "*", joined by commas on the way into PostgreSQL and out of it: no uid has a comma. */
#define MENTIONS_MAX 50

/* Cuts a terminated, comma-joined list in place; returns how many. At most MENTIONS_MAX. */
size_t mentions_split(char *text, char *out[MENTIONS_MAX]);

#endif
