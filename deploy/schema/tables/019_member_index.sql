-- compatible from 006
-- The groups of a user. With `no` in it a lookup of one member is exact by this index too: PostgreSQL took it, and read all groups
-- of the user, while it had no statistics of the table.

drop index group_member_by_uid;
create index group_member_by_uid on group_member (uid, no);
