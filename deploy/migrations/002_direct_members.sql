-- Which one-to-one conversations a user has, as group_member tells the groups: for what lists a user's conversations.

create table direct_member (
	uid text collate "C",
	conversation_id text collate "C",
	primary key (uid, conversation_id)
);

/*
 * Filled by whatever makes conversations, in the same statement; a send to one that exists comes nowhere near. A trigger and
 * not a step of im_send(): a batch that begins before this migration and ends after it, still in the old body of the
 * function, is seen too, since creating the trigger waits for those that are writing and the others meet it.
 */
create function direct_member_fill() returns trigger language plpgsql as $$
begin
	insert into direct_member (uid, conversation_id)
	select split_part(id, ':', 2), id from made where kind = 1
	union
	select split_part(id, ':', 3), id from made where kind = 1;
	return null;
end $$;

create trigger conversation_made after insert on conversation
referencing new table as made for each statement execute function direct_member_fill();

insert into direct_member (uid, conversation_id)
select split_part(id, ':', 2), id from conversation where kind = 1
union
select split_part(id, ':', 3), id from conversation where kind = 1;

/*
 * Every conversation of a user, with the user's own last seq in it, as far as that is among its newest 1,000 (else 0). A
 * one-to-one conversation in which nothing was stored is none. Lookups by index only, as in im_send(): a scan that walks
 * back from the newest stops at the first hit.
 */
create function im_conversations(p_uid text) returns table (id text, last_seq bigint, own_seq bigint)
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_memoize = off set jit = off
as $$
#variable_conflict use_column
begin
	return query
	select c.id, c.last_seq, coalesce(own.seq, 0)
	from (
		select d.conversation_id from direct_member d where d.uid = p_uid
		union all
		select 'g:' || m.gid from group_member m join chat_group g on g.gid = m.gid
		where m.uid = p_uid and g.dissolved_at is null
	) mine (id)
	join conversation c on c.id = mine.id
	left join lateral (
		select newest.seq from (
			select m.seq, m.sender from message m where m.conversation_id = c.id and m.seq > c.last_seq - 1000
			order by m.seq desc limit 1000) newest
		where newest.sender = p_uid
		order by newest.seq desc limit 1) own on true
	where c.kind = 2 or c.last_seq > 0
	order by c.id;
end $$;
