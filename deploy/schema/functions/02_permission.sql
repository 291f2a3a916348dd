-- A mute of all binds the members, one of a user binds an admin too; p_muted_until is the user's own.
create function fn.is_muted(p_is_group_muted boolean, p_role smallint, p_muted_until bigint, p_time bigint) returns boolean
language sql immutable as $$
	select (p_is_group_muted and p_role = 0) or p_muted_until > p_time
$$;

/*
 * Who may do what in a group: 'ok', or the public error code of the refusal. Every statement that acts on a group asks here.
 * p_role is the caller's role (0 member, 1 admin, 2 owner), p_target_role that of the user acted on; null: not a member.
 * p_is_muted: the caller is muted, or a member of a group that is muted (fn.is_muted()); it does not bind the owner. Actions:
 *   read                  history, members, the group itself
 *   send, mention_all     a message; one that mentions "*"
 *   change_own            recall, edit and reactions of what the caller may change as its sender
 *   recall_others         recall of another member's message
 *   add                   members
 *   remove, mute          the target
 *   leave                 the caller itself
 *   join                  by oneself; whether a request has to be accepted first is the caller's to see
 *   requests              accept and reject requests to join
 *   profile               name, avatar, announcement, join mode, mute of all
 *   role, owner           give the target another role; hand the group over to the target
 *   pin                   a message, or unpin it
 *   dissolve              the group
 */
create function fn.group_may(p_role smallint, p_target_role smallint, p_action text, p_join_mode text, p_is_muted boolean,
	p_is_dissolved boolean) returns text language sql immutable as $$
	select case
	when p_is_dissolved then 'not_found'
	when p_action = 'join' then case when p_role is not null then 'already_exists' when p_join_mode = 'invite' then 'permission_denied'
		else 'ok' end
	when p_role is null then 'not_member'
	else case p_action
		when 'read' then 'ok'
		when 'change_own' then 'ok'
		when 'send' then case when p_is_muted and p_role < 2 then 'muted' else 'ok' end
		when 'mention_all' then case when p_is_muted and p_role < 2 then 'muted' when p_role > 0 then 'ok' else 'permission_denied' end
		when 'recall_others' then case when p_role > 0 then 'ok' else 'permission_denied' end
		when 'add' then case when p_role > 0 or p_join_mode <> 'approval' then 'ok' else 'permission_denied' end
		when 'leave' then case when p_role = 2 then 'failed_precondition' else 'ok' end
		when 'requests' then case when p_role > 0 then 'ok' else 'permission_denied' end
		when 'profile' then case when p_role > 0 then 'ok' else 'permission_denied' end
		when 'pin' then case when p_role > 0 then 'ok' else 'permission_denied' end
		when 'dissolve' then case when p_role = 2 then 'ok' else 'permission_denied' end
		when 'remove' then case when p_role = 0 then 'permission_denied' when p_target_role is null then 'not_found'
			when p_role > p_target_role then 'ok' else 'permission_denied' end
		when 'mute' then case when p_role = 0 then 'permission_denied' when p_target_role is null then 'not_found'
			when p_role > p_target_role then 'ok' else 'permission_denied' end
		when 'role' then case when p_role < 2 then 'permission_denied' when p_target_role is null then 'not_found'
			when p_target_role = 2 then 'failed_precondition' else 'ok' end
		when 'owner' then case when p_role < 2 then 'permission_denied' when p_target_role is null then 'not_found'
			when p_target_role = 2 then 'failed_precondition' else 'ok' end
		else 'permission_denied' end
	end
$$;
