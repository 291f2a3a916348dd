-- Jobs: one table, claimed by any im. An owner holds a job for its claim's life, and renews it by each step that it commits. Whoever
-- finds the claim over takes the job with a higher epoch, and goes on behind `cursor`.

-- The advisory lock under which jobs are added, so that their bound is exact.
create function fn.job_lock() returns bigint language sql immutable as $$ select 20016::bigint $$;

/*
 * How many users a broadcast to everyone has: all but bots, disabled users and the system user. Exact up to 100,000, from there on
 * an estimate.
 */
create function fn.broadcast_total() returns bigint language plpgsql stable
as $$
declare
	v_count constant bigint := (select count(*) from (select from account a
		where not a.is_disabled and not a.is_bot and not a.is_system limit 100001) f);
begin
	return case when v_count <= 100000 then v_count
		else greatest(v_count, fn.estimate('account')) end;
end $$;

-- Whom a job is about, for the audit; null: more than one user.
create function fn.job_target(p_kind text, p_params text[]) returns text language sql immutable as $$
	select case when p_kind <> 'broadcast' then p_params[1] end
$$;

-- A new job, which is written down in the audit. failed_precondition: p_max wait already.
create function fn.job_add(p_kind text, p_created_by text, p_address text, p_max integer, p_params text[], p_uids text[],
	p_total bigint) returns table (verdict text, no bigint) language plpgsql
as $$
#variable_conflict use_column
declare
	v_no bigint;
begin
	perform pg_advisory_xact_lock(fn.job_lock());
	if (select count(*) from job j where j.kind in ('broadcast', 'export', 'deletion') and j.state in ('queued', 'running')
		and j.lease_until is null) >= p_max then
		return query select 'failed_precondition', null::bigint;
		return;
	end if;
	insert into job (kind, created_by, params, uids, total) values (p_kind, p_created_by, p_params, p_uids, p_total) returning no into v_no;
	perform fn.audit_add(p_created_by, p_address, p_kind || '.create', fn.job_target(p_kind, p_params),
		json_build_object('job_id', v_no::text)::text);
	return query select 'ok', v_no;
end $$;

/*
 * A broadcast of a message from p_system, who is made if it does not exist. A user of this uid who has a password may be anybody: it
 * loses the password and its tokens before it becomes the system user. p_uids null: to everyone.
 */
create function fn.broadcast_add(p_created_by text, p_address text, p_max integer, p_system text, p_type text, p_body text,
	p_uids text[]) returns table (verdict text, no bigint) language plpgsql
as $$
begin
	update account a set password = null where a.uid = p_system and a.password is not null and not a.is_system;
	if found then
		perform fn.admin_user_logout(p_created_by, p_address, p_system, null, uuid_send(gen_random_uuid()), fn.now_ms());
	end if;
	insert into account (uid, name, is_system) values (p_system, p_system, true)
	on conflict (uid) do update set is_system = true where not account.is_system;
	return query select * from fn.job_add('broadcast', p_created_by, p_address, p_max, array[p_system, p_type, p_body],
		(select array_agg(distinct u.uid collate "C") from unnest(p_uids) u (uid)),
		case when p_uids is null then fn.broadcast_total()
			else (select count(distinct u.uid) from unnest(p_uids) u (uid)) end);
end $$;

/*
 * Takes the first job of a kind that has not ended, if nobody works on it. So the jobs of a kind run one after the other, as they were
 * asked for. One that was claimed 20 times and never came further makes each of its owners fail: it ends.
 */
create function fn.job_claim(p_kind text, p_owner text, p_life_ms integer)
returns table (no bigint, epoch bigint, cursor text, done bigint, failed bigint, params text[]) language plpgsql
as $$
#variable_conflict use_column
declare
	v_job job;
begin
	select k.* into v_job from job k
	where k.no = (select min(f.no) from job f where f.kind = p_kind and f.state in ('queued', 'running'))
		and k.state in ('queued', 'running') and (k.lease_until is null or fn.lease_is_over(k.lease_until))
	for update skip locked;
	if not found then
		return;
	end if;
	if v_job.claims >= 20 then
		update job j set state = 'failed', ended_at = fn.now_ms(), epoch = j.epoch + 1 where j.no = v_job.no;
		return;
	end if;
	return query update job j set state = 'running', epoch = j.epoch + 1, owner = p_owner, claims = j.claims + 1,
		lease_until = clock_timestamp() + p_life_ms * interval '1 ms'
	where j.no = v_job.no
	returning j.no, j.epoch, j.cursor, j.done, j.failed, j.params;
end $$;

-- The owner is alive, while a step lasts. No row: the job is not the caller's any more, or it has ended.
create function fn.job_renew(p_no bigint, p_epoch bigint, p_life_ms integer) returns table (no bigint) language sql volatile as $$
	update job set lease_until = clock_timestamp() + p_life_ms * interval '1 ms'
	where no = p_no and epoch = p_epoch and state = 'running' returning no
$$;

/*
 * The progress of a step: everything up to p_cursor is done. Asked again after a lost answer it stores the same. A cancelled job takes
 * what its owner had done by then. No row: the job is not the caller's any more.
 */
create function fn.job_progress(p_no bigint, p_epoch bigint, p_life_ms integer, p_cursor text, p_done bigint, p_failed bigint,
	p_is_ended boolean) returns table (state text) language sql volatile
as $$
	update job j set cursor = p_cursor, done = p_done, failed = p_failed, claims = 0,
		lease_until = clock_timestamp() + p_life_ms * interval '1 ms',
		state = case when p_is_ended and j.state = 'running' then 'done' else j.state end,
		ended_at = case when p_is_ended then coalesce(j.ended_at, fn.now_ms()) else j.ended_at end,
		-- The total of a job without a list of users was an estimate. At its end the total is what was done.
		total = case when p_is_ended and j.state = 'running' and j.uids is null then p_done + p_failed else greatest(j.total, p_done + p_failed) end
	where j.no = p_no and j.epoch = p_epoch and j.state in ('running', 'cancelled')
	returning j.state
$$;

-- The owner gives a job back, for others to take at once; with p_has_failed nobody shall take it.
create function fn.job_leave(p_no bigint, p_epoch bigint, p_has_failed boolean) returns void language sql volatile as $$
	update job j set lease_until = null, owner = null, claims = 0,
		state = case when p_has_failed then 'failed' else j.state end,
		ended_at = case when p_has_failed then fn.now_ms() end
	where j.no = p_no and j.epoch = p_epoch and j.state = 'running'
$$;

/*
 * Cancels a job: its owner stops after the step it is at. failed_precondition: it has ended, or it is a deletion, whose user is
 * ended already.
 */
create function fn.job_cancel(p_actor text, p_address text, p_no bigint) returns table (verdict text, detail text) language plpgsql
as $$
#variable_conflict use_column
declare
	v_job job;
begin
	select * into v_job from job j where j.no = p_no for update;
	if not found then
		return query select 'not_found', null;
	elsif v_job.state not in ('queued', 'running') then
		return query select 'failed_precondition', 'the job has ended';
	elsif v_job.kind = 'deletion' then
		return query select 'failed_precondition', 'a deletion cannot be cancelled';
	else
		update job j set state = 'cancelled', ended_at = fn.now_ms() where j.no = p_no;
		perform fn.audit_add(p_actor, p_address, v_job.kind || '.cancel', fn.job_target(v_job.kind, v_job.params),
			json_build_object('job_id', p_no::text)::text);
		return query select 'ok', null;
	end if;
end $$;

-- Forgets jobs that have ended p_keep_ms ago, and their output, at most p_limit rows at a time. Returns how many went.
create function fn.job_forget(p_keep_ms bigint, p_limit integer) returns table (gone bigint) language plpgsql
as $$
declare
	v_no bigint;
	v_output bigint;
begin
	select j.no into v_no from job j where j.ended_at < fn.now_ms() - p_keep_ms order by j.ended_at limit 1 for update skip locked;
	delete from job_output o where o.job = v_no and o.no in (select f.no from job_output f where f.job = v_no order by f.no limit p_limit);
	get diagnostics v_output = row_count;
	if v_output < p_limit then
		delete from job j where j.no = v_no;
	end if;
	return query select v_output + (v_no is not null)::integer;
end $$;

/*
 * The next recipients of a broadcast, behind p_cursor in the order of the uids, as they are at this moment. `fate`: 0 gets the message,
 * 1 is skipped, 2 is nobody. Of everyone, bots are skipped, too.
 */
create function fn.broadcast_page(p_no bigint, p_cursor text, p_limit integer) returns table (uid text, fate integer) language plpgsql stable
as $$
#variable_conflict use_column
declare
	v_uids constant text[] := (select j.uids from job j where j.no = p_no);
begin
	if v_uids is null then
		return query select a.uid, (a.is_disabled or a.is_bot or a.is_system)::integer from account a
		where a.uid > p_cursor order by a.uid limit p_limit;
	else
		return query select n.uid, case when a.uid is null or a.deleted_at is not null then 2 else (a.is_disabled or a.is_system)::integer end
		from (select u.uid collate "C" as uid from unnest(v_uids) u (uid) where u.uid collate "C" > p_cursor
			order by u.uid collate "C" limit p_limit) n
		left join account a on a.uid = n.uid
		order by n.uid;
	end if;
end $$;
