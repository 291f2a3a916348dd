-- Pinned messages, and who has read a message.

/*
 * Pins a message, or unpins it. `none`: it is pinned already; not_found: there is no such message, or it is not pinned. In a group the
 * owner and admins may. In a one-to-one conversation either takes what a message takes: blocked, not_friend. failed_precondition: it is
 * recalled or has expired, or p_max are pinned (`full`).
 */
create function fn.message_pin(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_conversation text, p_caller text,
	p_target_seq bigint, p_is_pin boolean, p_max integer, p_is_for_friends boolean) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_is_pinned boolean;
	v_may text;
	v_seq bigint;
begin
	select * into v from fn.message_change_begin(p_node, p_epoch, p_msg_id, p_conversation, p_caller, p_target_seq);
	v_may := case when v.role is null then 'ok' else fn.group_may(v.role, null, 'pin', null, false, false) end;
	if v_may <> 'ok' then -- whether the message is there or not
		return fn.entry_refused(v_may);
	end if;
	if v.answer is distinct from null then
		return v.answer;
	end if;
	v_may := fn.direct_may_change(p_conversation, p_caller, p_is_for_friends);
	if v_may <> 'ok' then
		return fn.entry_refused(v_may);
	end if;
	v_is_pinned := exists (select from pin p where p.no = v.no and p.target_seq = p_target_seq);
	if p_is_pin and v_is_pinned then
		return fn.entry_refused('none');
	elsif not p_is_pin and not v_is_pinned then
		return fn.entry_refused('not_found');
	elsif p_is_pin and v.recall_seq is not null then
		return fn.entry_refused('failed_precondition', 'recalled');
	elsif p_is_pin and v.expires_at <= p_time then
		return fn.entry_refused('failed_precondition', 'expired');
	elsif p_is_pin and (select count(*) from pin p where p.no = v.no) >= p_max then
		return fn.entry_refused('failed_precondition', 'full');
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_caller, 'system', format('{"event":"%s","actor":%s,"target_seq":%s}',
		case when p_is_pin then 'pinned' else 'unpinned' end, to_json(p_caller), p_target_seq), null);
	if p_is_pin then
		insert into pin (no, target_seq, seq) values (v.no, p_target_seq, v_seq);
	else
		delete from pin p where p.no = v.no and p.target_seq = p_target_seq;
	end if;
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * The pinned messages that the user may read, the newest pin first. One row with nulls when there are none, so that the verdict is there in
 * any case.
 */
create function fn.pins(p_uid text, p_conversation text)
returns table (verdict text, seq bigint, msg_id bigint, sender text, client_msg_id text, type text, body text, "time" bigint,
	reply_to bigint, mentions text, target_seq bigint, is_edited boolean, is_recalled boolean, expires_at bigint)
language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
	v_access record;
begin
	select * into v_access from fn.conversation_access(p_uid, p_conversation);
	return query
	select v_access.verdict, m.seq, m.msg_id, m.sender, case when m.sender = p_uid then m.client_msg_id end, m.type, m.body, m.time,
		m.reply_to, m.mentions, m.target_seq, m.is_edited, m.is_recalled, m.expires_at
	from (select) one left join lateral (
		select m.*, p.seq as pin_seq
		from pin p cross join lateral (select * from fn.shown_message m where m.no = p.no and m.seq = p.target_seq offset 0) m
		where v_access.verdict = 'ok' and p.no = v_access.no and p.target_seq > v_access.since_seq
	) m on true
	order by m.pin_seq desc;
end $$;

/*
 * A page of the members of a group of up to p_max who have read its message p_seq, but for its sender, behind p_after ('': from the
 * first), in the order of their uids, for the sender. read_count is of all of them. failed_precondition: the group is larger, or none.
 */
create function fn.readers(p_uid text, p_conversation text, p_seq bigint, p_max integer, p_after text, p_limit integer)
returns table (verdict text, uid text, read_seq bigint, read_count bigint, member_count integer) language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
	v_access record;
	v_sender text;
	v_count integer;
begin
	select * into v_access from fn.conversation_access(p_uid, p_conversation);
	select g.member_count into v_count from chat_group g where g.no = v_access.no;
	select m.sender into v_sender from message m
	where m.no = v_access.no and m.seq = p_seq and m.seq > v_access.since_seq and fn.type_is_content(m.type);
	return query
	select d.verdict, r.uid, r.read_seq, (select count(*) from group_member m
			where d.verdict = 'ok' and m.no = v_access.no and m.read_seq >= p_seq and m.uid <> p_uid), v_count
	from (select case when v_access.verdict <> 'ok' then v_access.verdict
		when v_count is null or v_count > p_max then 'failed_precondition' when v_sender is null then 'not_found'
		when v_sender <> p_uid then 'permission_denied' else 'ok' end) d (verdict)
	left join lateral (select m.uid, m.read_seq from group_member m
		where d.verdict = 'ok' and m.no = v_access.no and m.read_seq >= p_seq and m.uid <> p_uid and m.uid > p_after
		order by m.uid limit p_limit) r on true;
end $$;
