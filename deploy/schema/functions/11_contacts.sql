-- Friends, requests and blocks.

/*
 * Whatever is decided about a pair of users is decided by one transaction after the other: a request, its answer, the end of
 * the friendship. Held until the end of the transaction.
 */
create function fn.pair_lock(p_uid text, p_other text) returns void language sql volatile as $$
	select pg_advisory_xact_lock(hashtextextended(
		least(p_uid collate "C", p_other) || ' ' || greatest(p_uid collate "C", p_other), 1))
$$;

create function fn.is_friend(p_uid text, p_other text) returns boolean language plpgsql stable as $$
begin
	return exists (select from friendship f where f.uid = p_uid and f.friend = p_other);
end $$;

create function fn.is_blocked(p_uid text, p_other text) returns boolean language plpgsql stable as $$
begin
	return exists (select from block b where b.uid = p_uid and b.blocked = p_other);
end $$;

-- A deleted user is there as a row, and for nobody else.
create function fn.is_deleted(p_uid text) returns boolean language plpgsql stable as $$
begin
	return exists (select from account a where a.uid = p_uid and a.deleted_at is not null);
end $$;

/*
 * May p_sender write to p_uid, whom only friends may write to if p_is_for_friends? 'ok', not_found, blocked or not_friend. The statement
 * that stores sends asks here where there may be a reason (05_send.sql), so a block holds from the moment it is committed, at
 * every im. The system user writes to everybody who has not blocked it.
 */
create function fn.direct_may(p_uid text, p_sender text, p_is_for_friends boolean) returns text language plpgsql stable
as $$
begin
	return case when fn.is_deleted(p_uid) then 'not_found'
		when fn.is_blocked(p_uid, p_sender) then 'blocked'
		when p_is_for_friends and p_uid <> p_sender and not fn.is_friend(p_uid, p_sender)
			and not exists (select from account a where a.uid = p_sender and a.is_system) then 'not_friend'
		else 'ok' end;
end $$;

/*
 * May p_caller show who else is in this conversation an edit, a reaction, a pin or its end? In a one-to-one conversation as a message would be
 * answered ('ok', blocked or not_friend), in a group always. A recall, or the end of a reaction, only takes away: it does not ask here.
 */
create function fn.direct_may_change(p_conversation text, p_caller text, p_is_for_friends boolean) returns text language plpgsql stable
as $$
begin
	if p_conversation like 'g:%' then
		return 'ok';
	end if;
	return (select fn.direct_may(a.uid, p_caller, coalesce(a.messages_from = 'friends', p_is_for_friends)) from account a
		where a.uid = case when fn.first_of(p_conversation) = p_caller then fn.second_of(p_conversation)
			else fn.first_of(p_conversation) end);
end $$;

/*
 * Asks p_recipient to become a friend. A request that is pending already is answered as it is (`is_repeat`). already_exists: they
 * are friends; failed_precondition: p_max requests of this sender are pending, or p_max_got to this recipient.
 */
create function fn.friend_request_make(p_sender text, p_recipient text, p_note text, p_max integer, p_max_got integer default null)
returns table (verdict text, request_id bigint, note text, is_repeat boolean, detail text) language plpgsql
as $$
#variable_conflict use_column
declare
	v_verdict text;
	v_full text;
	v_request friend_request;
begin
	perform fn.pair_lock(p_sender, p_recipient);
	select * into v_request from friend_request r where r.sender = p_sender and r.recipient = p_recipient;
	v_verdict := case
		when not exists (select from account a where a.uid = p_recipient and a.deleted_at is null) then 'not_found'
		when fn.is_blocked(p_recipient, p_sender) then 'blocked'
		when fn.is_friend(p_sender, p_recipient) then 'already_exists'
		when v_request.status = 0 then 'ok'
		else 'make' end;
	if v_verdict = 'make' then
		v_full := fn.friend_requests_full(p_sender, p_recipient, p_max, p_max_got);
		v_verdict := case when v_full is null then 'make' else 'failed_precondition' end;
	end if;
	if v_verdict <> 'make' then
		return query select v_verdict, v_request.no, v_request.note, true, v_full;
		return;
	end if;
	delete from friend_request r where r.no = v_request.no;
	return query insert into friend_request (sender, recipient, note) values (p_sender, p_recipient, p_note)
		returning 'ok', no, note, false, null;
end $$;

/*
 * Accepts or rejects a request (p_status 1 or 2), by its recipient. The answer that was given before is answered again
 * (`is_repeat`), the other one is failed_precondition, as is a friendship with which one side would have more than p_max. A
 * request of the recipient to the sender is accepted along with it. blocked: the sender does not want it any more.
 */
create function fn.friend_request_answer(p_uid text, p_request_id bigint, p_status smallint, p_max integer)
returns table (verdict text, detail text, sender text, note text, is_repeat boolean) language plpgsql
as $$
#variable_conflict use_column
declare
	v_request friend_request;
	v_verdict text;
	v_detail text;
begin
	perform fn.pair_lock(r.sender, r.recipient) from friend_request r where r.no = p_request_id;
	select * into v_request from friend_request r where r.no = p_request_id and p_uid in (r.sender, r.recipient);
	v_verdict := case when not found then 'not_found' when v_request.sender = p_uid then 'permission_denied'
		when v_request.status not in (0, p_status) then 'failed_precondition'
		when fn.is_deleted(v_request.sender) then 'not_found'
		when v_request.status = 0 and p_status = 1 and fn.is_blocked(v_request.sender, p_uid) then 'blocked' else 'ok' end;
	if v_verdict = 'ok' and v_request.status = 0 and p_status = 1 then
		perform fn.accounts_lock(array[p_uid, v_request.sender]); -- the friends of both are counted
	end if;
	if v_verdict = 'failed_precondition' then
		v_detail := 'the request was answered before, in the other way';
	elsif v_verdict = 'ok' and v_request.status = 0 and p_status = 1 and greatest(
		(select count(*) from friendship f where f.uid = p_uid),
		(select count(*) from friendship f where f.uid = v_request.sender)) >= p_max then
		v_verdict := 'failed_precondition';
		v_detail := format('a user has at most %s friends', p_max);
	end if;
	return query select v_verdict, v_detail, v_request.sender, v_request.note, v_request.status = p_status;
	if v_verdict <> 'ok' or v_request.status = p_status then
		return;
	end if;
	update friend_request r set status = p_status where r.no = p_request_id;
	if p_status = 1 then
		update friend_request r set status = 1 where r.sender = p_uid and r.recipient = v_request.sender;
		insert into friendship (uid, friend) values (p_uid, v_request.sender), (v_request.sender, p_uid)
		on conflict do nothing;
	end if;
end $$;

/*
 * A page of the requests that the user has made or got, the newest first, behind the one with the id p_before (null: from the
 * newest). The bounds are written so that the indexes that begin with the user serve the order, and the primary key does not.
 */
create function fn.friend_requests(p_uid text, p_before bigint, p_limit integer)
returns table (request_id bigint, sender text, recipient text, note text, status smallint, created_at bigint)
language sql stable
set enable_incremental_sort = off
as $$
	select r.no, r.sender, r.recipient, r.note, r.status, r.created_at
	from (
		(select * from friend_request r
			where (r.sender, r.no) < (p_uid, coalesce(p_before, 9223372036854775807)) and r.sender >= p_uid
			order by r.sender desc, r.no desc limit p_limit)
		union all
		(select * from friend_request r
			where (r.recipient, r.no) < (p_uid, coalesce(p_before, 9223372036854775807)) and r.recipient >= p_uid
			order by r.recipient desc, r.no desc limit p_limit)
	) r order by r.no desc limit p_limit
$$;

-- Ends a friendship, for both sides. not_found: there is none.
create function fn.friend_remove(p_uid text, p_friend text) returns table (verdict text) language plpgsql
as $$
begin
	perform fn.pair_lock(p_uid, p_friend);
	delete from friendship f where (f.uid, f.friend) in ((p_uid, p_friend), (p_friend, p_uid));
	return query select case when found then 'ok' else 'not_found' end;
end $$;

-- Blocks a user, or does nothing where that is done. failed_precondition: the caller has p_max blocks.
create function fn.block_add(p_uid text, p_blocked text, p_max integer) returns table (verdict text) language plpgsql
as $$
declare
	v_verdict text;
begin
	perform from account a where a.uid = p_uid for no key update; -- has_blocks changes under this lock
	v_verdict := case when not exists (select from account a where a.uid = p_blocked and a.deleted_at is null) then 'not_found'
		when not fn.is_blocked(p_uid, p_blocked) and (select count(*) from block b where b.uid = p_uid) >= p_max
			then 'failed_precondition' else 'ok' end;
	if v_verdict = 'ok' then
		insert into block (uid, blocked) values (p_uid, p_blocked) on conflict do nothing;
		update account a set has_blocks = true where a.uid = p_uid and not a.has_blocks;
	end if;
	return query select v_verdict;
end $$;

-- Ends a block. not_found: there is none.
create function fn.block_remove(p_uid text, p_blocked text) returns table (verdict text) language plpgsql
as $$
begin
	perform from account a where a.uid = p_uid for no key update;
	delete from block b where b.uid = p_uid and b.blocked = p_blocked;
	if not found then
		return query select 'not_found';
		return;
	end if;
	update account a set has_blocks = false
	where a.uid = p_uid and a.deleted_at is null and not exists (select from block b where b.uid = p_uid);
	return query select 'ok';
end $$;
