-- Entries that no client has sent as a message: changes to messages, and what happened to a conversation. A function that makes one
-- does everything in one transaction, in this order:
--   1. fn.lease_is_held(): nothing is stored under a lost lease
--   2. the lock of the conversation's row, by `select ... for no key update`; rows of other tables after it
--   3. fn.entry_find(): is the entry stored already? The caller asks again under the same id when it lost the answer
--   4. the decision and the change, by statements that began under the lock
--   5. fn.entry_append(), and fn.entry_answer_of() for the answer
-- It locks one conversation only, so it never waits in a circle with a batch of sends.

-- The body of an entry that expires; null when it was removed. Called only for a row of `message` that has an expires_at.
create function fn.expiring_body(p_no bigint, p_seq bigint) returns text language sql stable as $$
	select b.body from expiring_body b where b.no = p_no and b.seq = p_seq
$$;

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
create function fn.entry_answer_of(p_no bigint, p_seq bigint, p_is_duplicate boolean) returns fn.entry_answer language sql stable
as $$
	select 'ok', null, m.msg_id, m.seq, m.time, p_is_duplicate, fn.type_name(m.type), m.sender,
		case when m.expires_at is null then m.body else fn.expiring_body(m.no, m.seq) end, m.target_seq,
		fn.member_version_at(m.no, c.kind, m.seq), fn.members_changed_by(m.no, m.seq, true),
		fn.members_changed_by(m.no, m.seq, false), m.expires_at
	from message m join conversation c on c.no = m.no where m.no = p_no and m.seq = p_seq
$$;

-- An answer without an entry.
create function fn.entry_refused(p_status text, p_detail text default null) returns fn.entry_answer language sql immutable as $$
	select row (p_status, p_detail, null, null, null, false, null, null, null, null, null, null, null, null)::fn.entry_answer
$$;
