-- Groups and their membership. Each change is a `system` entry of the group's conversation; see 04_entries.sql for the order of steps.

/*
 * A new group with its owner and members, who all have to exist: not_found names one who does not, and nothing is made; nor is it
 * when one of them is in p_max_groups (failed_precondition). With a
 * p_key that this owner has used before it answers the group that was made then (`is_repeat`), or idempotency_conflict if
 * something else was asked for. A refused creation does not use its key up. `added`: the members besides the owner, joined by commas.
 */
create function fn.im_group_create(p_gid text, p_name text, p_owner text, p_join text, p_history text, p_members text[],
	p_key text default null, p_max_groups integer default null)
returns table (verdict text, field text, detail text, gid text, member_count integer, is_repeat boolean, added text)
language plpgsql
as $$
#variable_conflict use_column
declare
	v_no bigint;
	v_unknown text;
	v_full text;
	v_everybody constant text[] := (select array_agg(distinct uid) from unnest(p_members || p_owner) as m (uid));
	v_payload constant bytea := sha256(convert_to(jsonb_build_array(p_name, p_join, p_history, v_everybody)::text, 'UTF8'));
	v_first group_creation;
begin
	select * into v_first from group_creation g where g.creator = p_owner and g.client_group_id = p_key;
	if not found then
		select m.uid into v_unknown
		from unnest(p_members) with ordinality as m (uid, ord) left join account a on a.uid = m.uid and a.deleted_at is null
		where a.uid is null order by m.ord limit 1;
		if found then
			return query select 'not_found', 'members', 'there is no user ' || v_unknown, null, 0, false, null;
			return;
		end if;
		v_full := fn.groups_full(v_everybody, p_max_groups);
		if v_full is not null then
			return query select 'failed_precondition', null, fn.groups_full_detail(v_full, p_max_groups), null, 0, false, null;
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
			v_first.member_count, true, null;
		return;
	end if;
	insert into conversation (id, kind, moved_id) values ('g:' || p_gid, 2, fn.id_at(fn.now_ms())) returning no into v_no;
	insert into chat_group (no, name, owner, join_mode, history_mode, member_count)
	values (v_no, p_name, p_owner, p_join, p_history, cardinality(v_everybody));
	insert into group_member (no, uid, role)
	select v_no, m.uid, case when m.uid = p_owner then 2 else 0 end from unnest(v_everybody) as m (uid);
	return query select 'ok', null, null, p_gid, cardinality(v_everybody), false,
		array_to_string(array_remove(v_everybody, p_owner), ',');
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
		fn.group_may(actor.role, target.role, p_action, g.join_mode,
			fn.is_muted(g.is_muted, actor.role, actor.muted_until, p_time), g.dissolved_at is not null)
	into member_count, v_is_dissolved, role, target_role, v_may
	from chat_group g left join group_member actor on actor.no = g.no and actor.uid = p_actor
	left join group_member target on target.no = g.no and target.uid = p_target
	where g.no = group_change_begin.no;
	if v_may <> 'ok' then
		answer := fn.entry_refused(v_may, case when v_may = 'not_found' and not v_is_dissolved then p_target end);
	end if;
end $$;

/*
 * Users who were no members become members with the entry p_seq. They receive that entry, and have read everything before it:
 * p_counted is the conversation's count as of then. What a former member had cleared stays cleared, and who was muted stays muted.
 */
create function fn.group_let_in(p_no bigint, p_seq bigint, p_counted bigint, p_uids text[]) returns void language plpgsql
as $$
begin
	insert into group_member (no, uid, since_seq, read_seq, read_counted, cleared_seq, cleared_counted, muted_until)
	select p_no, u.uid, p_seq - 1, p_seq - 1, p_counted, coalesce(gone.cleared_seq, 0), coalesce(gone.cleared_counted, 0), gone.muted_until
	from unnest(p_uids) as u (uid) left join lateral (select mc.cleared_seq, mc.cleared_counted, mc.muted_until from member_change mc
		where mc.uid = u.uid and mc.no = p_no and not mc.is_join order by mc.seq desc limit 1) gone on true;
	insert into member_change (no, seq, uid, is_join) select p_no, p_seq, u.uid, true from unnest(p_uids) as u (uid);
	update chat_group set member_version = p_seq, member_count = member_count + cardinality(p_uids) where no = p_no;
	delete from group_request where ctid = any (array(select r.ctid from unnest(p_uids) u (uid)
		cross join lateral (select r.ctid from group_request r where r.no = p_no and r.uid = u.uid offset 0) r));
end $$;

/*
 * Adds members, by a member who may. `none`: all of them are members already. not_found names a uid that does not exist,
 * failed_precondition: the group would have more than p_max_members, or one of them is in p_max_groups. Nobody is added then.
 */
create function fn.group_members_add(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_uids text[], p_max_members integer, p_max_groups integer default null) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_uids text[];
	v_unknown text;
	v_full text;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, null, 'add');
	if v.answer is distinct from null then
		return v.answer;
	end if;
	select u.uid into v_unknown from unnest(p_uids) with ordinality as u (uid, ord) left join account a on a.uid = u.uid and a.deleted_at is null
	where a.uid is null order by u.ord limit 1;
	if found then
		return fn.entry_refused('not_found', v_unknown);
	end if;
	select array_agg(u.uid order by u.ord) into v_uids
	from (select uid, min(ord) as ord from unnest(p_uids) with ordinality as u (uid, ord) group by uid) u
	where not exists (select from group_member m where m.no = v.no and m.uid = u.uid offset 0); -- looked up one by one
	if v_uids is null then
		return fn.entry_refused('none');
	end if;
	if v.member_count + cardinality(v_uids) > p_max_members then
		return fn.entry_refused('failed_precondition');
	end if;
	v_full := fn.groups_full(v_uids, p_max_groups);
	if v_full is not null then
		return fn.entry_refused('failed_precondition', fn.groups_full_detail(v_full, p_max_groups));
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		format('{"event":"added","actor":%s,"uids":%s}', to_json(p_actor), to_json(v_uids)), null);
	perform fn.group_let_in(v.no, v_seq, v.counted, v_uids);
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
	with gone as (
		delete from group_member m where m.no = v.no and m.uid = p_uid returning m.cleared_seq, m.cleared_counted, m.muted_until
	)
	insert into member_change (no, seq, uid, is_join, cleared_seq, cleared_counted, muted_until)
	select v.no, v_seq, p_uid, false, nullif(g.cleared_seq, 0), case when g.cleared_seq > 0 then g.cleared_counted end,
		case when g.muted_until > p_time then g.muted_until end from gone g;
	update chat_group set member_version = v_seq, member_count = chat_group.member_count - 1 where no = v.no;
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * Gives a member another role: 0 member, 1 admin. `none`: it has that role. failed_precondition: the group has p_max_admins. The
 * membership's version stays as it is.
 */
create function fn.group_member_role(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_uid text, p_role smallint, p_max_admins integer default null) returns fn.entry_answer language plpgsql
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
	if p_role = 1 and fn.admins_full(v.no, p_max_admins) then
		return fn.entry_refused('failed_precondition', fn.admins_full_detail(p_max_admins));
	end if;
	update group_member set role = p_role where no = v.no and uid = p_uid;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		format('{"event":"role","actor":%s,"uid":%s,"role":"%s"}', to_json(p_actor), to_json(p_uid),
			case p_role when 1 then 'admin' else 'member' end), null);
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * Mutes a member until p_until (milliseconds since 1970); a time that has come ends the mute. `none`: nothing changes.
 */
create function fn.group_member_mute(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_uid text, p_until bigint) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_until constant bigint := case when p_until > p_time then p_until end;
	v_old bigint;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, p_uid, 'mute');
	if v.answer is distinct from null then
		return v.answer;
	end if;
	select case when m.muted_until > p_time then m.muted_until end into v_old from group_member m where m.no = v.no and m.uid = p_uid;
	if v_old is not distinct from v_until then
		return fn.entry_refused('none');
	end if;
	update group_member set muted_until = v_until where no = v.no and uid = p_uid;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system', case when v_until is null
		then format('{"event":"unmuted","actor":%s,"uid":%s}', to_json(p_actor), to_json(p_uid))
		else format('{"event":"muted","actor":%s,"uid":%s,"until":%s}', to_json(p_actor), to_json(p_uid), v_until) end, null);
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * Makes another member the owner. The former one becomes an admin. failed_precondition: the group would have more than p_max_admins.
 */
create function fn.group_hand_over(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_uid text, p_max_admins integer default null) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, p_uid, 'owner');
	if v.answer is distinct from null then
		return v.answer;
	end if;
	if v.target_role = 0 and fn.admins_full(v.no, p_max_admins) then
		return fn.entry_refused('failed_precondition', fn.admins_full_detail(p_max_admins));
	end if;
	update group_member set role = 1 where no = v.no and uid = p_actor;
	update group_member set role = 2 where no = v.no and uid = p_uid;
	update chat_group set owner = p_uid where no = v.no;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		format('{"event":"owner","actor":%s,"uid":%s}', to_json(p_actor), to_json(p_uid)), null);
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * Changes what a group is: p_changes is a JSON object of name, avatar, announcement ('' removes these two), join, history, muted_all. The
 * entry has what became different; `none`: nothing did.
 */
create function fn.group_change_profile(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text,
	p_actor text, p_changes text) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_changes jsonb;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, null, 'profile');
	if v.answer is distinct from null then
		return v.answer;
	end if;
	select jsonb_object_agg(c.key, c.value) into v_changes
	from chat_group g cross join jsonb_each(p_changes::jsonb) c
	where g.no = v.no and c.value is distinct from jsonb_build_object('name', g.name, 'avatar', coalesce(g.avatar, ''), 'announcement',
		coalesce(g.announcement, ''), 'join', g.join_mode, 'history', g.history_mode, 'muted_all', g.is_muted) -> c.key;
	if v_changes is null then
		return fn.entry_refused('none');
	end if;
	update chat_group set name = coalesce(v_changes ->> 'name', name),
		avatar = nullif(coalesce(v_changes ->> 'avatar', avatar), ''),
		announcement = nullif(coalesce(v_changes ->> 'announcement', announcement), ''),
		join_mode = coalesce(v_changes ->> 'join', join_mode), history_mode = coalesce(v_changes ->> 'history', history_mode),
		is_muted = coalesce((v_changes ->> 'muted_all')::boolean, is_muted)
	where no = v.no;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		format('{"event":"profile","actor":%s,"changes":%s}', to_json(p_actor), v_changes), null);
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * Ends a group. Its members receive the entry; after it the group is not_found for everybody.
 */
create function fn.group_dissolve(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text)
returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, null, 'dissolve');
	if v.answer is distinct from null then
		return v.answer;
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		format('{"event":"dissolved","actor":%s}', to_json(p_actor)), null);
	update chat_group set dissolved_at = p_time where no = v.no;
	update conversation set moved_id = 0 where no = v.no;
	delete from group_request where no = v.no;
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * The actor joins an open group. Where a request has to be accepted it leaves one, with p_note; that is `none`, also when one waits
 * already. failed_precondition: the group has p_max_members, p_max_requests wait, or the actor is in p_max_groups.
 */
create function fn.group_join(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_note text, p_max_members integer, p_max_requests integer, p_max_groups integer default null) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, null, 'join');
	if v.answer is distinct from null then
		return v.answer;
	end if;
	if v.member_count >= p_max_members then
		return fn.entry_refused('failed_precondition');
	end if;
	if (select g.join_mode from chat_group g where g.no = v.no) = 'approval' then
		if (select count(*) from (select from group_request r where r.no = v.no and r.uid <> p_actor limit p_max_requests) r)
			= p_max_requests then
			return fn.entry_refused('failed_precondition', 'too many users wait for an answer to their requests to join');
		end if;
		insert into group_request (no, uid, note) values (v.no, p_actor, p_note) on conflict do nothing;
		return fn.entry_refused('none');
	end if;
	if fn.groups_full(array[p_actor], p_max_groups) is not null then
		return fn.entry_refused('failed_precondition', fn.groups_full_detail(p_actor, p_max_groups));
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		format('{"event":"joined","actor":%s}', to_json(p_actor)), null);
	perform fn.group_let_in(v.no, v_seq, v.counted, array[p_actor]);
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * Accepts a user's request to join. not_found names a user without one. failed_precondition: the group has p_max_members, or the
 * user is in p_max_groups.
 */
create function fn.group_request_accept(p_node integer, p_epoch bigint, p_msg_id bigint, p_time bigint, p_gid text, p_actor text,
	p_uid text, p_max_members integer, p_max_groups integer default null) returns fn.entry_answer language plpgsql
as $$
declare
	v record;
	v_seq bigint;
begin
	select * into v from fn.group_change_begin(p_node, p_epoch, p_msg_id, p_time, p_gid, p_actor, null, 'requests');
	if v.answer is distinct from null then
		return v.answer;
	end if;
	perform from group_request r where r.no = v.no and r.uid = p_uid for update; -- or it is rejected in this moment
	if not found then
		return fn.entry_refused('not_found', p_uid);
	end if;
	if v.member_count >= p_max_members then
		return fn.entry_refused('failed_precondition');
	end if;
	if fn.groups_full(array[p_uid], p_max_groups) is not null then
		return fn.entry_refused('failed_precondition', fn.groups_full_detail(p_uid, p_max_groups));
	end if;
	v_seq := fn.entry_append(v.no, p_msg_id, p_time, p_actor, 'system',
		format('{"event":"added","actor":%s,"uids":%s}', to_json(p_actor), to_json(array[p_uid])), null);
	perform fn.group_let_in(v.no, v_seq, v.counted, array[p_uid]);
	return fn.entry_answer_of(v.no, v_seq, false);
end $$;

/*
 * May this user act on the group in a way that changes no entry? The verdict as fn.group_may() gives it for p_action; not_found: there is
 * no such group.
 */
create function fn.group_verdict(p_uid text, p_gid text, p_action text) returns table (verdict text, no bigint) language sql stable
as $$
	select case when g.no is null then 'not_found'
		else fn.group_may(m.role, null, p_action, g.join_mode, false, g.dissolved_at is not null) end, g.no
	from (select) one left join conversation c on c.id = 'g:' || p_gid left join chat_group g on g.no = c.no
	left join group_member m on m.no = g.no and m.uid = p_uid
$$;

-- A user's request to join is no more; not_found with the field `uid`: there is none.
create function fn.group_request_reject(p_actor text, p_gid text, p_uid text) returns table (verdict text, field text)
language plpgsql
as $$
declare
	v record;
begin
	select * into v from fn.group_verdict(p_actor, p_gid, 'requests');
	if v.verdict = 'ok' then
		delete from group_request r where r.no = v.no and r.uid = p_uid;
		if not found then
			return query select 'not_found', 'uid';
			return;
		end if;
	end if;
	return query select v.verdict, null;
end $$;

/*
 * A page of the requests to join, behind p_after ('': from the first), in the order of the uids. One row with nulls when there are none, so
 * that the verdict is there in any case.
 */
create function fn.group_requests(p_actor text, p_gid text, p_after text, p_limit integer)
returns table (verdict text, uid text, note text) language sql stable
as $$
	select v.verdict, r.uid, r.note
	from fn.group_verdict(p_actor, p_gid, 'requests') v left join lateral (
		select r.uid, r.note from group_request r
		where v.verdict = 'ok' and r.no = v.no and r.uid > p_after order by r.uid limit p_limit) r on true
$$;

-- What a group is, for its members.
create function fn.group_profile(p_uid text, p_gid text)
returns table (verdict text, name text, owner text, join_mode text, history_mode text, member_count integer, avatar text,
	announcement text, is_muted boolean, created_at bigint) language sql stable
as $$
	select v.verdict, g.name, g.owner, g.join_mode, g.history_mode, g.member_count, g.avatar, g.announcement, g.is_muted, g.created_at
	from fn.group_verdict(p_uid, p_gid, 'read') v left join chat_group g on g.no = v.no
$$;

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
		select m.uid, m.role, case when m.muted_until > fn.now_ms() then m.muted_until end as muted_until from group_member m
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
