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

int follow_job(const struct http_answer *answer, const char *token)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct buf path = { 0 }, id = { 0 }, state = { 0 }, shown = { 0 }, line = { 0 };

	(void)answer_append_value(&id, json_object_get(answer->body, "job_id"), COLUMN_TEXT, 64);
	buf_printf(&path, "/v1/admin/jobs/%s", buf_text(&id));
	for (;;) {
		struct http_answer now = http_api("GET", buf_text(&path), token, NULL);

		buf_clear(&state);
		(void)answer_append_value(&state, json_object_get(now.body, "state"), COLUMN_TEXT, 64);
		buf_clear(&line);
		buf_printf(&line, "%s %lld %lld", buf_text(&state), follow_number(now.body, "done"),
		           follow_number(now.body, "failed"));
		if (!str_equal(buf_str(&line), buf_str(&shown)))
			follow_print(buf_text(&id), buf_text(&state), now.body);
		buf_clear(&shown);
		buf_append_str(&shown, buf_str(&line));
		http_answer_release(&now);
		if (follow_is_over(buf_text(&state)))
			break;
		nanosleep(&pause, NULL);
	}
	bool is_done = strcmp(buf_text(&state), "done") == 0;
	buf_release(&path);
	buf_release(&id);
	buf_release(&state);
	buf_release(&shown);
	buf_release(&line);
	return is_done ? 0 : 1;
}
