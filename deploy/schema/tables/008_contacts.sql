-- compatible from 006
-- Friends, requests to become one, and blocks. Whatever concerns a pair of users changes under the pair's lock (fn.pair_lock()).

-- A friendship is two rows, one for each side.
create table friendship (
	since bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
	uid text collate "C",
	friend text collate "C",
	remark text, -- the name that `uid` gives the friend
	primary key (uid, friend)
);

-- The last request of a sender to a recipient: a new one replaces it, under another `no`.
create table friend_request (
	no bigint generated always as identity primary key,
	created_at bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
	status smallint not null default 0 check (status in (0, 1, 2)), -- pending, accepted, rejected
	sender text collate "C" not null,
	recipient text collate "C" not null,
	note text not null,
	unique (sender, recipient)
);
create index friend_request_by_sender on friend_request (sender, no);
create index friend_request_by_recipient on friend_request (recipient, no);

create table block (
	since bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
	uid text collate "C",
	blocked text collate "C",
	primary key (uid, blocked)
);
