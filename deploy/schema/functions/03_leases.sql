-- The leases of node numbers, and looking after a number whose owner is gone: somebody publishes what the owner stored and
-- did not publish, and only then may the number be leased again.

-- The class of the advisory locks on node numbers. Every statement that stores under a node's lease holds its lock shared;
-- whoever raises the node's epoch holds it exclusively, so that nothing of the old owner is committed afterwards.
create function fn.node_lock_class() returns integer language sql immutable as $$ select 20001 $$;

/*
 * Is the lease the caller's? Takes the node's lock shared until the end of the transaction, and looks at the lease after that.
 */
create function fn.lease_is_held(p_node integer, p_epoch bigint) returns boolean language plpgsql as $$
begin
	perform pg_advisory_xact_lock_shared(fn.node_lock_class(), p_node);
	return exists (select from node_lease where node = p_node and epoch = p_epoch and expires_at > clock_timestamp());
end $$;

/*
 * Is the owner gone? An end that is further away than any lease lives comes from a clock of this server that was set
 * back: a live owner's next renewal corrects it, and a dead owner sends none.
 */
create function fn.lease_is_over(p_expires_at timestamptz) returns boolean language sql volatile as $$
	select p_expires_at < clock_timestamp() or p_expires_at > clock_timestamp() + interval '5 minutes'
$$;

/*
 * Leases a node number: one that was never used or has no owner. No row: every number is held, or waits to be looked after. All
 * messages of this number are in Kafka and have ids up to `watermark`, which is at least what its ids would be at this
 * moment, so a takeover never has to look further back than the lease. Ids of the new owner must stay above it.
 */
create function fn.im_lease_take(p_owner text, p_life_ms integer)
returns table (node integer, epoch bigint, watermark bigint) language plpgsql as $$
declare
	v_node integer;
begin
	-- One taker at a time: they only meet when processes start.
	perform pg_advisory_xact_lock(fn.node_lock_class(), -1);
	select n into v_node from generate_series(0, 1023) as n left join node_lease l on l.node = n
	where l.owner is null order by n limit 1;
	if not found then
		return;
	end if;
	return query
	insert into node_lease as l (node, epoch, owner, expires_at, watermark)
	values (v_node, 1, p_owner, clock_timestamp() + p_life_ms * interval '1 ms', fn.id_at(fn.now_ms()))
	on conflict on constraint node_lease_pkey do update set epoch = l.epoch + 1, owner = excluded.owner,
		expires_at = excluded.expires_at, watermark = greatest(l.watermark, excluded.watermark)
	returning l.node, l.epoch, l.watermark;
end $$;

/*
 * Ends the sessions that hold a node's lock shared, for a statement that never ends by itself: the message that would end its
 * transaction was lost on the way.
 */
create function fn.node_lock_break(p_node integer) returns void language sql volatile as $$
	select pg_terminate_backend(h.pid) from pg_locks h
	where h.locktype = 'advisory' and h.classid = fn.node_lock_class() and h.objid = p_node and h.objsubid = 2
		and h.database = (select d.oid from pg_database d where d.datname = current_database())
		and h.granted and h.mode = 'ShareLock'
$$;

/*
 * The owner renews its lease and raises its epoch, because the answer of a statement was lost: after this the statement stores
 * nothing, even if it only begins now. A statement at work holds the node's lock. Then the lease is renewed and the epoch stays
 * (the answer is p_epoch); with p_is_impatient that session is terminated, too. No row: the lease is not the caller's any more.
 * Asked again after a lost answer, it answers the epoch that it raised to: nobody else owns that one under p_owner, because
 * a caretaker has another name, and a number is leased to nobody while its owner is alive.
 */
create function fn.im_lease_raise(p_node integer, p_epoch bigint, p_owner text, p_watermark bigint, p_life_ms integer,
	p_is_impatient boolean) returns table (epoch bigint) language plpgsql
as $$
#variable_conflict use_column
declare
	v_has_lock constant boolean := pg_try_advisory_xact_lock(fn.node_lock_class(), p_node);
begin
	if not v_has_lock and p_is_impatient then
		perform fn.node_lock_break(p_node);
	end if;
	return query
	update node_lease l set epoch = case when v_has_lock then p_epoch + 1 else l.epoch end,
		watermark = greatest(l.watermark, p_watermark), expires_at = clock_timestamp() + p_life_ms * interval '1 ms'
	where l.node = p_node and l.owner = p_owner and l.epoch in (p_epoch, p_epoch + 1)
	returning l.epoch;
end $$;

/*
 * Takes over one number (not p_own) whose lease is over: raises the epoch, so that the former owner stores nothing any
 * more, and makes the caller its caretaker for a lease's life, which im renews. `last` is its highest id above the
 * watermark; null: there is none. No row: nobody has to be looked after.
 *
 * A batch of the former owner that still runs holds the lock of its node. The caller does not wait for it, it looks again
 * later. Two seconds after the lease's end that session is terminated: it never ends by itself if the message that
 * would end its transaction was lost on the way.
 */
create function fn.im_lease_take_over(p_caretaker text, p_own integer, p_life_ms integer)
returns table (node integer, epoch bigint, owner text, watermark bigint, last bigint) language plpgsql
as $$
#variable_conflict use_column
declare
	v_over record;
	v_taken record;
begin
	for v_over in select l.node, l.owner, l.expires_at from node_lease l
		where l.owner is not null and l.node <> p_own and fn.lease_is_over(l.expires_at) order by l.expires_at
	loop
		if not pg_try_advisory_xact_lock(fn.node_lock_class(), v_over.node) then
			if fn.lease_is_over(v_over.expires_at + interval '2 seconds') then
				perform fn.node_lock_break(v_over.node);
			end if;
			continue;
		end if;
		update node_lease l set epoch = l.epoch + 1, owner = 'caretaker ' || p_caretaker,
			expires_at = clock_timestamp() + p_life_ms * interval '1 ms'
		where l.node = v_over.node and l.owner is not null and fn.lease_is_over(l.expires_at)
		returning l.epoch, l.watermark into v_taken;
		if found then
			return query select v_over.node, v_taken.epoch, v_over.owner, v_taken.watermark,
				(select max(m.msg_id) from message m
				where m.msg_id > v_taken.watermark and ((m.msg_id >> 12) & 1023) = v_over.node);
			return;
		end if;
	end loop;
end $$;

/*
 * The version of a group's membership at one of its entries: the seq of the last change at or before it. Null for a
 * one-to-one conversation.
 */
create function fn.member_version_at(p_no bigint, p_kind smallint, p_seq bigint) returns bigint language plpgsql stable as $$
begin
	return case when p_kind = 2 then coalesce((select c.seq from member_change c where c.no = p_no and c.seq <= p_seq
		order by c.seq desc limit 1), 0) end;
end $$;

-- Who came by an entry of a group, or who went; null for an entry that changed no membership.
create function fn.members_changed_by(p_no bigint, p_seq bigint, p_is_join boolean) returns text[] language plpgsql stable as $$
begin
	return (select array_agg(c.uid order by c.uid) from member_change c where c.no = p_no and c.seq = p_seq and c.is_join = p_is_join);
end $$;

/*
 * The first entries of a node with ids above p_after and up to p_upto, in the order of the ids: at most p_count, and no
 * more once the bodies before are p_bytes. `is_whole`: these are all. Within a conversation the ids of one node rise
 * with seq: a batch draws them in its order, and a send that is tried again keeps its id and its place before later ones.
 * The rows are what im made its records of, so edits and recalls are not applied to them.
 */
create function fn.im_unpublished(p_node integer, p_after bigint, p_upto bigint, p_count integer, p_bytes bigint)
returns table (is_whole boolean, conversation_id text, seq bigint, msg_id bigint, sender text, client_msg_id text,
	type text, body text, "time" bigint, reply_to bigint, mentions text, target_seq bigint, member_version bigint,
	joined text[], "left" text[], expires_at bigint)
language plpgsql stable
as $$
#variable_conflict use_column
begin
	return query
	with found as (
		select row_number() over w as ord, sum(coalesce(octet_length(m.whole), 0)) over w - coalesce(octet_length(m.whole), 0) as before,
			m.*
		from (
			select *, case when expires_at is null then body else fn.expiring_body(no, seq) end as whole
			from message where msg_id > p_after and msg_id <= p_upto and ((msg_id >> 12) & 1023) = p_node
			order by msg_id limit p_count + 1) m
		window w as (order by m.msg_id rows unbounded preceding)
	), page as (
		select * from found where ord <= p_count and before < p_bytes
	)
	select (select count(*) from page) = (select count(*) from found), c.id, p.seq, p.msg_id, p.sender,
		p.client_msg_id, fn.type_name(p.type), p.whole, p.time, p.reply_to, array_to_string(p.mentions, ','), p.target_seq,
		fn.member_version_at(p.no, c.kind, p.seq), fn.members_changed_by(p.no, p.seq, true),
		fn.members_changed_by(p.no, p.seq, false), p.expires_at
	from page p join conversation c on c.no = p.no
	order by p.msg_id;
end $$;
