#ifndef SKEIN_TESTS_CAPTURED_H
#define SKEIN_TESTS_CAPTURED_H

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Captures the output of code on stdout or stderr. Nothing else may write there between begin and end. */
struct captured {
	int fd, saved_fd, file_fd;
	char text[16384];
};

static inline void capture_begin(struct captured *captured, int fd)
{
	fflush(NULL);
	captured->fd = fd;
	captured->saved_fd = dup(fd);
	captured->file_fd = memfd_create("captured", MFD_CLOEXEC);
	dup2(captured->file_fd, fd);
}

static inline const char *capture_end(struct captured *captured)
{
	fflush(NULL);
	dup2(captured->saved_fd, captured->fd);
	ssize_t len = pread(captured->file_fd, captured->text, sizeof(captured->text) - 1, 0);
	captured->text[len > 0 ? len : 0] = '\0';
	close(captured->saved_fd);
	close(captured->file_fd);
	return captured->text;
}

#endif
