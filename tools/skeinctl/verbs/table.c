/* Everything that skeinctl can do: see verb.h. A further call of im's API is a further row. */

#include "tools/skeinctl/verbs/verb.h"

/* clang-format off */
#define ARGUMENT(name_, field_, help_) \
	{ .name = name_, .help = help_, .field = field_, .place = PARAM_PATH, .is_required = true }
#define BODY_ARGUMENT(name_, field_, help_) \
	{ .name = name_, .help = help_, .field = field_, .place = PARAM_BODY, .is_required = true }
#define LOCAL(name_, value_, help_, ...) { .name = name_, .value = value_, .help = help_, ##__VA_ARGS__ }
#define BODY(name_, value_, field_, help_, ...) \
	{ .name = name_, .value = value_, .help = help_, .field = field_, .place = PARAM_BODY, ##__VA_ARGS__ }
#define QUERY(name_, value_, field_, help_, ...) \
	{ .name = name_, .value = value_, .help = help_, .field = field_, .place = PARAM_QUERY, ##__VA_ARGS__ }
#define FLAG(name_, help_, ...) { .name = name_, .help = help_, .kind = PARAM_FLAG, ##__VA_ARGS__ }

#define SHOW(title_, field_) { .title = title_, .field = field_ }
#define SHOW_NUMBER(title_, field_) { .title = title_, .field = field_, .kind = COLUMN_NUMBER }
#define SHOW_TIME(title_, field_) { .title = title_, .field = field_, .kind = COLUMN_TIME }

#define PAGE \
	QUERY("--limit", "N", "limit", "one page of at most N (1-200), instead of all", .kind = PARAM_NUMBER), \
	QUERY("--cursor", "CURSOR", "cursor", "the page that begins there: next_cursor of the one before")
#define ACTOR(name_, help_) { .name = name_, .value = "UID", .help = help_, .place = PARAM_ACTOR, .is_required = true }
#define ACTS_AS ACTOR("--as", "the user who asks, unless --token says who")
#define WAIT FLAG("--wait", "wait until the job has ended, and show its progress; exit status 1 unless it is done")
#define JOB ARGUMENT("JOB", "id", "the job's number")
#define JOB_SENTENCE "job {job_id} is {state}: {done} of {total} done, {failed} failed"
#define UID ARGUMENT("UID", "uid", "the user")
#define GID ARGUMENT("GID", "gid", "the group")
#define RECIPIENT \
	BODY("--to", "UID", "to.user", "the user who gets it", .group = 't', .is_required = true), \
	BODY("--group", "GID", "to.group", "the group that gets it", .group = 't', .is_required = true)
#define KEY \
	BODY("--key", "ID", "client_msg_id", "the message's key: sent again with the same, it is stored once", \
	     .kind = PARAM_KEY)
#define TEXT BODY_ARGUMENT("TEXT", "body.text", "the text of the message")
#define PASSWORD(...) \
	BODY("--password", "PASSWORD", "password", "the password; other users of this machine may see it", \
	     .group = 'p', ##__VA_ARGS__), \
	BODY("--password-file", "FILE", "password", "a file with the password in its first line; - is standard input", \
	     .kind = PARAM_SECRET_FILE, .group = 'p', ##__VA_ARGS__)
#define AUDIENCE \
	BODY("--uids", "UID,...", "uids", "these users", .kind = PARAM_LIST, .group = 'u', .is_required = true), \
	BODY("--uids-file", "FILE", "uids", "the users in a file, one a line; - is standard input", \
	     .kind = PARAM_LIST_FILE, .group = 'u', .is_required = true), \
	FLAG("--everyone", "all users", .group = 'u', .is_required = true)
#define NEW_USER \
	BODY_ARGUMENT("UID", "uid", "the new user"), \
	BODY("--name", "NAME", "name", "the name that others see", .is_required = true)

const struct param verb_common[] = {
	FLAG("--json", "print JSON: of a call its answer as it is"),
	LOCAL("--token", "TOKEN", "the token of the call; SKEIN_TOKEN in the environment does the same"),
	FLAG("--help", "show this"),
};

const size_t verb_common_count = ARRAY_LEN(verb_common);

const struct verb verbs[] = {
	{ "token", "mint a token for a user", .run = command_token, .params = {
		LOCAL("--uid", "UID", "the user", .is_required = true),
		LOCAL("--scope", "admin", "a token for the calls of administrators"),
		LOCAL("--ttl", "DURATION", "how long it is valid, at least 1s: 10m, 24h (default), 7d") } },
	{ "send", "send a text message as a user, with an administrator's token",
	  .method = "POST", .path = "/v1/admin/messages", .body = "{\"type\":\"text\"}",
	  .says = "stored in {conversation_id} as number {seq}, id {msg_id}", .params = {
		BODY("--as", "UID", "from", "the user in whose name it is sent", .is_required = true), RECIPIENT, KEY, TEXT } },
	{ "send", "send a text message with a token of the sender",
	  .method = "POST", .path = "/v1/messages", .body = "{\"type\":\"text\"}",
	  .says = "stored in {conversation_id} as number {seq}, id {msg_id}", .params = {
		ACTOR("--from", "the sender, unless --token says who"), RECIPIENT, KEY, TEXT } },
	{ "listen", "stay connected and print each message once; with a state file, over restarts too",
	  .run = command_listen, .params = {
		LOCAL("--uid", "UID", "the user", .is_required = true),
		LOCAL("--device", "ID", "the device (default: skeinctl)"),
		LOCAL("--gateway", "URL", "this gateway, instead of one that im names"),
		LOCAL("--count", "N", "end after N messages"),
		LOCAL("--state", "FILE", "keep the position in a file", .kind = PARAM_FILE),
		LOCAL("--epoch", "EPOCH", "with --offset: the position to begin at"),
		LOCAL("--offset", "OFFSET", "with --epoch") } },
	{ "demo", "two users on two gateways talk; print how fast", .run = command_demo, .params = {
		LOCAL("--messages", "N", "how many messages (default: 8)"),
		LOCAL("--pause", "DURATION", "between two messages (default: 300ms)") } },
	{ "health", "ask /readyz or /healthz of an internal port; exit status 0 for 200, else 1",
	  .run = command_health, .params = {
		LOCAL("URL", NULL, "the port's page: http://127.0.0.1:9100/readyz", .is_required = true) } },
	{ "secrets", "make the secrets of a cluster: DIR/jwt, DIR/postgres, DIR/pgpass", .run = command_secrets, .params = {
		LOCAL("DIR", NULL, "the folder", .kind = PARAM_FILE, .is_required = true) } },
	{ "completion", "print the completion of bash: source it, or see the manual page", .run = completion_print, .params = {
		LOCAL("SHELL", "bash", "the shell", .is_required = true) } },
	{ "nodes", "list the gateways that are alive",
	  .method = "GET", .path = "/v1/admin/nodes", .list = "nodes", .columns = {
		SHOW("NODE", "node"), SHOW_NUMBER("CONNECTIONS", "connections"), SHOW_NUMBER("QUEUE BYTES", "queue_bytes"),
		SHOW_NUMBER("LAG MS", "lag_ms"), SHOW("DRAINING", "draining"), SHOW("URL", "url") } },

	{ "stats", "show how much there is: users, messages, connections", .method = "GET", .path = "/v1/admin/stats" },
	{ "audit", "list what administrators have done, the last first",
	  .method = "GET", .path = "/v1/admin/audit", .list = "audit",
	  .params = { QUERY("--actor", "UID", "actor", "only what this administrator has done"), PAGE }, .columns = {
		SHOW("ID", "id"), SHOW_TIME("TIME", "time"), SHOW("ACTOR", "actor"), SHOW("ACTION", "action"),
		SHOW("TARGET", "target"), SHOW("ADDRESS", "address"), SHOW("DETAILS", "details") } },
	{ "kick", "close the connections of a user, or those of one device",
	  .method = "POST", .path = "/v1/admin/kick", .says = "{uid} has no such connection any more", .params = {
		BODY_ARGUMENT("UID", "uid", "the user"), BODY("--device", "ID", "device", "only those of this device") } },

	{ "broadcast", "send a message from the system user to many users, or to all",
	  .method = "POST", .path = "/v1/admin/broadcast", .says = JOB_SENTENCE, .params = {
		BODY("--body", "JSON", "body", "the message's body", .kind = PARAM_JSON, .is_required = true),
		BODY("--type", "TYPE", "type", "the message's type: image, custom ...", .is_required = true), AUDIENCE, WAIT } },
	{ "broadcast", "send a text message from the system user to many users, or to all",
	  .method = "POST", .path = "/v1/admin/broadcast", .body = "{\"type\":\"text\"}", .says = JOB_SENTENCE, .params = {
		AUDIENCE, WAIT, TEXT } },
	{ "jobs list", "list the jobs, the last one first",
	  .method = "GET", .path = "/v1/admin/jobs", .list = "jobs", .params = { PAGE }, .columns = {
		SHOW("JOB", "job_id"), SHOW("KIND", "kind"), SHOW("STATE", "state"), SHOW_NUMBER("DONE", "done"),
		SHOW_NUMBER("TOTAL", "total"), SHOW_NUMBER("FAILED", "failed"), SHOW("BY", "created_by"),
		SHOW_TIME("CREATED", "created_at"), SHOW_TIME("ENDED", "ended_at") } },
	{ "jobs show", "show how far a job is",
	  .method = "GET", .path = "/v1/admin/jobs/{id}", .params = { JOB, WAIT } },
	{ "jobs output", "print what an export has found, one JSON object a line",
	  .method = "GET", .path = "/v1/admin/jobs/{id}/output", .list = "items", .is_lines = true, .params = { JOB, PAGE } },
	{ "jobs cancel", "cancel a job: what it has done stays",
	  .method = "POST", .path = "/v1/admin/jobs/{id}/cancel", .says = JOB_SENTENCE, .params = { JOB } },
	{ "users list", "list all users",
	  .method = "GET", .path = "/v1/admin/users", .list = "users", .params = { PAGE }, .columns = {
		SHOW("UID", "uid"), SHOW("NAME", "name"), SHOW("BOT", "bot"), SHOW("DISABLED", "disabled"),
		SHOW_TIME("CREATED", "created_at") } },
	{ "users show", "show the profile of a user",
	  .method = "GET", .path = "/v1/users/{uid}", .params = { UID } },
	{ "users create", "create a bot, and print its token, which is shown only here",
	  .method = "POST", .path = "/v1/admin/users", .says = "{token}", .params = {
		BODY("--bot", NULL, "bot", "a bot", .kind = PARAM_FLAG, .is_required = true), NEW_USER } },
	{ "users create", "create a user",
	  .method = "POST", .path = "/v1/admin/users", .says = "{uid} is created", .params = { NEW_USER, PASSWORD() } },
	{ "users disable", "disable a user: refused everywhere within two seconds, connections closed",
	  .method = "PATCH", .path = "/v1/admin/users/{uid}", .body = "{\"disabled\":true}", .says = "{uid} is disabled",
	  .params = { UID } },
	{ "users enable", "enable a user again",
	  .method = "PATCH", .path = "/v1/admin/users/{uid}", .body = "{\"disabled\":false}", .says = "{uid} is enabled",
	  .params = { UID } },
	{ "users password", "set the password of a user; tokens stay valid",
	  .method = "PATCH", .path = "/v1/admin/users/{uid}", .says = "{uid} has a new password",
	  .params = { UID, PASSWORD(.is_required = true) } },
	{ "users logout", "end all tokens of a user, and close the connections that use them",
	  .method = "POST", .path = "/v1/admin/users/{uid}/logout", .says = "{uid} is logged out everywhere",
	  .params = { UID } },
	{ "users export", "export all that is stored about a user: a job; jobs output prints what it found",
	  .method = "POST", .path = "/v1/admin/users/{uid}/export", .says = JOB_SENTENCE, .params = { UID, WAIT } },
	{ "users delete", "delete a user: the user ends at once, and a job removes what it left",
	  .method = "DELETE", .path = "/v1/admin/users/{uid}", .says = JOB_SENTENCE, .params = { UID, WAIT } },

	{ "conversations edits", "show what a message of any conversation said before it was edited or recalled",
	  .method = "GET", .path = "/v1/admin/conversations/{id}/messages/{seq}/edits", .list = "edits", .params = {
		ARGUMENT("CONVERSATION", "id", "the conversation: u:alice:bob, g:GID"),
		ARGUMENT("SEQ", "seq", "the message's number in it"), PAGE },
	  .columns = { SHOW_NUMBER("SEQ", "seq"), SHOW_TIME("TIME", "time"), SHOW("FROM", "from"), SHOW("BODY", "body") } },

	{ "groups show", "show a group to one of its members",
	  .method = "GET", .path = "/v1/groups/{gid}", .params = { GID, ACTS_AS } },
	{ "groups members", "list the members of a group",
	  .method = "GET", .path = "/v1/groups/{gid}/members", .list = "members", .params = { GID, ACTS_AS, PAGE },
	  .columns = { SHOW("UID", "uid"), SHOW("ROLE", "role"), SHOW_TIME("MUTED UNTIL", "muted_until") } },
	{ "groups dissolve", "dissolve a group, as its owner", .method = "DELETE", .path = "/v1/groups/{gid}",
	  .says = "{gid} is dissolved", .params = { GID, ACTS_AS } },
};

const size_t verb_count = ARRAY_LEN(verbs);
/* clang-format on */
