/*
 * Every conversation of a user, with the seq up to which the user has read it. A one-to-one conversation in which nothing was
 * stored is none. It reads one row of each table per conversation, and no message.
 */
create function fn.im_conversations(p_uid text) returns table (id text, last_seq bigint, read_seq bigint)
language plpgsql stable
set enable_bitmapscan = off set enable_memoize = off
as $$
#variable_conflict use_column
begin
	return query
	select c.id, c.last_seq,
		coalesce(mine.read_seq, case when fn.first_of(c.id) = p_uid then c.first_read else c.second_read end)
	from (
		select d.no, null::bigint from direct_member d where d.uid = p_uid
		union all
		select m.no, m.read_seq from group_member m join chat_group g on g.no = m.no
		where m.uid = p_uid and g.dissolved_at is null
	) mine (no, read_seq)
	join conversation c on c.no = mine.no
	where c.kind = 2 or c.last_seq > 0
	order by c.id;
end $$;

-- The next two functions are about the p_counted entries behind p_after, those that count for unread. Each is one select without settings, so it
-- becomes part of the query that calls it.

-- How many of them are unread: those that were recalled or have expired are not. Exact up to 1,000; then 1,000.
create function fn.unread(p_no bigint, p_after bigint, p_counted bigint, p_now bigint) returns table (unread bigint)
language sql stable
as $$
	select case when p_counted <= 0 then 0 else greatest(0, least(1000, p_counted
		- (select count(*) from message_change mc where mc.no = p_no and mc.target_seq > p_after and mc.kind = 1)
		- (select count(*) from expiring_message e where e.no = p_no and e.seq > p_after and e.expires_at <= p_now
			and not exists (select from message_change mc where mc.no = e.no and mc.target_seq = e.seq and mc.kind = 1 offset 0)))) end
$$;

-- Is the user mentioned, or everyone, in one of them that is not recalled and has not expired?
create function fn.mention_after(p_uid text, p_no bigint, p_after bigint, p_counted bigint, p_now bigint)
returns table (is_mentioned boolean) language sql stable
as $$
	select p_counted > 0 and exists (select from mention m where m.no = p_no and m.uid in (p_uid, '*') and m.seq > p_after
		and not exists (select from message_change mc where mc.no = m.no and mc.target_seq = m.seq and mc.kind = 1 offset 0)
		and not exists (select from expiring_message e where e.no = m.no and e.seq = m.seq and e.expires_at <= p_now offset 0)
		offset 0)
$$;

/*
 * The conversations of a page of a user's list, see fn.conversation_list(). The places of those at rest are read from direct_rest, the
 * others are looked up. Whatever the statistics say, a `full join` is no nested loop: it merges the ranges of two indexes, of which the
 * second is empty for most users. A `lateral` with an offset is always one.
 */
create function fn.conversation_page(p_uid text, p_is_pinned boolean, p_moved_id bigint, p_no bigint, p_limit integer)
returns table (no bigint, is_pinned boolean) language plpgsql stable rows 50
set enable_mergejoin = on -- and what fn.conversation_list() sets
as $$
#variable_conflict use_column
begin
	return query
	select mine.no, mine.is_pinned
	from (
		select * from (
			select d.no, d.is_pinned, d.hidden_seq, r.moved_seq, r.moved_id
			from (select no, is_pinned, hidden_seq from direct_member where uid = p_uid) d
			full join (select no, moved_seq, moved_id from direct_rest where uid = p_uid) r on r.no = d.no
			offset 0) direct
		union all
		select m.no, m.is_pinned, m.hidden_seq, null, null from group_member m where m.uid = p_uid
	) mine
	left join lateral (select c.moved_seq, c.moved_id from conversation c
		where mine.moved_id is null and c.no = mine.no offset 0) c on true
	cross join lateral (select coalesce(mine.moved_seq, c.moved_seq), coalesce(mine.moved_id, c.moved_id)) place (moved_seq, moved_id)
	where place.moved_id > 0 and place.moved_seq > mine.hidden_seq
		and (p_no is null or (mine.is_pinned, place.moved_id, mine.no) < (p_is_pinned, p_moved_id, p_no))
	order by mine.is_pinned desc, place.moved_id desc, mine.no desc limit p_limit;
end $$;

/*
 * A page of a user's list of conversations: the pinned ones first, then by the last entry that moved them, the newest first. It begins
 * behind the place (p_is_pinned, p_moved_id, p_no), null: at the front. A conversation that moves meanwhile is at the front, and
 * nothing else changes its place, so that pages that are read one after the other repeat nothing. The last entry's columns are
 * null when there is none, or the user has cleared it. is_long: it is the first page of a user with over 1,000 one-to-one conversations.
 */
create function fn.conversation_list(p_uid text, p_is_pinned boolean, p_moved_id bigint, p_no bigint, p_limit integer)
returns table (place text, id text, kind smallint, title text, last_seq bigint, read_seq bigint, unread bigint, is_mentioned boolean,
	is_pinned boolean, is_muted boolean, seq bigint, msg_id bigint, sender text, client_msg_id text, type text, body text,
	"time" bigint, reply_to bigint, mentions text, target_seq bigint, is_edited boolean, is_recalled boolean, expires_at bigint,
	is_long boolean)
language plpgsql stable
set enable_bitmapscan = off set enable_memoize = off
as $$
#variable_conflict use_column
declare
	v_now constant bigint := fn.now_ms();
begin
	return query
	with page as materialized (
		select * from fn.conversation_page(p_uid, p_is_pinned, p_moved_id, p_no, p_limit)
	)
	select concat_ws('.', page.is_pinned::integer, c.moved_id, c.no), c.id, c.kind, coalesce(g.name, a.name), c.last_seq, mine.read_seq,
		unread.unread, mention.is_mentioned, page.is_pinned, coalesce(d.is_muted, gm.is_silent),
		m.seq, m.msg_id, m.sender, case when m.sender = p_uid then m.client_msg_id end, m.type, m.body, m.time, m.reply_to, m.mentions,
		m.target_seq, m.is_edited, m.is_recalled, m.expires_at,
		p_no is null and (select count(*) from (select from direct_member d where d.uid = p_uid limit 1001) d) > 1000
	from page
	join conversation c on c.no = page.no
	left join lateral (select * from direct_member d where c.kind = 1 and d.uid = p_uid and d.no = page.no offset 0) d on true
	left join lateral (select * from group_member gm where c.kind = 2 and gm.no = page.no and gm.uid = p_uid offset 0) gm on true
	left join chat_group g on c.kind = 2 and g.no = page.no
	left join account a on c.kind = 1
		and a.uid = case when fn.first_of(c.id) = p_uid then fn.second_of(c.id) else fn.first_of(c.id) end
	cross join lateral (
		select coalesce(gm.read_seq, case when fn.first_of(c.id) = p_uid then c.first_read else c.second_read end) as seq,
			coalesce(gm.read_counted, case when fn.first_of(c.id) = p_uid then c.first_counted else c.second_counted end) as counted,
			coalesce(d.cleared_seq, gm.cleared_seq) as cleared_seq, coalesce(d.cleared_counted, gm.cleared_counted) as cleared_counted
	) own
	left join history_floor f on f.no = page.no
	-- Unread begins where the last one of what was read, what was cleared and what is removed ends.
	cross join lateral (select own.seq as read_seq, own.cleared_seq, greatest(own.seq, own.cleared_seq, f.seq) as unread_after,
		c.counted - greatest(own.counted, own.cleared_counted, f.counted) as counted_after) mine
	cross join lateral fn.unread(page.no, mine.unread_after, mine.counted_after, v_now) unread
	cross join lateral fn.mention_after(p_uid, page.no, mine.unread_after, mine.counted_after, v_now) mention
	left join lateral (select * from fn.shown_message m
		where m.no = page.no and m.seq = c.moved_seq and c.moved_seq > mine.cleared_seq) m on true
	order by page.is_pinned desc, c.moved_id desc, c.no desc;
end $$;

/*
 * The start of every change that a user makes to a conversation for itself: may the user read it, and where is it? not_found also when
 * nothing was stored in it. p_seq is a seq that the change is about: invalid_argument for one past the end. `counted` is the
 * conversation's as of p_seq.
 */
create function fn.conversation_of(p_uid text, p_conversation text, p_seq bigint)
returns table (verdict text, no bigint, kind smallint, last_seq bigint, counted bigint) language plpgsql stable
as $$
#variable_conflict use_column
begin
	return query
	select case when a.verdict <> 'ok' then a.verdict when c.kind is null or c.kind = 1 and c.last_seq = 0 then 'not_found'
		when p_seq > c.last_seq then 'invalid_argument' else 'ok' end, c.no, c.kind, c.last_seq,
		coalesce((select m.counted from message m where m.no = c.no and m.seq = p_seq), 0)
	from fn.conversation_access(p_uid, p_conversation) a left join conversation c on c.no = a.no;
end $$;

/*
 * Moves a user's read mark up to p_seq. `audience` is who is told, null when the mark was there already: both sides, the
 * members of a group of up to p_max_audience, or the reader alone.
 */
create function fn.conversation_read(p_uid text, p_conversation text, p_seq bigint, p_max_audience integer)
returns table (verdict text, audience text[]) language plpgsql
as $$
#variable_conflict use_column
declare
	v record;
begin
	select * into v from fn.conversation_of(p_uid, p_conversation, p_seq);
	if v.verdict <> 'ok' then
		return query select v.verdict, null::text[];
	elsif v.kind = 2 then
		update group_member m set read_seq = p_seq, read_counted = v.counted where m.no = v.no and m.uid = p_uid and m.read_seq < p_seq;
		return query select 'ok', case when not found then null
			when (select g.member_count from chat_group g where g.no = v.no) > p_max_audience then array[p_uid]
			else (select array_agg(m.uid) from group_member m where m.no = v.no) end;
	else
		update conversation c set first_read = p_seq, first_counted = v.counted
		where c.no = v.no and fn.first_of(c.id) = p_uid and c.first_read < p_seq;
		if not found then
			update conversation c set second_read = p_seq, second_counted = v.counted
			where c.no = v.no and fn.first_of(c.id) <> p_uid and c.second_read < p_seq;
		end if;
		return query select 'ok', case when found then (select array_agg(distinct u.uid)
			from unnest(array[fn.first_of(p_conversation), fn.second_of(p_conversation)]) u (uid)) end;
	end if;
end $$;

/*
 * Clears the history up to p_up_to (null: all of it) for one user. `up_to` is where it is cleared to now, null when it was already.
 */
create function fn.conversation_clear(p_uid text, p_conversation text, p_up_to bigint)
returns table (verdict text, up_to bigint) language plpgsql
as $$
#variable_conflict use_column
declare
	v record;
	v_up_to bigint := coalesce(p_up_to, (select c.last_seq from conversation c where c.id = p_conversation));
begin
	select * into v from fn.conversation_of(p_uid, p_conversation, v_up_to);
	if v.verdict = 'ok' then
		update direct_member d set cleared_seq = v_up_to, cleared_counted = v.counted
		where v.kind = 1 and d.no = v.no and d.uid = p_uid and d.cleared_seq < v_up_to;
		if not found then
			update group_member m set cleared_seq = v_up_to, cleared_counted = v.counted
			where v.kind = 2 and m.no = v.no and m.uid = p_uid and m.cleared_seq < v_up_to;
		end if;
		v_up_to := case when found then v_up_to end;
	end if;
	return query select v.verdict, v_up_to;
end $$;

/*
 * Changes what a user has chosen for a conversation; null leaves it. With p_is_hidden it is in no list until the next entry that
 * moves it. failed_precondition: p_max_pinned are pinned.
 */
create function fn.conversation_choose(p_uid text, p_conversation text, p_is_pinned boolean, p_is_muted boolean, p_is_hidden boolean,
	p_max_pinned integer default null) returns table (verdict text) language plpgsql
as $$
declare
	v record;
begin
	select * into v from fn.conversation_of(p_uid, p_conversation, null);
	if v.verdict = 'ok' and p_is_pinned then
		perform fn.accounts_lock(array[p_uid]);
		v.verdict := case when fn.pinned_full(p_uid, v.no, p_max_pinned) then 'failed_precondition' else 'ok' end;
	end if;
	if v.verdict = 'ok' then
		update direct_member d set is_pinned = coalesce(p_is_pinned, d.is_pinned), is_muted = coalesce(p_is_muted, d.is_muted),
			hidden_seq = case when p_is_hidden then v.last_seq else d.hidden_seq end
		where v.kind = 1 and d.no = v.no and d.uid = p_uid;
		update group_member m set is_pinned = coalesce(p_is_pinned, m.is_pinned), is_silent = coalesce(p_is_muted, m.is_silent),
			hidden_seq = case when p_is_hidden then v.last_seq else m.hidden_seq end
		where v.kind = 2 and m.no = v.no and m.uid = p_uid;
	end if;
	return query select v.verdict;
end $$;
