-- A fn.entry_find() that finds nothing, so that a change whose answer was lost is made twice. For tests/chaos/selfcheck.
create or replace function fn.entry_find(p_no bigint, p_msg_id bigint) returns bigint language sql stable as $$
	select null::bigint
$$;
