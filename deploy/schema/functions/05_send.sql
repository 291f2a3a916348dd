/*
 * Stores a batch of sends: one row of the arrays each, one row of the answer each, in any order (`ord` counts from 1).
 * p_conversations are the batch's conversations, each once, in bytewise order; p_at says which one a send belongs to
 * (from 1). The recipient is in p_user or in p_group. No two sends of a batch have the same conversation, sender and key.
 * Mentions are joined by commas (no uid has one). `status` is a public error code, or
 *   ok      stored, or stored before by a send with the same key and payload (`duplicate`)
 *   lease   nothing was looked at: the node's lease is not the caller's any more
 *   again   not decided, because another transaction was making the conversation: ask once more
 * member_version is the seq of the last change of the group's membership, null in a one-to-one conversation.
 *
 * A send with the id of the stored one is the caller asking again after it lost the answer. One with the key and the payload of a stored
 * one is answered with that one, also when the sender may send no more. Any other is checked in this order: the recipient exists
 * (not_found) and lets the sender write (blocked, not_friend; p_is_for_friends: a recipient who has not said whom it lets write lets
 * friends), the sender may send to the group (not_member, muted), "*" is mentioned by the owner or an admin (permission_denied), the key
 * is new (idempotency_conflict), reply_to was there before this batch (invalid_argument). A refused send stores nothing and does not use
 * its key up. A stored one moves its sender's read mark.
 *
 * The conversations are locked in the order of their ids, and everything is decided by a statement that begins under
 * these locks, so it sees what their last holder did. Conversations that do not exist yet are made after that, in the
 * same order. No two batches wait for each other in a circle: one that makes conversations waits only for others that
 * do, and in order; it never goes back to lock a row that somebody else made first (that is `again`).
 *
 * A message with p_expire_s (seconds) expires that long after p_time. p_payload is of a `forward`: what the client has sent, where p_body
 * is made from it; a null p_body says that the caller saw the key in use, and `unavailable` that it is not. These two arrays are
 * null when no send of the batch has one.
 *
 * A plan costs by its nodes, and most batches have no group and no mention in them: what those need is in statements of their own.
 */
create function fn.im_send(p_node integer, p_epoch bigint, p_time bigint, p_conversations text[], p_at integer[],
	p_sender text[], p_user text[], p_group text[], p_key text[], p_msg_id bigint[], p_type text[], p_body text[],
	p_reply_to bigint[], p_mentions text[], p_is_for_friends boolean default false, p_expire_s integer[] default null,
	p_payload text[] default null)
returns table (ord bigint, status text, msg_id bigint, seq bigint, "time" bigint, duplicate boolean,
	member_version bigint)
language plpgsql
as $$
#variable_conflict use_column
declare
	v_locked text[];
	v_no bigint[]; -- of each of p_conversations: its number,
	v_last bigint[]; -- its last_seq,
	v_counted bigint[]; -- its count,
	v_row tid[]; -- and where its row is
	v_has_rests boolean;
	v_has_groups constant boolean := num_nonnulls(variadic p_group) > 0;
	v_has_mentions constant boolean := num_nonnulls(variadic p_mentions) > 0;
	v_has_expiry constant boolean := p_expire_s is not null;
	v_has_hashes constant boolean := p_expire_s is not null or p_payload is not null;
	v_may text[]; -- of each send: 'ok', or why its group refuses it
	v_version bigint[]; -- of each send: its group's member_version
begin
	if not fn.lease_is_held(p_node, p_epoch) then
		return query select i, 'lease', null::bigint, null::bigint, null::bigint, false, null::bigint
			from unnest(p_at) with ordinality as n (at, i);
		return;
	end if;

	select array_agg(id), array_agg(no), array_agg(last_seq), array_agg(counted), array_agg(ctid), bool_or(is_at_rest)
	into v_locked, v_no, v_last, v_counted, v_row, v_has_rests
	from (select id, no, last_seq, counted, ctid, is_at_rest from conversation where id = any (p_conversations)
		order by id for no key update) c;

	if cardinality(p_conversations) > coalesce(cardinality(v_locked), 0) then
		with made as (
			insert into conversation (id, kind)
			select distinct p_conversations[i.at] as id, 1 from unnest(p_at, p_user, p_reply_to) as i (at, uid, reply_to)
			where i.reply_to is null and exists (select from account a where a.uid = i.uid)
				and p_conversations[i.at] <> all (coalesce(v_locked, '{}'))
			order by 1
			on conflict do nothing
			returning id, no, ctid
		), listed as (
			insert into direct_member (uid, no)
			select fn.first_of(id), no from made union select fn.second_of(id), no from made
		)
		-- In the order of p_conversations; nulls for one that is neither locked nor made.
		select array_agg(no), array_agg(last_seq), array_agg(counted), array_agg(place)
		into v_no, v_last, v_counted, v_row
		from (
			select max(no) as no, max(last_seq) as last_seq, max(counted) as counted, max(place) as place
			from (
				select id, null::bigint, null::bigint, null::bigint, null::tid from unnest(p_conversations) i (id)
				union all select * from unnest(v_locked, v_no, v_last, v_counted, v_row)
				union all select id, no, 0, 0, ctid from made
			) r (id, no, last_seq, counted, place)
			group by id collate "C" order by id collate "C") c;
	end if;

	if v_has_groups then
		select array_agg(case when g.no is null then 'not_found' else fn.group_may(gm.role, null,
				case when '*' = any (string_to_array(i.mentions, ',')) then 'mention_all' else 'send' end, g.join_mode,
				fn.is_muted(g.is_muted, gm.role, gm.muted_until, p_time), g.dissolved_at is not null) end order by i.ord),
			array_agg(g.member_version order by i.ord)
		into v_may, v_version
		from unnest(p_at, p_sender, p_mentions) with ordinality as i (at, sender, mentions, ord)
		left join chat_group g on g.no = v_no[i.at]
		left join lateral (select * from group_member gm where gm.no = g.no and gm.uid = i.sender offset 0) gm on true; -- one row, not all
	end if;

	return query
	with decided as (
		select i.*, v_no[i.at] as no, v_version[i.ord] as member_version, m.msg_id as first_msg_id, m.seq as first_seq,
			m.time as first_time, case
			when m.msg_id = i.msg_id then 'duplicate' -- stored by the caller's own first try
			when m.seq is not null and m.type = fn.type_no(i.type) and m.reply_to is not distinct from i.reply_to
				and m.mentions is not distinct from string_to_array(i.mentions, ',')
				and m.expires_at - m.time is not distinct from p_expire_s[i.ord::integer] * 1000
				and fn.payload_is(m.body, m.payload_hash, m.msg_id, i.body, p_payload[i.ord::integer]) then 'duplicate'
			when i.uid is not null and a.uid is null then 'not_found'
			when i.gid is not null and v_may[i.ord] <> 'ok' then v_may[i.ord]
			-- Never null before the `and`: the function would be called to find out.
			when (a.has_blocks or coalesce(a.messages_from = 'friends', p_is_for_friends)) is true
				and fn.direct_may(i.uid, i.sender, coalesce(a.messages_from = 'friends', p_is_for_friends)) <> 'ok'
				then fn.direct_may(i.uid, i.sender, coalesce(a.messages_from = 'friends', p_is_for_friends))
			when m.seq is not null then 'idempotency_conflict'
			when i.body is null then 'unavailable'
			when i.reply_to > coalesce(v_last[i.at], 0) then 'invalid_argument'
			when v_last[i.at] is null then 'again'
			else 'ok' end as verdict
		from unnest(p_at, p_sender, p_user, p_group, p_key, p_msg_id, p_type, p_body, p_reply_to, p_mentions)
			with ordinality as i (at, sender, uid, gid, key, msg_id, type, body, reply_to, mentions, ord)
		left join account a on a.uid = i.uid
		-- The same entry by its key, see fn.entry_find().
		left join message m on m.key_hash = fn.entry_key(v_no[i.at], i.sender || ' ' || i.key) and m.no + 0 = v_no[i.at]
			and m.client_msg_id = i.key and m.sender = i.sender
	), numbered as materialized (
		select d.*, v_last[d.at] + d.rank as seq, v_counted[d.at] + d.rank as counted
		from (select d.*, count(*) filter (where d.verdict = 'ok') over (partition by d.at order by d.ord) as rank
			from decided d) d
	), bumped as (
		update conversation c set last_seq = n.last, counted = c.counted + n.last - c.last_seq, moved_seq = n.last, moved_id = n.id,
			first_read = coalesce(n.first, c.first_read), second_read = coalesce(n.second, c.second_read),
			first_counted = coalesce(c.counted + n.first - c.last_seq, c.first_counted),
			second_counted = coalesce(c.counted + n.second - c.last_seq, c.second_counted)
		from (select at, max(seq) as last, max(msg_id) as id,
				max(seq) filter (where uid is not null and sender = fn.first_of(p_conversations[at])) as first,
				max(seq) filter (where uid is not null and sender <> fn.first_of(p_conversations[at])) as second
			from numbered where verdict = 'ok' group by at) n
		where c.ctid = v_row[n.at]
	), stored as (
		insert into message (no, seq, msg_id, time, counted, key_hash, reply_to, type, sender, client_msg_id, body, mentions,
			expires_at, payload_hash)
		select no, seq, msg_id, p_time, counted, fn.entry_key(no, sender || ' ' || key), reply_to, fn.type_no(type), sender,
			key, case when p_expire_s[ord::integer] is null then body end, string_to_array(mentions, ','),
			p_time + p_expire_s[ord::integer] * 1000,
			case when v_has_hashes then fn.payload_hash(p_payload[ord::integer], body, p_expire_s[ord::integer], msg_id) end
		from numbered where verdict = 'ok'
	)
	select ord, case when verdict = 'duplicate' then 'ok' else verdict end,
		coalesce(first_msg_id, msg_id), coalesce(first_seq, seq), coalesce(first_time, p_time),
		verdict = 'duplicate', member_version
	from numbered;

	if v_has_rests then
		perform fn.direct_rests_end(array(
			select c.no from unnest(v_no, v_last) as i (no, last) join conversation c on c.no = i.no and c.last_seq > i.last));
	end if;

	if v_has_groups then -- what stands after v_last is this batch's
		update group_member gm set read_seq = n.seq, read_counted = n.counted
		from (select m.no, m.sender, max(m.seq) as seq, max(m.counted) as counted
			from unnest(v_no, v_last) as c (no, last) join message m on m.no = c.no and m.seq > c.last
			group by m.no, m.sender) n
		where gm.no = n.no and gm.uid = n.sender;
	end if;

	if v_has_expiry then
		with expiring as (
			insert into expiring_message (no, seq, expires_at)
			select m.no, m.seq, m.expires_at
			from unnest(v_no, v_last) as c (no, last) join message m on m.no = c.no and m.seq > c.last
			where m.expires_at is not null
			returning no, seq, expires_at
		)
		insert into expiring_body (no, seq, expires_at, body)
		select e.no, e.seq, e.expires_at, i.body
		from expiring e join message m on m.no = e.no and m.seq = e.seq
		join unnest(p_msg_id, p_body) as i (msg_id, body) on i.msg_id = m.msg_id;
	end if;

	if v_has_mentions then
		insert into mention (no, seq, uid)
		select m.no, m.seq, u.uid
		from unnest(v_no, v_last) as c (no, last) join message m on m.no = c.no and m.seq > c.last
		cross join lateral unnest(m.mentions) u (uid)
		on conflict do nothing; -- somebody may be mentioned twice
	end if;
end $$;
