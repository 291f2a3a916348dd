#ifndef SKEIN_CLUSTER_INBOX_EPOCH_H
#define SKEIN_CLUSTER_INBOX_EPOCH_H

#include <stdint.h>

#include "base/text/str.h"

/*
 * The epoch of an inbox: 60 random bits, never 0, in text 15 lower-case
 * hexadecimal digits. 0 stands for "no epoch". Offsets of one epoch never mean
 * anything in another.
 */
#define INBOX_EPOCH_MAX ((1ull << 60) - 1)
#define INBOX_EPOCH_TEXT 16 /* bytes, with the terminator */

/* Thread: any. */
uint64_t inbox_fresh_epoch(void);

/* `epoch` is at most INBOX_EPOCH_MAX. */
void inbox_epoch_text(char out[INBOX_EPOCH_TEXT], uint64_t epoch);

/* 0 for a text that inbox_epoch_text() does not write. */
uint64_t inbox_epoch_parse(struct str text);

#endif
