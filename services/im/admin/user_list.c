#include "im/admin/admin.h"
#include "im/admin/user_answer.h"
#include "im/http/page.h"

enum user_column { USER_UID, USER_NAME, USER_AVATAR, USER_CREATED_AT, USER_IS_DISABLED, USER_IS_BOT };

void user_answer_put(struct buf *out, const PGresult *result, int row, int first)
{
	struct str avatar = pg_text(result, row, first + USER_AVATAR);

	json_put_field(out, "uid", pg_text(result, row, first + USER_UID));
	json_put_field(out, "name", pg_text(result, row, first + USER_NAME));
	if (avatar.len)
		json_put_field(out, "avatar", avatar);
	json_put_u64_field(out, "created_at", (uint64_t)pg_i64(result, row, first + USER_CREATED_AT));
	json_put_bool_field(out, "disabled", pg_bool(result, row, first + USER_IS_DISABLED));
	json_put_bool_field(out, "bot", pg_bool(result, row, first + USER_IS_BOT));
}

/*
 * uid before the page or '', limit. The planner believes that few rows have a null, and would read all to find them; of a case it
 * believes nothing.
 */
static const struct pg_statement user_list_page = {
	"admin_users",
	"select " USER_ANSWER_COLUMNS " from account where uid > $1::text and case when deleted_at is null then true else false end"
	" order by uid limit $2::integer",
};

static void user_list_put(struct buf *out, const PGresult *result, int row)
{
	buf_append_char(out, '{');
	user_answer_put(out, result, row, 0);
	buf_append_char(out, '}');
}

static const struct paged_list user_list = { &user_list_page, "users", .key = 0, .put = user_list_put };

void admin_list_users(struct call *call)
{
	struct pg_params params = { 0 };

	call_list(call, &user_list, &params);
}
