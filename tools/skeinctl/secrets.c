/* Makes the secrets of a cluster in containers or on hosts, once; what is there already stays as it is. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "tools/skeinctl/verbs/verb.h"

#define SECRET_DIGITS 64 /* 256 bits, the size of an HS256 key */

/*
 * Creates DIR/NAME with this content, or keeps the file that is there. The content is written under another name and linked,
 * so that a container that is killed in between leaves no half of a secret.
 */
static void secrets_keep_or_make(const char *dir, const char *name, const char *content)
{
	char path[PATH_MAX], draft[PATH_MAX];
	size_t len = strlen(content);

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX ||
	    snprintf(draft, sizeof(draft), "%s/.%s.%d", dir, name, (int)getpid()) >= PATH_MAX)
		die("%s: the path is too long", dir);
	if (access(path, F_OK) == 0) {
		printf("%s is there already\n", path);
		return;
	}
	int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		die("%s: %s", draft, strerror(errno));
	if (write(fd, content, len) != (ssize_t)len || fsync(fd) || close(fd))
		die("%s: %s", draft, strerror(errno));
	int failed = link(draft, path);
	int why = errno;
	(void)unlink(draft);
	if (failed && why != EEXIST)
		die("%s: %s", path, strerror(why));
	printf("%s %s\n", path, failed ? "is there already" : "was made");
}

/* The file's content without its line end; on the heap. */
static char *secrets_read(const char *dir, const char *name)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s/%s", dir, name);
	char *content = read_secret_file(name, buf_text(&path));
	buf_release(&path);
	return content;
}

static void secrets_sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) || close(fd))
		die("%s: %s", dir, strerror(errno));
}

int command_secrets(const struct args *args)
{
	const char *dir = args_value(args, "DIR");
	char secret[SECRET_DIGITS + 1] = "";
	struct buf line = { 0 };

	if (mkdir(dir, 0700) && errno != EEXIST)
		die("%s: %s", dir, strerror(errno));
	random_hex(secret, SECRET_DIGITS);
	secrets_keep_or_make(dir, "jwt", secret);
	random_hex(secret, SECRET_DIGITS);
	secrets_keep_or_make(dir, "postgres", secret);
	/* The same password as libpq reads it: host:port:database:user:password. */
	char *password = secrets_read(dir, "postgres");
	buf_printf(&line, "*:*:*:skein:%s\n", password);
	secrets_keep_or_make(dir, "pgpass", buf_text(&line));
	secrets_sync_folder(dir);
	free(password);
	buf_release(&line);
	return 0;
}
