-- compatible from 006
-- The reactions to messages that stand. What added or removed them are entries in `message`.

create table reaction (
	no bigint,
	target_seq bigint, -- the message
	seq bigint not null, -- the entry that added it
	emoji text collate "C",
	uid text collate "C",
	primary key (no, target_seq, emoji, uid)
);
-- For the first that stands. It begins with an expression, so that no plan looks up a user's reaction here, among thousands of others.
create index reaction_by_seq on reaction ((no + 0), target_seq, emoji, seq);

-- How often each emoji stands at a message, so that a message to which thousands react is shown without reading their rows.
create table reaction_count (
	no bigint,
	target_seq bigint,
	first_seq bigint not null, -- the lowest `seq` of those in `reaction`
	count integer not null check (count > 0),
	emoji text collate "C",
	primary key (no, target_seq, emoji)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
