#ifndef SKEIN_IM_SYNC_SYNC_REQUEST_H
#define SKEIN_IM_SYNC_SYNC_REQUEST_H

#include "base/text/json.h"
#include "cluster/inbox.h"

/* A client's request for a page of its inbox, read and validated (contract section 3) from the query of GET /v1/sync. */

#define SYNC_LIMIT_DEFAULT 100
#define SYNC_LIMIT_MAX 500

struct sync_request {
	bool has_position;
	struct inbox_position position;
	unsigned limit;
};

/* A text with ptr NULL is absent. The error names the first parameter that is wrong. */
void sync_request_read(struct sync_request *out, struct str epoch, struct str offset, struct str limit,
                       struct json_error *error);

#endif
