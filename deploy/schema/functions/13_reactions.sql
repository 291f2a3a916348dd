-- Reactions to messages. Each that is added or removed is an entry of its own; 012_reactions.sql has those that stand.

-- The body of a reaction's entry, which no user sees: a message shows it as `op` and `emoji` (libcommon/message/reaction.h).
create function fn.reaction_body(p_op text, p_emoji text) returns text language sql immutable as $$
	select format('{"op":"%s","emoji":%s}', p_op, to_json(p_emoji))
$$;

/*
 * Adds the caller's reaction to a message, or removes it. One that stands already is answered with the entry that added it; one to remove
 * that does not stand is not_found. failed_precondition: the message is recalled or has expired, or has p_max different emojis (`full`).
 * To add one in a one-to-one conversation takes what a message takes: blocked, not_friend.
 */
create function fn.entry_react(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_conversation text, p_caller text,
	p_target_seq bigint, p_emoji text, p_is_add boolean, p_max integer, p_is_for_friends boolean)
returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_may text;
	v_standing bigint;
	v_count integer;
	v_seq bigint;
begin
	select * into v from fn.message_change_begin(p_node, p_epoch, p_msg_id, p_conversation, p_caller, p_target_seq);
	if v.answer is distinct from null then
		return v.answer;
	end if;
	v_may := case when p_is_add then fn.direct_may_change(p_conversation, p_caller, p_is_for_friends) else 'ok' end;
	if v_may <> 'ok' then
		return fn.entry_refused(v_may);
	end if;
	select r.seq into v_standing from reaction r
	where r.no = v.no and r.target_seq = p_target_seq and r.emoji = p_emoji and r.uid = p_caller;
	if not p_is_add and v_standing is null then
		return fn.entry_refused('not_found');
	elsif v.recall_seq is not null then
		return fn.entry_refused('failed_precondition', 'recalled');
	elsif v.expires_at <= p_time then
		return fn.entry_refused('failed_precondition', 'expired');
	elsif p_is_add and v_standing is not null then
		return fn.entry_answer_of(v.no, v_standing, true);
	end if;
	select c.count into v_count from reaction_count c where c.no = v.no and c.target_seq = p_target_seq and c.emoji = p_emoji;
	if v_count is null and (select count(*) from reaction_count c where c.no = v.no and c.target_seq = p_target_seq) >= p_max then
		return fn.entry_refused('failed_precondition', 'full');
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_caller, 'reaction',
		fn.reaction_body(case when p_is_add then 'add' else 'remove' end, p_emoji), p_target_seq);
	if p_is_add then
		insert into reaction (no, target_seq, seq, emoji, uid) values (v.no, p_target_seq, v_seq, p_emoji, p_caller);
		insert into reaction_count as c (no, target_seq, first_seq, count, emoji) values (v.no, p_target_seq, v_seq, 1, p_emoji)
		on conflict (no, target_seq, emoji) do update set count = c.count + 1;
	else
		perform fn.reaction_remove(v.no, p_target_seq, p_emoji, p_caller, v_count);
	end if;
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

-- Removes a reaction that stands; p_count counts those of its emoji, itself included.
create function fn.reaction_remove(p_no bigint, p_target_seq bigint, p_emoji text, p_uid text, p_count integer) returns void
language plpgsql
as $$
begin
	delete from reaction r where r.no = p_no and r.target_seq = p_target_seq and r.emoji = p_emoji and r.uid = p_uid;
	if p_count = 1 then
		delete from reaction_count c where c.no = p_no and c.target_seq = p_target_seq and c.emoji = p_emoji;
	else
		update reaction_count c set count = p_count - 1, first_seq = (select r.seq from reaction r
			where r.no + 0 = p_no and r.target_seq = p_target_seq and r.emoji = p_emoji order by r.seq limit 1)
		where c.no = p_no and c.target_seq = p_target_seq and c.emoji = p_emoji;
	end if;
end $$;

/*
 * The reactions to the messages from p_lowest to p_highest as p_uid sees them, by message, ordered by the first that stands: a line
 * "<count> <+ or -> <emoji>" each, + where p_uid is one of them. With p_absent only those out of it, as of fn.messages_named();
 * they are counted one by one. (One select without settings: it becomes part of the query that calls it.)
 */
create function fn.reactions_in(p_uid text, p_no bigint, p_lowest bigint, p_highest bigint,
	p_absent int8multirange default null)
returns table (target_seq bigint, reactions text) language sql stable
as $$
	select c.target_seq, string_agg(shown.count || case when exists (select from reaction r where r.no = c.no
		and r.target_seq = c.target_seq and r.emoji = c.emoji and r.uid = p_uid) then ' + ' else ' - ' end || c.emoji, E'\n'
		order by c.first_seq)
	from reaction_count c
	cross join lateral (select case when p_absent is null then c.count else (select count(*) from reaction r where r.no + 0 = c.no
		and r.target_seq = c.target_seq and r.emoji = c.emoji and not r.seq <@ p_absent) end) shown (count)
	where c.no = p_no and c.target_seq between p_lowest and p_highest and shown.count > 0
	group by c.target_seq
$$;

/*
 * The same of the messages that are named, as far as p_uid may know of them: a row for each that has any, `ord` counted from 1. Those
 * without p_is_wanted are left out. It looks up each conversation once, its reactions by one index range.
 */
create function fn.reactions_of(p_uid text, p_conversations text[], p_seqs bigint[], p_is_wanted boolean[])
returns table (ord bigint, reactions text)
language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
	return query
	select w.ord, r.reactions
	from fn.messages_named(p_uid, p_conversations, p_seqs, p_is_wanted) named
	cross join lateral fn.reactions_in(p_uid, named.no, named.lowest, named.highest, named.absent) r
	join lateral unnest(named.numbers, named.ords) as w (number, ord) on w.number = r.target_seq;
end $$;
