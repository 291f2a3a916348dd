#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *out, size_t len)
{
	char *at = out;

	while (len) {
		ssize_t got = getrandom(at, len, 0);
		if (got < 0) {
			if (errno == EINTR)
				continue;
			/* Continuing with predictable bytes would be worse. */
			fprintf(stderr, "no random bytes from the kernel: %s\n", strerror(errno));
			abort();
		}
		at += got;
		len -= (size_t)got;
	}
}

uint64_t random_u64(void)
{
	uint64_t number;

	random_bytes(&number, sizeof(number));
	return number;
}

uint64_t random_below(uint64_t bound)
{
	/* The lowest 2^64 mod bound numbers would make some results more likely; they are drawn again. */
	uint64_t uneven = (0 - bound) % bound;
	uint64_t number;

	do {
		number = random_u64();
	} while (number < uneven);
	return number % bound;
}

void random_hex(char *out, size_t digits)
{
	static const char alphabet[] = "0123456789abcdef";
	size_t bytes = (digits + 1) / 2;

	/* The bytes are drawn into the first half and spread from the end, so none is overwritten before it is read. */
	random_bytes(out, bytes);
	for (size_t i = digits; i-- > 0;) {
		unsigned char byte = (unsigned char)out[i / 2];
		out[i] = alphabet[i % 2 ? byte & 15 : byte >> 4];
	}
	out[digits] = '\0';
}
