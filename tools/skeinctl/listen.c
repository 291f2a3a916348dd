#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/skeinctl/link.h"
#include "tools/skeinctl/skeinctl.h"

static const char *field(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : "";
}

static void print_message(const json_t *frame)
{
	const json_t *message = json_object_get(frame, "message");
	const json_t *body = json_object_get(message, "body");
	time_t seconds = (time_t)(json_integer_value(json_object_get(message, "time")) / 1000);
	char *body_text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	char when[16];
	struct tm tm;

	strftime(when, sizeof(when), "%H:%M:%S", localtime_r(&seconds, &tm));
	printf("%s  %s #%lld  %s: %s\n", when, field(message, "conversation_id"),
	       (long long)json_integer_value(json_object_get(message, "seq")), field(message, "from"),
	       *field(body, "text") ? field(body, "text") : body_text ? body_text :
	                                                                field(message, "type"));
	free(body_text);
}

static void print_frame(const json_t *frame, bool as_json)
{
	const char *type = field(frame, "type");

	if (!as_json && strcmp(type, "message") == 0) {
		print_message(frame);
	} else if (!as_json && strcmp(type, "hello") == 0) {
		printf("connected to %s as %s (epoch %s, head %s)\n", field(frame, "node"), field(frame, "uid"),
		       field(frame, "epoch"), field(frame, "head"));
	} else {
		json_dumpf(frame, stdout, JSON_COMPACT);
		printf("\n");
	}
	fflush(stdout);
}

int command_listen(struct args *args)
{
	const char *uid = args_required(args, "--uid");
	const char *device = args_option(args, "--device", "skeinctl");
	const char *gateway = args_option(args, "--gateway", NULL);
	const char *epoch = args_option(args, "--epoch", NULL), *offset = args_option(args, "--offset", NULL);
	struct buf more = { 0 };
	uint64_t count;

	if (!str_to_u64(str_from(args_option(args, "--count", "0")), &count))
		die("--count is no number");
	if (!epoch != !offset)
		die("--epoch and --offset go together");
	args_end(args);
	if (epoch)
		buf_printf(&more, "&epoch=%s&offset=%s", epoch, offset);
	char *token = make_token(uid, false, 86400000), *url = gateway ? str_dup(str_from(gateway)) : setting_item("SKEIN_WS", 0);
	struct link *link = link_open(url, token, device, buf_text(&more));
	for (uint64_t messages = 0; !count || messages < count;) {
		json_t *frame = link_next(link, 0, NULL);

		messages += strcmp(field(frame, "type"), "message") == 0;
		print_frame(frame, args->as_json);
		json_decref(frame);
	}
	link_close(link);
	link_end();
	buf_release(&more);
	free(url);
	free(token);
	return 0;
}
