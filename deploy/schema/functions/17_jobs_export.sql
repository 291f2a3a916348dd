-- The export of everything that stands about a user. tests/integration/im_user_data_test.py knows every column that may name a user.

-- The next conversation behind p_no that the user has or had a part in; null: there is none.
create function fn.user_conversation(p_uid text, p_no bigint) returns bigint language plpgsql stable as $$
begin
	return least(
		(select d.no from direct_member d where d.uid = p_uid and d.no > p_no order by d.no limit 1),
		(select g.no from group_member g where g.uid = p_uid and g.no > p_no order by g.no limit 1),
		(select m.no from member_change m where m.uid = p_uid and m.no > p_no order by m.no limit 1));
end $$;

-- A number as a key that is ordered as a text.
create function fn.key_of(p_number bigint) returns text language sql immutable as $$ select lpad(p_number::text, 19, '0') $$;

create function fn.export_item(p_kind text, p_value json) returns text language sql immutable as $$
	select format('{"kind":%s,"value":%s}', to_json(p_kind), json_strip_nulls(p_value))
$$;

/*
 * An entry in the shape of the contract's messages, as it was stored. Its body goes in as the text that it is; of a reaction, what is in the
 * body goes in beside the other members (fn.reaction_body()). The body of a message that expires is left out: the export may live longer.
 */
create function fn.export_message(p_conversation text, p_message message) returns text language sql stable as $$
	select '{"kind":"message","value":' || rtrim(json_strip_nulls(json_build_object('conversation_id', p_conversation, 'seq', p_message.seq,
		'msg_id', p_message.msg_id::text, 'from', p_message.sender, 'type', fn.type_name(p_message.type), 'time', p_message.time,
		'reply_to', p_message.reply_to, 'mentions', p_message.mentions, 'target_seq', p_message.target_seq,
		'client_msg_id', p_message.client_msg_id, 'expires_at', p_message.expires_at))::text, '}')
		|| coalesce(case p_message.type when fn.type_no('reaction') then ',' || substr(p_message.body, 2, length(p_message.body) - 2)
			else ',"body":' || p_message.body end, '') || '}}'
$$;

/*
 * A page of the items of one section behind p_after, in the order of `key`. The sections are numbered from 0; the entries of the
 * user's conversations are behind the last of these (fn.export_step()). Passwords are not given out.
 */
create function fn.export_page(p_uid text, p_section integer, p_after text, p_limit integer) returns table (key text, item text)
language plpgsql stable
as $$
#variable_conflict use_column
declare
	v_number constant bigint := case when p_after ~ '^\d+$' then p_after::bigint else 0 end;
begin
	case p_section
	when 0 then return query
		select a.uid, rtrim(fn.export_item('profile', json_build_object('uid', a.uid, 'name', a.name, 'avatar', a.avatar,
			'settings', json_build_object('messages_from', a.messages_from, 'presence', a.presence), 'has_password', a.password is not null,
			'bot', a.is_bot, 'disabled', a.is_disabled, 'system', a.is_system, 'logged_out_at', a.logged_out_at,
			'created_at', a.created_at)), '}') || coalesce(',"attributes":' || a.attributes, '') || '}}'
		from account a where a.uid = p_uid and p_after = '';
	when 1 then return query
		select l.address, fn.export_item('login', json_build_object('address', l.address, 'logged_in_at', l.logged_in_at))
		from login_address l where l.uid = p_uid and l.address > p_after order by l.address limit p_limit;
	when 2 then return query
		select encode(t.id, 'hex'), fn.export_item('token', json_build_object('change', t.kind, 'changed_at', t.changed_at, 'expires_at',
			t.expires_at))
		from change_feed t where t.uid = p_uid and t.id > decode(p_after, 'hex') order by t.id limit p_limit;
	when 3 then return query
		select f.friend, fn.export_item('friend', json_build_object('uid', f.friend, 'remark', f.remark, 'since', f.since))
		from friendship f where f.uid = p_uid and f.friend > p_after order by f.friend limit p_limit;
	when 4 then return query
		select fn.key_of(r.no), fn.export_item('friend_request', json_build_object('request_id', r.no::text, 'from', r.sender, 'to', r.recipient,
			'note', r.note, 'status', case r.status when 0 then 'pending' when 1 then 'accepted' else 'rejected' end,
			'created_at', r.created_at))
		from ((select * from friend_request s where s.sender = p_uid and s.no > v_number order by s.no limit p_limit)
			union (select * from friend_request s where s.recipient = p_uid and s.no > v_number order by s.no limit p_limit)) r
		order by r.no limit p_limit;
	when 5 then return query
		select b.blocked, fn.export_item('block', json_build_object('uid', b.blocked, 'since', b.since))
		from block b where b.uid = p_uid and b.blocked > p_after order by b.blocked limit p_limit;
	when 6 then return query
		select fn.key_of(r.no), fn.export_item('group_request', json_build_object('conversation_id', c.id, 'note', r.note, 'created_at', r.created_at))
		from group_request r join conversation c on c.no = r.no
		where r.uid = p_uid and r.no > v_number order by r.no limit p_limit;
	when 7 then return query
		select g.client_group_id, fn.export_item('group_creation', json_build_object('group_id', g.gid, 'client_group_id', g.client_group_id))
		from group_creation g where g.creator = p_uid and g.client_group_id > p_after order by g.client_group_id limit p_limit;
	when 8 then return query
		select fn.key_of(d.no), fn.export_item('membership', json_build_object('conversation_id', c.id, 'read_seq',
			case p_uid when fn.first_of(c.id) then c.first_read else c.second_read end, 'cleared_seq', nullif(d.cleared_seq, 0),
			'hidden', d.hidden_seq >= c.moved_seq, 'pinned', d.is_pinned, 'muted', d.is_muted))
		from direct_member d join conversation c on c.no = d.no
		where d.uid = p_uid and d.no > v_number order by d.no limit p_limit;
	when 9 then return query
		select fn.key_of(m.no), fn.export_item('membership', json_build_object('conversation_id', c.id, 'role',
			case m.role when 0 then 'member' when 1 then 'admin' else 'owner' end, 'joined_at', m.joined_at,
			'muted_until', m.muted_until, 'read_seq', m.read_seq, 'cleared_seq', nullif(m.cleared_seq, 0),
			'hidden', m.hidden_seq >= c.moved_seq, 'pinned', m.is_pinned, 'muted', m.is_silent))
		from group_member m join conversation c on c.no = m.no
		where m.uid = p_uid and m.no > v_number order by m.no limit p_limit;
	end case;
end $$;

create function fn.export_sections() returns integer language sql immutable as $$ select 10 $$;

/*
 * Takes a job's row for a step of its owner: null when it is another im's or has ended.
 */
create function fn.job_take(p_no bigint, p_epoch bigint) returns job language sql volatile as $$
	select * from job where no = p_no and epoch = p_epoch and state = 'running' for update
$$;

/*
 * A step of an export, with its progress in the same transaction. `cursor` is 'section:key', behind the last section
 * 'section:conversation:seq'. The items of a conversation are the entries that the user made or that mention the user, and the changes of
 * its membership; there is no index for them, so the conversation is read from its beginning, p_limit rows a step.
 */
create function fn.export_step(p_no bigint, p_epoch bigint, p_life_ms integer, p_limit integer)
returns table (state text, cursor text, done bigint, failed bigint, used bigint) language plpgsql
as $$
#variable_conflict use_column
declare
	v_job constant job := fn.job_take(p_no, p_epoch);
	v_uid constant text := v_job.params[1];
	v_section integer := coalesce(nullif(split_part(v_job.cursor, ':', 1), '')::integer, 0);
	v_after text := substr(v_job.cursor, strpos(v_job.cursor, ':') + 1);
	v_no bigint;
	v_seq bigint;
	v_done bigint := v_job.done;
	v_read bigint := 0;
	v_rows bigint;
	v_items bigint;
	v_is_ended boolean := false;
	v_cursor text;
begin
	if v_job.no is null then
		return;
	end if;
	while v_section < fn.export_sections() and v_read < p_limit loop
		with page as (
			select row_number() over (order by p.key collate "C") as ord, p.* from fn.export_page(v_uid, v_section, v_after, p_limit) p
		), stored as (
			insert into job_output (job, no, item) select v_job.no, v_done + ord, item from page
		) select count(*), max(key collate "C") into v_rows, v_after from page;
		v_done := v_done + v_rows;
		v_read := v_read + v_rows + 1;
		if v_rows < p_limit then
			v_section := v_section + 1;
			v_after := '';
		end if;
	end loop;
	if v_section >= fn.export_sections() then
		v_no := coalesce(nullif(split_part(v_after, ':', 1), '')::bigint, fn.user_conversation(v_uid, 0));
		v_seq := coalesce(nullif(split_part(v_after, ':', 2), '')::bigint, 0);
		while v_no is not null and v_read < p_limit loop
			with entries as (
				select m from message m where m.no = v_no and m.seq > v_seq order by m.seq limit p_limit
			), found as (
				select (e.m).seq as seq, 0 as part, fn.export_message(c.id, e.m) as item from entries e, conversation c
				where c.no = v_no and ((e.m).sender = v_uid or v_uid = any ((e.m).mentions))
				union all
				select mc.seq, 1, fn.export_item('membership_change', json_build_object('conversation_id', c.id, 'seq', mc.seq,
					'joined', mc.is_join, 'cleared_seq', mc.cleared_seq))
				from member_change mc join conversation c on c.no = mc.no
				where mc.uid = v_uid and mc.no = v_no and v_seq = 0
			), stored as (
				insert into job_output (job, no, item) select v_job.no, v_done + row_number() over (order by seq, part), item from found
			) select (select count(*) from entries), (select count(*) from found), (select max((e.m).seq) from entries e)
			into v_rows, v_items, v_seq;
			v_done := v_done + v_items;
			v_read := v_read + v_rows + 1;
			if v_rows < p_limit then
				v_no := fn.user_conversation(v_uid, v_no);
				v_seq := 0;
			end if;
		end loop;
		v_is_ended := v_no is null;
		v_after := v_no || ':' || v_seq;
	end if;
	v_cursor := v_section || ':' || coalesce(v_after, '');
	return query select p.state, v_cursor, v_done, v_job.failed, v_done - v_job.done + v_read / 16
	from fn.job_progress(p_no, p_epoch, p_life_ms, v_cursor, v_done, v_job.failed, v_is_ended) p;
end $$;

-- An export of a user.
create function fn.export_add(p_created_by text, p_address text, p_max integer, p_uid text)
returns table (verdict text, no bigint) language plpgsql
as $$
begin
	if not exists (select from account a where a.uid = p_uid and a.deleted_at is null) then
		return query select 'not_found', null::bigint;
		return;
	end if;
	return query select * from fn.job_add('export', p_created_by, p_address, p_max, array[p_uid], null, 0);
end $$;

/*
 * A page of what a job has found, behind p_after, until the items before are p_bytes long. One row with nulls when there is none.
 * failed_precondition: the job has not come to its end, or is of a kind that has no output.
 */
create function fn.job_output_page(p_no bigint, p_after bigint, p_limit integer, p_bytes bigint)
returns table (verdict text, detail text, has_more boolean, no bigint, item text) language plpgsql stable
as $$
#variable_conflict use_column
declare
	v_job job;
begin
	select * into v_job from job j where j.no = p_no;
	return query
	with found as (
		select o.no, o.item, row_number() over w as ord, sum(octet_length(o.item)) over w - octet_length(o.item) as before
		from (select * from job_output o where o.job = p_no and o.no > p_after and v_job.state = 'done' order by o.no limit p_limit + 1) o
		window w as (order by o.no rows unbounded preceding)
	), page as (
		select * from found where ord <= p_limit and before < p_bytes
	)
	select v.verdict, v.detail, (select count(*) from page) < (select count(*) from found), p.no, p.item
	from (select case when v_job.no is null then 'not_found' when v_job.kind <> 'export' or v_job.state <> 'done'
			then 'failed_precondition' else 'ok' end as verdict,
		case when v_job.kind <> 'export' then 'jobs of this kind have no output' when v_job.state in ('queued', 'running')
			then 'the export is not done' when v_job.state <> 'done' then 'the export did not come to its end' end as detail) v
	left join page p on true
	order by p.no;
end $$;
