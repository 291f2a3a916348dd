#ifndef SKEIN_BASE_TEXT_DECIMAL_H
#define SKEIN_BASE_TEXT_DECIMAL_H

#include <stdint.h>

#include "base/text/str.h"

/* Bytes for any number and a terminator. */
#define DECIMAL_SIZE 21

/* `number` in decimal, terminated. It is written to the end of `out`, and the result points there. */
static inline struct str decimal(char out[DECIMAL_SIZE], uint64_t number)
{
	size_t first = DECIMAL_SIZE - 1;

	out[first] = '\0';
	do {
		out[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return str_of(out + first, DECIMAL_SIZE - 1 - first);
}

#endif
