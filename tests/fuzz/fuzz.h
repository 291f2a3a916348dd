#ifndef SKEIN_TESTS_FUZZ_H
#define SKEIN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/text/str.h"

/*
 * What a fuzz target is: one function that takes any bytes, gives them to a
 * parser and checks what must be true of every answer. It keeps nothing from one
 * call to the next.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Called once, before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A check that is active in every build. */
#define CHECK(what) \
	do { \
		if (!(what)) \
			fuzz_broken(__FILE__, __LINE__, #what); \
	} while (0)

__attribute__((noreturn)) void fuzz_broken(const char *file, int line, const char *what);

/* Returns and removes the first byte of the input, 0 when it is empty: for choices that the input makes. */
unsigned fuzz_byte(struct str *input);

/* A copy in an allocation of its own without a terminator, so that a read past its end is found; mem_free() its ptr. */
struct str fuzz_exact(struct str s);

/* Whether the piece lies inside the whole, or is empty. */
bool fuzz_is_inside(struct str piece, struct str whole);

#endif
