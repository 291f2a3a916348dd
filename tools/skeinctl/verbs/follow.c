/* Waits for a job of the cluster, and shows how far it is. */

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tools/skeinctl/verbs/verb.h"

#define LOOK_MS 500

static long long follow_number(const json_t *job, const char *name)
{
	return (long long)json_integer_value(json_object_get(job, name));
}

static bool follow_is_over(const char *state)
{
	return strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
}

/* A line of its own in a log; on a terminal each replaces the one before it. */
static void follow_print(const char *id, const char *state, const json_t *job)
{
	bool is_terminal = isatty(STDERR_FILENO);

	fprintf(stderr, "%sjob %s: %s, %lld of %lld, %lld failed%s", is_terminal ? "\r\033[K" : "", id, state,
	        follow_number(job, "done"), follow_number(job, "total"), follow_number(job, "failed"),
	        is_terminal && !follow_is_over(state) ? "" : "\n");
}

/* Asks for the job; prints how far it is where that differs from `shown`. */
static struct http_answer follow_look(const char *path, const char *id, const char *token, struct buf *shown)
{
	struct http_answer now = http_api("GET", path, token, NULL);
	struct buf state = { 0 }, line = { 0 };

	(void)answer_append_value(&state, json_object_get(now.body, "state"), COLUMN_TEXT, 64);
	buf_printf(&line, "%s %lld %lld", buf_text(&state), follow_number(now.body, "done"), follow_number(now.body, "failed"));
	if (!str_equal(buf_str(&line), buf_str(shown)))
		follow_print(id, buf_text(&state), now.body);
	buf_release(shown);
	*shown = line;
	buf_release(&state);
	return now;
}

bool follow_job(struct http_answer *answer, const char *token)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	const char *id = json_string_value(json_object_get(answer->body, "job_id")), *state;
	struct buf path = { 0 }, shown = { 0 }, number = { 0 };

	if (!id || !*id || id[strspn(id, "0123456789")])
		die("the answer names no job to wait for");
	buf_append_text(&number, id);
	buf_printf(&path, "/v1/admin/jobs/%s", id);
	for (;;) {
		http_answer_release(answer);
		*answer = follow_look(buf_text(&path), buf_text(&number), token, &shown);
		state = json_string_value(json_object_get(answer->body, "state"));
		if (!state)
			die("job %s has no state", buf_text(&number));
		if (follow_is_over(state))
			break;
		nanosleep(&pause, NULL);
	}
	buf_release(&path);
	buf_release(&shown);
	buf_release(&number);
	return strcmp(state, "done") == 0;
}
