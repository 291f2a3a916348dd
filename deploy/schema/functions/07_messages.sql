-- Reading entries. What users see has the changes applied: an edited message shows its new body, a recalled one none, and
-- neither do the edits of a recalled message. The body of a reaction is its op and emoji, see 13_reactions.sql. Whoever writes an entry
-- for a user leaves out a body whose `expires_at` has come (message/message_expiry.h): until it is removed it is still here.

create view fn.shown_message as
select m.no, m.seq, m.msg_id, m.sender, m.client_msg_id, fn.type_name(m.type) as type,
	case when change.is_recalled and m.type <> fn.type_no('reaction') then null
		when m.type = fn.type_no('edit') and exists (select from history_floor f where f.no = m.no and f.seq >= m.target_seq) then null
		when m.expires_at is not null then fn.expiring_body(m.no,
			case when fn.type_is_content(m.type) then coalesce(edit.seq, m.seq) else m.seq end)
		when fn.type_is_content(m.type) then coalesce(edit.body, m.body) else m.body end as body,
	m.time, m.reply_to, array_to_string(m.mentions, ',') as mentions, m.target_seq,
	fn.type_is_content(m.type) and edit.seq is not null and change.is_recalled is not true as is_edited,
	fn.type_is_content(m.type) and change.is_recalled is true as is_recalled, m.expires_at
from message m
left join lateral (
	select bool_or(c.kind = 1) as is_recalled, max(c.seq) filter (where c.kind = 2) as edit_seq
	from message_change c where c.no = m.no and c.target_seq = coalesce(m.target_seq, m.seq)
) change on true
-- `offset 0`: the one row is looked up, where the planner might read the conversation and filter, after statistics of a young table.
left join lateral (select e.seq, e.body from message e where e.no = m.no and e.seq = change.edit_seq offset 0) edit on true;

/*
 * May this user read the conversation? 'ok', not_found (of a one-to-one conversation: there is no such user) or not_member.
 * `since_seq`: what the user may read begins behind it, because of when the user
 * came, or cleared the history. `no` is null when nothing was stored yet.
 */
create function fn.conversation_access(p_uid text, p_conversation text)
returns table (verdict text, no bigint, since_seq bigint) language plpgsql stable
as $$
#variable_conflict use_column
begin
	if p_conversation like 'g:%' then
		return query select case when g.no is null then 'not_found'
			else fn.group_may(m.role, null, 'read', g.join_mode, false, g.dissolved_at is not null) end, c.no,
			greatest(case when g.history_mode = 'since_join' then m.since_seq end, m.cleared_seq, 0)
		from (select p_conversation) q (id) left join conversation c on c.id = q.id left join chat_group g on g.no = c.no
		left join group_member m on m.no = g.no and m.uid = p_uid;
	else
		return query select case when p_uid not in (q.first, q.second) then 'not_member' when a.uid is null then 'not_found'
			else 'ok' end, c.no, coalesce(d.cleared_seq, 0)
		from (select fn.first_of(p_conversation), fn.second_of(p_conversation)) q (first, second)
		left join account a on a.uid = case when q.first = p_uid then q.second else q.first end
		left join conversation c on c.id = p_conversation
		left join lateral (select d.cleared_seq from direct_member d where d.uid = p_uid and d.no = c.no offset 0) d on true;
	end if;
end $$;

/*
 * A page of a conversation's history, ascending: the first entries after p_after, or, when that is null, the last ones before p_before
 * (null: the newest). It has p_limit entries at most, and ends once the bodies are p_bytes; one entry is always in it.
 * One row with nulls when there are none, so that the verdict is there in any case. client_msg_id is shown to the sender only.
 */
create function fn.history(p_uid text, p_conversation text, p_after bigint, p_before bigint, p_limit integer, p_bytes bigint)
returns table (verdict text, has_more boolean, seq bigint, msg_id bigint, sender text, client_msg_id text, type text, body text,
	"time" bigint, reply_to bigint, mentions text, target_seq bigint, is_edited boolean, is_recalled boolean, expires_at bigint,
	reactions text)
language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
	v_access record;
begin
	select * into v_access from fn.conversation_access(p_uid, p_conversation);
	return query
	with found as (
		(select m.*, m.seq as distance from fn.shown_message m where v_access.verdict = 'ok' and p_after is not null
			and m.no = v_access.no and m.seq > greatest(p_after, v_access.since_seq) order by m.seq limit p_limit + 1)
		union all
		(select m.*, -m.seq from fn.shown_message m where v_access.verdict = 'ok' and p_after is null
			and m.no = v_access.no and m.seq > v_access.since_seq and m.seq < coalesce(p_before, 9223372036854775807)
			order by m.seq desc limit p_limit + 1)
	), sized as (
		select f.*, r.reactions, coalesce(octet_length(f.body), 0) + coalesce(octet_length(r.reactions), 0) as size
		from found f left join (
			select r.* from (select min(seq), max(seq) from found) b (lowest, highest)
			cross join lateral fn.reactions_in(p_uid, v_access.no, b.lowest, b.highest) r
		) r on r.target_seq = f.seq
	), measured as (
		select s.*, row_number() over w as ord, sum(s.size) over w - s.size as before
		from sized s window w as (order by s.distance rows unbounded preceding)
	), page as (
		select * from measured where ord <= p_limit and before < p_bytes
	)
	select v_access.verdict, (select count(*) from page) < (select count(*) from found), p.seq, p.msg_id, p.sender,
		case when p.sender = p_uid then p.client_msg_id end, p.type, p.body, p.time, p.reply_to, p.mentions, p.target_seq, p.is_edited,
		p.is_recalled, p.expires_at, p.reactions
	from (select) one left join page p on true
	order by p.seq;
end $$;

/*
 * The entries that are named, as they were stored, `ord` counted from 1, in that order, until the bodies of those before are p_bytes.
 * An entry that does not exist has a row of nulls; one that retention has removed is a `system` entry from '-' that has expired. These
 * rows change only when their user is deleted, so im keeps them; fn.changes_of() tells the rest. The body of an entry with expires_at
 * goes after that time.
 */
create function fn.messages(p_conversations text[], p_seqs bigint[], p_bytes bigint)
returns table (ord bigint, seq bigint, msg_id bigint, sender text, client_msg_id text, type text, body text, "time" bigint,
	reply_to bigint, mentions text, target_seq bigint, expires_at bigint)
language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
	return query
	select f.ord, f.seq, f.msg_id, f.sender, f.client_msg_id, fn.type_name(f.type), f.body, f.time, f.reply_to,
		array_to_string(f.mentions, ','), f.target_seq, f.expires_at
	from (
		select w.ord, m.*, sum(coalesce(octet_length(m.body), 0)) over (order by w.ord rows unbounded preceding)
			- coalesce(octet_length(m.body), 0) as before
		from unnest(p_conversations, p_seqs) with ordinality as w (conversation, number, ord)
		left join conversation c on c.id = w.conversation
		left join lateral (select m.seq, m.msg_id, m.sender, m.client_msg_id, m.type,
				case when m.expires_at is null then m.body else fn.expiring_body(m.no, m.seq) end as body, m.time, m.reply_to,
				m.mentions, m.target_seq, m.expires_at
			from message m where m.no = c.no and m.seq = w.number
			union all
			select w.number, f.msg_id, '-', null, fn.type_no('system'), null, f.time, null, null, null, f.time
			from history_floor f where f.no = c.no and f.seq >= w.number
			limit 1) m on true
	) f
	where f.before < p_bytes
	order by f.ord;
end $$;

/*
 * The messages that are named, a row for each conversation, with what its messages are looked up by. p_is_wanted null: all are wanted; else
 * those that are not are left out. The user may not see a change whose entry's seq is in `absent`. Null: it may see every change. That is so
 * in a one-to-one conversation, for a member of a group with `history` `all`, and for p_uid null. Else `absent` has the ranges of seqs, from
 * the lowest message on, in which the user was no member: from the entry by which it left to the one by which it came back. Only this
 * user's changes of the membership are read. (One select without settings: it becomes part of the query that calls it.)
 */
create function fn.messages_named(p_uid text, p_conversations text[], p_seqs bigint[], p_is_wanted boolean[])
returns table (no bigint, lowest bigint, highest bigint, numbers bigint[], ords bigint[], absent int8multirange)
language sql stable
as $$
	select c.no, named.lowest, named.highest, named.numbers, named.ords, gone.absent
	from (
		select w.conversation, min(w.number) as lowest, max(w.number) as highest, array_agg(w.number) as numbers,
			array_agg(w.ord) as ords
		from unnest(p_conversations, p_seqs, p_is_wanted) with ordinality as w (conversation, number, is_wanted, ord)
		where w.is_wanted is not false group by w.conversation
	) named
	join conversation c on c.id = named.conversation
	left join chat_group g on c.kind = 2 and p_uid is not null and g.no = c.no
	left join group_member m on m.no = g.no and m.uid = p_uid
	cross join lateral (select range_agg(case when mc.is_join then int8range(mc.before, mc.seq) else int8range(mc.seq, mc.after) end) as absent
		from (select mc.seq, mc.is_join, lag(mc.seq) over w as before, lead(mc.seq) over w as after from member_change mc
			where (m.uid is null or (g.history_mode = 'since_join' and m.since_seq >= named.lowest)) and mc.uid = p_uid and mc.no = g.no
				and mc.seq > named.lowest
			window w as (order by mc.seq)) mc) gone
$$;

/*
 * The changes of the named messages: a row for each message that was recalled or edited. `ord` is its number among the named ones,
 * from 1. An edit that p_uid may not see (fn.messages_named()) does not count. A recall takes the body from everybody. `body` is that
 * of the last edit, null when the message is recalled. removed_at is not null when retention has removed the message. From where the
 * bodies are p_bytes on, `is_beyond` stands for the body. Each conversation is looked up once, its changes by one index range; of
 * `message` only the edits are read.
 */
create function fn.changes_of(p_conversations text[], p_seqs bigint[], p_bytes bigint, p_uid text default null)
returns table (ord bigint, is_recalled boolean, body text, is_beyond boolean, removed_at bigint)
language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
	return query
	select f.ord, f.is_recalled, case when f.before < p_bytes then f.body end, f.before >= p_bytes, f.removed_at
	from (
		select w.ord, change.is_recalled, change.removed_at, edit.body, sum(coalesce(octet_length(edit.body), 0)) over (order by w.ord
			rows unbounded preceding) - coalesce(octet_length(edit.body), 0) as before
		from fn.messages_named(p_uid, p_conversations, p_seqs, null) named
		cross join lateral (
			select mc.target_seq, bool_or(mc.kind = 1) as is_recalled, max(mc.seq) filter (where mc.kind = 2) as edit_seq,
				null::bigint as removed_at
			from message_change mc
			where mc.no = named.no and mc.target_seq between named.lowest and named.highest
				and (mc.kind = 1 or (mc.seq <@ named.absent) is not true)
			group by mc.target_seq
			union all
			select n.number, false, null, f.time from history_floor f join lateral unnest(named.numbers) n (number) on n.number <= f.seq
			where f.no = named.no
		) change
		join lateral unnest(named.numbers, named.ords) as w (number, ord) on w.number = change.target_seq
		left join lateral (select case when e.expires_at is null then e.body else fn.expiring_body(e.no, e.seq) end as body
			from message e where e.no = named.no and e.seq = change.edit_seq and not change.is_recalled offset 0) edit on true
	) f
	order by f.ord;
end $$;

/*
 * The entries of a conversation between two seqs, as they were published, so edits and recalls are not applied: for push, which did not
 * get the records. What retention has removed is there as fn.messages() has it, so that push finds every seq.
 */
create function fn.messages_between(p_conversation text, p_after bigint, p_before bigint, p_limit integer)
returns table (seq bigint, msg_id bigint, sender text, client_msg_id text, type text, body text, "time" bigint,
	reply_to bigint, mentions text[], target_seq bigint, member_version bigint, joined text[], "left" text[], expires_at bigint)
language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
	return query
	select m.seq, m.msg_id, m.sender, m.client_msg_id, fn.type_name(m.type),
		case when m.expires_at is null then m.body else fn.expiring_body(m.no, m.seq) end, m.time, m.reply_to, m.mentions, m.target_seq,
		fn.member_version_at(c.no, c.kind, m.seq), fn.members_changed_by(c.no, m.seq, true),
		fn.members_changed_by(c.no, m.seq, false), m.expires_at
	from conversation c cross join lateral (
		(select n.seq, f.msg_id, '-' as sender, null as client_msg_id, fn.type_no('system') as type, null as body, f.time, null::bigint as reply_to,
			null::text[] as mentions, null::bigint as target_seq, f.time as expires_at, f.no
		from history_floor f cross join lateral generate_series(p_after + 1, least(f.seq, p_before - 1, p_after + p_limit)) n (seq)
		where f.no = c.no)
		union all
		(select m.seq, m.msg_id, m.sender, m.client_msg_id, m.type, m.body, m.time, m.reply_to, m.mentions, m.target_seq, m.expires_at, m.no
		from message m where m.no = c.no and m.seq > p_after and m.seq < p_before order by m.seq limit p_limit)
	) m
	where c.id = p_conversation
	order by m.seq limit p_limit;
end $$;

/*
 * The last seq that is lower than p_before and was stored before p_time, or that retention has removed; 0: there is none. A p_before behind the
 * conversation's last seq counts as the one after it.
 */
create function fn.stored_before(p_conversation text, p_before bigint, p_time bigint) returns bigint language plpgsql stable
set enable_bitmapscan = off
as $$
begin
	return coalesce((select m.seq
		from conversation c cross join lateral (select m.seq from message m
			where m.no = c.no and m.seq < least(p_before, c.last_seq + 1) and m.time < p_time order by m.seq desc limit 1) m
		where c.id = p_conversation),
		(select least(f.seq, p_before - 1) from conversation c join history_floor f on f.no = c.no where c.id = p_conversation), 0);
end $$;
