-- compatible from 006
-- The profile of a group, and the requests to join it.

alter table chat_group
	add column avatar text,
	add column announcement text;

-- Requests to join a group whose join mode is `approval`. A row goes when the request is answered, or when the user comes in
-- another way.
create table group_request (
	no bigint,
	created_at bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
	uid text collate "C",
	note text not null,
	primary key (no, uid)
);
