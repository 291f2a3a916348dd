/* Finds the cluster: environment variables, files that they name, or the .run/env that `make up` writes. */

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text/ident.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/jwt.h"
#include "tools/skeinctl/skeinctl.h"

/* The first .run/env from here upwards, or NULL. */
static FILE *cluster_open_env_file(void)
{
	char folder[PATH_MAX], path[PATH_MAX + 16];

	if (!getcwd(folder, sizeof(folder)))
		return NULL;
	for (;;) {
		snprintf(path, sizeof(path), "%s/.run/env", folder);
		FILE *file = fopen(path, "r");
		char *slash = strrchr(folder, '/');

		if (file || !slash)
			return file;
		*slash = '\0';
	}
}

/* `NAME=value` or `export NAME='value'`; the value on the heap, or NULL for another line. */
static char *cluster_value_in_line(char *line, const char *name)
{
	size_t len = strlen(name);

	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "export ", 7) == 0)
		line += 7;
	if (strncmp(line, name, len) != 0 || line[len] != '=')
		return NULL;
	struct str value = str_from(line + len + 1);
	if (value.len >= 2 && (*value.ptr == '\'' || *value.ptr == '"') && value.ptr[value.len - 1] == *value.ptr)
		value = str_of(value.ptr + 1, value.len - 2);
	return str_dup(value);
}

char *read_secret_file(const char *name, const char *path)
{
	char content[SECRET_SIZE_MAX + 2];
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

	if (!file)
		die("%s: %s: %s", name, path, strerror(errno));
	size_t len = fread(content, 1, sizeof(content) - 1, file);
	if (ferror(file))
		die("%s: %s: %s", name, path, strerror(errno));
	if (file != stdin)
		fclose(file);
	content[len] = '\0';
	content[strcspn(content, "\r\n")] = '\0';
	if (!*content)
		die("%s: %s is empty", name, path);
	if (strlen(content) > SECRET_SIZE_MAX)
		die("%s: %s: more than %d bytes", name, path, SECRET_SIZE_MAX);
	return str_dup(str_from(content));
}

/* The secret as the environment of a service has it: in a container skeinctl has the service's own settings. */
static char *cluster_secret_of_service(const char *name)
{
	if (strcmp(name, "SKEIN_JWT_SECRET") != 0)
		return NULL;
	const char *path = getenv("SKEIN_AUTH_SECRET_FILE"), *secret = getenv("SKEIN_AUTH_SECRET");
	if (path && *path)
		return read_secret_file("SKEIN_AUTH_SECRET_FILE", path);
	return secret && *secret ? str_dup(str_from(secret)) : NULL;
}

const char *setting(const char *name)
{
	const char *given = getenv(name);

	if (given && *given)
		return given;
	char *found = cluster_secret_of_service(name);
	FILE *file = found ? NULL : cluster_open_env_file();
	char line[4096];

	while (file && !found && fgets(line, sizeof(line), file))
		found = cluster_value_in_line(line, name);
	if (file)
		fclose(file);
	if (!found)
		die("%s is not set and no .run/env names it: is the cluster up (make up)?", name);
	setenv(name, found, 1); /* the next call finds it at once */
	free(found);
	return getenv(name);
}

struct str setting_cut_url(struct str *list)
{
	struct str url = str_cut(list, ',');

	while (url.len && url.ptr[url.len - 1] == '/')
		url.len--;
	return url;
}

char *setting_item(const char *name, unsigned index)
{
	struct str list = str_from(setting(name));
	unsigned count = 1;

	for (size_t i = 0; i < list.len; i++)
		count += list.ptr[i] == ',';
	struct str item = setting_cut_url(&list);
	for (unsigned i = 0; i < index % count; i++)
		item = setting_cut_url(&list);
	return str_dup(item);
}

char *make_token(const char *uid, bool is_admin, uint64_t ttl_ms, uint64_t *expires_ms)
{
	struct jwt_claims claims = { .is_admin = is_admin };
	struct jwt_keys *keys;
	struct buf token = { 0 };

	if (!ident_is_valid(str_from(uid)))
		die("\"%s\" is no uid: 1-64 of A-Z a-z 0-9 _ . -", uid);
	if (jwt_keys_new(&keys, str_from(setting("SKEIN_JWT_SECRET")), ""))
		die("SKEIN_JWT_SECRET is too short for a key");
	(void)str_copy(claims.uid, sizeof(claims.uid), str_from(uid));
	random_hex(claims.id, 16);
	claims.issued_ms = clock_wall_ms();
	claims.expires_ms = claims.issued_ms + ttl_ms;
	if (jwt_sign(keys, &claims, &token))
		die("OpenSSL could not sign the token");
	if (expires_ms)
		*expires_ms = claims.expires_ms / 1000 * 1000;
	jwt_keys_free(keys);
	(void)buf_text(&token);
	return buf_take(&token);
}
