/* One group whose members are all connected: what a message costs when it goes to a thousand. */

#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/http_peer.h"
#include "tests/bench/traffic.h"

static unsigned sender(const struct traffic *traffic, uint64_t i)
{
	return (unsigned)(i * 7 % traffic->user_count);
}

/* The first user makes a group of all. Its id, on the heap. */
static char *make_group(struct user *users, unsigned count)
{
	struct buf body = { 0 }, answer = { 0 };
	struct address im = im_address(0);

	buf_append_text(&body, "{\"name\":\"bench\",\"members\":[");
	for (unsigned i = 1; i < count; i++)
		buf_printf(&body, "%s\"%s\"", i > 1 ? "," : "", users[i].uid);
	buf_append_text(&body, "]}");
	int status = http_post_now(im.host, im.port, "/v1/groups", str_from(users[0].token), buf_str(&body), &answer);
	if (status != 201)
		fail("POST /v1/groups: %d %.*s", status, STR_ARG(buf_str(&answer)));
	json_t *group = json_loadb(answer.ptr, answer.len, 0, NULL);
	char *gid = str_dup(str_from(json_string_value(json_object_get(group, "group_id"))));
	json_decref(group);
	buf_release(&body);
	buf_release(&answer);
	return gid;
}

json_t *scenario_group(const struct options *options)
{
	struct traffic traffic = {
		.user_count = options->users ? options->users : 1000,
		.http_connections = options->connections ? options->connections : 16,
		.rate = options->rate > 0 ? options->rate : 20,
		.seconds = options->seconds > 0 ? options->seconds : 10,
		.sender = sender,
	};

	if (traffic.user_count < 2 || traffic.user_count > 1000)
		fail("group wants 2 to 1000 members");
	traffic.users = users_make(traffic.user_count, "group");
	/* whoever connects exists: members must, before they can be named */
	users_connect(traffic.users, traffic.user_count, NULL, NULL);
	for (unsigned i = 0; i < traffic.user_count; i++) {
		ws_peer_close(&traffic.users[i].peer);
		traffic.users[i].peer = (struct ws_peer){ .watch.fd = -1 };
	}
	char *gid = make_group(traffic.users, traffic.user_count);
	traffic.group = gid;
	traffic_run(&traffic);
	users_free(traffic.users, traffic.user_count);
	free(gid);
	return traffic_report(&traffic, "group");
}
