-- All functions are in the PostgreSQL schema `fn`. `im --migrate` drops it and makes it anew as a whole whenever a file here has
-- changed, so no table may depend on a function: no default, check or trigger calls one.
--
-- Every step is a lookup by index. The connections that call these functions say so to the planner (PG_BY_INDEX in libcommon/store/pg/pg.h),
-- so that the statistics of a young table do not suggest a scan. A function that needs more than that switches it off itself.
--
-- A function that reads a table and returns one value is in plpgsql, which keeps its plan: in SQL it is parsed and planned by each statement
-- that calls it, which cost a change more than all its writes. One in SQL that only computes, or that returns rows and is one select without
-- settings, becomes part of the query that calls it.

create schema fn;

-- Rounded down, as im's clock is: a group that is made is then never in front of a message that is sent after it.
create function fn.now_ms() returns bigint language sql volatile as $$
	select floor(extract(epoch from clock_timestamp()) * 1000)::bigint
$$;

-- The lowest message id of a moment (milliseconds since 1970); see base/msgid.h.
create function fn.id_at(p_ms bigint) returns bigint language sql immutable as $$
	select (p_ms - 1704067200000) << 22
$$;

/*
 * Types of entries as they are stored. Below 30: content, which counts for unread. 30 to 39: changes to a message, which name
 * it in target_seq. From 40: what happened to the conversation. Null: no such type.
 */
create function fn.type_no(p_type text) returns smallint language sql immutable as $$
	select case p_type when 'text' then 1 when 'image' then 2 when 'audio' then 3 when 'video' then 4 when 'file' then 5
		when 'location' then 6 when 'custom' then 7 when 'forward' then 8 when 'recall' then 30 when 'edit' then 31
		when 'reaction' then 32 when 'system' then 40 end::smallint
$$;

create function fn.type_name(p_type smallint) returns text language sql immutable as $$
	select case p_type when 1 then 'text' when 2 then 'image' when 3 then 'audio' when 4 then 'video' when 5 then 'file'
		when 6 then 'location' when 7 then 'custom' when 8 then 'forward' when 30 then 'recall' when 31 then 'edit'
		when 32 then 'reaction' when 40 then 'system' end
$$;

create function fn.type_is_content(p_type smallint) returns boolean language sql immutable as $$ select p_type < 30 $$;

/*
 * message.key_hash of an entry. What a client has sent is named by its sender and client_msg_id, any other entry by its id:
 * no two of these names are equal, since only the first has a space. The conversation stands in the upper half, so that one
 * conversation's entries lie together in the index.
 */
create function fn.entry_key(p_no bigint, p_name text) returns bigint language sql immutable as $$
	select (p_no << 32) | (hashtextextended(p_name, 0) & 4294967295)
$$;

/*
 * message.payload_hash of a message that a client has sent with this body, and, a forward, with this payload; null for one whose body tells it
 * for as long as the message exists. Equal for texts that are equal as JSON values. p_msg_id makes it another one for each message. Who
 * finds two payloads with the same hash has a second message of its own taken for a repeat of the first.
 */
create function fn.payload_hash(p_payload text, p_body text, p_expire_s integer, p_msg_id bigint) returns bigint
language plpgsql immutable as $$
begin
	return case when num_nonnulls(p_payload, p_expire_s) > 0 then jsonb_hash_extended(coalesce(p_payload, p_body)::jsonb, p_msg_id) end;
end $$;

-- Was the message with this body, hash and id sent with p_body (and p_payload)? In plpgsql, so that a plan that calls it does not grow.
create function fn.payload_is(p_stored text, p_hash bigint, p_msg_id bigint, p_body text, p_payload text) returns boolean
language plpgsql immutable as $$
begin
	return case when p_hash is not null then p_hash = jsonb_hash_extended(coalesce(p_payload, p_body)::jsonb, p_msg_id)
		else p_stored = p_body or p_stored::jsonb = p_body::jsonb end;
end $$;

-- The two users of a one-to-one conversation: 'u:<first>:<second>'. They are the same user in notes to oneself.
create function fn.first_of(p_conversation text) returns text language sql immutable as $$
	select split_part(p_conversation, ':', 2)
$$;
create function fn.second_of(p_conversation text) returns text language sql immutable as $$
	select split_part(p_conversation, ':', 3)
$$;

/*
 * What a function that appends an entry answers. `status`:
 *   ok      the entry stands under msg_id and seq; `duplicate`: it was stored before
 *   none    nothing had to change, and there is no entry
 *   lease   nothing was looked at: the node's lease is not the caller's any more
 *   else    a public error code; `detail` names the uid it is about, if it is about one
 * member_version, joined and left are of a group; the other columns are those of the entry's message.
 */
create type fn.entry_answer as (status text, detail text, msg_id bigint, seq bigint, "time" bigint, duplicate boolean, type text,
	sender text, body text, target_seq bigint, member_version bigint, joined text[], "left" text[], expires_at bigint);
