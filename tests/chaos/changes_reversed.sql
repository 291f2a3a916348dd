-- A fn.im_change() that makes the changes of a batch in the reverse order. For tests/chaos/selfcheck.
alter function fn.im_change rename to im_change_in_order;
create function fn.im_change(p_node integer, p_epoch bigint, p_time bigint, p_conversations text[], p_at integer[], p_msg_id bigint[],
	p_kind text[], p_caller text[], p_subject text[], p_types text[], p_n1 bigint[], p_n2 bigint[], p_n3 bigint[])
returns table (ord bigint, answer fn.entry_answer) language sql
as $$
	select cardinality(p_at) + 1 - c.ord, c.answer
	from (select array_agg(i.at order by i.ord desc) as at, array_agg(i.msg_id order by i.ord desc) as msg_id,
			array_agg(i.kind order by i.ord desc) as kind, array_agg(i.caller order by i.ord desc) as caller,
			array_agg(i.subject order by i.ord desc) as subject, array_agg(i.types order by i.ord desc) as types,
			array_agg(i.n1 order by i.ord desc) as n1, array_agg(i.n2 order by i.ord desc) as n2, array_agg(i.n3 order by i.ord desc) as n3
		from unnest(p_at, p_msg_id, p_kind, p_caller, p_subject, p_types, p_n1, p_n2, p_n3)
			with ordinality as i (at, msg_id, kind, caller, subject, types, n1, n2, n3, ord)) r
	cross join lateral fn.im_change_in_order(p_node, p_epoch, p_time, p_conversations, r.at, r.msg_id, r.kind, r.caller, r.subject, r.types,
		r.n1, r.n2, r.n3) c
$$;
