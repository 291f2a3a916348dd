/* What a user has chosen for a conversation: pinned, muted, hidden. */

#include "im/conversations/conversations.h"

/* caller, conversation, pinned or NULL, muted or NULL, hidden, most that may be pinned -> verdict */
static const struct pg_statement conversation_choose = {
	"conversation_choose",
	"select verdict from fn.conversation_choose($1::text, $2::text, $3::boolean, $4::boolean, $5::boolean, $6::integer)",
};

static const struct call_reason choice_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such user, group or conversation" },
	{ ERR_NOT_MEMBER, NULL, "only members may do this in a group" },
	{ ERR_FAILED_PRECONDITION, "pinned", "as many conversations are pinned as may be" },
	{ .err = OK },
};

static void choice_on_done(struct call *call, const PGresult *result)
{
	(void)result;
	call_no_content(call);
}

static void choice_store(struct call *call, struct pg_params *params, bool is_hidden)
{
	const struct im_config *config = ((const struct conversations *)call_context(call))->config;

	pg_put_bool(params, is_hidden);
	pg_put_i32(params, (int32_t)config->limits_pinned_conversations);
	call_explain(call, choice_reasons);
	call_query(call, &conversation_choose, params, choice_on_done);
}

static void choice_put(struct call *call, struct pg_params *params, const char *field)
{
	if (call_has(call, field))
		pg_put_bool(params, call_bool(call, field, JSON_OPTIONAL));
	else
		pg_put_null(params);
}

void conversations_choose(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_conversation(call, "id"));
	choice_put(call, &params, "pinned");
	choice_put(call, &params, "muted");
	choice_store(call, &params, false);
}

void conversations_hide(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_conversation(call, "id"));
	pg_put_null(&params);
	pg_put_null(&params);
	choice_store(call, &params, true);
}
