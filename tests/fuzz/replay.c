#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text/buf.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

/*
 * Stands in for libFuzzer: runs the target over the files of build/fuzz-seeds/NAME/
 * and, if there is that folder, tests/fuzz/corpus/NAME/, for a binary called
 * NAME_fuzz; or over those that are named as arguments. Prints as cmocka does, for
 * tests/run. A target without seeds fails.
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

/* Returns how many files the folder has. */
static int run_folder(const char *parent, const char *name)
{
	struct buf folder = { 0 };
	struct dirent **entries;
	int files = 0;

	buf_printf(&folder, "%s/%.*s", parent, (int)(strlen(name) - strlen("_fuzz")), name);
	int count = scandir(buf_text(&folder), &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		struct buf path = { 0 };

		buf_printf(&path, "%s/%s", buf_text(&folder), entries[i]->d_name);
		if (entries[i]->d_name[0] != '.') {
			run_file(buf_text(&path));
			files++;
		}
		buf_release(&path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	buf_release(&folder);
	return files;
}

static int run_corpus(const char *name)
{
	if (!run_folder("build/fuzz-seeds", name)) {
		fprintf(stderr, "%s has no seeds in build/fuzz-seeds: tests/fuzz/seeds.py writes them\n", name);
		return 1;
	}
	run_folder("tests/fuzz/corpus", name);
	return 0;
}

int main(int argc, char **argv)
{
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	return argc == 1 ? run_corpus(program_invocation_short_name) : 0;
}
