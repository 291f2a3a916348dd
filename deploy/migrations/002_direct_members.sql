-- Which one-to-one conversations a user has, as group_member tells the groups: for what lists a user's conversations.

create table direct_member (
	uid text collate "C",
	conversation_id text collate "C",
	primary key (uid, conversation_id)
);

/*
 * Filled by whatever makes conversations, in the same statement; a send to one that exists comes nowhere near. A trigger and
 * not a step of im_send(): a batch that begins before this migration and ends after it, still in the old body of the
 * function, is seen too, since creating the trigger waits for those that are writing and the others meet it.
 */
create function direct_member_fill() returns trigger language plpgsql as $$
begin
	insert into direct_member (uid, conversation_id)
	select split_part(id, ':', 2), id from made where kind = 1
	union
	select split_part(id, ':', 3), id from made where kind = 1;
	return null;
end $$;

create trigger conversation_made after insert on conversation
referencing new table as made for each statement execute function direct_member_fill();

insert into direct_member (uid, conversation_id)
select split_part(id, ':', 2), id from conversation where kind = 1
union
select split_part(id, ':', 3), id from conversation where kind = 1;
