#ifndef SKEIN_IM_STATEMENTS_H
#define SKEIN_IM_STATEMENTS_H

#include "store/pg.h"

/* Every statement of im, prepared on each connection. Their parameters and columns are in statements.c. */
enum statement {
	STATEMENT_PING,
	STATEMENT_LEASE_TAKE,
	STATEMENT_LEASE_RENEW,
	STATEMENT_LEASE_GIVE_BACK,
	STATEMENT_SEND,
	STATEMENT_ACCOUNT_TOUCH,
	STATEMENT_ACCOUNT_REGISTER,
	STATEMENT_ACCOUNT_PASSWORD,
	STATEMENT_GROUP_CREATE,
	STATEMENT_HISTORY_AFTER,
	STATEMENT_HISTORY_BEFORE,
	STATEMENT_COUNT,
};

extern const struct pg_statement statements[STATEMENT_COUNT];

#endif
