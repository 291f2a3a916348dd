#include "cluster/inbox_epoch.h"

#include "base/random.h"

#define EPOCH_DIGITS (INBOX_EPOCH_TEXT - 1)

uint64_t inbox_fresh_epoch(void)
{
	uint64_t epoch;

	do
		epoch = random_u64() & INBOX_EPOCH_MAX;
	while (epoch == 0);
	return epoch;
}

void inbox_epoch_text(char out[INBOX_EPOCH_TEXT], uint64_t epoch)
{
	for (int i = EPOCH_DIGITS - 1; i >= 0; i--, epoch >>= 4)
		out[i] = "0123456789abcdef"[epoch & 15];
	out[EPOCH_DIGITS] = '\0';
}

uint64_t inbox_epoch_parse(struct str text)
{
	uint64_t epoch = 0;

	if (text.len != EPOCH_DIGITS)
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c >= '0' && c <= '9')
			epoch = epoch << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			epoch = epoch << 4 | (uint64_t)(c - 'a' + 10);
		else
			return 0;
	}
	return epoch;
}
