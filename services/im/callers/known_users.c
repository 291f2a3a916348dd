#include "im/callers/known_users.h"

#include "base/mem.h"

/* uid, token id or NULL -> whether the user is disabled, or the token revoked */
static const struct pg_statement known_users_touch = {
	"account_touch",
	"with made as (insert into account (uid, name)"
	" select $1::text, $1::text where not exists (select from account where uid = $1::text)"
	" on conflict do nothing)"
	" select exists (select from account where uid = $1::text and is_disabled)"
	" or exists (select from revoked_token where token_id = $2::bytea)",
};

struct user_admission {
	struct known_users *seen;
	known_users_done done;
	void *arg;
	size_t len;
	char uid[];
};

void known_users_init(struct known_users *seen, struct pg *pg)
{
	seen->pg = pg;
	user_lru_init(&seen->users, USERS_SEEN_MAX, sizeof(struct user_lru_entry));
}

void known_users_release(struct known_users *seen)
{
	user_lru_release(&seen->users);
}

bool known_users_has(struct known_users *seen, struct str uid)
{
	return user_lru_find(&seen->users, uid);
}

static void known_users_on_touched(void *arg, err_t err, const PGresult *result)
{
	struct user_admission *admission = arg;

	if (err)
		err = ERR_UNAVAILABLE;
	else if (pg_bool(result, 0, 0))
		err = ERR_UNAUTHENTICATED;
	else
		user_lru_make(&admission->seen->users, str_of(admission->uid, admission->len));
	admission->done(admission->arg, err);
	mem_free(admission);
}

void known_users_admit(struct known_users *seen, struct str uid, struct str token_id, known_users_done done, void *arg)
{
	struct user_admission *admission = mem_alloc(sizeof(*admission) + uid.len);
	struct pg_params params = { 0 };

	*admission = (struct user_admission){ .seen = seen, .done = done, .arg = arg, .len = uid.len };
	memcpy(admission->uid, uid.ptr, uid.len);
	pg_put_text(&params, uid);
	if (token_id.len)
		pg_put_text(&params, token_id);
	else
		pg_put_null(&params);
	pg_query(seen->pg, PG_ANY_LANE, &known_users_touch, &params, known_users_on_touched, admission);
}
