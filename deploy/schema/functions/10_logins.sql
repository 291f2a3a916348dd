-- Logins. An address from which a user has logged in is remembered for 30 days, and for a user the 20 latest ones.

create function fn.login_memory_ms() returns bigint language sql immutable as $$ select 30 * 86400000::bigint $$;

/*
 * The facts that decide about a login, in one row: the hash of the password (null: there is no such user, it is disabled or has no
 * password), whether the user has logged in from this address lately, and when for the last time.
 */
create function fn.login_find(p_uid text, p_address text)
returns table (password text, is_known boolean, logged_in_at bigint) language plpgsql stable
as $$
#variable_conflict use_column
begin
	return query
	select a.password, coalesce(l.logged_in_at > fn.now_ms() - fn.login_memory_ms(), false), l.logged_in_at
	from (select) one left join account a on a.uid = p_uid and not a.is_disabled
	left join login_address l on l.uid = p_uid and l.address = p_address;
end $$;

-- Remembers a login, and forgets the user's addresses that are too old or too many.
create function fn.login_remember(p_uid text, p_address text) returns void language plpgsql
as $$
begin
	insert into login_address (uid, address, logged_in_at) values (p_uid, p_address, fn.now_ms())
	on conflict (uid, address) do update set logged_in_at = excluded.logged_in_at;
	delete from login_address l where l.uid = p_uid and (l.logged_in_at <= fn.now_ms() - fn.login_memory_ms()
		or l.address not in (select k.address from login_address k where k.uid = p_uid order by k.logged_in_at desc limit 20));
end $$;
