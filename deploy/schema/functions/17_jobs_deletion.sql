-- The deletion of a user. From the call on the user is nobody: it has no token, and nobody can write to it. The job takes away what is left.

-- Who wrote what a deleted user wrote.
create function fn.deleted_user() returns text language sql immutable as $$ select 'deleted-user' $$;

/*
 * Ends a user, and adds the job that deletes its data. Asked again, it answers the job that is under way; one that has failed is
 * followed by another. failed_precondition: it is the system user, or too many jobs wait. p_change_id and p_change_kind are for the
 * change feed.
 */
create function fn.deletion_add(p_created_by text, p_address text, p_max integer, p_change_id bytea, p_change_kind text,
	p_uid text) returns table (verdict text, detail text, no bigint) language plpgsql
as $$
#variable_conflict use_column
declare
	v_account account;
	v_last job;
	v_added record;
begin
	select * into v_account from account a where a.uid = p_uid for no key update;
	select * into v_last from job j where j.kind = 'deletion' and j.params[1] = p_uid order by j.no desc limit 1;
	if v_account.deleted_at is not null and v_last.state in ('queued', 'running') then
		return query select 'ok', null, v_last.no;
		return;
	elsif v_account.uid is null or (v_account.deleted_at is not null and v_last.state is distinct from 'failed') then
		return query select 'not_found', null, null::bigint;
		return;
	elsif v_account.is_system then
		return query select 'failed_precondition', 'broadcasts come from this user', null::bigint;
		return;
	end if;
	select * into v_added from fn.job_add('deletion', p_created_by, p_address, p_max, array[p_uid], null, 0);
	if v_added.verdict = 'ok' then
		update account a set deleted_at = fn.now_ms(), is_disabled = true, has_blocks = true, name = 'Deleted user', password = null,
			avatar = null, attributes = null, messages_from = null, is_bot = false
		where a.uid = p_uid;
		perform fn.change_add(p_change_id, p_change_kind, p_uid);
		-- An export that is under way would find what the deletion takes away.
		update job j set state = 'cancelled', ended_at = fn.now_ms()
		where j.kind = 'export' and j.params[1] = p_uid and j.state in ('queued', 'running');
	end if;
	return query select v_added.verdict, null, v_added.no;
end $$;

/*
 * What the user has to do in the next of its groups before it is in none: leave it; before that, as the owner, hand it over to the
 * admin who has been there for the longest time, or to the member who has; dissolve it where nobody else is there.
 */
create function fn.deletion_group(p_uid text) returns table (act text, gid text, successor text) language sql stable as $$
	select case when m.role < 2 then 'leave' when s.uid is null then 'dissolve' else 'hand_over' end, substr(c.id, 3), s.uid
	from (select gm.no, gm.role from group_member gm join chat_group g on g.no = gm.no
		where gm.uid = p_uid and g.dissolved_at is null order by gm.no limit 1) m
	join conversation c on c.no = m.no
	left join lateral (select o.uid from group_member o where m.role = 2 and o.no = m.no and o.uid <> p_uid
		order by o.role desc, o.joined_at, o.uid limit 1) s on true
$$;

-- Deletes what is the user's alone, or tells of the user: at most p_limit rows of each kind. Returns how many went.
create function fn.deletion_rows(p_uid text, p_limit integer) returns bigint language plpgsql
as $$
declare
	v_gone bigint := 0;
	v_rows bigint;
	v_export bigint;
begin
	delete from login_address where uid = p_uid and address in (select address from login_address where uid = p_uid limit p_limit);
	get diagnostics v_rows = row_count;
	v_gone := v_gone + v_rows;
	with own as materialized (
		select friend from friendship where uid = p_uid order by friend limit p_limit
	), theirs as (
		delete from friendship f using own where f.uid = own.friend and f.friend = p_uid
	)
	delete from friendship f using own where f.uid = p_uid and f.friend = own.friend;
	get diagnostics v_rows = row_count;
	v_gone := v_gone + v_rows;
	delete from friend_request where no in (select no from friend_request where sender = p_uid limit p_limit)
		or no in (select no from friend_request where recipient = p_uid limit p_limit);
	get diagnostics v_rows = row_count;
	v_gone := v_gone + v_rows;
	delete from block where uid = p_uid and blocked in (select blocked from block where uid = p_uid limit p_limit);
	get diagnostics v_rows = row_count;
	v_gone := v_gone + v_rows;
	delete from block where blocked = p_uid and uid in (select uid from block where blocked = p_uid limit p_limit);
	get diagnostics v_rows = row_count;
	v_gone := v_gone + v_rows;
	delete from group_request where uid = p_uid and no in (select no from group_request where uid = p_uid limit p_limit);
	get diagnostics v_rows = row_count;
	v_gone := v_gone + v_rows;
	delete from group_creation where creator = p_uid and client_group_id in
		(select client_group_id from group_creation where creator = p_uid limit p_limit);
	get diagnostics v_rows = row_count;
	v_gone := v_gone + v_rows;
	-- Exports of the user that can still be read.
	v_export := (select min(j.no) from job j where j.kind = 'export' and j.params[1] = p_uid
		and exists (select from job_output f where f.job = j.no));
	delete from job_output o where o.job = v_export
		and o.no in (select f.no from job_output f where f.job = v_export order by f.no limit p_limit);
	get diagnostics v_rows = row_count;
	v_gone := v_gone + v_rows;
	-- The last: it waits for nobody with these rows in its hand, for which the lock of a conversation may wait.
	delete from direct_rest where uid = p_uid and no in (select no from direct_rest where uid = p_uid limit p_limit);
	get diagnostics v_rows = row_count;
	return v_gone + v_rows;
end $$;

-- Takes back the user's reactions of those entries that stand.
create function fn.deletion_reactions(p_uid text, p_no bigint, p_after bigint, p_limit integer) returns void language plpgsql
as $$
declare
	v record;
	v_count integer;
begin
	for v in select distinct r.target_seq, r.emoji
		from (select * from message m where m.no = p_no and m.seq > p_after order by m.seq limit p_limit) e
		join reaction r on r.no = e.no and r.target_seq = e.target_seq and r.emoji = e.body::json ->> 'emoji' and r.uid = p_uid
		where e.type = fn.type_no('reaction') and e.sender = p_uid
	loop
		perform from conversation c where c.no = p_no for no key update; -- reactions change under this lock
		select c.count into v_count from reaction_count c where c.no = p_no and c.target_seq = v.target_seq and c.emoji = v.emoji;
		perform fn.reaction_remove(p_no, v.target_seq, v.emoji, p_uid, v_count);
	end loop;
end $$;

-- The body of a `system` entry without the user: in who did it, to whom.
create function fn.deletion_body(p_body text, p_uid text) returns text language sql immutable as $$
	select json_object_agg(e.key, case
		when e.key in ('actor', 'uid') and e.value #>> '{}' = p_uid then to_json(fn.deleted_user())
		when e.key = 'uids' then (select json_agg(case when u.uid = p_uid then fn.deleted_user() else u.uid end)
			from json_array_elements_text(e.value) u (uid))
		else e.value end)::text
	from json_each(p_body::json) e
$$;

/*
 * Takes the user out of the entries of a conversation behind p_seq, p_limit of them: what the user wrote keeps its place, as a
 * recalled message of `deleted-user`, and a reaction's entry keeps its emoji; nobody is told. Returns the last seq that was looked at;
 * null: there was none. im keeps stored messages in memory: it drops them when the change feed tells of the end of the deletion.
 * Until then the recall hides the bodies.
 */
create function fn.deletion_entries(p_uid text, p_no bigint, p_seq bigint, p_limit integer, out last bigint, out looked bigint,
	out changed bigint) language plpgsql
as $$
begin
	-- The messages first: nothing that hangs on them is made or changed meanwhile.
	perform from message m where m.no = p_no and m.seq > p_seq order by m.seq limit p_limit for no key update;
	perform fn.deletion_reactions(p_uid, p_no, p_seq, p_limit);
	with entries as materialized (
		select m.seq, m.type, m.sender, m.mentions, m.body from message m where m.no = p_no and m.seq > p_seq order by m.seq limit p_limit
	), written as (
		select e.seq from entries e where e.sender = p_uid and fn.type_is_content(e.type)
	), recalled as (
		insert into message_change (no, target_seq, seq, kind)
		select p_no, w.seq, w.seq, 1 from written w
		where not exists (select from message_change mc where mc.no = p_no and mc.target_seq = w.seq and mc.kind = 1)
		on conflict do nothing
	), expiring as (
		delete from expiring_body b using entries e where e.sender = p_uid and b.no = p_no and b.seq = e.seq
	), unpinned as (
		delete from pin p using written w where p.no = p_no and p.target_seq = w.seq
	), scrubbed as (
		update message m set sender = case m.sender when p_uid then fn.deleted_user() else m.sender end,
			body = case when e.type = fn.type_no('system') then fn.deletion_body(m.body, p_uid)
				when m.sender = p_uid and e.type <> fn.type_no('reaction') then null else m.body end,
			mentions = case when m.sender <> p_uid then nullif(array_remove(m.mentions, p_uid), '{}') end,
			client_msg_id = case when m.sender <> p_uid then m.client_msg_id end,
			payload_hash = case when m.sender <> p_uid then m.payload_hash end
		from entries e
		where m.no = p_no and m.seq = e.seq and (e.sender = p_uid or p_uid = any (e.mentions)
			or (e.type = fn.type_no('system') and strpos(e.body, to_json(p_uid)::text) > 0))
		returning m.seq
	) select (select max(seq) from entries), (select count(*) from entries), (select count(*) from scrubbed) into last, looked, changed;
end $$;

-- The end of a conversation: nothing tells any more that the user had a part in it, but the id of a one-to-one conversation.
create function fn.deletion_leave(p_uid text, p_no bigint) returns void language plpgsql
as $$
begin
	delete from mention where no = p_no and uid = p_uid;
	delete from member_change where no = p_no and uid = p_uid;
	delete from direct_member where no = p_no and uid = p_uid;
	delete from group_member where no = p_no and uid = p_uid; -- of a dissolved group
	update chat_group set owner = fn.deleted_user() where no = p_no and owner = p_uid;
end $$;

/*
 * A step of a deletion, with its progress in the same transaction; `cursor` is the phase, and where it is. `act` is what the caller has to do
 * before the next step: 'wait', because what the user had begun when it was ended may still be stored, for p_settle_ms, or because its
 * friends have not yet been told that it is offline, for p_offline_ms; or one of fn.deletion_group().
 */
create function fn.deletion_step(p_no bigint, p_epoch bigint, p_life_ms integer, p_limit integer, p_settle_ms bigint, p_change_id bytea,
	p_change_kind text, p_uid text, p_offline_ms bigint default 0)
returns table (state text, cursor text, done bigint, failed bigint, used bigint, act text, gid text, successor text) language plpgsql
set lock_timeout = '200ms' -- the same step comes again later; no batch of fn.im_change() and no run of retention waits for it in a circle
as $$
#variable_conflict use_column
declare
	v_job constant job := fn.job_take(p_no, p_epoch);
	v_phase text := coalesce(nullif(split_part(v_job.cursor, ':', 1), ''), 'groups');
	v_no bigint := nullif(split_part(v_job.cursor, ':', 2), '')::bigint;
	v_seq bigint := coalesce(nullif(split_part(v_job.cursor, ':', 3), '')::bigint, 0);
	v_group record;
	v_entries record;
	v_rows bigint := 0;
	v_read bigint := 0;
	v_cursor text;
begin
	if v_job.no is null then
		return;
	end if;
	select g.act, g.gid, g.successor into v_group from (select) one left join fn.deletion_group(p_uid) g on true;
	if fn.now_ms() < v_job.created_at + p_settle_ms then
		v_group.act := 'wait';
	elsif v_group.act is not null then -- also one that it came into meanwhile
		v_rows := 1;
	elsif v_phase = 'groups' then
		v_phase := 'rows';
	elsif v_phase = 'rows' and fn.now_ms() < v_job.created_at + p_offline_ms then
		v_group.act := 'wait';
	elsif v_phase = 'rows' then
		v_rows := fn.deletion_rows(p_uid, p_limit);
		if v_rows = 0 then
			v_phase := 'entries';
			v_no := fn.user_conversation(p_uid, 0);
		end if;
	else
		while v_no is not null and v_read < p_limit loop
			v_entries := fn.deletion_entries(p_uid, v_no, v_seq, p_limit);
			v_rows := v_rows + v_entries.changed;
			v_read := v_read + v_entries.looked + 1;
			v_seq := v_entries.last;
			if v_entries.looked < p_limit then
				perform fn.deletion_leave(p_uid, v_no);
				v_no := fn.user_conversation(p_uid, v_no);
				v_seq := 0;
			end if;
			exit when v_entries.changed > 0; -- perhaps under this conversation's lock: a second one could wait in a circle with sends
		end loop;
		if v_no is null then
			v_phase := 'done';
			update job j set uids = array_remove(j.uids, p_uid) where p_uid = any (j.uids);
			-- Again, for a change that was under way when the user was ended. Its last presence has been told by now, as it chose.
			update account a set name = 'Deleted user', avatar = null, attributes = null, messages_from = null, presence = 'nobody',
				has_blocks = true
			where a.uid = p_uid;
			perform fn.change_add(p_change_id, p_change_kind, p_uid);
		end if;
	end if;
	v_cursor := v_phase || ':' || coalesce(v_no::text, '') || ':' || coalesce(v_seq, 0);
	return query select p.state, v_cursor, v_job.done + v_rows, v_job.failed, v_rows + v_read / 16, v_group.act, v_group.gid, v_group.successor
	from fn.job_progress(p_no, p_epoch, p_life_ms, v_cursor, v_job.done + v_rows, v_job.failed, v_phase = 'done') p;
end $$;
