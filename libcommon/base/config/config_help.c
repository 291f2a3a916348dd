#include "base/config/config_help.h"

#include <stdio.h>

#include "base/config/config_value.h"

#define COLUMN_GAP 2

/* Words of the command line that are not options. */
static const struct {
	const char *name;
	const char *help;
} actions[] = {
	{ "--config FILE", "Read options from FILE, lines of `name = value`." },
	{ "--help", "Print this and exit." },
	{ "--version", "Print the version and exit." },
	{ "--config-markdown", "Print the options as Markdown and exit." },
};

static const char migrate_name[] = "--migrate";
static const char migrate_help[] = "Bring the database's schema up to date and exit.";

static void help_write_default(struct buf *out, const struct config_option *option)
{
	if (option->flags & CONFIG_HOST_NAME)
		buf_append_text(out, "the host's name");
	else if (!option->fallback)
		buf_append_text(out, "required");
	else if (option->flags & CONFIG_SECRET && *option->fallback)
		buf_append_text(out, "(secret)");
	else
		buf_append_text(out, *option->fallback ? option->fallback : "(empty)");
}

static void help_write_type_and_range(struct buf *out, const struct config_option *option)
{
	config_write_type(out, option);
	if (option->type == CONFIG_CHOICE || option->type == CONFIG_BOOL || (!option->min && !option->max))
		return;
	buf_append_text(out, ", ");
	config_write_range(out, option);
}

static void help_pad_to(struct buf *line, size_t column)
{
	do {
		buf_append_char(line, ' ');
	} while (line->len < column);
}

static size_t help_width_of(const struct config_table *table, void (*write)(struct buf *, const struct config_option *))
{
	struct buf cell = { 0 };
	size_t width = 0;

	for (size_t i = 0; i < table->option_count; i++) {
		buf_clear(&cell);
		write(&cell, &table->options[i]);
		width = MAX(width, cell.len);
	}
	buf_release(&cell);
	return width + COLUMN_GAP;
}

static void help_write_name(struct buf *out, const struct config_option *option)
{
	buf_printf(out, "  --%s", option->name);
}

static void help_print_line(struct buf *line)
{
	puts(buf_text(line));
	buf_clear(line);
}

static void help_print_actions(const struct config_table *table, struct buf *line)
{
	size_t column = sizeof("  --config-markdown") - 1 + COLUMN_GAP;

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		buf_printf(line, "  %s", actions[i].name);
		help_pad_to(line, column);
		buf_append_text(line, actions[i].help);
		help_print_line(line);
	}
	if (table->can_migrate) {
		buf_printf(line, "  %s", migrate_name);
		help_pad_to(line, column);
		buf_append_text(line, migrate_help);
		help_print_line(line);
	}
}

void config_print_help(const struct config_table *table)
{
	size_t type_column = help_width_of(table, help_write_name);
	size_t default_column = type_column + help_width_of(table, help_write_type_and_range);
	size_t help_column = default_column + MAX(help_width_of(table, help_write_default), sizeof("Default") - 1 + COLUMN_GAP);
	struct buf line = { 0 };

	printf("%s - %s\n\nUsage: %s [--config FILE] [--OPTION=VALUE ...]\n\n", table->program, table->summary,
	       table->program);
	help_print_actions(table, &line);
	puts("\nEach option can also be set in the file, or in the environment: --log.level is SKEIN_LOG_LEVEL.\n"
	     "The command line wins over the environment, and that over the file. * takes effect on SIGHUP.\n"
	     "A secret (+) may be in a file that the environment names: SKEIN_AUTH_SECRET_FILE=/run/secrets/jwt.\n");
	buf_append_text(&line, "  Option");
	help_pad_to(&line, type_column);
	buf_append_text(&line, "Value");
	help_pad_to(&line, default_column);
	buf_append_text(&line, "Default");
	help_pad_to(&line, help_column);
	buf_append_text(&line, "Meaning");
	help_print_line(&line);
	for (size_t i = 0; i < table->option_count; i++) {
		const struct config_option *option = &table->options[i];
		help_write_name(&line, option);
		help_pad_to(&line, type_column);
		help_write_type_and_range(&line, option);
		help_pad_to(&line, default_column);
		help_write_default(&line, option);
		help_pad_to(&line, help_column);
		buf_printf(&line, "%s%s%s", option->help, option->flags & CONFIG_RELOADABLE ? " *" : "",
		           option->flags & CONFIG_SECRET ? " +" : "");
		help_print_line(&line);
	}
	buf_release(&line);
}

/* Escapes bars, which would end the cell. */
static void help_write_cell(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '|')
			buf_append_char(out, '\\');
		buf_append_char(out, text.ptr[i]);
	}
	buf_append_text(out, " | ");
}

void config_print_markdown(const struct config_table *table)
{
	struct buf line = { 0 }, cell = { 0 };

	printf("## %s\n\n%s\n\n", table->program, table->summary);
	puts("| option | environment | value | default | reload | meaning |\n|---|---|---|---|---|---|");
	for (size_t i = 0; i < table->option_count; i++) {
		const struct config_option *option = &table->options[i];
		buf_printf(&line, "| `%s` | `", option->name);
		config_write_environment_name(&line, option);
		buf_append_text(&line, option->flags & CONFIG_SECRET ? "`, `" CONFIG_FILE_SUFFIX "` | " : "` | ");
		buf_clear(&cell);
		help_write_type_and_range(&cell, option);
		help_write_cell(&line, buf_str(&cell));
		buf_clear(&cell);
		help_write_default(&cell, option);
		help_write_cell(&line, buf_str(&cell));
		buf_append_text(&line, option->flags & CONFIG_RELOADABLE ? "yes | " : "no | ");
		help_write_cell(&line, str_from(option->help));
		line.len--; /* no blank at the end of a line */
		help_print_line(&line);
	}
	putchar('\n');
	buf_release(&line);
	buf_release(&cell);
}
