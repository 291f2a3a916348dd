#ifndef SKEIN_TESTS_LIBCLIENT_INBOX_RIG_H
#define SKEIN_TESTS_LIBCLIENT_INBOX_RIG_H

#include "libclient/machines/inbox.h"

/* What the tests of the inbox share: three conversations, and messages of which it is known how many are alive. */

enum { A, B, H, CONVERSATIONS };
extern const char *const conversation_names[CONVERSATIONS];

/* Items that were made and not given back. */
extern int items_alive;

struct inbox_item *new_item(int conversation, uint64_t seq, uint64_t offset);
void let_go(struct inbox_item *item);

/* Rules under which nothing is full; the messages go back to let_go(). */
extern const struct inbox_rules roomy_rules;

#endif
