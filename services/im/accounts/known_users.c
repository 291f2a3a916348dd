#include "im/users_seen.h"

#include "base/mem.h"
#include "im/statements.h"

struct admission {
	struct users_seen *seen;
	users_seen_done done;
	void *arg;
	size_t len;
	char uid[];
};

void users_seen_init(struct users_seen *seen, struct pg *pg)
{
	seen->pg = pg;
	recent_init(&seen->users, USERS_SEEN_MAX, sizeof(struct recent_entry));
}

void users_seen_release(struct users_seen *seen)
{
	recent_release(&seen->users);
}

bool users_seen_has(struct users_seen *seen, struct str uid)
{
	return recent_find(&seen->users, uid);
}

static err_t verdict(err_t err, const PGresult *result)
{
	if (err)
		return ERR_UNAVAILABLE;
	return pg_bool(result, 0, 0) ? ERR_UNAUTHENTICATED : OK;
}

static void on_touched(void *arg, err_t err, const PGresult *result)
{
	struct admission *admission = arg;

	err = verdict(err, result);
	if (!err)
		recent_make(&admission->seen->users, str_of(admission->uid, admission->len));
	admission->done(admission->arg, err);
	mem_free(admission);
}

void users_seen_admit(struct users_seen *seen, struct str uid, struct str token_id, users_seen_done done, void *arg)
{
	struct admission *admission = mem_alloc(sizeof(*admission) + uid.len);
	struct pg_params params = { 0 };

	*admission = (struct admission){ .seen = seen, .done = done, .arg = arg, .len = uid.len };
	memcpy(admission->uid, uid.ptr, uid.len);
	pg_put_text(&params, uid);
	if (token_id.len)
		pg_put_text(&params, token_id);
	else
		pg_put_null(&params);
	pg_query(seen->pg, PG_ANY_LANE, STATEMENT_ACCOUNT_TOUCH, &params, on_touched, admission);
}
