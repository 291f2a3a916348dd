#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text/buf.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

/*
 * Stands in for libFuzzer: runs the target over the files of its corpus,
 * tests/fuzz/corpus/NAME/ for a binary called NAME_fuzz, or over those that are
 * named as arguments. Prints as cmocka does, for tests/run. No file is a failure.
 */

static void run_file(const char *path)
{
	struct buf content = { 0 };
	FILE *file = fopen(path, "rb");
	size_t len;

	printf("[ RUN      ] %s\n", path);
	if (!file) {
		perror(path);
		exit(1);
	}
	do {
		len = fread(buf_reserve(&content, 4096), 1, 4096, file);
		content.len += len;
	} while (len);
	fclose(file);
	struct str input = fuzz_exact(buf_str(&content));
	buf_release(&content);
	fflush(stdout); /* what is about to crash has been named */
	LLVMFuzzerTestOneInput((const uint8_t *)input.ptr, input.len);
	mem_free((void *)input.ptr);
	printf("[       OK ] %s\n", path);
}

static void run_corpus(const char *name)
{
	struct buf folder = { 0 };
	struct dirent **entries;

	buf_printf(&folder, "tests/fuzz/corpus/%.*s", (int)(strlen(name) - strlen("_fuzz")), name);
	int count = scandir(buf_text(&folder), &entries, NULL, alphasort);
	if (count < 0) {
		perror(buf_text(&folder));
		exit(1);
	}
	for (int i = 0; i < count; i++) {
		struct buf path = { 0 };

		buf_printf(&path, "%s/%s", buf_text(&folder), entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			run_file(buf_text(&path));
		buf_release(&path);
		free(entries[i]);
	}
	free(entries);
	buf_release(&folder);
}

int main(int argc, char **argv)
{
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc == 1)
		run_corpus(program_invocation_short_name);
	return 0;
}
