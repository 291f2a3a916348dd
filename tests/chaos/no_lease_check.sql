-- fn.im_send() that does not check the lease. For tests/chaos/selfcheck.
do $$
declare
	v_real text := pg_get_functiondef('fn.lease_is_held'::regproc);
	v_sabotaged text := replace(v_real, 'return exists (', 'return true or exists (');
begin
	if v_sabotaged = v_real then
		raise exception 'fn.lease_is_held() checks the lease in another way now';
	end if;
	execute v_sabotaged;
end $$;
