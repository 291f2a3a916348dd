-- Typing and presence: these statements find who is told. Nothing of it is stored in PostgreSQL.

/*
 * May the user send to this conversation, and who is told that the user types: the other side, or the other members of a group of
 * up to p_max_audience; null: nobody. The verdicts are those of a send (05_send.sql). One-to-one, nothing has to be stored yet.
 */
create function fn.conversation_typing(p_uid text, p_conversation text, p_max_audience integer, p_is_for_friends boolean)
returns table (verdict text, audience text[]) language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
	v_first constant text := fn.first_of(p_conversation);
	v_second constant text := fn.second_of(p_conversation);
	v_peer constant text := case when v_first = p_uid then v_second else v_first end;
begin
	if p_conversation like 'g:%' then
		return query
		select may.verdict, case when may.verdict = 'ok' and g.member_count <= p_max_audience
			then (select array_agg(m.uid) from group_member m where m.no = g.no and m.uid <> p_uid) end
		from (select p_conversation) q (id)
		left join conversation c on c.id = q.id
		left join chat_group g on g.no = c.no
		left join group_member gm on gm.no = g.no and gm.uid = p_uid
		cross join lateral (select case when g.no is null then 'not_found' else fn.group_may(gm.role, null, 'send', g.join_mode,
			fn.is_muted(g.is_muted, gm.role, gm.muted_until, fn.now_ms()), g.dissolved_at is not null) end as verdict) may;
	else
		return query
		select case when p_uid not in (v_first, v_second) then 'not_member' when a.uid is null then 'not_found'
			-- Never null before the `and`: the function would be called to find out.
			when (a.has_blocks or coalesce(a.messages_from = 'friends', p_is_for_friends)) is true
				then fn.direct_may(v_peer, p_uid, coalesce(a.messages_from = 'friends', p_is_for_friends))
			else 'ok' end,
			case when v_peer <> p_uid then array[v_peer] end
		from (select v_peer) q (uid) left join account a on a.uid = q.uid;
	end if;
end $$;

/*
 * Whose presence the user may see, of p_uids: a row for each, in their order. A user who hides it, or is deleted, looks like one
 * who does not exist.
 */
create function fn.presence_seen(p_uid text, p_uids text[]) returns table (uid text, is_seen boolean) language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
	return query
	select q.uid, a.uid is not null and (q.uid = p_uid or coalesce(a.presence, 'everyone') = 'everyone'
		or a.presence = 'friends' and fn.is_friend(q.uid, p_uid))
	from unnest(p_uids) with ordinality as q (uid, ord) left join account a on a.uid = q.uid and a.deleted_at is null
	order by q.ord;
end $$;

/*
 * The audience of presence events about p_uids, a row for each user: its friends, and with is_public every connection that watches
 * the user. A user whose setting is `nobody` has no row.
 */
create function fn.presence_audience(p_uids text[]) returns table (uid text, is_public boolean, friends text[])
language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
	return query
	select a.uid, coalesce(a.presence, 'everyone') = 'everyone',
		(select array_agg(f.friend) from friendship f where f.uid = a.uid)
	from unnest(p_uids) q (uid) join account a on a.uid = q.uid
	where a.presence is distinct from 'nobody';
end $$;
