-- compatible from 006
-- Work that an admin asks for and that takes longer than a request: see services/im/jobs/README.md.

create table job (
	no bigint generated always as identity primary key,
	epoch bigint not null default 0, -- raised by each claim: an owner that lost the job changes nothing any more
	lease_until timestamptz, -- of the owner's claim; null: nobody works on it
	created_at bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
	ended_at bigint,
	total bigint not null default 0, -- as far as it is known
	done bigint not null default 0,
	failed bigint not null default 0,
	claims integer not null default 0, -- since the last progress
	kind text not null check (kind in ('broadcast', 'export', 'deletion')),
	state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
	created_by text collate "C" not null,
	owner text, -- the name of the im that works on it
	cursor text collate "C" not null default '', -- everything up to here is done; its meaning is the kind's
	params text[] not null, -- as the kind wrote them
	uids text[] -- of a broadcast to certain users
);
create index job_unended on job (kind, no) where state in ('queued', 'running');
create index job_ended on job (ended_at) where ended_at is not null;

-- The operator's voice, made by the first broadcast: `messages_from` of its recipients does not keep it out.
alter table account add column is_system boolean not null default false;

-- What an export has found, in the order of `no`; it goes with its job.
create table job_output (
	job bigint,
	no bigint,
	item text not null, -- a JSON object
	primary key (job, no)
);

-- Everything about a user is found by an index: its conversations are those of direct_member, group_member and member_change.
create index member_change_by_uid on member_change (uid, no);
create index group_request_by_uid on group_request (uid, no);
create index change_feed_by_uid on change_feed (uid, id);
create index block_by_blocked on block (blocked, uid);

-- A deleted user stays as a row, so that nobody else gets the uid. It is disabled for good, and has_blocks is set: so a send to it asks
-- fn.direct_may(). `deleted-user` is the sender of what deleted users wrote; nobody was ever it.
alter table account
	add column deleted_at bigint,
	add constraint account_deleted check (deleted_at is null or is_disabled);
insert into account (uid, name, is_disabled, has_blocks, deleted_at) values ('deleted-user', 'Deleted user', true, true, 1)
on conflict (uid) do update set name = excluded.name, is_disabled = true, has_blocks = true, deleted_at = 1, password = null;
