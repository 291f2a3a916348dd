#include "im/callers/known_users.h"

#include "base/mem.h"

/* uid, token id or NULL -> whether the user is disabled, logged_out_at, whether it is a bot, whether the token was revoked */
static const struct pg_statement known_users_touch = {
	"account_touch",
	"with made as (insert into account (uid, name)"
	" select $1::text, $1::text where not exists (select from account where uid = $1::text)"
	" on conflict do nothing)"
	" select coalesce(is_disabled, false), coalesce(logged_out_at, -1), coalesce(is_bot, false),"
	" exists (select from change_feed where id = $2::bytea)"
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
static void known_users_remember(const struct user_admission *admission, const struct known_user *user)
{
	if (admission->forgotten != admission->seen->forgotten)
		return;
	struct user_lru_entry *entry = user_lru_make(&admission->seen->users, str_of(admission->uid, admission->len));
	struct known_user *made = container_of(entry, struct known_user, entry);
	made->logged_out_ms = user->logged_out_ms;
	made->is_bot = user->is_bot;
}

enum touch_column { TOUCH_IS_DISABLED, TOUCH_LOGGED_OUT_AT, TOUCH_IS_BOT, TOUCH_IS_REVOKED };

static void known_users_on_touched(void *arg, err_t err, const PGresult *result)
{
	struct user_admission *admission = arg;
	struct known_user user = { 0 };

	if (err) {
		err = ERR_UNAVAILABLE;
	} else if (pg_bool(result, 0, TOUCH_IS_DISABLED)) {
		err = ERR_UNAUTHENTICATED;
	} else {
		user.logged_out_ms = pg_i64(result, 0, TOUCH_LOGGED_OUT_AT);
		user.is_bot = pg_bool(result, 0, TOUCH_IS_BOT);
		known_users_remember(admission, &user);
		if (pg_bool(result, 0, TOUCH_IS_REVOKED) || !known_user_takes(&user, admission->issued_ms))
			err = ERR_UNAUTHENTICATED;
	}
	admission->done(admission->arg, err, err ? NULL : &user);
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
