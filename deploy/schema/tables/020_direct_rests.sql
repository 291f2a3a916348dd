-- compatible from 006
-- The places of one-to-one conversations that nobody has written to for long, in the lists of users who have very many.

/*
 * A copy of a conversation's moved_seq and moved_id for one of its two members, so that the member's list need not look the
 * conversation up. It is exact for as long as it is there: it is made and deleted under the lock of the conversation's row, by
 * the transaction that moves the conversation at the latest. Only the deletion of the user deletes it without that lock.
 */
create table direct_rest (
	no bigint,
	moved_seq bigint not null,
	moved_id bigint not null,
	uid text collate "C",
	primary key (uid, no) include (moved_seq, moved_id)
);

-- False: no row of direct_rest is about the conversation, and who moves it looks for none.
alter table conversation add column is_at_rest boolean not null default false;
