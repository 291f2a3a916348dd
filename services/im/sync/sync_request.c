#include "im/sync/sync_request.h"

#define EPOCH_CHARACTERS 15
#define OFFSET_DIGITS 20

static bool sync_request_is_decimal(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	}
	return text.len > 0;
}

void sync_request_read(struct sync_request *out, struct str epoch, struct str offset, struct str limit,
                       struct json_error *error)
{
	uint64_t number = SYNC_LIMIT_DEFAULT;

	*out = (struct sync_request){ .has_position = epoch.ptr && offset.ptr };
	if (out->has_position) {
		if (epoch.len == 0 || utf8_length(epoch) > EPOCH_CHARACTERS)
			json_fail(error, ERR_INVALID_ARGUMENT, "epoch", "epoch must be 1 to %d characters", EPOCH_CHARACTERS);
		if (offset.len > OFFSET_DIGITS || !sync_request_is_decimal(offset))
			json_fail(error, ERR_INVALID_ARGUMENT, "offset", "offset must be 1 to %d decimal digits",
			          OFFSET_DIGITS);
		out->position.epoch = inbox_epoch_parse(epoch);
		if (!str_to_u64(offset, &out->position.offset))
			out->position.offset = UINT64_MAX; /* beyond any inbox */
	} else if (epoch.ptr || offset.ptr) {
		json_fail(error, ERR_INVALID_ARGUMENT, epoch.ptr ? "offset" : "epoch",
		          "epoch and offset go together: %s is missing", epoch.ptr ? "offset" : "epoch");
	}
	if (limit.ptr && (!str_to_u64(limit, &number) || number < 1 || number > SYNC_LIMIT_MAX))
		json_fail(error, ERR_INVALID_ARGUMENT, "limit", "limit must be a number from 1 to %d", SYNC_LIMIT_MAX);
	out->limit = (unsigned)number;
}
