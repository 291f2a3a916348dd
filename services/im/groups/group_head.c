#include "im/groups/group_head.h"

#include "base/text/ident.h"
#include "base/text/json.h"

const char *const group_join_modes[] = { "invite", "approval", "open", NULL };
const char *const group_history_modes[] = { "all", "since_join", NULL };

void group_head_put(struct buf *out, const struct group_head *head)
{
	char id[CONVERSATION_ID_MAX + 1];
	size_t id_len = conversation_group(id, head->gid);

	json_put_field(out, "group_id", head->gid);
	json_put_field(out, "conversation_id", str_of(id, id_len));
	json_put_field(out, "name", head->name);
	json_put_field(out, "owner", head->owner);
	json_put_field(out, "join", head->join);
	json_put_field(out, "history", head->history);
	json_put_u64_field(out, "member_count", head->member_count);
}
