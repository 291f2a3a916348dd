#include "im/db/statements.h"

/*
 * What a user may read of a conversation: one row, joined to what is read, so that an empty conversation still has its
 * verdict. $1 uid, $2 conversation, $3 the other user or NULL, $4 the group or NULL.
 */
#define WITH_ACCESS \
	"with access as (select case" \
	" when a.uid is null and g.gid is null or g.dissolved_at is not null then 'not_found'" \
	" when g.gid is not null and m.uid is null then 'not_member'" \
	" else 'ok' end as verdict," \
	" case when g.history_mode = 'since_join' then m.since_seq else 0 end as since_seq" \
	" from (select $1::text as uid, $3::text as peer, $4::text as gid) as q" \
	" left join account a on a.uid = q.peer" \
	" left join chat_group g on g.gid = q.gid" \
	" left join group_member m on m.gid = q.gid and m.uid = q.uid) "

#define READ_HISTORY(range) \
	WITH_ACCESS \
	"select verdict, seq, msg_id, sender, type, body, time, reply_to, array_to_string(mentions, ',')," \
	" case when sender = $1 then client_msg_id end" \
	" from access left join lateral" \
	" (select * from message where verdict = 'ok' and conversation_id = $2::text and seq > since_seq and " range \
	" limit $6::integer) as m on true order by seq"

/* SQL is laid out by hand. */
/* clang-format off */
const struct pg_statement statements[STATEMENT_COUNT] = {
	[STATEMENT_PING] = { "ping", "select 1" },

	/* owner, life in ms -> node, epoch, watermark; no row when all numbers are held */
	[STATEMENT_LEASE_TAKE] = { "lease_take",
		"select node, epoch, watermark from im_lease_take($1::text, $2::integer)" },
	/* node, epoch, watermark, life in ms -> a row if the lease is ours */
	[STATEMENT_LEASE_RENEW] = { "lease_renew",
		"update node_lease set watermark = greatest(watermark, $3::bigint),"
		" expires_at = clock_timestamp() + $4::integer * interval '1 ms'"
		" where node = $1::integer and epoch = $2::bigint returning node" },
	/* node, epoch, watermark, whether nothing is left to publish */
	[STATEMENT_LEASE_GIVE_BACK] = { "lease_give_back",
		"update node_lease set watermark = greatest(watermark, $3::bigint), expires_at = clock_timestamp(),"
		" owner = case when $4::boolean then null else owner end"
		" where node = $1::integer and epoch = $2::bigint" },

	/* caretaker, own node or -1, life in ms -> node, epoch, owner, watermark, last; no row: nobody to look after */
	[STATEMENT_LEASE_TAKE_OVER] = { "lease_take_over",
		"select node, epoch, owner, watermark, last from im_lease_take_over($1::text, $2::integer, $3::integer)" },
	/* as im_unpublished() in deploy/migrations */
	[STATEMENT_UNPUBLISHED] = { "unpublished",
		"select is_whole, msg_id, conversation_id, seq, sender, client_msg_id, type, body, time, reply_to, mentions,"
		" member_version from im_unpublished($1::integer, $2::bigint, $3::bigint, $4::integer, $5::bigint)" },

	/* as im_send() in deploy/migrations -> ord, status, msg_id, seq, time, duplicate, member_version */
	[STATEMENT_SEND] = { "send",
		"select ord, status, msg_id, seq, time, duplicate, member_version from im_send($1::integer, $2::bigint,"
		" $3::bigint, $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],"
		" $11::text[], $12::text[], $13::bigint[], $14::text[])" },

	/* uid, token id or NULL -> whether the user is disabled, or the token revoked */
	[STATEMENT_ACCOUNT_TOUCH] = { "account_touch",
		"with made as (insert into account (uid, name)"
		" select $1::text, $1::text where not exists (select from account where uid = $1::text)"
		" on conflict do nothing)"
		" select exists (select from account where uid = $1::text and is_disabled)"
		" or exists (select from revoked_token where token_id = $2::bytea)" },
	/* uid, name, password -> created_at; no row when the uid is taken */
	[STATEMENT_ACCOUNT_REGISTER] = { "account_register",
		"insert into account (uid, name, password) values ($1::text, $2::text, $3::text)"
		" on conflict do nothing returning created_at" },
	/* uid -> password, is_disabled */
	[STATEMENT_ACCOUNT_PASSWORD] = { "account_password",
		"select password, is_disabled from account where uid = $1::text" },

	/* token id, uid, expires_at -> a row unless it was revoked before */
	[STATEMENT_TOKEN_REVOKE] = { "token_revoke",
		"insert into revoked_token (token_id, uid, expires_at) values ($1::bytea, $2::text, $3::bigint)"
		" on conflict do nothing returning expires_at" },
	/*
	 * tx, token id, limit: what follows there -> horizon, server, tx, token_id, uid, expires_at, age in ms; one row with
	 * horizon and server when there is nothing
	 */
	[STATEMENT_REVOKED_READ] = { "revoked_read",
		"select horizon, server, tx, token_id, uid, expires_at, now_ms() - revoked_at"
		" from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon,"
		" (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint as server) as q"
		" left join lateral (select tx::text::bigint as tx, token_id, uid, expires_at, revoked_at from revoked_token t"
		" where (t.tx, t.token_id) > ($1::bigint::text::xid8, $2::bytea) and expires_at > now_ms() - 60000"
		" order by t.tx, t.token_id limit $3::integer) as r on true order by r.tx, r.token_id" },
	/* expired before */
	[STATEMENT_REVOKED_CLEAN] = { "revoked_clean", "delete from revoked_token where expires_at < $1::bigint" },

	/* gid, name, owner, join, history, members -> unknown, member_count */
	[STATEMENT_GROUP_CREATE] = { "group_create",
		"select unknown, member_count from im_group_create($1::text, $2::text, $3::text, $4::text, $5::text, $6::text[])" },

	/* uid, conversation, peer, group, bound, limit -> verdict, then a message or NULLs */
	[STATEMENT_HISTORY_AFTER] = { "history_after", READ_HISTORY("seq > $5::bigint order by seq") },
	[STATEMENT_HISTORY_BEFORE] = { "history_before", READ_HISTORY("seq < $5::bigint order by seq desc") },

	/* conversations, seqs, bytes -> a message or NULLs for each, in order, until the bodies of those before are so large */
	[STATEMENT_MESSAGES] = { "messages",
		"select ord, seq, msg_id, sender, type, body, time, reply_to, array_to_string(mentions, ','), client_msg_id"
		" from (select w.ord, m.*, sum(octet_length(m.body)) over (order by w.ord rows between unbounded preceding"
		" and 1 preceding) as before"
		" from unnest($1::text[], $2::bigint[]) with ordinality as w (conversation, number, ord) left join lateral"
		" (select * from message where conversation_id = w.conversation and seq = w.number limit 1) as m on true) as found"
		" where coalesce(before, 0) < $3::bigint order by ord" },
	/* as im_conversations() in deploy/migrations -> id, last_seq, own_seq */
	[STATEMENT_CONVERSATIONS] = { "conversations", "select id, last_seq, own_seq from im_conversations($1::text)" },
};
/* clang-format on */
