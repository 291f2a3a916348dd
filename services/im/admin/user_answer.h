#ifndef SKEIN_IM_ADMIN_USER_ANSWER_H
#define SKEIN_IM_ADMIN_USER_ANSWER_H

#include <libpq-fe.h>

#include "base/text/buf.h"

/* A user as admins see it: {uid, name, avatar?, created_at, disabled, bot}. */

#define USER_ANSWER_COLUMNS "uid, name, avatar, created_at, is_disabled, is_bot"

/* Appends the members, without the braces. `first` is the column of the uid. */
void user_answer_put(struct buf *out, const PGresult *result, int row, int first);

#endif
