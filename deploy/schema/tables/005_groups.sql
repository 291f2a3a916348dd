-- Groups. The conversation of the group `gid` has the id 'g:<gid>'; its `no` is the group's key. The membership changes only
-- under the lock of the conversation's row, together with an entry that tells of the change.

create table chat_group (
	no bigint primary key,
	member_version bigint not null default 0, -- the seq of the last entry that changed the membership; 0: none since the group was made
	created_at bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
	dissolved_at bigint,
	member_count integer not null,
	is_muted boolean not null default false, -- only the owner and admins may send
	owner text collate "C" not null,
	name text not null,
	join_mode text not null check (join_mode in ('invite', 'approval', 'open')),
	history_mode text not null check (history_mode in ('all', 'since_join'))
) with (fillfactor = 80);

-- A send moves the sender's read mark: the page keeps room for the new version of the row (HOT).
create table group_member (
	no bigint,
	since_seq bigint not null default 0, -- the last seq before the user came
	read_seq bigint not null default 0, -- the user has read up to here
	read_counted bigint not null default 0, -- the conversation's `counted` as of read_seq
	joined_at bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
	muted_until bigint, -- milliseconds since 1970
	role smallint not null default 0 check (role in (0, 1, 2)), -- member, admin, owner
	uid text collate "C",
	primary key (no, uid)
) with (fillfactor = 80);
create index group_member_by_uid on group_member (uid);

-- Every change of a membership with the seq of the entry that tells of it. With the members of now it gives the members as of any
-- seq (fn.members_as_of). The members a group was made with are no change.
create table member_change (
	no bigint,
	seq bigint,
	is_join boolean not null, -- else the user left or was removed
	uid text collate "C",
	primary key (no, seq, uid)
);

-- What a creator's client_group_id stands for, so that a creation that is asked for again makes no second group.
create table group_creation (
	member_count integer not null, -- as it was answered
	creator text collate "C",
	client_group_id text collate "C",
	gid text collate "C" not null,
	payload bytea not null, -- SHA-256 of what was asked for
	primary key (creator, client_group_id)
);
