/* What a person sees of an answer: a table, a sentence, or all members; or its JSON. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "tools/skeinctl/verbs/verb.h"

#define CELL_MAX 64 /* columns; the last cell of a row has more */
#define LAST_CELL_MAX 160
#define VALUE_MAX 1000 /* columns of a member that is shown alone */
#define MEMBERS_DEPTH 4

json_t *answer_member(const json_t *object, const char *path)
{
	struct str rest = str_from(path);
	json_t *value = NULL;

	while (rest.ptr) {
		struct str name = str_cut(&rest, '.');

		value = json_object_getn(value ? value : object, name.ptr, name.len);
		if (!value)
			return NULL;
	}
	return value;
}

/* ---- values ---- */

static void answer_append_time(struct buf *out, json_int_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];

	if (ms < 0 || ms / 1000 > 253402300799 || !gmtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		buf_printf(out, "%" JSON_INTEGER_FORMAT, ms);
	else
		buf_append_text(out, text);
}

/* The value as a text of any length and content. */
static void answer_append_raw(struct buf *out, const json_t *value, enum column_kind kind)
{
	size_t index;
	json_t *item;

	if (!value || json_is_null(value))
		buf_append_char(out, '-');
	else if (json_is_string(value))
		buf_append(out, json_string_value(value), json_string_length(value));
	else if (json_is_integer(value) && kind == COLUMN_TIME)
		answer_append_time(out, json_integer_value(value));
	else if (json_is_integer(value))
		buf_append_i64(out, json_integer_value(value));
	else if (json_is_boolean(value))
		buf_append_text(out, json_is_true(value) ? "yes" : "no");
	else if (json_is_array(value) && !json_is_object(json_array_get(value, 0)))
		json_array_foreach(value, index, item)
		{
			buf_append_text(out, index ? "," : "");
			answer_append_raw(out, item, kind);
		}
	else {
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		buf_append_text(out, text ? text : "");
		free(text);
	}
}

size_t answer_append_value(struct buf *out, const json_t *value, enum column_kind kind, size_t columns_max)
{
	struct buf raw = { 0 };

	answer_append_raw(&raw, value, kind);
	size_t width = visible_append(out, buf_str(&raw), columns_max);
	buf_release(&raw);
	return width;
}

/* ---- tables ---- */

static size_t answer_column_count(const struct verb *verb)
{
	size_t count = 0;

	while (count < COLUMNS_MAX && verb->columns[count].title)
		count++;
	return count;
}

struct cell {
	size_t at, len, width; /* its text in the table's buffer */
};

struct table {
	const struct verb *verb;
	size_t column_count, row_count;
	struct cell *cells; /* row after row; the first row has the titles */
	struct buf texts;
	size_t widths[COLUMNS_MAX];
};

static void table_add(struct table *table, size_t row, size_t column, const json_t *value, enum column_kind kind)
{
	struct cell *cell = &table->cells[row * table->column_count + column];

	cell->at = table->texts.len;
	cell->width = answer_append_value(&table->texts, value, kind, column + 1 == table->column_count ? LAST_CELL_MAX : CELL_MAX);
	cell->len = table->texts.len - cell->at;
	table->widths[column] = MAX(table->widths[column], cell->width);
}

static void table_fill(struct table *table, const json_t *rows)
{
	for (size_t c = 0; c < table->column_count; c++) {
		json_t *title = json_string(table->verb->columns[c].title);

		table_add(table, 0, c, title, COLUMN_TEXT);
		json_decref(title);
	}
	for (size_t r = 1; r < table->row_count; r++)
		for (size_t c = 0; c < table->column_count; c++)
			table_add(table, r, c, answer_member(json_array_get(rows, r - 1), table->verb->columns[c].field),
			          table->verb->columns[c].kind);
}

static void table_print_row(const struct table *table, size_t row)
{
	for (size_t c = 0; c < table->column_count; c++) {
		const struct cell *cell = &table->cells[row * table->column_count + c];
		int blanks = (int)(table->widths[c] - cell->width);
		bool is_right = table->verb->columns[c].kind == COLUMN_NUMBER, is_last = c + 1 == table->column_count;

		printf("%s%*s%.*s%*s", c ? "  " : "", is_right ? blanks : 0, "", (int)cell->len, table->texts.ptr + cell->at,
		       is_right || is_last ? 0 : blanks, "");
	}
	printf("\n");
}

static void answer_print_table(const struct verb *verb, const json_t *rows)
{
	struct table table = { .verb = verb, .column_count = answer_column_count(verb), .row_count = 1 + json_array_size(rows) };

	table.cells = mem_zalloc(table.row_count * table.column_count * sizeof(*table.cells));
	table_fill(&table, rows);
	for (size_t r = 0; r < table.row_count; r++)
		table_print_row(&table, r);
	buf_release(&table.texts);
	mem_free(table.cells);
}

/* ---- sentences and members ---- */

static const char *answer_argument(const struct args *args, struct str field)
{
	for (size_t i = 0; i < verb_param_count(args->verb); i++)
		if (args->verb->params[i].field && str_equal(str_from(args->verb->params[i].field), field))
			return args->values[i];
	return NULL;
}

static void answer_append_part(struct buf *out, const struct args *args, const json_t *object, struct str field)
{
	char *path = str_dup(field);
	const json_t *value = answer_member(object, path);
	const char *argument = value ? NULL : answer_argument(args, field);

	if (argument)
		(void)visible_append(out, str_from(argument), VALUE_MAX);
	else
		(void)answer_append_value(out, value, COLUMN_TEXT, COLUMNS_UNBOUNDED);
	mem_free(path);
}

static void answer_print_sentence(const struct args *args, const json_t *object)
{
	struct str rest = str_from(args->verb->says);
	struct buf line = { 0 };

	while (rest.ptr) {
		buf_append_str(&line, str_cut(&rest, '{'));
		if (rest.ptr)
			answer_append_part(&line, args, object, str_cut(&rest, '}'));
	}
	printf("%s\n", buf_text(&line));
	buf_release(&line);
}

/* The members that are times by the contract's names. */
static bool answer_is_time(const char *name)
{
	static const char *const names[] = { "time", "since", "until", "muted_until", "last_seen" };
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return len > 3 && strcmp(name + len - 3, "_at") == 0;
}

/* All members, those of objects inside too, one a line. */
static void answer_print_members(const json_t *object, const char *prefix, unsigned depth)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		struct buf line = { 0 }, path = { 0 };

		buf_printf(&path, "%s%s%s", prefix, *prefix ? "." : "", name);
		if (json_is_object(value) && depth < MEMBERS_DEPTH && json_object_size(value)) {
			answer_print_members(value, buf_text(&path), depth + 1);
		} else {
			(void)visible_append(&line, buf_str(&path), CELL_MAX);
			buf_append_text(&line, ": ");
			(void)answer_append_value(&line, value, answer_is_time(name) ? COLUMN_TIME : COLUMN_TEXT, VALUE_MAX);
			printf("%s\n", buf_text(&line));
		}
		buf_release(&path);
		buf_release(&line);
	}
}

/* ---- the answer ---- */

static void answer_print_json(struct str text)
{
	struct buf out = { 0 };

	visible_append_json(&out, str_trim(text));
	printf("%s\n", buf_text(&out));
	buf_release(&out);
}

static void answer_print_as_json(const struct http_answer *answer, const json_t *joined)
{
	if (joined) {
		char *text = json_dumps(joined, JSON_COMPACT);

		answer_print_json(str_from(text));
		free(text);
	} else if (answer->body) {
		answer_print_json(buf_str(&answer->text));
	}
}

void answer_print_more(const json_t *page)
{
	const json_t *cursor = json_object_get(page, "next_cursor");
	struct buf line = { 0 };

	if (!cursor)
		return;
	(void)answer_append_value(&line, cursor, COLUMN_TEXT, VALUE_MAX);
	fflush(stdout);
	fprintf(stderr, "there is more: --cursor %s\n", buf_text(&line));
	buf_release(&line);
}

void answer_print(const struct args *args, const struct http_answer *answer, const json_t *joined)
{
	const struct verb *verb = args->verb;
	const json_t *object = joined ? joined : answer->body;

	if (args->as_json) {
		answer_print_as_json(answer, joined);
	} else if (verb->list) {
		answer_print_table(verb, json_object_get(object, verb->list));
		answer_print_more(object);
	} else if (verb->says) {
		answer_print_sentence(args, object);
	} else {
		answer_print_members(object, "", 0);
	}
}
