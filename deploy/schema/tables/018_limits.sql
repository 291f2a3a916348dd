-- compatible from 006
-- Indexes of what is counted before one more is let in (functions/19_limits.sql): few rows of many.

create index group_admin on group_member (no) where role = 1;
create index group_pinned on group_member (uid) where is_pinned;
create index direct_pinned on direct_member (uid) where is_pinned;
create index friend_request_sent on friend_request (sender) where status = 0;
create index friend_request_got on friend_request (recipient) where status = 0;
