-- Entries that no client has sent as a message: changes to messages, and what happened to a conversation. A function that makes one
-- does everything in one transaction, in this order:
--   1. fn.lease_is_held(): nothing is stored under a lost lease
--   2. the lock of the conversation's row, by `select ... for no key update`; rows of other tables after it
--   3. fn.entry_find(): is the entry stored already? The caller asks again under the same id when it lost the answer
--   4. the decision and the change, by statements that began under the lock
--   5. fn.entry_append(), and fn.entry_answer_of() for the answer
-- Called alone it locks one conversation, so it never waits in a circle with a batch of sends. In a batch fn.im_change() has locked all
-- conversations before the first call.

-- The body of an entry that expires; null when it was removed. Called only for a row of `message` that has an expires_at.
create function fn.expiring_body(p_no bigint, p_seq bigint) returns text language plpgsql stable as $$
begin
	return (select b.body from expiring_body b where b.no = p_no and b.seq = p_seq);
end $$;

/*
 * Appends an entry to a conversation whose row the caller has locked. It counts for no unread and moves no read mark; one of type
 * `system` moves the conversation to the front of the lists. p_expires_at is of an edit: that of the message.
 * Returns its seq.
 */
create function fn.entry_append(p_no bigint, p_msg_id bigint, p_time bigint, p_sender text, p_type text, p_body text,
	p_target_seq bigint, p_expires_at bigint default null) returns bigint language plpgsql
as $$
declare
	v_seq bigint;
	v_counted bigint;
	v_is_at_rest boolean;
begin
	update conversation set last_seq = last_seq + 1,
		moved_seq = case p_type when 'system' then last_seq + 1 else moved_seq end,
		moved_id = case p_type when 'system' then p_msg_id else moved_id end
	where no = p_no returning last_seq, counted, is_at_rest into v_seq, v_counted, v_is_at_rest;
	if v_is_at_rest and p_type = 'system' then
		perform fn.direct_rests_end(array[p_no]);
	end if;
	insert into message (no, seq, msg_id, time, counted, key_hash, target_seq, type, sender, body, expires_at)
	values (p_no, v_seq, p_msg_id, p_time, v_counted, fn.entry_key(p_no, p_msg_id::text), p_target_seq, fn.type_no(p_type),
		p_sender, case when p_expires_at is null then p_body end, p_expires_at);
	if p_expires_at is not null then
		insert into expiring_body (no, seq, expires_at, body) values (p_no, v_seq, p_expires_at, p_body);
	end if;
	return v_seq;
end $$;

/*
 * The seq of the entry with this id that fn.entry_append() stored; null: it was not stored. (Adding 0 keeps the planner from walking
 * through the conversation by the primary key, which it prefers in a young table.)
 */
create function fn.entry_find(p_no bigint, p_msg_id bigint) returns bigint language plpgsql stable
as $$
begin
	return (select m.seq from message m where m.key_hash = fn.entry_key(p_no, p_msg_id::text) and m.no + 0 = p_no
		and m.msg_id = p_msg_id and m.client_msg_id is null);
end $$;

/*
 * The answer that tells of a stored entry. A statement of its own after fn.entry_append(): it reads what earlier statements stored.
 */
create function fn.entry_answer_of(p_no bigint, p_seq bigint, p_is_duplicate boolean) returns fn.entry_answer language plpgsql stable
as $$
declare
	v fn.entry_answer;
begin
	select 'ok', null, m.msg_id, m.seq, m.time, p_is_duplicate, fn.type_name(m.type), m.sender,
		case when m.expires_at is null then m.body else fn.expiring_body(m.no, m.seq) end, m.target_seq,
		fn.member_version_at(m.no, c.kind, m.seq), fn.members_changed_by(m.no, m.seq, true),
		fn.members_changed_by(m.no, m.seq, false), m.expires_at
	into v from message m join conversation c on c.no = m.no where m.no = p_no and m.seq = p_seq;
	return v;
end $$;

-- An answer without an entry.
create function fn.entry_refused(p_status text, p_detail text default null) returns fn.entry_answer language sql immutable as $$
	select row (p_status, p_detail, null, null, null, false, null, null, null, null, null, null, null, null)::fn.entry_answer
$$;

/*
 * Stores a batch of changes: one row of the arrays each, one row of the answer each (`ord` counts from 1). p_conversations are the batch's
 * conversations, each once, in bytewise order; p_at says which one a change belongs to (from 1). The changes are made in the order of the
 * arrays, each by the function of its kind, which sees what those before it did. The conversations are locked before, in the order of
 * their ids, as by fn.im_send(). Besides, these functions lock what belongs to one conversation only; those of group_add, group_join and
 * group_accept also lock accounts, so each of these changes is a batch of its own. (fn.retention_run() and fn.deletion_step() lock rows of many
 * conversations, in their own order: they give up when they wait for long.) For p_subject, p_types and p_n1 to p_n3 see the kinds in
 * message_change.c and group_change.h.
 */
create function fn.im_change(p_node integer, p_epoch bigint, p_time bigint, p_conversations text[], p_at integer[], p_msg_id bigint[],
	p_kind text[], p_caller text[], p_subject text[], p_types text[], p_n1 bigint[], p_n2 bigint[], p_n3 bigint[])
returns table (ord bigint, answer fn.entry_answer) language plpgsql
as $$
#variable_conflict use_column
declare
	v_locked text[];
	e record;
begin
	if not fn.lease_is_held(p_node, p_epoch) then
		return query select i, fn.entry_refused('lease') from unnest(p_at) with ordinality as n (at, i);
		return;
	end if;
	select coalesce(array_agg(id), '{}') into v_locked
	from (select id from conversation where id = any (p_conversations) order by id for no key update) c;
	for e in
		select i.*, p_conversations[i.at] as id, substr(p_conversations[i.at], 3) as gid
		from unnest(p_at, p_msg_id, p_kind, p_caller, p_subject, p_types, p_n1, p_n2, p_n3)
			with ordinality as i (at, msg_id, kind, caller, subject, types, n1, n2, n3, ord)
	loop
		ord := e.ord;
		answer := case
		when e.id <> all (v_locked) then fn.entry_refused((select case a.verdict when 'ok' then 'not_found' else a.verdict end
			from fn.conversation_access(e.caller, e.id) a))
		else case e.kind
			when 'recall' then fn.entry_recall(p_node, p_epoch, e.msg_id, p_time, e.id, e.caller, e.n1, e.n2)
			when 'edit' then fn.entry_edit(p_node, p_epoch, e.msg_id, p_time, e.id, e.caller, e.n1, e.subject,
				string_to_array(e.types, ','), e.n2, e.n3 = 1)
			when 'react' then fn.entry_react(p_node, p_epoch, e.msg_id, p_time, e.id, e.caller, e.n1, e.subject, true,
				e.n2::integer, e.n3 = 1)
			when 'unreact' then fn.entry_react(p_node, p_epoch, e.msg_id, p_time, e.id, e.caller, e.n1, e.subject, false,
				e.n2::integer, e.n3 = 1)
			when 'pin' then fn.message_pin(p_node, p_epoch, e.msg_id, p_time, e.id, e.caller, e.n1, true, e.n2::integer,
				e.n3 = 1)
			when 'unpin' then fn.message_pin(p_node, p_epoch, e.msg_id, p_time, e.id, e.caller, e.n1, false, e.n2::integer,
				e.n3 = 1)
			when 'group_add' then fn.group_members_add(p_node, p_epoch, e.msg_id, p_time, e.gid, e.caller,
				string_to_array(e.subject, ','), e.n1::integer, e.n2::integer)
			when 'group_remove' then fn.group_member_remove(p_node, p_epoch, e.msg_id, p_time, e.gid, e.caller, e.subject)
			when 'group_role' then fn.group_member_role(p_node, p_epoch, e.msg_id, p_time, e.gid, e.caller, e.subject,
				e.n1::smallint, e.n2::integer)
			when 'group_mute' then fn.group_member_mute(p_node, p_epoch, e.msg_id, p_time, e.gid, e.caller, e.subject, e.n1)
			when 'group_hand_over' then fn.group_hand_over(p_node, p_epoch, e.msg_id, p_time, e.gid, e.caller, e.subject,
				e.n1::integer)
			when 'group_profile' then fn.group_change_profile(p_node, p_epoch, e.msg_id, p_time, e.gid, e.caller, e.subject)
			when 'group_dissolve' then fn.group_dissolve(p_node, p_epoch, e.msg_id, p_time, e.gid, e.caller)
			when 'group_join' then fn.group_join(p_node, p_epoch, e.msg_id, p_time, e.gid, e.caller, e.subject, e.n1::integer,
				e.n2::integer, e.n3::integer)
			when 'group_accept' then fn.group_request_accept(p_node, p_epoch, e.msg_id, p_time, e.gid, e.caller, e.subject,
				e.n1::integer, e.n2::integer)
			else fn.entry_refused('internal')
			end
		end;
		return next;
	end loop;
end $$;
