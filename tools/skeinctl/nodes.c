#include <stdio.h>
#include <stdlib.h>

#include "tools/skeinctl/skeinctl.h"

static const char *nodes_text(const json_t *node, const char *field)
{
	const char *value = json_string_value(json_object_get(node, field));

	return value ? value : "-";
}

static long long nodes_number(const json_t *node, const char *field)
{
	return (long long)json_integer_value(json_object_get(node, field));
}

int command_nodes(struct args *args)
{
	struct buf url = { 0 };
	size_t index;
	json_t *node;

	args_end(args);
	char *token = make_token("skeinctl", true, 60000), *base = setting_item("SKEIN_HTTP", 0);
	buf_printf(&url, "%s/v1/admin/nodes", base);
	json_t *answer = http_must("GET", buf_text(&url), token, NULL);
	if (args->as_json) {
		json_dumpf(answer, stdout, JSON_COMPACT);
		printf("\n");
	} else {
		printf("%-16s %12s %12s %8s  %s\n", "NODE", "CONNECTIONS", "QUEUE BYTES", "LAG MS", "URL");
		json_array_foreach(json_object_get(answer, "nodes"), index, node)
			printf("%-16s %12lld %12lld %8lld  %s%s\n", nodes_text(node, "node"),
		               nodes_number(node, "connections"), nodes_number(node, "queue_bytes"),
		               nodes_number(node, "lag_ms"), nodes_text(node, "url"),
		               json_is_true(json_object_get(node, "draining")) ? "  (draining)" : "");
	}
	json_decref(answer);
	buf_release(&url);
	free(base);
	free(token);
	return 0;
}
