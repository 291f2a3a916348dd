/* What a user has chosen for a conversation: pinned, muted, hidden. */

#include "im/conversations/conversations.h"

/* caller, conversation, pinned or NULL, muted or NULL, hidden -> verdict */
static const struct pg_statement conversation_choose = {
	"conversation_choose",
	"select verdict from fn.conversation_choose($1::text, $2::text, $3::boolean, $4::boolean, $5::boolean)",
};

static const struct call_reason choice_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such user, group or conversation" },
	{ ERR_NOT_MEMBER, NULL, "only members may do this in a group" },
	{ .err = OK },
};

static void choice_on_done(struct call *call, const PGresult *result)
{
	(void)result;
	call_no_content(call);
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
	pg_put_bool(&params, false);
	call_explain(call, choice_reasons);
	call_query(call, &conversation_choose, &params, choice_on_done);
}

void conversations_hide(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_conversation(call, "id"));
	pg_put_null(&params);
	pg_put_null(&params);
	pg_put_bool(&params, true);
	call_explain(call, choice_reasons);
	call_query(call, &conversation_choose, &params, choice_on_done);
}
