-- The places of conversations at rest, see tables/020_direct_rests.sql.

/*
 * Ends the rest of those conversations. The caller has locked their rows, and moves them.
 */
create function fn.direct_rests_end(p_nos bigint[]) returns void language plpgsql
as $$
begin
	with moved as (
		update conversation c set is_at_rest = false where c.no = any (p_nos) and c.is_at_rest returning c.no, c.id
	)
	delete from direct_rest r using moved m where r.uid = any (array[fn.first_of(m.id), fn.second_of(m.id)]) and r.no = m.no;
end $$;

/*
 * A step of a walk over a user's one-to-one conversations: looks at p_limit of them behind the number p_after, and begins the rest of those
 * that have not moved for p_rest_ms. It waits for no lock, and passes over a conversation that another transaction has locked. A send
 * may wait for its locks, so it does not wait for the disk: the next commit that does takes it along, and a row that a crash has
 * undone is made again. Returns the last number; null: there are no more, or the user is being deleted.
 */
create function fn.direct_rests_begin(p_uid text, p_after bigint, p_limit integer, p_rest_ms bigint) returns bigint language plpgsql
as $$
declare
	v_last bigint;
	v_count bigint;
	v_new bigint[];
begin
	perform set_config('synchronous_commit', 'off', true);
	perform from account a where a.uid = p_uid and a.deleted_at is null for share skip locked; -- before the deletion begins, or not at all
	if not found then
		return null;
	end if;
	select max(d.no), count(*),
		array_agg(d.no) filter (where not exists (select from direct_rest r where r.uid = p_uid and r.no = d.no offset 0))
	into v_last, v_count, v_new
	from (select d.no from direct_member d where d.uid = p_uid and d.no > p_after order by d.no limit p_limit) d;
	v_new := array(select c.no from conversation c
		where c.no = any (v_new) and c.moved_id > 0 and c.moved_id < fn.id_at(fn.now_ms() - p_rest_ms)
		for no key update skip locked);
	-- Statements of their own: they see what the last holder of each lock did.
	insert into direct_rest (uid, no, moved_seq, moved_id)
	select p_uid, c.no, c.moved_seq, c.moved_id from conversation c where c.no = any (v_new)
	on conflict do nothing; -- two walks over one user
	update conversation c set is_at_rest = true where c.no = any (v_new) and not c.is_at_rest;
	return case when v_count = p_limit then v_last end;
end $$;
