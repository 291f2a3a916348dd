-- compatible from 006
-- What retention has removed, and how far it has come.

/*
 * The entries of a conversation up to `seq` are gone. The other columns are of the last of them: `counted` takes the place of its
 * row where unread is subtracted, msg_id and time stand for all of them where something still points to one (an inbox, push).
 */
create table history_floor (
	no bigint primary key,
	seq bigint not null,
	counted bigint not null,
	msg_id bigint not null,
	time bigint not null
);

-- One row. Whoever locks it makes the next run; the others pass over it.
create table retention_state (
	only_row boolean primary key default true check (only_row),
	run_at bigint not null default 0, -- when the next run is due
	walk_at bigint not null default 0, -- when the next walk over the conversations begins
	walked_no bigint not null default 0 -- the last conversation of this walk that was looked at
) with (fillfactor = 50);
insert into retention_state default values;
