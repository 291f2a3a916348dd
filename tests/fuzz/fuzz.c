#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/telemetry/log.h"
#include "base/mem.h"

/* Log lines of the targets are written to /dev/null: formatting them is tested too. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return 0;
}

void fuzz_broken(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

unsigned fuzz_byte(struct str *input)
{
	if (!input->len)
		return 0;
	unsigned byte = (unsigned char)input->ptr[0];
	*input = str_of(input->ptr + 1, input->len - 1);
	return byte;
}

struct str fuzz_exact(struct str s)
{
	char *copy = mem_alloc(s.len);

	if (s.len)
		memcpy(copy, s.ptr, s.len);
	return str_of(copy, s.len);
}

bool fuzz_is_inside(struct str piece, struct str whole)
{
	if (!piece.len)
		return true;
	return piece.ptr >= whole.ptr && piece.ptr + piece.len <= whole.ptr + whole.len;
}
