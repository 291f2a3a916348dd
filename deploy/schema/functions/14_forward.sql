-- Messages that are sent on in another conversation.

/*
 * The body of a `forward` that a user sends: the messages of a conversation with these seqs, in this order, as the user sees them. Those that
 * are recalled or have expired are left out. The title is the group's name, or 'Chat history'.
 * A refusal names its field: the conversation as fn.conversation_access() says, not_found for a seq that the user cannot read,
 * invalid_argument for an entry that is no message, or when nothing is left (`empty`), too_large for a body over p_max_bytes.
 *
 * A repeated send has to get its first answer, whatever became of the messages since: where this function would refuse, and the
 * user has used the key in p_to before, the verdict is ok and the body null. fn.im_send() tells a duplicate from a conflict then.
 */
create function fn.forward_body(p_uid text, p_to text, p_key text, p_conversation text, p_seqs bigint[], p_max_bytes integer,
	p_time bigint)
returns table (verdict text, field text, reason text, body text) language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
	v_access record;
	v record;
	v_title text;
	v_verdict text := 'ok';
	v_reason text;
	v_body text;
begin
	select * into v_access from fn.conversation_access(p_uid, p_conversation);
	if v_access.verdict <> 'ok' then
		v_verdict := v_access.verdict;
	else
		select bool_or(m.seq is null) as has_unknown, bool_or(not fn.type_is_content(fn.type_no(m.type))) as has_others,
			string_agg(format('{"from":%s,"type":%s,"body":%s,"time":%s}', to_json(m.sender), to_json(m.type), m.body, m.time), ','
				order by w.ord) filter (where m.body is not null and coalesce(m.expires_at > p_time, true)) as items
		into v
		from unnest(p_seqs) with ordinality as w (number, ord)
		left join lateral (select * from fn.shown_message m
			where m.no = v_access.no and m.seq = w.number and m.seq > v_access.since_seq offset 0) m on true;
		v_title := coalesce((select g.name from chat_group g where g.no = v_access.no), 'Chat history');
		v_body := format('{"title":%s,"items":[%s]}', to_json(v_title), v.items);
		v_verdict := case when v.has_unknown then 'not_found' when v.has_others or v.items is null then 'invalid_argument'
			when octet_length(v_body) > p_max_bytes then 'too_large' else 'ok' end;
		v_reason := case when v.has_others then 'not_a_message' when v.items is null then 'empty' end;
	end if;
	if v_verdict = 'ok' then
		return query select 'ok', null, null, v_body;
	elsif exists (select from conversation c join message m on m.key_hash = fn.entry_key(c.no, p_uid || ' ' || p_key)
			and m.no + 0 = c.no and m.client_msg_id = p_key and m.sender = p_uid where c.id = p_to) then
		return query select 'ok', null, null, null::text;
	else
		return query select v_verdict, case when v_access.verdict <> 'ok' then 'forward.conversation_id' else 'forward.seqs' end,
			v_reason, null::text;
	end if;
end $$;
