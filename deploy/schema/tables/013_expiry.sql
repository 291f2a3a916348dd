-- compatible from 006
-- Messages that end: from `expires_at` on nobody is shown the body.

/*
 * The body of such an entry is not in `message` but in expiring_body, from which it can be removed while the row of the message stays
 * as it was stored. Edits of the message are entries with its expires_at, and their bodies lie there too.
 *
 * payload_hash (fn.payload_hash) is of what a client has sent, where the stored body does not tell it for as long as the message
 * exists: of a message that expires, and of a `forward`, whose body the server has made. A send that is repeated is compared with it.
 * Both columns come last and are null in all other rows, which become no larger.
 */
alter table message
	add column expires_at bigint,
	add column payload_hash bigint;

create table expiring_body (
	no bigint,
	seq bigint,
	expires_at bigint not null,
	body text not null,
	primary key (no, seq)
);
create index expiring_body_by_time on expiring_body (expires_at);

-- The messages that expire, without their edits, for as long as they exist: those of them that have expired do not count as unread.
create table expiring_message (
	no bigint,
	seq bigint,
	expires_at bigint not null,
	primary key (no, seq)
);
