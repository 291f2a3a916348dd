-- compatible from 006
-- A member who leaves a group and comes back finds the history cleared that it had cleared.

alter table member_change -- of a user who left, as in group_member; null: nothing was cleared
	add column cleared_seq bigint,
	add column cleared_counted bigint;
