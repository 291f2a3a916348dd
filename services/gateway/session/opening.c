#include "gateway/session/opening.h"

#include <string.h>

#include "base/mem.h"

struct opening *opening_new(bool has_position, uint64_t client_epoch, uint64_t client_offset)
{
	struct opening *opening = MEM_NEW(struct opening);

	opening->has_position = has_position;
	opening->client_epoch = client_epoch;
	opening->client_offset = client_offset;
	return opening;
}

void opening_free(struct opening *opening)
{
	buf_release(&opening->early);
	mem_free(opening);
}

bool opening_keep_frame(struct opening *opening, struct str frame)
{
	uint32_t len = (uint32_t)frame.len;

	if (opening->early_count == OPENING_EARLY_FRAMES_MAX ||
	    opening->early.len + sizeof(len) + len > OPENING_EARLY_BYTES_MAX)
		return false;
	buf_append(&opening->early, &len, sizeof(len));
	buf_append_str(&opening->early, frame);
	opening->early_count++;
	return true;
}

bool opening_next_frame(struct str *rest, struct str *frame)
{
	uint32_t len;

	if (!rest->len)
		return false;
	memcpy(&len, rest->ptr, sizeof(len));
	*frame = str_of(rest->ptr + sizeof(len), len);
	*rest = str_of(frame->ptr + len, rest->len - sizeof(len) - len);
	return true;
}

bool opening_is_lost(const struct opening *opening)
{
	return opening->has_position &&
	       (opening->client_epoch != opening->epoch || opening->client_offset > opening->head);
}

uint64_t opening_first_position(const struct opening *opening)
{
	return opening->has_position && !opening_is_lost(opening) ? opening->client_offset : opening->head;
}
