-- Changes to users that every im has to know.

/*
 * Adds a change of a user to the feed, in the transaction that makes the change. An im that has not read the feed for half of the
 * time that the row stays forgets all it knows of users, so none is missed.
 */
create function fn.change_add(p_id bytea, p_kind text, p_uid text, p_issued_until bigint default null) returns void language sql
as $$
	insert into change_feed (id, kind, uid, issued_until, expires_at)
	values (p_id, p_kind, p_uid, p_issued_until, fn.now_ms() + 86400000)
$$;
