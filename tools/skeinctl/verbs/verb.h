#ifndef SKEIN_TOOLS_SKEINCTL_VERB_H
#define SKEIN_TOOLS_SKEINCTL_VERB_H

#include "base/text/buf.h"
#include "tools/skeinctl/skeinctl.h"

/*
 * The commands of skeinctl are one table, verbs[]. A row that calls im's API is data only: the command line it takes, the
 * request made of it, and what a person sees of the answer. A row with `run` is a function. The command line, --help,
 * the manual page and the completion of bash are made from the rows, so none of them can lag behind.
 *
 * Rows with one name are forms of a verb. A form is chosen by its first required option; where none is given, the last
 * form is meant.
 */

enum param_kind {
	PARAM_TEXT,
	PARAM_NUMBER,
	PARAM_FLAG, /* an option without a value: true */
	PARAM_LIST, /* a,b,c: an array of texts */
	PARAM_LIST_FILE, /* a file with one text a line, "-" is standard input: an array of texts */
	PARAM_SECRET_FILE, /* a file whose first line is the text, "-" is standard input */
	PARAM_JSON, /* a JSON object */
	PARAM_KEY, /* a text; one is made when it is not given */
	PARAM_FILE, /* the path of a file of this machine */
};

enum param_place {
	PARAM_LOCAL, /* for `run`, or for the wait */
	PARAM_PATH, /* the part {field} of the path */
	PARAM_QUERY,
	PARAM_BODY, /* a member; "to.user" is one of an object */
	PARAM_ACTOR, /* the user whose token makes the call; one that is required may be left out where a token is given */
};

struct param {
	const char *name; /* "--limit" is an option, "UID" an argument */
	const char *value; /* of an option, as the help shows it: "N"; in lower case, "ios|web", all that are taken; NULL: none */
	const char *help;
	const char *field;
	enum param_kind kind;
	enum param_place place;
	bool is_required;
	char group; /* at most one of the options with the same letter; if one of them is required, exactly one */
};

enum column_kind { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_TIME };

struct column {
	const char *title;
	const char *field; /* "last.seq" is a member of an object */
	enum column_kind kind;
};

#define PARAMS_MAX 12
#define COLUMNS_MAX 10

struct args;

struct verb {
	const char *name; /* one word, or two: "users list" */
	const char *help;
	struct param params[PARAMS_MAX]; /* up to the first without a name */
	int (*run)(const struct args *args); /* returns the exit status; NULL: the rest of the row says what happens */

	const char *method, *path; /* "/v1/users/{uid}" */
	const char *body; /* members that are always the same, as JSON */
	const char *list; /* the noun of the list in the answer, which is shown as a table */
	struct column columns[COLUMNS_MAX]; /* up to the first without a title */
	bool is_lines; /* the list is not shown as a table: each item is a line of JSON, however many pages there are */
	const char *says; /* shown for an answer: {field} of it, else of the arguments. Without it all members are shown */
};

extern const struct verb verbs[];
extern const size_t verb_count;

/* Each verb also takes these; --token only where the API is called. */
extern const struct param verb_common[];
extern const size_t verb_common_count;

/* Whether the verb takes this common option. */
bool verb_takes_common(const struct verb *verb, const struct param *param);

static inline bool param_is_option(const struct param *param)
{
	return param->name[0] == '-';
}

static inline bool param_has_choices(const struct param *param)
{
	return param->value && *param->value >= 'a' && *param->value <= 'z';
}

size_t verb_param_count(const struct verb *verb);

/* The verb's words: "users list" and "users" name the same group. Length of the first word. */
static inline size_t verb_group_len(const struct verb *verb)
{
	return strcspn(verb->name, " ");
}

/* ---- a command line ---- */

struct args {
	const struct verb *verb;
	const char *values[PARAMS_MAX]; /* of the verb's params; NULL: not given. A flag has its own name */
	const char *token; /* of --token; NULL without */
	bool as_json;
};

/* The value of an option or argument of the verb, by its name; NULL if it was not given. */
const char *args_value(const struct args *args, const char *name);
const char *args_value_or(const struct args *args, const char *name, const char *fallback);

/* A number from `min` to `max`; ends the program if it is another. */
uint64_t args_number(const struct args *args, const char *name, uint64_t fallback, uint64_t min, uint64_t max);

/* Reads the words after the name of a verb. `first` is its first form. Ends the program if they are not as its forms say. */
void args_read(struct args *args, const struct verb *first, int count, char **words);

/* ---- help ---- */

void help_print_all(FILE *out);
void help_print_group(FILE *out, const char *group);
void help_print_verb(const struct verb *first);

/* The table for programs, a line for each form and each of its options, with tabs between: deploy/install/man-page and
 * tests read it. */
void help_print_rows(void);

/* The completion of bash. */
int completion_print(const struct args *args);

/* ---- calls ---- */

/* Makes the call of a row and shows the answer. */
int request_run(const struct args *args);

/* Whether --token or SKEIN_TOKEN gives a token. */
bool request_has_token(const struct args *args);

/* A token for the call: of --token or SKEIN_TOKEN, else made with the cluster's secret. free() it. */
char *request_token(const struct args *args);

/* Prints the answer as JSON (its text as it is), or as the row says. `rows` has all pages of a list; NULL otherwise. */
void answer_print(const struct args *args, const struct http_answer *answer, const json_t *rows);

/*
 * Waits until the job that the answer is, or names, has ended, and shows its progress on stderr. The answer becomes that about the
 * ended job. Returns whether it is done.
 */
bool follow_job(struct http_answer *answer, const char *token);

/* Says on stderr how to go on, if there is a next page. */
void answer_print_more(const json_t *page);

/* Members of nested objects by a path: "last.seq". NULL if one is not there. */
json_t *answer_member(const json_t *object, const char *path);

/* Appends a value as a person reads it, made visible. Returns its width. */
size_t answer_append_value(struct buf *out, const json_t *value, enum column_kind kind, size_t columns_max);

/* ---- verbs that are functions ---- */

int command_token(const struct args *args);
int command_listen(const struct args *args);
int command_demo(const struct args *args);
int command_health(const struct args *args);
int command_secrets(const struct args *args);

#endif
