/* Help, and the rows for programs, from the table. */

#include <stdio.h>

#include "tools/skeinctl/verbs/verb.h"

size_t verb_param_count(const struct verb *verb)
{
	size_t count = 0;

	while (count < PARAMS_MAX && verb->params[count].name)
		count++;
	return count;
}

bool verb_takes_common(const struct verb *verb, const struct param *param)
{
	return !verb->run || strcmp(param->name, "--token") != 0;
}

static void help_append_param(struct buf *out, const struct param *param)
{
	buf_append_text(out, param->name);
	if (param->value)
		buf_printf(out, " %s", param->value);
}

/* "UID [--name NAME] (--to UID | --group GID) TEXT" */
static void help_append_usage(struct buf *out, const struct verb *verb)
{
	size_t count = verb_param_count(verb);

	for (size_t i = 0; i < count; i++) {
		const struct param *param = &verb->params[i];
		bool goes_on = i && param->group && param[-1].group == param->group;
		bool is_open = i + 1 < count && param->group && param[1].group == param->group;

		if (goes_on)
			buf_append_text(out, " | ");
		else
			buf_printf(out, "%s%s", i ? " " : "", !param->is_required ? "[" : is_open ? "(" : "");
		help_append_param(out, param);
		if (!is_open)
			buf_append_text(out, !param->is_required ? "]" : goes_on ? ")" : "");
	}
}

static void help_print_lines(FILE *out, const char *group)
{
	for (size_t i = 0; i < verb_count; i++)
		if (!group || (strlen(group) == verb_group_len(&verbs[i]) &&
		               str_starts_with(str_from(verbs[i].name), str_from(group))))
			fprintf(out, "  %-20s  %s\n", verbs[i].name, verbs[i].help);
}

void help_print_all(FILE *out)
{
	fputs("usage: skeinctl COMMAND [ARGUMENTS] [OPTIONS] [--json]\n\n", out);
	help_print_lines(out, NULL);
	fputs("\n`skeinctl COMMAND --help` shows its arguments and options.\n"
	      "The cluster is the one of SKEIN_HTTP, SKEIN_WS and SKEIN_JWT_SECRET in the environment\n"
	      "(SKEIN_AUTH_SECRET_FILE may name a file with the secret), else the one of .run/env here\n"
	      "or in a folder above (make up writes it). SKEIN_TOKEN or --token is used instead of a token\n"
	      "made with the secret.\n",
	      out);
}

void help_print_group(FILE *out, const char *group)
{
	fprintf(out, "usage: skeinctl %s COMMAND [ARGUMENTS] [OPTIONS] [--json]\n\n", group);
	help_print_lines(out, group);
}

static void help_print_option(const struct param *param)
{
	struct buf left = { 0 };

	help_append_param(&left, param);
	printf("  %-20s  %s\n", buf_text(&left), param->help);
	buf_release(&left);
}

void help_print_verb(const struct verb *first)
{
	struct buf usage = { 0 };

	for (const struct verb *form = first; form < verbs + verb_count && strcmp(form->name, first->name) == 0; form++) {
		buf_clear(&usage);
		help_append_usage(&usage, form);
		printf("usage: skeinctl %s%s%s [--json]%s\n%s\n\n", form->name, usage.len ? " " : "", buf_text(&usage),
		       form->run ? "" : " [--token TOKEN]", form->help);
		for (size_t i = 0; i < verb_param_count(form); i++)
			help_print_option(&form->params[i]);
		for (size_t i = 0; i < verb_common_count; i++)
			if (verb_takes_common(form, &verb_common[i]))
				help_print_option(&verb_common[i]);
		if (form + 1 < verbs + verb_count && strcmp(form[1].name, first->name) == 0)
			printf("\n");
	}
	buf_release(&usage);
}

void help_print_rows(void)
{
	struct buf usage = { 0 };

	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *verb = &verbs[i];

		buf_clear(&usage);
		help_append_usage(&usage, verb);
		printf("verb\t%s\t%s\t%s\t%s\t%s\n", verb->name, buf_text(&usage), verb->method ? verb->method : "",
		       verb->path ? verb->path : "", verb->help);
		for (size_t p = 0; p < verb_param_count(verb); p++)
			printf("param\t%s\t%s\t%s\n", verb->params[p].name, verb->params[p].value ? verb->params[p].value : "",
			       verb->params[p].help);
	}
	for (size_t i = 0; i < verb_common_count; i++)
		printf("common\t%s\t%s\t%s\n", verb_common[i].name, verb_common[i].value ? verb_common[i].value : "",
		       verb_common[i].help);
	buf_release(&usage);
}
