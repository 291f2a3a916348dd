/* Asks a service's internal port how it is: the health check of a container, which has no other HTTP client. */

#include <stdio.h>

#include "tools/skeinctl/verbs/verb.h"

/* The checks of /readyz that are not "ok", "name state" with commas between. */
static void health_write_reason(struct buf *out, const json_t *answer)
{
	const char *name;
	json_t *check;

	if (json_is_true(json_object_get(answer, "draining")))
		buf_append_text(out, ": draining");
	json_object_foreach(json_object_get(answer, "checks"), name, check)
	{
		const char *state = json_string_value(check);

		if (state && strcmp(state, "ok") != 0)
			buf_printf(out, "%s %s %s", out->len ? "," : ":", name, state);
	}
}

int command_health(const struct args *args)
{
	const char *url = args_value(args, "URL");
	struct buf reason = { 0 }, line = { 0 };

	struct http_answer answer = http_call("GET", url, NULL, NULL);
	bool is_well = answer.status == 200;
	if (args->as_json && answer.body) {
		visible_print_json(answer.body);
	} else {
		if (!is_well)
			health_write_reason(&reason, answer.body);
		(void)visible_append(&line, buf_str(&reason), COLUMNS_UNBOUNDED);
		printf("%s: %ld%s\n", url, answer.status, buf_text(&line));
	}
	http_answer_release(&answer);
	buf_release(&reason);
	buf_release(&line);
	return is_well ? 0 : 1;
}
