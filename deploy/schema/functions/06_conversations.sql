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
