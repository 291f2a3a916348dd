#include "base/config/config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config/config_help.h"
#include "base/config/config_value.h"
#include "base/telemetry/log.h"
#include "base/mem.h"

#define FILE_SIZE_MAX (1 << 20)

/* The command line, for config_reload(). A process has one configuration. */
static struct {
	int argc;
	char **argv;
} sources;

/* The result of reading all sources; one entry for each option. */
struct reading {
	const struct config_table *table;
	struct config_value *values;
	unsigned *lines; /* the line of the file that sets the option; 0: none */
	enum config_action action;
	struct buf reason; /* the error, as one sentence */
};

static void reading_init(struct reading *reading, const struct config_table *table)
{
	*reading = (struct reading){ .table = table };
	reading->values = mem_zalloc(table->option_count * sizeof(*reading->values));
	reading->lines = mem_zalloc(table->option_count * sizeof(*reading->lines));
}

static void reading_release(struct reading *reading)
{
	for (size_t i = 0; i < reading->table->option_count; i++)
		config_value_release(&reading->values[i]);
	mem_free(reading->values);
	mem_free(reading->lines);
	buf_release(&reading->reason);
}

static err_t PRINTF_LIKE(2, 3) config_fail(struct reading *reading, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(&reading->reason, format, args);
	va_end(args);
	return ERR_BAD_CONFIG;
}

/* The option's index, or option_count. */
static size_t config_index_of(const struct config_table *table, struct str name)
{
	size_t i = 0;

	while (i < table->option_count && !str_equal(name, str_from(table->options[i].name)))
		i++;
	return i;
}

/* `origin` begins the sentence if the value is wrong: "im.conf:3", "the command line". */
static err_t config_set(struct reading *reading, size_t i, struct str text, const char *origin)
{
	const struct config_option *option = &reading->table->options[i];
	struct config_value value;
	size_t before = reading->reason.len;

	buf_printf(&reading->reason, "%s: %s ", origin, option->name);
	err_t err = config_value_parse(option, text, &value, &reading->reason);
	if (err)
		return err;
	reading->reason.len = before;
	config_value_release(&reading->values[i]);
	reading->values[i] = value;
	return OK;
}

/* Removes a comment from the end. */
static struct str config_without_comment(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '#' && (i == 0 || str_is_blank(s.ptr[i - 1])))
			return str_of(s.ptr, i);
	return s;
}

/* Removes the quotes around a value. False if they are not closed, or if text follows them. */
static bool config_unquote(struct str *value)
{
	if (value->len == 0 || value->ptr[0] != '"') {
		*value = str_trim(config_without_comment(*value));
		return true;
	}
	struct str rest = str_of(value->ptr + 1, value->len - 1);
	*value = str_cut(&rest, '"');
	return rest.ptr && str_trim(config_without_comment(rest)).len == 0;
}

static err_t config_read_line(struct reading *reading, struct str line, const char *path, unsigned number)
{
	char origin[512];

	line = str_trim(line);
	if (line.len == 0 || line.ptr[0] == '#')
		return OK;
	snprintf(origin, sizeof(origin), "%s:%u", path, number);
	struct str value = line;
	struct str name = str_trim(str_cut(&value, '='));
	if (!value.ptr)
		return config_fail(reading, "%s: a line must be `name = value`", origin);
	value = str_trim(value);
	size_t i = config_index_of(reading->table, name);
	if (i == reading->table->option_count)
		return config_fail(reading, "%s: there is no option \"%.*s\" (see --help)", origin, STR_ARG(name));
	if (!config_unquote(&value))
		return config_fail(reading, "%s: the quotes of %s are not closed at the end", origin,
		                   reading->table->options[i].name);
	if (reading->lines[i])
		return config_fail(reading, "%s: %s is given in line %u already", origin, reading->table->options[i].name,
		                   reading->lines[i]);
	reading->lines[i] = number;
	return config_set(reading, i, value, origin);
}

/* Reads a whole file. `origin` begins the sentence if that fails. */
static err_t config_read_content(struct reading *reading, const char *origin, const char *path, struct buf *content)
{
	err_t err = OK;
	FILE *file = fopen(path, "re");

	if (!file)
		return config_fail(reading, "%s%s: %s", origin, path, strerror(errno));
	content->len = fread(buf_reserve(content, FILE_SIZE_MAX + 1), 1, FILE_SIZE_MAX + 1, file);
	if (ferror(file))
		err = config_fail(reading, "%s%s: %s", origin, path, strerror(errno));
	else if (content->len > FILE_SIZE_MAX)
		err = config_fail(reading, "%s%s: more than %d bytes", origin, path, FILE_SIZE_MAX);
	fclose(file);
	return err;
}

static err_t config_read_file(struct reading *reading, const char *path)
{
	struct buf content = { 0 };
	unsigned number = 0;

	err_t err = config_read_content(reading, "", path, &content);
	for (struct str rest = buf_str(&content); !err && rest.len;)
		err = config_read_line(reading, str_cut(&rest, '\n'), path, ++number);
	buf_release(&content);
	return err;
}

/* Removes one line end, which an editor or `echo` leaves behind a secret. */
static struct str config_without_line_end(struct str s)
{
	if (s.len && s.ptr[s.len - 1] == '\n')
		s.len--;
	if (s.len && s.ptr[s.len - 1] == '\r')
		s.len--;
	return s;
}

/* The variable NAME_FILE names a file that contains the secret. */
static err_t config_read_secret_file(struct reading *reading, size_t i, const char *variable, const char *path)
{
	struct buf content = { 0 }, origin = { 0 };

	buf_printf(&origin, "%s: ", variable);
	err_t err = config_read_content(reading, buf_text(&origin), path, &content);
	struct str secret = config_without_line_end(buf_str(&content));
	buf_clear(&origin);
	buf_printf(&origin, "%s: %s", variable, path);
	if (!err && !secret.len)
		err = config_fail(reading, "%s is empty", buf_text(&origin));
	if (!err)
		err = config_set(reading, i, secret, buf_text(&origin));
	buf_release(&origin);
	buf_release(&content);
	return err;
}

/* An empty NAME_FILE counts as not given: that is how a compose file passes on a setting that nobody made. */
static err_t config_read_variables(struct reading *reading, size_t i, struct buf *name)
{
	const struct config_option *option = &reading->table->options[i];

	config_write_environment_name(name, option);
	const char *value = getenv(buf_text(name));
	buf_append_text(name, CONFIG_FILE_SUFFIX);
	const char *path = option->flags & CONFIG_SECRET ? getenv(buf_text(name)) : NULL;
	if (path && *path && value)
		return config_fail(reading, "%s and the same without " CONFIG_FILE_SUFFIX " are both set", name->ptr);
	if (path && *path)
		return config_read_secret_file(reading, i, name->ptr, path);
	name->len -= sizeof(CONFIG_FILE_SUFFIX) - 1;
	return value ? config_set(reading, i, str_from(value), buf_text(name)) : OK;
}

static err_t config_read_environment(struct reading *reading)
{
	struct buf name = { 0 };
	err_t err = OK;

	for (size_t i = 0; i < reading->table->option_count && !err; i++) {
		buf_clear(&name);
		err = config_read_variables(reading, i, &name);
	}
	buf_release(&name);
	return err;
}

static err_t config_set_default(struct reading *reading, size_t i)
{
	const struct config_option *option = &reading->table->options[i];
	char host[HOST_NAME_MAX + 1] = "";

	if (option->fallback)
		return config_set(reading, i, str_from(option->fallback), "the default");
	if (!(option->flags & CONFIG_HOST_NAME) || gethostname(host, sizeof(host) - 1) || !*host)
		return OK; /* the option stays required */
	return config_set(reading, i, str_from(host), "the host's name");
}

/* Words without a value; true if it was one of them. */
static bool config_read_action(struct reading *reading, const char *word)
{
	if (strcmp(word, "--migrate") == 0 && reading->table->can_migrate) {
		reading->action = CONFIG_MIGRATE;
		return true;
	}
	if (strcmp(word, "--help") == 0)
		config_print_help(reading->table);
	else if (strcmp(word, "--version") == 0)
		printf("%s %s\n", reading->table->program, skein_version);
	else if (strcmp(word, "--config-markdown") == 0)
		config_print_markdown(reading->table);
	else
		return false;
	reading->action = CONFIG_EXIT;
	return true;
}

/*
 * Walks the command line. The file has to be known before its options count,
 * so there are two passes: the first finds --config and the actions, the second
 * (`file` NULL) sets the options.
 */
static err_t config_read_arguments(struct reading *reading, const char **file)
{
	err_t err = OK;

	for (int at = 1; at < sources.argc && !err && reading->action != CONFIG_EXIT;) {
		const char *word = sources.argv[at++];
		if (strncmp(word, "--", 2) != 0)
			return config_fail(reading, "the command line: \"%s\" is not an option (see --help)", word);
		if (config_read_action(reading, word))
			continue;
		/* `--name=value`, or `--name value` unless the next word begins like an option. */
		struct str rest = str_from(word + 2);
		struct str name = str_cut(&rest, '=');
		const char *value = rest.ptr;
		if (!value && at < sources.argc && strncmp(sources.argv[at], "--", 2) != 0)
			value = sources.argv[at++];
		size_t i = config_index_of(reading->table, name);
		bool is_file = str_equal(name, STR("config"));
		if (i == reading->table->option_count && !is_file)
			return config_fail(reading, "the command line: there is no option \"--%.*s\" (see --help)",
			                   STR_ARG(name));
		if (!value)
			return config_fail(reading, "the command line: --%.*s needs a value", STR_ARG(name));
		if (is_file && file)
			*file = value;
		else if (!is_file && !file)
			err = config_set(reading, i, str_from(value), "the command line");
	}
	return err;
}

static err_t config_check_required(struct reading *reading)
{
	struct buf variable = { 0 };
	err_t err = OK;

	for (size_t i = 0; i < reading->table->option_count && !err; i++) {
		if (reading->values[i].is_set)
			continue;
		config_write_environment_name(&variable, &reading->table->options[i]);
		err = config_fail(reading, "%s must be given (--%s=VALUE, %s or in the file)", reading->table->options[i].name,
		                  reading->table->options[i].name, buf_text(&variable));
	}
	buf_release(&variable);
	return err;
}

/* Reads all sources, in the order of precedence: later ones win. */
static err_t config_read_all(struct reading *reading)
{
	const struct config_table *table = reading->table;
	const char *file = NULL;

	err_t err = config_read_arguments(reading, &file);
	if (err || reading->action == CONFIG_EXIT)
		return err;
	for (size_t i = 0; i < table->option_count && !err; i++)
		err = config_set_default(reading, i);
	if (!err && file)
		err = config_read_file(reading, file);
	if (!err)
		err = config_read_environment(reading);
	if (!err)
		err = config_read_arguments(reading, NULL);
	if (!err)
		err = config_check_required(reading);
	return err;
}

static void config_forget_all(const struct config_table *table, void *target)
{
	for (size_t i = 0; i < table->option_count; i++)
		config_value_forget(&table->options[i], target);
}

err_t config_load(const struct config_table *table, int argc, char **argv,
                  void *target, enum config_action *action)
{
	struct reading reading;

	sources.argc = argc;
	sources.argv = argv;
	config_forget_all(table, target);
	reading_init(&reading, table);
	err_t err = config_read_all(&reading);
	if (err)
		fprintf(stderr, "%s: %s\n", table->program, buf_text(&reading.reason));
	else if (reading.action != CONFIG_EXIT)
		for (size_t i = 0; i < table->option_count; i++)
			config_value_store(&table->options[i], &reading.values[i], target);
	*action = err ? CONFIG_EXIT : reading.action;
	reading_release(&reading);
	return err;
}

err_t config_reload(const struct config_table *table, void *target)
{
	struct reading reading;

	reading_init(&reading, table);
	err_t err = config_read_all(&reading);
	if (err)
		log_error("configuration was not reloaded", LOG_STR("reason", buf_str(&reading.reason)));
	for (size_t i = 0; i < table->option_count && !err; i++) {
		const struct config_option *option = &table->options[i];
		struct config_value current = config_value_load(option, target);
		if (config_value_equal(&current, &reading.values[i]))
			continue;
		if (option->flags & CONFIG_RELOADABLE) {
			config_value_store(option, &reading.values[i], target);
			log_info("option changed", LOG_TEXT("option", option->name));
		} else {
			log_warn("option changed but takes effect only after a restart", LOG_TEXT("option", option->name));
		}
	}
	reading_release(&reading);
	return err;
}

void config_release(const struct config_table *table, void *target)
{
	for (size_t i = 0; i < table->option_count; i++)
		if (table->options[i].type == CONFIG_TEXT)
			mem_free(*(char **)((char *)target + table->options[i].offset));
	config_forget_all(table, target);
}
