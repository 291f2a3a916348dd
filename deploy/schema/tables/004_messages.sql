-- Everything that has a seq: messages, changes to messages, and what happened to a conversation. A row is never updated.

create table message (
	no bigint not null, -- of the conversation
	seq bigint not null,
	msg_id bigint not null,
	time bigint not null,
	counted bigint not null, -- entries that count for unread, of all up to this one
	-- fn.entry_key(): the conversation's low bits and a hash of what makes the entry unique in it, the sender's
	-- client_msg_id, or the msg_id of what no client has sent. Two entries may have the same hash: a lookup compares the rest.
	key_hash bigint not null,
	reply_to bigint,
	target_seq bigint, -- of a change: the seq of the message that it changes
	type smallint not null, -- fn.type_name()
	sender text collate "C" not null,
	client_msg_id text collate "C", -- null: no client has sent it
	body text, -- the JSON text as it goes out again
	mentions text[],
	primary key (no, seq)
) with (autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
create index message_by_key on message (key_hash);
-- Ids are ordered by time, as the pages are: enough to find one node's messages of the last seconds.
create index message_by_id on message using brin (msg_id) with (pages_per_range = 16, autosummarize = on);

-- What was changed about a message, for whoever shows it: the entry that changes it is in `message` under (no, seq). A recalled
-- message does not count as unread although `counted` has it: unread is the conversation's `counted`, less `counted` at the
-- reader's mark, less the recalls here whose target comes after the mark.
create table message_change (
	no bigint,
	target_seq bigint,
	seq bigint,
	kind smallint not null check (kind in (1, 2)), -- recall, edit
	primary key (no, target_seq, seq)
);
