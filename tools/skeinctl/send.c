#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "tools/skeinctl/skeinctl.h"

json_t *text_message(const char *user, const char *group, const char *text)
{
	char key[25];

	random_hex(key, sizeof(key) - 1);
	return json_pack("{s:s, s:{s:s}, s:s, s:{s:s}}", "client_msg_id", key, "to", user ? "user" : "group",
	                 user ? user : group, "type", "text", "body", "text", text);
}

int command_send(struct args *args)
{
	const char *from = args_required(args, "--from");
	const char *user = args_option(args, "--to", NULL);
	const char *group = args_option(args, "--group", NULL);
	const char *text = args_word(args);
	struct buf url = { 0 };

	if (!user == !group)
		die("one of --to UID and --group GID");
	if (!text)
		die("the text of the message is missing");
	args_end(args);
	json_t *message = text_message(user, group, text);
	if (!message)
		die("the text is not UTF-8");
	char *token = make_token(from, false, 60000), *base = setting_item("SKEIN_HTTP", 0);
	buf_printf(&url, "%s/v1/messages", base);
	json_t *stored = http_must("POST", buf_text(&url), token, message);
	if (args->as_json) {
		json_dumpf(stored, stdout, JSON_COMPACT);
		printf("\n");
	} else {
		printf("stored in %s as number %lld, id %s\n",
		       json_string_value(json_object_get(stored, "conversation_id")),
		       (long long)json_integer_value(json_object_get(stored, "seq")),
		       json_string_value(json_object_get(stored, "msg_id")));
	}
	json_decref(stored);
	buf_release(&url);
	free(base);
	free(token);
	return 0;
}
