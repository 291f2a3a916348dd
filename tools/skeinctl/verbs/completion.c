/* The completion of bash, from the table. */

#include <stdio.h>

#include "tools/skeinctl/verbs/verb.h"

/* The script's fixed part. It finds the verb among the words before the cursor, and asks the functions below what may follow. */
static const char completion_body[] =
	"_skeinctl() {\n"
	"\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb='' words='' at=1\n"
	"\tif [ \"$word\" = '=' ]; then\n"
	"\t\tword=''\n"
	"\telif [ \"$before\" = '=' ]; then\n"
	"\t\tbefore=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\tfi\n"
	"\tif [ \"$COMP_CWORD\" -gt 1 ]; then\n"
	"\t\tverb=${COMP_WORDS[1]} at=2\n"
	"\t\tif _skeinctl_is_group \"$verb\" && [ \"$COMP_CWORD\" -gt 2 ]; then\n"
	"\t\t\tverb+=\" ${COMP_WORDS[2]}\" at=3\n"
	"\t\tfi\n"
	"\tfi\n"
	"\tCOMPREPLY=()\n"
	"\tif [ \"$COMP_CWORD\" -ge \"$at\" ] && [[ $word != -* || $before = -* ]] && _skeinctl_value \"$verb $before\"; then\n"
	"\t\tif [ \"$words\" = FILE ]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
	"\t\t\treturn\n"
	"\t\tfi\n"
	"\telse\n"
	"\t\t_skeinctl_words \"$verb\"\n"
	"\tfi\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
	"}\n"
	"complete -F _skeinctl skeinctl\n";

static bool completion_is_group(const struct verb *verb)
{
	return verb->name[verb_group_len(verb)] == ' ';
}

static bool completion_is_first_of_group(size_t at)
{
	size_t len = verb_group_len(&verbs[at]);

	return at == 0 || len != verb_group_len(&verbs[at - 1]) || strncmp(verbs[at].name, verbs[at - 1].name, len) != 0;
}

static bool completion_is_first_form(size_t at)
{
	return at == 0 || strcmp(verbs[at].name, verbs[at - 1].name) != 0;
}

static void completion_print_groups(void)
{
	const char *before = "";

	printf("_skeinctl_is_group() {\n\tcase $1 in\n\t");
	for (size_t i = 0; i < verb_count; i++)
		if (completion_is_group(&verbs[i]) && completion_is_first_of_group(i)) {
			printf("%s%.*s", before, (int)verb_group_len(&verbs[i]), verbs[i].name);
			before = " | ";
		}
	printf(") return 0 ;;\n\tesac\n\treturn 1\n}\n\n");
}

/* Whether an earlier form of the verb has the option or argument, too. */
static bool completion_is_repeated(const struct verb *form, const struct param *param)
{
	for (const struct verb *earlier = verbs; earlier < form; earlier++) {
		for (size_t i = 0; strcmp(earlier->name, form->name) == 0 && i < verb_param_count(earlier); i++)
			if (strcmp(earlier->params[i].name, param->name) == 0)
				return true;
	}
	return false;
}

/* What may follow a verb: the verbs of a group, the options of all forms and, of an argument, its choices. */
static void completion_print_options(size_t at)
{
	for (const struct verb *form = &verbs[at]; form < verbs + verb_count && strcmp(form->name, verbs[at].name) == 0; form++) {
		for (size_t i = 0; i < verb_param_count(form); i++) {
			const struct param *param = &form->params[i];

			if (completion_is_repeated(form, param))
				continue;
			if (param_is_option(param))
				printf("%s ", param->name);
			else if (param->value)
				printf("%s ", param->value);
		}
	}
	for (size_t i = 0; i < verb_common_count; i++)
		if (verb_takes_common(&verbs[at], &verb_common[i]))
			printf("%s%s", verb_common[i].name, i + 1 < verb_common_count ? " " : "");
}

static void completion_print_group_words(size_t first)
{
	size_t len = verb_group_len(&verbs[first]);

	printf("\t%.*s) words='", (int)len, verbs[first].name);
	for (size_t i = first; i < verb_count && (i == first || !completion_is_first_of_group(i)); i++)
		if (completion_is_first_form(i))
			printf("%s ", verbs[i].name + len + 1);
	printf("--help' ;;\n");
}

static void completion_print_words(void)
{
	printf("_skeinctl_words() {\n\tcase $1 in\n\t'') words='");
	for (size_t i = 0; i < verb_count; i++)
		if (completion_is_first_of_group(i))
			printf("%.*s ", (int)verb_group_len(&verbs[i]), verbs[i].name);
	printf("--help --version' ;;\n");
	for (size_t i = 0; i < verb_count; i++) {
		if (completion_is_group(&verbs[i]) && completion_is_first_of_group(i))
			completion_print_group_words(i);
		if (completion_is_first_form(i)) {
			printf("\t'%s') words='", verbs[i].name);
			completion_print_options(i);
			printf("' ;;\n");
		}
	}
	printf("\tesac\n}\n\n");
}

/* What the value of an option may be: one of its choices, a file, or nothing that is known here. */
static void completion_print_value(const struct verb *verb, const struct param *param)
{
	bool is_file = param->kind == PARAM_FILE || param->kind == PARAM_LIST_FILE || param->kind == PARAM_SECRET_FILE;

	if ((param_is_option(param) ? !param->value : !is_file) || completion_is_repeated(verb, param))
		return;
	/* An argument follows the last word of the verb. */
	const char *blank = strrchr(verb->name, ' ');
	printf("\t'%s %s') words='", verb->name, param_is_option(param) ? param->name : blank ? blank + 1 : verb->name);
	if (is_file) {
		printf("FILE");
	} else if (param_has_choices(param)) {
		for (const char *c = param->value; *c; c++)
			putchar(*c == '|' ? ' ' : *c);
	}
	printf("' ;;\n");
}

static void completion_print_values(void)
{
	printf("_skeinctl_value() {\n\tcase $1 in\n");
	for (size_t i = 0; i < verb_count; i++) {
		for (size_t p = 0; p < verb_param_count(&verbs[i]); p++)
			completion_print_value(&verbs[i], &verbs[i].params[p]);
	}
	printf("\t*' --token') words='' ;;\n\t*) return 1 ;;\n\tesac\n}\n\n");
}

int completion_print(const struct args *args)
{
	(void)args;
	printf("# bash completion of skeinctl, made by `skeinctl completion bash`\n\n");
	completion_print_groups();
	completion_print_words();
	completion_print_values();
	fputs(completion_body, stdout);
	return 0;
}
