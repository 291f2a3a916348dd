-- Groups and their membership. Each change is a `system` entry of the group's conversation; see 04_entries.sql for the order of steps.

/*
 * A new group with its owner and members, who all have to exist: not_found names one who does not, and nothing is made. With a
 * p_key that this owner has used before it answers the group that was made then (`is_repeat`), or idempotency_conflict if
 * something else was asked for. A refused creation does not use its key up.
 */
create function fn.im_group_create(p_gid text, p_name text, p_owner text, p_join text, p_history text, p_members text[],
	p_key text default null)
returns table (verdict text, field text, detail text, gid text, member_count integer, is_repeat boolean) language plpgsql
as $$
#variable_conflict use_column
declare
	v_no bigint;
	v_unknown text;
	v_everybody constant text[] := (select array_agg(distinct uid) from unnest(p_members || p_owner) as m (uid));
	v_payload constant bytea := sha256(convert_to(jsonb_build_array(p_name, p_join, p_history, v_everybody)::text, 'UTF8'));
	v_first group_creation;
begin
	select * into v_first from group_creation g where g.creator = p_owner and g.client_group_id = p_key;
	if not found then
		select m.uid into v_unknown
		from unnest(p_members) with ordinality as m (uid, ord) left join account a on a.uid = m.uid
		where a.uid is null order by m.ord limit 1;
		if found then
			return query select 'not_found', 'members', 'there is no user ' || v_unknown, null, 0, false;
			return;
		end if;
		if p_key is not null then
			insert into group_creation (creator, client_group_id, gid, payload, member_count)
			values (p_owner, p_key, p_gid, v_payload, cardinality(v_everybody)) on conflict do nothing;
			if not found then -- made by another request in this moment
				select * into v_first from group_creation g where g.creator = p_owner and g.client_group_id = p_key;
			end if;
		end if;
	end if;
	if v_first.gid is not null then
		return query select case v_first.payload when v_payload then 'ok' else 'idempotency_conflict' end, null, null, v_first.gid,
			v_first.member_count, true;
		return;
	end if;
	insert into conversation (id, kind) values ('g:' || p_gid, 2) returning no into v_no;
	insert into chat_group (no, name, owner, join_mode, history_mode, member_count)
	values (v_no, p_name, p_owner, p_join, p_history, cardinality(v_everybody));
	insert into group_member (no, uid, role)
	select v_no, m.uid, case when m.uid = p_owner then 2 else 0 end from unnest(v_everybody) as m (uid);
	return query select 'ok', null, null, p_gid, cardinality(v_everybody), false;
end $$;

/*
 * The start of every change of a group: the lease, the lock, an earlier try of the same entry, and what the change is decided by.
 * `answer` is not null when the change ends here. `role` is the actor's, target_role that of p_target (null: not a member).
 */
create function fn.group_change_begin(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_target text, p_action text, out no bigint, out last_seq bigint, out counted bigint, out member_count integer,
	out role smallint, out target_role smallint, out answer fn.entry_answer) language plpgsql
as $$
#variable_conflict use_column
declare
	v_seq bigint;
	v_may text;
	v_is_dissolved boolean;
begin
	if not fn.lease_is_held(p_node, p_epoch) then
		answer := fn.entry_refused('lease');
		return;
	end if;
	select c.no, c.last_seq, c.counted into no, last_seq, counted from conversation c
	where c.id = 'g:' || p_gid for no key update;
	if not found then
		answer := fn.entry_refused('not_found');
		return;
	end if;
	v_seq := fn.entry_find(no, p_msg_id);
	if v_seq is not null then
		answer := fn.entry_answer_of(no, v_seq, true);
		return;
	end if;
	select g.member_count, g.dissolved_at is not null, actor.role, target.role,
		fn.group_may(actor.role, target.role, p_action, g.join_mode, g.is_muted or actor.muted_until > p_time,
			g.dissolved_at is not null)
	into member_count, v_is_dissolved, role, target_role, v_may
	from chat_group g left join group_member actor on actor.no = g.no and actor.uid = p_actor
	left join group_member target on target.no = g.no and target.uid = p_target
	where g.no = group_change_begin.no;
	if v_may <> 'ok' then
		answer := fn.entry_refused(v_may, case when v_may = 'not_found' and not v_is_dissolved then p_target end);
	end if;
end $$;

/*
 * Adds members, by a member who may. `none`: all of them are members already. not_found names a uid that does not exist,
 * failed_precondition: the group would have more than p_max_members. Nobody is added then.
 */
create function fn.group_members_add(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_uids text[], p_max_members integer) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_uids text[];
	v_unknown text;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, null, 'add');
	if v.answer is distinct from null then
		return v.answer;
	end if;
	select u.uid into v_unknown from unnest(p_uids) with ordinality as u (uid, ord) left join account a on a.uid = u.uid
	where a.uid is null order by u.ord limit 1;
	if found then
		return fn.entry_refused('not_found', v_unknown);
	end if;
	select array_agg(u.uid order by u.ord) into v_uids
	from (select uid, min(ord) as ord from unnest(p_uids) with ordinality as u (uid, ord) group by uid) u
	where not exists (select from group_member m where m.no = v.no and m.uid = u.uid);
	if v_uids is null then
		return fn.entry_refused('none');
	end if;
	if v.member_count + cardinality(v_uids) > p_max_members then
		return fn.entry_refused('failed_precondition');
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		format('{"event":"added","actor":%s,"uids":%s}', to_json(p_actor), to_json(v_uids)), null);
	-- The new members receive the entry that added them, and have read everything before it.
	insert into group_member (no, uid, since_seq, read_seq, read_counted)
	select v.no, u.uid, v_seq - 1, v_seq - 1, v.counted from unnest(v_uids) as u (uid);
	insert into member_change (no, seq, uid, is_join) select v.no, v_seq, u.uid, true from unnest(v_uids) as u (uid);
	update chat_group set member_version = v_seq, member_count = chat_group.member_count + cardinality(v_uids)
	where no = v.no;
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * Removes a member; with p_uid = p_actor the actor leaves. The removed member does not receive the entry: its membership
 * version is the entry's own.
 */
create function fn.group_member_remove(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_uid text) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, p_uid,
		case when p_uid = p_actor then 'leave' else 'remove' end);
	if v.answer is distinct from null then
		return v.answer;
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		case when p_uid = p_actor then format('{"event":"left","actor":%s}', to_json(p_actor))
		else format('{"event":"removed","actor":%s,"uid":%s}', to_json(p_actor), to_json(p_uid)) end, null);
	delete from group_member where no = v.no and uid = p_uid;
	insert into member_change (no, seq, uid, is_join) values (v.no, v_seq, p_uid, false);
	update chat_group set member_version = v_seq, member_count = chat_group.member_count - 1 where no = v.no;
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * Gives a member another role: 0 member, 1 admin. `none`: it has that role. The membership's version stays as it is.
 */
create function fn.group_member_role(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_uid text, p_role smallint) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, p_uid, 'role');
	if v.answer is distinct from null then
		return v.answer;
	end if;
	if p_role not in (0, 1) then
		return fn.entry_refused('invalid_argument');
	end if;
	if v.target_role = p_role then
		return fn.entry_refused('none');
	end if;
	update group_member set role = p_role where no = v.no and uid = p_uid;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		format('{"event":"role","actor":%s,"uid":%s,"role":"%s"}', to_json(p_actor), to_json(p_uid),
			case p_role when 1 then 'admin' else 'member' end), null);
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * A page of a group's members behind p_after ('': from the first), in the order of their uids. One row with nulls when there are none, so
 * that the verdict is there in any case.
 */
create function fn.members(p_uid text, p_gid text, p_after text, p_limit integer)
returns table (verdict text, uid text, role smallint, muted_until bigint) language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
	v_access record;
begin
	select * into v_access from fn.conversation_access(p_uid, 'g:' || p_gid);
	return query select v_access.verdict, m.uid, m.role, m.muted_until
	from (select) one left join lateral (
		select m.uid, m.role, m.muted_until from group_member m
		where v_access.verdict = 'ok' and m.no = v_access.no and m.uid > p_after order by m.uid limit p_limit) m on true;
end $$;

/*
 * A page of the members that a group had at a version of its membership, behind p_after ('': from the first), in the order of their
 * uids: the members of now whom no later change names, and those whose first later change took them out. The changes only
 * grow, so pages that are read one after the other fit together. An unknown conversation has no members.
 */
create function fn.members_as_of(p_conversation text, p_version bigint, p_after text, p_limit integer)
returns table (uid text) language plpgsql stable
as $$
#variable_conflict use_column
declare
	v_no bigint;
	v_changed text[]; -- behind p_after, by a change after the version,
	v_were_in text[]; -- and those of them who were members before it
begin
	select no into v_no from conversation where id = p_conversation and kind = 2;
	select array_agg(f.uid), array_agg(f.uid) filter (where not f.is_join) into v_changed, v_were_in
	from (select distinct on (c.uid) c.uid, c.is_join from member_change c
		where c.no = v_no and c.seq > p_version and c.uid > p_after order by c.uid, c.seq) f;
	if v_changed is null then
		return query select m.uid from group_member m where m.no = v_no and m.uid > p_after order by m.uid limit p_limit;
		return;
	end if;
	return query
	select f.uid from (
		(select m.uid from group_member m where m.no = v_no and m.uid > p_after and m.uid <> all (v_changed)
			order by m.uid limit p_limit)
		union all
		select u.uid from unnest(v_were_in) as u (uid)
	) f order by f.uid limit p_limit;
end $$;
