-- compatible from 006
-- The columns that a user's list of conversations is sorted and filtered by.

/*
 * moved_seq and moved_id are of the last entry that moves a conversation to the front of the lists: a message or a `system` entry. A
 * group without one has an id of the moment in which it was made; moved_id 0 is in no list: nothing was stored, or the group is
 * dissolved. The table is made anew, because the columns that change must stand before the others, see 003.
 */
alter table conversation rename to conversation_before;
alter index conversation_pkey rename to conversation_before_pkey;
alter index conversation_id_key rename to conversation_before_id_key;
alter sequence conversation_no_seq rename to conversation_before_no_seq;
create table conversation (
	no bigint generated always as identity primary key,
	last_seq bigint not null default 0,
	counted bigint not null default 0, -- entries that count for unread, of all up to last_seq
	moved_seq bigint not null default 0,
	moved_id bigint not null default 0,
	first_read bigint not null default 0, -- one-to-one: the seq up to which the first uid of the id has read
	first_counted bigint not null default 0, -- ... and `counted` as of that seq
	second_read bigint not null default 0, -- the same of the second uid; unused in notes to oneself
	second_counted bigint not null default 0,
	kind smallint not null check (kind in (1, 2)), -- one-to-one, group
	id text collate "C" not null unique -- last, so that the WAL of an update need not repeat it
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
insert into conversation (no, last_seq, counted, moved_seq, moved_id, first_read, first_counted, second_read, second_counted, kind, id)
	overriding system value
select c.no, c.last_seq, c.counted, coalesce(m.seq, 0), coalesce(m.msg_id, (g.created_at - 1704067200000) << 22, 0), c.first_read,
	c.first_counted, c.second_read, c.second_counted, c.kind, c.id
from conversation_before c
left join chat_group g on g.no = c.no and g.dissolved_at is null
left join lateral (select m.seq, m.msg_id from message m
	where m.no = c.no and m.type not between 30 and 39 and (c.kind = 1 or g.no is not null)
	order by m.seq desc limit 1) m on true;
select setval('conversation_no_seq', greatest(1, (select max(no) from conversation)));
drop table conversation_before;

-- Settings of one user for one conversation. Those of a group are in group_member, so leaving the group deletes them.
alter table direct_member
	add column cleared_seq bigint not null default 0, -- history up to here is not shown
	add column cleared_counted bigint not null default 0, -- the conversation's `counted` as of cleared_seq
	add column hidden_seq bigint not null default -1, -- in no list until an entry after this one moves it
	add column is_pinned boolean not null default false,
	add column is_muted boolean not null default false; -- no notifications; messages come as ever
alter table group_member
	add column cleared_seq bigint not null default 0,
	add column cleared_counted bigint not null default 0,
	add column hidden_seq bigint not null default -1,
	add column is_pinned boolean not null default false,
	add column is_silent boolean not null default false; -- as direct_member.is_muted; muted_until is for sending

-- Each mention of a user by a message. The list of conversations reads this instead of messages. uid '*' is everyone.
create table mention (
	no bigint,
	seq bigint,
	uid text collate "C",
	primary key (no, uid, seq)
);
insert into mention (no, seq, uid) select m.no, m.seq, u.uid from message m cross join lateral unnest(m.mentions) u (uid)
where m.mentions is not null on conflict do nothing;
