-- Changes to users that every im has to know.

/*
 * Adds a change of a user to the feed, in the transaction that makes the change. An im that has not read the feed for half of the
 * time that the row stays forgets all it knows of users, so none is missed.
 */
create function fn.change_add(p_id bytea, p_kind text, p_uid text, p_issued_until bigint default null) returns void language sql
as $$
	insert into change_feed (id, kind, uid, issued_until, expires_at)
	values (p_id, p_kind, p_uid, p_issued_until, fn.now_ms() + 86400000)
$$;

/*
 * Ends a login whose password was right: remembers the address, unless that is null. One row, with the time up to which the user's
 * tokens are not valid (-1: none); no row when the user was disabled or got another password meanwhile.
 */
create function fn.login_finish(p_uid text, p_password text, p_address text) returns table (logged_out_at bigint) language plpgsql
as $$
#variable_conflict use_column
begin
	if p_address is not null then
		perform fn.login_remember(p_uid, p_address);
	end if;
	return query
	select coalesce(a.logged_out_at, -1) from account a where a.uid = p_uid and not a.is_disabled and a.password = p_password;
end $$;

-- ---- What admins do. Every change is written down in its own transaction: who (actor, from which address), what, to whom, how.

create function fn.audit_add(p_actor text, p_address text, p_action text, p_target text, p_details text) returns void language sql
as $$
	insert into audit (actor, address, action, target, details) values (p_actor, p_address, p_action, p_target, p_details)
$$;

-- The entries before an id ('' or null: the newest ones), of one actor or (null) of all.
create function fn.audit_page(p_actor text, p_before text, p_limit integer)
returns table (id text, at bigint, actor text, action text, target text, address text, details text) language plpgsql stable
as $$
#variable_conflict use_column
declare
	v_before bigint := coalesce(nullif(p_before, '')::bigint, 9223372036854775807);
begin
	if p_actor is null then
		return query select a.id::text, a.at, a.actor, a.action, a.target, a.address, a.details
			from audit a where a.id < v_before order by a.id desc limit p_limit;
	else -- a range of (actor, id): with `actor = ...` the planner would walk over the entries of all
		return query select a.id::text, a.at, a.actor, a.action, a.target, a.address, a.details
			from audit a where (a.actor, a.id) < (p_actor, v_before) and a.actor >= p_actor
			order by a.actor desc, a.id desc limit p_limit;
	end if;
end $$;

-- Deletes the oldest entries that were made before a time, at most so many; answers how many.
create function fn.audit_forget(p_before bigint, p_limit integer) returns bigint language sql
as $$
	with old as materialized (select id, at from audit order by id limit p_limit),
	gone as (delete from audit where id in (select id from old where at < p_before) returning 1)
	select count(*) from gone
$$;

-- What is shown of a user to an admin.
create type fn.user_answer as (verdict text, detail text, field text, uid text, name text, avatar text, created_at bigint,
	is_disabled boolean, is_bot boolean);

create function fn.admin_user_make(p_actor text, p_address text, p_uid text, p_details text, p_name text, p_password text,
	p_is_bot boolean) returns fn.user_answer language plpgsql
as $$
declare
	v_answer fn.user_answer;
begin
	insert into account (uid, name, password, is_bot) values (p_uid, p_name, p_password, p_is_bot) on conflict do nothing
	returning 'ok', null, null, uid, name, avatar, created_at, is_disabled, is_bot into v_answer;
	if not found then
		v_answer.verdict := 'already_exists';
		v_answer.detail := 'this uid is taken';
		v_answer.field := 'uid';
		return v_answer;
	end if;
	perform fn.audit_add(p_actor, p_address, 'user.create', p_uid, p_details);
	return v_answer;
end $$;

-- Null keeps what is there. A user who is disabled already is disabled again: its connections are closed once more.
-- failed_precondition: the system user was to be disabled.
create function fn.admin_user_change(p_actor text, p_address text, p_uid text, p_details text, p_is_disabled boolean,
	p_password text, p_change_id bytea, p_change_kind text) returns fn.user_answer language plpgsql
as $$
declare
	v_answer fn.user_answer;
begin
	if p_is_disabled and exists (select from account a where a.uid = p_uid and a.is_system) then
		v_answer.verdict := 'failed_precondition';
		v_answer.detail := 'broadcasts come from this user';
		return v_answer;
	end if;
	update account a set is_disabled = coalesce(p_is_disabled, a.is_disabled), password = coalesce(p_password, a.password)
	where a.uid = p_uid and a.deleted_at is null
	returning 'ok', null, null, a.uid, a.name, a.avatar, a.created_at, a.is_disabled, a.is_bot into v_answer;
	if not found then
		v_answer.verdict := 'not_found';
		return v_answer;
	end if;
	if p_is_disabled is not null then
		perform fn.change_add(p_change_id, p_change_kind, p_uid);
	end if;
	if p_is_disabled is not null or p_password is not null then
		perform fn.audit_add(p_actor, p_address, 'user.change', p_uid, p_details);
	end if;
	return v_answer;
end $$;

/*
 * Ends all tokens of a user that were issued up to now. The clock of the im that asks counts where it is ahead by up to 5 seconds:
 * it may have dated a token.
 */
create function fn.admin_user_logout(p_actor text, p_address text, p_uid text, p_details text, p_change_id bytea, p_now bigint)
returns table (verdict text, issued_until bigint) language plpgsql
as $$
declare
	v_until bigint;
begin
	update account a set logged_out_at = greatest(a.logged_out_at, fn.now_ms(), least(p_now, fn.now_ms() + 5000))
	where a.uid = p_uid and a.deleted_at is null returning a.logged_out_at into v_until;
	if not found then
		return query select 'not_found', null::bigint;
		return;
	end if;
	perform fn.change_add(p_change_id, 'user_logged_out', p_uid, v_until);
	perform fn.audit_add(p_actor, p_address, 'user.logout', p_uid, p_details);
	return query select 'ok', v_until;
end $$;

-- Before something is done to or for a user that is no transaction here: a kick, a message in its name.
create function fn.admin_act(p_actor text, p_address text, p_uid text, p_details text, p_action text, p_as_user boolean)
returns table (verdict text) language plpgsql
as $$
declare
	v_is_disabled boolean;
begin
	select is_disabled into v_is_disabled from account where uid = p_uid and deleted_at is null;
	if not found then
		return query select 'not_found';
	elsif p_as_user and v_is_disabled then
		return query select 'failed_precondition';
	else
		perform fn.audit_add(p_actor, p_address, p_action, p_uid, p_details);
		return query select 'ok';
	end if;
end $$;

-- How many rows a table has, as PostgreSQL's statistics know it: nothing is counted.
create function fn.estimate(p_table regclass) returns bigint language sql stable as $$
	select greatest(pg_stat_get_live_tuples(p_table), (select reltuples::bigint from pg_class where oid = p_table), 0)
$$;
