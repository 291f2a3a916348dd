/* Reads a command line as the rows of the table say. */

#include <stdio.h>

#include "tools/skeinctl/verbs/verb.h"

const char *args_value(const struct args *args, const char *name)
{
	for (size_t i = 0; i < verb_param_count(args->verb); i++)
		if (strcmp(args->verb->params[i].name, name) == 0)
			return args->values[i];
	return NULL;
}

const char *args_value_or(const struct args *args, const char *name, const char *fallback)
{
	const char *value = args_value(args, name);

	return value ? value : fallback;
}

uint64_t args_number(const struct args *args, const char *name, uint64_t fallback, uint64_t min, uint64_t max)
{
	const char *value = args_value(args, name);
	uint64_t number;

	if (!value)
		return fallback;
	if (!str_to_u64(str_from(value), &number) || number < min || number > max)
		die_of_usage("%s: %s is a number from %llu to %llu", args->verb->name, name, (unsigned long long)min,
		             (unsigned long long)max);
	return number;
}

/* The value of a word that is the option `name`: behind its '=', or the next word, which is taken with it. NULL if it
 * is another. */
static const char *args_option_value(const struct args *args, const struct param *param, int *at, int count, char **words)
{
	const char *word = words[*at];
	size_t len = strlen(param->name);

	if (strncmp(word, param->name, len) != 0 || (word[len] != '\0' && word[len] != '='))
		return NULL;
	if (param->kind == PARAM_FLAG) {
		if (word[len])
			die_of_usage("%s: %s takes no value", args->verb->name, param->name);
		return param->name;
	}
	if (word[len])
		return word + len + 1;
	if (*at + 1 == count)
		die_of_usage("%s: %s needs a value", args->verb->name, param->name);
	return words[++*at];
}

/* Whether the word at `at` is an option of the form; takes it. */
static bool args_take_option(struct args *args, int *at, int count, char **words)
{
	const struct verb *verb = args->verb;
	const char *value;

	for (size_t i = 0; i < verb_param_count(verb); i++) {
		value = param_is_option(&verb->params[i]) ? args_option_value(args, &verb->params[i], at, count, words) : NULL;
		if (value) {
			args->values[i] = value;
			return true;
		}
	}
	for (size_t i = 0; i < verb_common_count; i++) {
		const struct param *param = &verb_common[i];

		value = verb_takes_common(verb, param) ? args_option_value(args, param, at, count, words) : NULL;
		if (!value)
			continue;
		if (strcmp(param->name, "--json") == 0)
			args->as_json = true;
		else
			args->token = value;
		return true;
	}
	return false;
}

static void args_take_argument(struct args *args, const char *word)
{
	const struct verb *verb = args->verb;

	for (size_t i = 0; i < verb_param_count(verb); i++) {
		if (param_is_option(&verb->params[i]) || args->values[i])
			continue;
		args->values[i] = word;
		return;
	}
	die_of_usage("%s: unexpected argument \"%s\": see skeinctl %s --help", verb->name, word, verb->name);
}

static void args_take_words(struct args *args, int count, char **words)
{
	bool has_options = true; /* until "--" */

	for (int i = 0; i < count; i++) {
		if (!has_options || strncmp(words[i], "--", 2) != 0)
			args_take_argument(args, words[i]);
		else if (words[i][2] == '\0')
			has_options = false;
		else if (!args_take_option(args, &i, count, words))
			die_of_usage("%s: no option %s here: see skeinctl %s --help", args->verb->name, words[i], args->verb->name);
	}
}

/* ---- what must be there ---- */

static bool args_is_of_choices(const char *choices, const char *value)
{
	struct str rest = str_from(choices);

	while (rest.ptr)
		if (str_equal(str_cut(&rest, '|'), str_from(value)))
			return true;
	return false;
}

/* Checks the group of option `at`: one at most, and one at least if it is required. */
static void args_check_group(const struct args *args, size_t at)
{
	const struct param *params = args->verb->params;
	struct buf names = { 0 };
	size_t given = 0;

	for (size_t i = 0; i < verb_param_count(args->verb); i++) {
		if (params[i].group != params[at].group)
			continue;
		given += args->values[i] != NULL;
		buf_printf(&names, "%s%s", names.len ? ", " : "", params[i].name);
	}
	if (given > 1 || (!given && params[at].is_required))
		die_of_usage("%s: give %s of %s", args->verb->name, params[at].is_required ? "exactly one" : "only one",
		             buf_text(&names));
	buf_release(&names);
}

static void args_check(const struct args *args)
{
	for (size_t i = 0; i < verb_param_count(args->verb); i++) {
		const struct param *param = &args->verb->params[i];
		const char *value = args->values[i];

		if (param->group)
			args_check_group(args, i);
		else if (param->is_required && !value && !(param->place == PARAM_ACTOR && request_has_token(args)))
			die_of_usage("%s: %s%s is missing", args->verb->name, param->name,
			             param->place == PARAM_ACTOR ? " or --token" : "");
		if (value && param_has_choices(param) && !args_is_of_choices(param->value, value))
			die_of_usage("%s: %s must be %s", args->verb->name, param->name, param->value);
	}
}

/* ---- forms ---- */

/* Whether the option that makes this form, its first required one, is among the words. */
static bool args_fits(const struct verb *verb, int count, char **words)
{
	for (size_t i = 0; i < verb_param_count(verb); i++) {
		const struct param *param = &verb->params[i];
		size_t len = strlen(param->name);

		if (!param_is_option(param) || !param->is_required || param->group)
			continue;
		for (int w = 0; w < count; w++)
			if (strncmp(words[w], param->name, len) == 0 && (words[w][len] == '\0' || words[w][len] == '='))
				return true;
		return false;
	}
	return true;
}

void args_read(struct args *args, const struct verb *first, int count, char **words)
{
	const struct verb *form = first;

	while (form + 1 < verbs + verb_count && strcmp(form[1].name, first->name) == 0 && !args_fits(form, count, words))
		form++;
	*args = (struct args){ .verb = form };
	args_take_words(args, count, words);
	args_check(args);
}
