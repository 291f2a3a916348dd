-- Removing what nobody may read any more: the bodies of messages that have expired, and history that is older than it is kept.

/*
 * Removes the oldest entries of a conversation that were stored before p_before, p_max of them at most, and what hangs on them. The last
 * entry always stays. It locks nothing that a send locks. Who came and went (member_change) stays: the versions of the membership
 * are looked up there. Returns how many it were. Null: as many reactions as a run may remove, 10 * p_max, are gone, and no entry. The next
 * run goes on with the reactions that are left.
 */
create function fn.history_remove(p_no bigint, p_last_seq bigint, p_before bigint, p_max bigint) returns bigint language plpgsql
as $$
declare
	v_max_reactions constant bigint := 10 * p_max;
	v_first record;
	v_cut record;
	v_reactions tid[];
begin
	select m.seq, m.time into v_first from message m where m.no = p_no order by m.seq limit 1;
	if not found or v_first.time >= p_before or v_first.seq >= p_last_seq then
		return 0;
	end if;
	select m.seq, m.counted, m.msg_id, m.time into v_cut from message m
	where m.no = p_no and m.seq >= v_first.seq and m.seq < least(v_first.seq + p_max, p_last_seq) and m.time < p_before
	order by m.seq desc limit 1;
	if not found then
		return 0;
	end if;
	v_reactions := array(select r.ctid from reaction r where r.no = p_no and r.target_seq <= v_cut.seq limit v_max_reactions);
	delete from reaction where ctid = any (v_reactions);
	delete from reaction_count where no = p_no and target_seq <= v_cut.seq;
	if cardinality(v_reactions) = v_max_reactions then
		return null;
	end if;
	insert into history_floor (no, seq, counted, msg_id, time) values (p_no, v_cut.seq, v_cut.counted, v_cut.msg_id, v_cut.time)
	on conflict (no) do update set seq = excluded.seq, counted = excluded.counted, msg_id = excluded.msg_id, time = excluded.time;
	delete from message where no = p_no and seq <= v_cut.seq;
	delete from message_change where no = p_no and target_seq <= v_cut.seq;
	delete from mention where no = p_no and seq <= v_cut.seq;
	delete from expiring_message where no = p_no and seq <= v_cut.seq;
	delete from expiring_body where no = p_no and seq <= v_cut.seq;
	delete from pin where no = p_no and target_seq <= v_cut.seq;
	return v_cut.seq - v_first.seq + 1;
end $$;

/*
 * The next run, of one im at a time: no row when none is due or another im makes it. It removes up to p_max_rows bodies whose time was
 * over 10 s ago (clocks differ, and readers decide by theirs), and looks at the conversations in the order of their numbers, until p_max_rows
 * entries are removed or p_max_ms are over. p_direct_ms and p_group_ms are how long history is kept; 0: for ever. The next run
 * is due in a second, or 100 ms if there is more to do. A walk begins again after a hundredth of the shorter time, between 1 s and 10 min.
 * A run that does not get a lock gives up (55P03), so that a batch of fn.im_change() and a run never wait for each other in a circle.
 */
create function fn.retention_run(p_direct_ms bigint, p_group_ms bigint, p_max_rows bigint, p_max_ms bigint)
returns table (entries bigint, bodies bigint, is_behind boolean) language plpgsql
set lock_timeout = '200ms'
as $$
declare
	v_start constant bigint := fn.now_ms();
	v_shorter constant bigint := least(nullif(p_direct_ms, 0), nullif(p_group_ms, 0));
	v record;
	v_conversation record;
	v_keep bigint;
	v_removed bigint;
begin
	select * into v from retention_state s
	where s.only_row and (s.run_at <= v_start or s.run_at > v_start + 60000) for update skip locked;
	if not found then
		return;
	end if;
	delete from expiring_body b using (select e.no, e.seq from expiring_body e where e.expires_at < v_start - 10000
		order by e.expires_at limit p_max_rows) d
	where b.no = d.no and b.seq = d.seq;
	get diagnostics bodies = row_count;
	entries := 0;
	is_behind := bodies >= p_max_rows;
	if v_shorter is not null and (v.walk_at <= v_start or v.walk_at > v_start + 600000) then
		loop
			select c.no, c.kind, c.last_seq into v_conversation from conversation c where c.no > v.walked_no order by c.no limit 1;
			if not found then
				v.walked_no := 0;
				v.walk_at := v_start + greatest(1000, least(600000, v_shorter / 100));
				exit;
			end if;
			v_keep := case v_conversation.kind when 1 then p_direct_ms else p_group_ms end;
			v_removed := case when v_keep > 0 then fn.history_remove(v_conversation.no, v_conversation.last_seq, v_start - v_keep,
				p_max_rows - entries) else 0 end;
			if v_removed is null then
				is_behind := true;
				exit;
			end if;
			entries := entries + v_removed;
			if entries < p_max_rows then
				v.walked_no := v_conversation.no;
			end if;
			if entries >= p_max_rows or fn.now_ms() > v_start + p_max_ms then
				is_behind := true;
				exit;
			end if;
		end loop;
	end if;
	update retention_state set run_at = v_start + case when is_behind then 100 else 1000 end, walk_at = v.walk_at,
		walked_no = v.walked_no
	where only_row;
	return next;
end $$;
