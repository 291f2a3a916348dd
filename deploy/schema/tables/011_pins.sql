-- compatible from 006
-- Messages that are pinned in a conversation, for everybody in it.

create table pin (
	no bigint,
	target_seq bigint, -- the message
	seq bigint not null, -- the entry that pinned it
	primary key (no, target_seq)
);
