-- compatible from 006
-- The conversations of a user: one index range each for the groups and for the others.

-- With `no` in it a lookup of one member is exact by this index too: PostgreSQL took it, and read all groups of the user.
drop index group_member_by_uid;
create index group_member_by_uid on group_member (uid, no);

-- A list of conversations is ordered by these columns of the index alone. No send changes them, so sends stay HOT.
alter table direct_member drop constraint direct_member_pkey, add primary key (uid, no) include (is_pinned, hidden_seq);
