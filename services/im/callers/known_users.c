#include "im/callers/known_users.h"

#include "base/mem.h"

/* uid, token id or NULL -> whether the user is disabled, logged_out_at, whether the token was revoked */
static const struct pg_statement known_users_touch = {
	"account_touch",
	"with made as (insert into account (uid, name)"
	" select $1::text, $1::text where not exists (select from account where uid = $1::text)"
	" on conflict do nothing)"
	" select coalesce(is_disabled, false), coalesce(logged_out_at, -1), exists (select from change_feed where id = $2::bytea)"
	" from (select) as one left join account on uid = $1::text",
};

struct user_admission {
	struct known_users *seen;
	uint64_t forgotten; /* as of when the database was asked */
	uint64_t issued_ms;
	known_users_done done;
	void *arg;
	size_t len;
	char uid[];
};

void known_users_init(struct known_users *seen, struct pg *pg)
{
	*seen = (struct known_users){ .pg = pg };
	user_lru_init(&seen->users, USERS_SEEN_MAX, sizeof(struct known_user));
}

void known_users_release(struct known_users *seen)
{
	user_lru_release(&seen->users);
}

const struct known_user *known_users_find(struct known_users *seen, struct str uid)
{
	struct user_lru_entry *entry = user_lru_find(&seen->users, uid);

	return entry ? container_of(entry, struct known_user, entry) : NULL;
}

void known_users_forget(struct known_users *seen, struct str uid)
{
	seen->forgotten++;
	if (uid.len) {
		user_lru_drop(&seen->users, uid);
		return;
	}
	user_lru_release(&seen->users);
	user_lru_init(&seen->users, USERS_SEEN_MAX, sizeof(struct known_user));
}

/*
 * The answer is that of a moment before now. If a user was forgotten meanwhile, the change may have come after that moment:
 * then it answers this request, and the next one asks again.
 */
static err_t known_users_take(const struct user_admission *admission, const PGresult *result)
{
	struct known_user user = { .logged_out_ms = pg_i64(result, 0, 1) };
	bool is_disabled = pg_bool(result, 0, 0), is_revoked = pg_bool(result, 0, 2);

	if (!is_disabled && admission->forgotten == admission->seen->forgotten) {
		struct user_lru_entry *made = user_lru_make(&admission->seen->users, str_of(admission->uid, admission->len));
		container_of(made, struct known_user, entry)->logged_out_ms = user.logged_out_ms;
	}
	return is_disabled || is_revoked || !known_user_takes(&user, admission->issued_ms) ? ERR_UNAUTHENTICATED : OK;
}

static void known_users_on_touched(void *arg, err_t err, const PGresult *result)
{
	struct user_admission *admission = arg;

	err = err ? ERR_UNAVAILABLE : known_users_take(admission, result);
	admission->done(admission->arg, err);
	mem_free(admission);
}

void known_users_admit(struct known_users *seen, struct str uid, const struct user_token *token, known_users_done done, void *arg)
{
	struct user_admission *admission = mem_alloc(sizeof(*admission) + uid.len);
	struct pg_params params = { 0 };

	*admission = (struct user_admission){ seen, seen->forgotten, token->issued_ms, done, arg, uid.len };
	memcpy(admission->uid, uid.ptr, uid.len);
	pg_put_text(&params, uid);
	if (token->id.len)
		pg_put_text(&params, token->id);
	else
		pg_put_null(&params);
	pg_query(seen->pg, PG_ANY_LANE, &known_users_touch, &params, known_users_on_touched, admission);
}
