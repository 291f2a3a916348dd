#include "cluster/inbox_epoch.h"
#include "tests/fuzz/fuzz.h"

/* Each epoch has exactly one text, and each text at most one epoch. */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str text = str_of(bytes, len);
	char written[INBOX_EPOCH_TEXT];
	uint64_t epoch = inbox_epoch_parse(text), number = 0;

	if (epoch) {
		inbox_epoch_text(written, epoch);
		CHECK(str_equal(str_from(written), text));
	}
	memcpy(&number, bytes, len < sizeof(number) ? len : sizeof(number));
	number &= (1ull << 60) - 1;
	inbox_epoch_text(written, number);
	CHECK(strlen(written) == INBOX_EPOCH_TEXT - 1);
	CHECK(inbox_epoch_parse(str_from(written)) == number);
	return 0;
}
