-- Accounts, groups, conversations and messages, the leases of node numbers, and the statement that stores sends.
--
-- Ids compare bytewise (collate "C"), as the contract asks and as is cheapest. Times that clients see are milliseconds
-- since 1970.

create function now_ms() returns bigint language sql volatile as $$
	select (extract(epoch from clock_timestamp()) * 1000)::bigint
$$;

create table account (
	uid text collate "C" primary key,
	name text not null,
	avatar text,
	password text, -- its scrypt hash; null: comes with the integrator's tokens only
	is_disabled boolean not null default false,
	created_at bigint not null default now_ms()
);

create table chat_group (
	gid text collate "C" primary key,
	name text not null,
	owner text collate "C" not null,
	join_mode text not null check (join_mode in ('invite', 'approval', 'open')),
	history_mode text not null check (history_mode in ('all', 'since_join')),
	member_version bigint not null default 1, -- raised by every change of the membership
	member_count integer not null,
	created_at bigint not null default now_ms(),
	dissolved_at bigint
) with (fillfactor = 80);

create table group_member (
	gid text collate "C",
	uid text collate "C",
	role smallint not null default 0 check (role in (0, 1, 2)), -- member, admin, owner
	since_seq bigint not null default 0, -- the conversation's last seq when the member came
	joined_at bigint not null default now_ms(),
	primary key (gid, uid)
);
create index group_member_by_uid on group_member (uid);

-- Each batch updates a row per conversation it touches: the page keeps room for the new version (HOT: no index is
-- written), and the old ones are cleared away soon.
create table conversation (
	id text collate "C" primary key,
	kind smallint not null check (kind in (1, 2)), -- one-to-one, group
	last_seq bigint not null default 0
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);

create table message (
	conversation_id text collate "C",
	seq bigint,
	msg_id bigint not null,
	sender text collate "C" not null,
	client_msg_id text collate "C", -- null: not sent by a client
	type text not null,
	body text, -- the JSON text as it goes out again
	time bigint not null,
	reply_to bigint,
	mentions text[],
	primary key (conversation_id, seq),
	unique (conversation_id, sender, client_msg_id)
) with (autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
-- Ids are ordered by time, as the pages are: enough to find one node's messages of the last seconds.
create index message_by_id on message using brin (msg_id) with (pages_per_range = 16, autosummarize = on);

-- Who holds which node number. `owner` is null after a clean end, when all of its messages are in Kafka.
create table node_lease (
	node integer primary key check (node between 0 and 1023),
	epoch bigint not null,
	owner text,
	expires_at timestamptz not null,
	watermark bigint not null -- every message of this node up to this id is in Kafka
) with (fillfactor = 50);

-- The class of the advisory locks on node numbers: held shared by every batch of that node, exclusively by whoever bumps
-- its epoch, so that no batch of the old owner commits afterwards.
create function node_lock_class() returns integer language sql immutable as $$ select 20001 $$;

/*
 * Leases a node number: one that was never used or was given back; only when there is none left, the one that expired
 * first. No row: all are held. Ids of the new owner must stay above `floor`.
 */
create function im_lease_take(p_owner text, p_life_ms integer)
returns table (node integer, epoch bigint, watermark bigint, floor bigint) language plpgsql as $$
declare
	v_taken record;
begin
	-- One taker at a time: they only meet when processes start.
	perform pg_advisory_xact_lock(node_lock_class(), -1);
	select n, l.owner, l.expires_at, coalesce(l.watermark, 0) as watermark into v_taken
	from generate_series(0, 1023) as n left join node_lease l on l.node = n
	where l.node is null or l.owner is null or l.expires_at < clock_timestamp()
	order by l.owner is not null, case when l.owner is not null then l.expires_at end, n
	limit 1;
	if not found then
		return;
	end if;
	perform pg_advisory_xact_lock(node_lock_class(), v_taken.n);
	return query
	insert into node_lease as l (node, epoch, owner, expires_at, watermark)
	values (v_taken.n, 1, p_owner, clock_timestamp() + p_life_ms * interval '1 ms', 0)
	on conflict on constraint node_lease_pkey do update
		set epoch = l.epoch + 1, owner = excluded.owner, expires_at = excluded.expires_at
	returning l.node, l.epoch, l.watermark, greatest(l.watermark, case when v_taken.owner is not null then
		-- the highest id of that moment, see base/msgid.h
		((extract(epoch from v_taken.expires_at) * 1000)::bigint - 1704067200000) << 22 else 0 end);
end $$;

/*
 * Stores a batch of sends: one row of the arrays each, one row of the answer each, in any order (`ord` counts from 1).
 * p_conversations are the batch's conversations, each once, in bytewise order; p_at says which one a send belongs to
 * (from 1). The recipient is in p_user or in p_group. No two sends of a batch have the same conversation, sender and key.
 * Mentions are joined by commas (no uid has one). `status` is a public error code, or
 *   ok      stored, or stored before by a send with the same key and payload (`duplicate`)
 *   lease   nothing was looked at: the node's lease is not the caller's any more
 *   again   not decided, because somebody else was just making the conversation: ask once more
 *
 * A send with the id of the stored one is the caller asking again after it lost the answer. Otherwise it is checked in
 * this order: the recipient exists (not_found), the sender is in the group (not_member), "*" is mentioned by
 * the owner or an admin (permission_denied), the key is new (the first answer again, or idempotency_conflict), reply_to
 * was there before this batch (invalid_argument). A refused send stores nothing and does not use its key up.
 *
 * The conversations are locked in the order of their ids, and everything is decided by a statement that begins under
 * these locks, so it sees what their last holder did. Conversations that do not exist yet are made after that, in the
 * same order. No two batches wait for each other in a circle: one that makes conversations waits only for others that
 * do, and in order; it never goes back to lock a row that somebody else made first (that is `again`).
 *
 * Every step has to be lookups by index, whatever the statistics of a young table suggest, and planning has to happen
 * once a session: hence the settings.
 */
create function im_send(p_node integer, p_epoch bigint, p_time bigint, p_conversations text[], p_at integer[],
	p_sender text[], p_user text[], p_group text[], p_key text[], p_msg_id bigint[], p_type text[], p_body text[],
	p_reply_to bigint[], p_mentions text[])
returns table (ord bigint, status text, msg_id bigint, seq bigint, "time" bigint, duplicate boolean,
	member_version bigint)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
declare
	v_locked text[];
	v_last bigint[]; -- last_seq of each of p_conversations
	v_row tid[]; -- where its row is
begin
	perform pg_advisory_xact_lock_shared(node_lock_class(), p_node);
	if not exists (select from node_lease where node = p_node and epoch = p_epoch and expires_at > clock_timestamp()) then
		return query select i, 'lease', null::bigint, null::bigint, null::bigint, false, null::bigint
			from unnest(p_at) with ordinality as n (at, i);
		return;
	end if;

	select array_agg(id), array_agg(last_seq), array_agg(ctid) into v_locked, v_last, v_row
	from (select id, last_seq, ctid from conversation where id = any (p_conversations) order by id for no key update) c;

	if cardinality(p_conversations) > coalesce(cardinality(v_locked), 0) then
		with made as (
			insert into conversation (id, kind)
			select distinct p_conversations[i.at] as id, 1 from unnest(p_at, p_user, p_reply_to) as i (at, uid, reply_to)
			where i.reply_to is null and exists (select from account a where a.uid = i.uid)
				and p_conversations[i.at] <> all (coalesce(v_locked, '{}'))
			order by 1
			on conflict do nothing
			returning id
		) select v_locked || array_agg(id) into v_locked from made;

		select array_agg(c.last_seq order by i.at), array_agg(c.ctid order by i.at) into v_last, v_row
		from unnest(p_conversations) with ordinality as i (id, at)
		left join conversation c on c.id = i.id and c.id = any (v_locked);
	end if;

	return query
	with decided as (
		select i.*, g.member_version, v_last[i.at] as last_seq, m.msg_id as first_msg_id, m.seq as first_seq,
			m.time as first_time,
			case
			when m.msg_id = i.msg_id then 'duplicate' -- stored by the caller's own first try, whatever has changed since
			when a.uid is null and g.gid is null or g.dissolved_at is not null then 'not_found'
			when g.gid is not null and gm.uid is null then 'not_member'
			when gm.role < 1 and '*' = any (string_to_array(i.mentions, ',')) then 'permission_denied'
			when m.seq is not null then
				case when m.type = i.type and m.reply_to is not distinct from i.reply_to
					and m.mentions is not distinct from string_to_array(i.mentions, ',')
					and (m.body = i.body or m.body::jsonb = i.body::jsonb) then 'duplicate'
				else 'idempotency_conflict' end
			when i.reply_to > coalesce(v_last[i.at], 0) then 'invalid_argument'
			when v_last[i.at] is null then 'again'
			else 'ok' end as verdict
		from unnest(p_at, p_sender, p_user, p_group, p_key, p_msg_id, p_type, p_body, p_reply_to, p_mentions)
			with ordinality as i (at, sender, uid, gid, key, msg_id, type, body, reply_to, mentions, ord)
		left join account a on a.uid = i.uid
		left join chat_group g on g.gid = i.gid
		left join group_member gm on gm.gid = i.gid and gm.uid = i.sender
		left join message m on m.conversation_id = p_conversations[i.at] and m.sender = i.sender and m.client_msg_id = i.key
	), numbered as materialized (
		select d.*, d.last_seq + count(*) filter (where d.verdict = 'ok') over (partition by d.at order by d.ord) as seq
		from decided d
	), bumped as (
		update conversation c set last_seq = n.last
		from (select at, max(seq) as last from numbered where verdict = 'ok' group by at) n
		where c.ctid = v_row[n.at]
	), stored as (
		insert into message
			(conversation_id, seq, msg_id, sender, client_msg_id, type, body, time, reply_to, mentions)
		select p_conversations[at], seq, msg_id, sender, key, type, body, p_time, reply_to, string_to_array(mentions, ',')
		from numbered where verdict = 'ok'
	)
	select ord, case when verdict = 'duplicate' then 'ok' else verdict end,
		coalesce(first_msg_id, msg_id), coalesce(first_seq, seq), coalesce(first_time, p_time),
		verdict = 'duplicate', member_version
	from numbered;
end $$;

/*
 * A new group with its owner and members, who all have to exist: `unknown` names one who does not, and nothing is made.
 */
create function im_group_create(p_gid text, p_name text, p_owner text, p_join text, p_history text, p_members text[])
returns table (unknown text, member_count integer) language plpgsql as $$
#variable_conflict use_column
declare
	v_unknown text;
	v_everybody text[];
begin
	select array_agg(distinct uid) into v_everybody from unnest(p_members || p_owner) as m (uid);
	select m.uid into v_unknown
	from unnest(p_members) with ordinality as m (uid, ord) left join account a on a.uid = m.uid
	where a.uid is null order by m.ord limit 1;
	if found then
		return query select v_unknown, 0;
		return;
	end if;
	insert into chat_group (gid, name, owner, join_mode, history_mode, member_count)
	values (p_gid, p_name, p_owner, p_join, p_history, cardinality(v_everybody));
	insert into group_member (gid, uid, role)
	select p_gid, m.uid, case when m.uid = p_owner then 2 else 0 end from unnest(v_everybody) as m (uid);
	insert into conversation (id, kind) values ('g:' || p_gid, 2);
	return query select null, cardinality(v_everybody);
end $$;
