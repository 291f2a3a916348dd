-- Limits on how many of something a user, or a group, may have. Each is counted under a lock that all who could add one more take:
-- the row of the conversation for what belongs to a group, the rows of the accounts for what belongs to a user. A limit
-- that is null, as an older im asks, is none. The counts end at the limit: nobody pays for a user who has much.

/*
 * The locks of users for what is counted of them, until the end of the transaction; in the order of their uids, so that no two
 * transactions wait for each other. They are taken after the locks of conversations and pairs.
 */
create function fn.accounts_lock(p_uids text[]) returns void language plpgsql as $$
begin
	perform from account a where a.uid = any (p_uids) order by a.uid for no key update;
end $$;

/*
 * The first of the users who is in p_max groups already, dissolved ones not counted; null: none is. The users who are within 1,000 of
 * the limit are locked and counted exactly. The others are not: a transaction adds a user to one group, and there are
 * never 1,000 of them at the same time.
 */
create function fn.groups_full(p_uids text[], p_max integer) returns text language plpgsql
as $$
declare
	v_near constant integer := greatest(p_max - 1000, 0);
	v_locked text[];
begin
	if p_max is null then
		return null;
	end if;
	select array_agg(u.uid) into v_locked from unnest(p_uids) as u (uid)
	where (select count(*) from (select from group_member m where m.uid = u.uid limit v_near) m) = v_near;
	if v_locked is null then
		return null;
	end if;
	perform fn.accounts_lock(v_locked);
	return (select min(u.uid collate "C") from unnest(v_locked) as u (uid)
		where (select count(*) from (select from group_member m join chat_group g on g.no = m.no
			where m.uid = u.uid and g.dissolved_at is null limit p_max) m) = p_max);
end $$;

create function fn.groups_full_detail(p_uid text, p_max integer) returns text language sql immutable as $$
	select format('%s is in %s groups, and nobody may be in more', p_uid, p_max)
$$;

-- Has the group p_max admins? The caller has its lock. The owner is none of them.
create function fn.admins_full(p_no bigint, p_max integer) returns boolean language plpgsql stable as $$
begin
	return (select count(*) from (select from group_member m where m.no = p_no and m.role = 1 limit p_max) m) = p_max;
end $$;

create function fn.admins_full_detail(p_max integer) returns text language sql immutable as $$
	select format('a group has at most %s admins', p_max)
$$;

/*
 * Has the user pinned p_max conversations in the list, besides this one? Dissolved groups are in no list. The caller has
 * the lock of the user.
 */
create function fn.pinned_full(p_uid text, p_no bigint, p_max integer) returns boolean language plpgsql stable as $$
begin
	return (select count(*) from (
		select from direct_member d where d.uid = p_uid and d.is_pinned and d.no <> p_no
		union all
		select from group_member m join chat_group g on g.no = m.no
		where m.uid = p_uid and m.is_pinned and m.no <> p_no and g.dissolved_at is null
		limit p_max) p) = p_max;
end $$;

/*
 * Why there may be no further friend request of p_sender to p_recipient; null: there may be. Locks both.
 */
create function fn.friend_requests_full(p_sender text, p_recipient text, p_max_sent integer, p_max_got integer) returns text
language plpgsql as $$
begin
	perform fn.accounts_lock(array[p_sender, p_recipient]);
	return case
		when (select count(*) from (select from friend_request r where r.sender = p_sender and r.status = 0 limit p_max_sent) r)
			= p_max_sent then format('%s requests of the caller are not answered yet, and there may be no more', p_max_sent)
		when (select count(*) from (select from friend_request r where r.recipient = p_recipient and r.status = 0
			limit p_max_got) r) = p_max_got then 'too many requests wait for this user'
		end;
end $$;
