-- Changes to messages. Each is an entry of its own beside the message, which stays as it was stored; see 04_entries.sql for the order of steps.
-- A failed_precondition has its reason in `detail`: not_a_message, recalled, expired, or too_late.

/*
 * The start of every change to a message: the lease, the lock, an earlier try of the same entry, and the target. `answer` is not null
 * when the change ends here. `role` is the caller's in a group, known where the target is looked at; null in a one-to-one conversation.
 */
create function fn.message_change_begin(p_node integer, p_epoch bigint, p_msg_id bigint, p_conversation text, p_caller text,
	p_target_seq bigint, out no bigint, out role smallint, out sender text, out type smallint, out "time" bigint,
	out expires_at bigint, out recall_seq bigint, out answer fn.entry_answer) language plpgsql
as $$
#variable_conflict use_column
declare
	v_seq bigint;
	v_access record;
begin
	if not fn.lease_is_held(p_node, p_epoch) then
		answer := fn.entry_refused('lease');
		return;
	end if;
	select c.no into no from conversation c where c.id = p_conversation for no key update;
	v_seq := fn.entry_find(no, p_msg_id);
	if v_seq is not null then
		answer := fn.entry_answer_of(no, v_seq, true);
		return;
	end if;
	select * into v_access from fn.conversation_access(p_caller, p_conversation);
	if v_access.verdict <> 'ok' then
		answer := fn.entry_refused(v_access.verdict);
		return;
	end if;
	select m.role into role from group_member m where m.no = v_access.no and m.uid = p_caller;
	select m.type, m.sender, m.time, m.expires_at, (select c.seq from message_change c
		where c.no = m.no and c.target_seq = m.seq and c.kind = 1 order by c.seq limit 1)
	into type, sender, "time", expires_at, recall_seq
	from message m where m.no = v_access.no and m.seq = p_target_seq and m.seq > v_access.since_seq;
	if not found then
		answer := fn.entry_refused('not_found');
		return;
	end if;
	if not fn.type_is_content(type) then
		answer := fn.entry_refused('failed_precondition', 'not_a_message');
		return;
	end if;
end $$;

/*
 * Recalls a message: its sender within p_window_ms, the owner and admins of a group at any time. The recall of a message that is
 * recalled already answers the first recall.
 */
create function fn.entry_recall(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_conversation text, p_caller text,
	p_target_seq bigint, p_window_ms bigint) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_is_manager boolean;
	v_seq bigint;
begin
	select * into v from fn.message_change_begin(p_node, p_epoch, p_msg_id, p_conversation, p_caller, p_target_seq);
	if v.answer is distinct from null then
		return v.answer;
	end if;
	v_is_manager := v.role is not null and fn.group_may(v.role, null, 'recall_others', null, false, false) = 'ok';
	if v.sender <> p_caller and not v_is_manager then
		return fn.entry_refused('permission_denied');
	end if;
	if v.recall_seq is not null then
		return fn.entry_answer_of(v.no, v.recall_seq, true);
	end if;
	if not v_is_manager and p_time - v.time > p_window_ms then
		return fn.entry_refused('failed_precondition', 'too_late');
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_caller, 'recall', null, p_target_seq);
	insert into message_change (no, target_seq, seq, kind) values (v.no, p_target_seq, v_seq, 1);
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * Gives a message another body: its sender within p_window_ms, unless the message is recalled or has expired. The type stays; p_types are
 * those for which this is a body. In a one-to-one conversation it takes what a message takes: blocked, not_friend.
 */
create function fn.entry_edit(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_conversation text, p_caller text,
	p_target_seq bigint, p_body text, p_types text[], p_window_ms bigint, p_is_for_friends boolean default false)
returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_may text;
	v_seq bigint;
begin
	select * into v from fn.message_change_begin(p_node, p_epoch, p_msg_id, p_conversation, p_caller, p_target_seq);
	if v.answer is distinct from null then
		return v.answer;
	end if;
	if v.sender <> p_caller then
		return fn.entry_refused('permission_denied');
	end if;
	v_may := fn.direct_may_change(p_conversation, p_caller, p_is_for_friends);
	if v_may <> 'ok' then
		return fn.entry_refused(v_may);
	end if;
	if v.recall_seq is not null then
		return fn.entry_refused('failed_precondition', 'recalled');
	end if;
	if v.expires_at <= p_time then
		return fn.entry_refused('failed_precondition', 'expired');
	end if;
	if p_time - v.time > p_window_ms then
		return fn.entry_refused('failed_precondition', 'too_late');
	end if;
	if fn.type_name(v.type) <> all (coalesce(p_types, '{}')) then
		return fn.entry_refused('invalid_argument');
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_caller, 'edit', p_body, p_target_seq, v.expires_at);
	insert into message_change (no, target_seq, seq, kind) values (v.no, p_target_seq, v_seq, 2);
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * A page of the bodies that a message has had, oldest first: its own, then those of its edits, behind the entry p_after (null: from the
 * first). It ends once the bodies are p_bytes; one is always in it. For admins, of whatever conversation, and also of a recalled message. The
 * bodies of one that has expired are null. One row with nulls when there are none. not_found: there is no such message.
 */
create function fn.message_edits(p_conversation text, p_target_seq bigint, p_after bigint, p_limit integer, p_bytes bigint)
returns table (verdict text, has_more boolean, seq bigint, "time" bigint, sender text, body text)
language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
	v_no bigint;
	v_now constant bigint := fn.now_ms();
begin
	select m.no into v_no from conversation c join message m on m.no = c.no and m.seq = p_target_seq
	where c.id = p_conversation and fn.type_is_content(m.type);
	return query
	with found as (
		select m.seq, m.time, m.sender, m.body, row_number() over w as ord,
			sum(coalesce(octet_length(m.body), 0)) over w - coalesce(octet_length(m.body), 0) as before
		from (
			(select p_target_seq as seq where p_after is null
			union all
			select c.seq from message_change c
			where c.no = v_no and c.target_seq = p_target_seq and c.kind = 2 and c.seq > coalesce(p_after, 0))
			order by seq limit p_limit + 1
		) e cross join lateral (select m.seq, m.time, m.sender,
				case when m.expires_at is null then m.body when m.expires_at > v_now then fn.expiring_body(m.no, m.seq) end as body
			from message m where m.no = v_no and m.seq = e.seq offset 0) m
		window w as (order by m.seq rows unbounded preceding)
	), page as (
		select * from found where ord <= p_limit and before < p_bytes
	)
	select case when v_no is null then 'not_found' else 'ok' end, (select count(*) from page) < (select count(*) from found), p.seq, p.time,
		p.sender, p.body
	from (select) one left join page p on true
	order by p.seq;
end $$;
