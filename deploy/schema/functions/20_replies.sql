-- The messages to which the messages of a page reply. Only a caller with `replies=true` asks for them.

/*
 * The messages that are named, as p_uid may see them now: a row for each, `ord` counted from 1, in that order. One that the user
 * cannot read, or that retention has removed, has a row of nulls. Of a text's body only `text` is shown, its first p_characters; a
 * body of another type that is longer than p_bytes is left out. is_shortened tells either. Access is looked up once for each
 * conversation.
 */
create function fn.replied_to(p_uid text, p_conversations text[], p_seqs bigint[], p_characters integer, p_bytes integer)
returns table (ord bigint, is_shortened boolean, seq bigint, msg_id bigint, sender text, client_msg_id text, type text, body text,
	"time" bigint, reply_to bigint, mentions text, target_seq bigint, is_edited boolean, is_recalled boolean, expires_at bigint)
language plpgsql stable
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
	return query
	select w.ord, case when t.text is null then octet_length(m.body) > p_bytes else length(t.text) > p_characters end,
		m.seq, m.msg_id, m.sender, case when m.sender = p_uid then m.client_msg_id end, m.type,
		case when t.text is not null then format('{"text":%s}', to_json(left(t.text, p_characters)))
			when octet_length(m.body) <= p_bytes then m.body end,
		m.time, m.reply_to, m.mentions, m.target_seq, m.is_edited, m.is_recalled, m.expires_at
	from (
		select w.conversation, array_agg(w.number) as numbers, array_agg(w.ord) as ords
		from unnest(p_conversations, p_seqs) with ordinality as w (conversation, number, ord)
		group by w.conversation
	) named
	cross join lateral (select * from fn.conversation_access(p_uid, named.conversation) offset 0) access
	cross join lateral unnest(named.numbers, named.ords) as w (number, ord)
	left join lateral (select * from fn.shown_message m
		where access.verdict = 'ok' and m.no = access.no and m.seq = w.number and m.seq > access.since_seq offset 0) m on true
	cross join lateral (select case when m.type = 'text' then m.body::json ->> 'text' end as text offset 0) t
	order by w.ord;
end $$;
