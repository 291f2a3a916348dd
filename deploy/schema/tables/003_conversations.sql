-- One-to-one conversations and groups. Every other table names a conversation by its `no`.
--
-- Each batch of sends updates one row per conversation it touches. The page keeps room for the new version, so that no
-- index is written (HOT); vacuum clears the old versions soon. The read marks of a one-to-one conversation are here
-- because a send moves the sender's mark and rewrites this row in any case; those of a group are in group_member.

create table conversation (
	no bigint generated always as identity primary key,
	last_seq bigint not null default 0,
	counted bigint not null default 0, -- entries that count for unread, of all up to last_seq
	first_read bigint not null default 0, -- one-to-one: the seq up to which the first uid of the id has read
	first_counted bigint not null default 0, -- ... and `counted` as of that seq
	second_read bigint not null default 0, -- the same of the second uid; unused in notes to oneself
	second_counted bigint not null default 0,
	kind smallint not null check (kind in (1, 2)), -- one-to-one, group
	id text collate "C" not null unique -- last, so that the WAL of an update need not repeat it
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);

-- The one-to-one conversations of a user, filled by the statement that makes the conversation. group_member tells the groups.
create table direct_member (
	uid text collate "C",
	no bigint,
	primary key (uid, no)
);
