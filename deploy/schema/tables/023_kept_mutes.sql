-- compatible from 006
-- A member who leaves a group and comes back before its mute has ended is muted still.

alter table member_change add column muted_until bigint; -- of a user who left, as in group_member; null: it was not muted
