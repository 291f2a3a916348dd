-- compatible from 006
-- When a user left a group: the last of its changes is found without reading the others.

drop index member_change_by_uid;
create index member_change_by_uid on member_change (uid, no, seq);
