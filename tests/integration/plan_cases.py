"""A case for each SQL statement of the services: how plans_test.py calls it in a world of plan_seed.sql.

`arguments` and `setup` are SQL, in which {w} is the world's name, {h} how many entries its conversations have, {l} how long its lists are, {first}
the number from which its friend requests count. A statement must find what it asks for: a refusal reads nothing and proves nothing. A statement
that calls one of many functions has a case for each, STATEMENT:KIND.
"""
import dataclasses

LEASE = "7, 3"
NOW = f"{LEASE}, (extract(epoch from now()) * 1000)::bigint"  # node, epoch, time
ADMIN = "'{w}-me', '10.0.0.1'"  # the actor and its address
MEMBERS = "a group's members, of which there are 200 at most"
CHANGES_OF_WORLD = "entries of a node above its watermark: the BRIN index finds pages, and im raises the watermark every second"


@dataclasses.dataclass
class Case:
    arguments: str = ""
    setup: str = "select 1"
    may_grow: str = ""  # why the rows that it reads may grow with the user's lists or the group's members
    is_bounded: bool = True  # else it may read more when the tables are larger, for the reason in may_grow
    has_rows: bool = True  # with columns


def change(conversation, subject="''", *numbers, types="null", who="{w}-me", may_grow=""):
    """A batch of one change; its kind is in the case's name."""
    arrays = (f"'{conversation}'", "1", f"{2 ** 60}::bigint", "'{kind}'", f"'{who}'", subject, types, *[*numbers, "0", "0", "0"][:3])
    return Case(", ".join([NOW, *(f"array[{item}]" for item in arrays)]), may_grow=may_grow)


JOB = ("insert into job (no, kind, created_by, params, state, epoch, uids) overriding system value values (%s, 'broadcast', 'me', '{{}}', '%s', 1, "
       "array['{w}-me', '{w}-peer'])")

CASES = {
    # accounts, tokens
    "account_register": Case("'{w}-new', 'New', 'hash'"),
    "account_taken": Case("'{w}-me'", has_rows=False),
    "account_touch": Case("'{w}-me', '\\x00'"),
    "login_find": Case("'{w}-me', '10.0.0.1'"),
    "login_finish": Case("'{w}-me', 'hash', '10.0.0.99'", "update account set password = 'hash' where uid = '{w}-me'"),
    "profile_read": Case("'everyone', '{w}-me'"),
    "profile_change": Case("'everyone', '{w}-me', 'New', null, null, null, null"),
    "token_revoke": Case("'\\x00', '{w}-me', 5"),
    "change_read": Case("0, '', 20"),
    "change_clean": Case("(extract(epoch from now()) * 1000)::bigint", has_rows=False),
    # administration
    "admin_user_make": Case(f"{ADMIN}, '{{w}}-new', null, 'New', null, true"),
    "admin_user_change": Case(f"{ADMIN}, '{{w}}-me', null, true, null, '\\x00', 'user_disabled'"),
    "admin_user_logout": Case(f"{ADMIN}, '{{w}}-me', null, '\\x00', 0"),
    "admin_act": Case(f"{ADMIN}, '{{w}}-me', null, 'user.kick', true"),
    "admin_users": Case("'', 10"),
    "admin_stats": Case(),
    "audit_page": Case("'{w}-me', '', 10"),
    "audit_forget": Case("(extract(epoch from now()) * 1000)::bigint, 10"),
    # contacts
    "block_add": Case("'{w}-me', '{w}-stranger', 1000", may_grow="the caller's blocks, which are counted up to limits.blocks"),
    "block_remove": Case("'{w}-me', '{w}-0003'"),
    "block_list": Case("'{w}-me', '', 10"),
    "friend_request_make": Case("'{w}-me', '{w}-stranger', 'hello', 1000, 1000",
                                may_grow="the caller's pending requests, which are counted up to a limit"),
    "friend_request_answer": Case("'{w}-me', {first}, 1::smallint, 10000",
                                  may_grow="the friends of both sides, which are counted up to a limit"),
    "friend_requests": Case("'{w}-me', '', 10"),
    "friend_list": Case("'{w}-me', '', 10"),
    "friend_remark": Case("'{w}-me', '{w}-0003', 'Threes'"),
    "friend_remove": Case("'{w}-me', '{w}-0003'"),
    # conversations
    "conversation_choose": Case("'{w}-me', 'g:{w}', true, true, false, 100"),
    "conversation_list": Case("'{w}-me', '', 10", may_grow="the user's conversations, which are put in order"),
    "direct_rests_begin": Case("'{w}-me', 0, 5, -1000"),
    "conversation_read": Case("'{w}-me', 'g:{w}', {h}, 200", may_grow=MEMBERS),
    "conversation_clear": Case("'{w}-me', 'g:{w}', {h}"),
    "conversations": Case("'{w}-me'", may_grow="the user's conversations, all of which are answered after a reset"),
    # messages
    "send": Case(f"{NOW}, array['g:{{w}}', 'u:{{w}}-me:{{w}}-peer'], array[1, 2, 2], array['{{w}}-me', '{{w}}-me', '{{w}}-me'],"
                 " array[null, '{w}-peer', '{w}-peer'], array['{w}', null, null], array['a', 'a', 'b'],"
                 f" array[{2 ** 60}, {2 ** 60 + 1}, {2 ** 60 + 2}], array['text', 'text', 'text'], array['{{{{}}}}', '{{{{}}}}', '{{{{}}}}'],"
                 " array[null, 5, null], array['{w}-peer', null, null], false, array[null, 60, null], null"),
    "retention_run": Case("1, 1, 20, 50", "update retention_state set walked_no = (select min(no) - 1 from conversation where id = 'g:{w}')"),
    "forward_body": Case("'{w}-me', 'u:{w}-me:{w}-peer', 'new', 'g:{w}', array[3, {h} - 3], 65536, 1"),
    "history_page": Case("'{w}-me', 'g:{w}', null, {h} - 30, 20, 1000000"),
    "change:recall": change("g:{w}", "''", "{h} - 2", "120000"),
    "change:edit": change("g:{w}", "'{{}}'", "{h} - 2", "86400000", types="'text'"),
    "change:react": change("g:{w}", "'new'", "{h} - 2", "100"),
    # The caller's was the first of an emoji with which everybody reacts: the next one is looked for.
    "change:unreact": change("g:{w}", "'up'", "{h} - 2", "100"),
    "change:pin": change("g:{w}", "''", "{h} - 2", "20"),
    "change:unpin": change("g:{w}", "''", "2", "20"),
    "message_edits": Case(f"{ADMIN}, 'g:{{w}}', null, {{h}} - 15, '', 10, 1000"),
    "pins": Case("'{w}-me', 'g:{w}'"),
    "pinned_message": Case("'{w}-me', 'g:{w}', 2, 1000000"),
    "readers": Case("'{w}-me', 'g:{w}', {h} - 2, 200, '', 10", may_grow=MEMBERS),
    "messages": Case("array['g:{w}', 'u:{w}-me:{w}-peer'], array[3, {h} - 3], 1000000"),
    "changes_of": Case("array['g:{w}', 'g:{w}', 'u:{w}-me:{w}-peer'], array[{h} - 5, {h} - 15, {h} - 5], 1000000, '{w}-guest'"),
    "changes_and_reactions_of": Case("array['g:{w}', 'g:{w}', 'u:{w}-me:{w}-peer'], array[{h} - 2, {h} - 15, {h} - 5], 1000000, '{w}-me',"
                                     " array[true, true, true]"),
    "replied_to": Case("'{w}-me', array['g:{w}', 'g:{w}', 'u:{w}-me:{w}-peer'], array[{h} - 2, {h} - 15, {h} - 5], 200, 2048"),
    # presence; the audience of typing is not read in a group that is larger than the limit, here 1
    "conversation_typing": Case("'{w}-me', 'g:{w}', 1, false"),
    "presence_seen": Case("'{w}-me', array['{w}-peer', '{w}-stranger']"),
    "presence_audience": Case("array['{w}-me']", may_grow="the user's friends, who are told"),
    # groups
    "group_create": Case("'{w}-new', 'New', '{w}-me', 'invite', 'all', array['{w}-0001', '{w}-0002'], 'key', 10000",
                         may_grow="the groups that the caller and the members are in, which are counted up to limits.groups"),
    "group_profile": Case("'{w}-me', '{w}'"),
    "group_requests": Case("'{w}-me', '{w}-door', '', 10"),
    "group_request_reject": Case("'{w}-me', '{w}-door', '{w}-0003'"),
    "change:group_add": change("g:{w}", "'{w}-stranger,{w}-asker'", "1000", "10000"),
    "change:group_remove": change("g:{w}", "'{w}-0003'"),
    "change:group_role": change("g:{w}", "'{w}-0003'", "1", "100"),
    "change:group_mute": change("g:{w}", "'{w}-0003'", f"{2 ** 45}"),
    "change:group_hand_over": change("g:{w}", "'{w}-0003'", "100"),
    "change:group_profile": change("g:{w}", "'{{\"name\":\"New\"}}'"),
    "change:group_join": change("g:{w}-open", "''", "1000", "1000", "10000", who="{w}-stranger"),
    "change:group_accept": change("g:{w}-door", "'{w}-0003'", "1000", "10000"),
    "change:group_dissolve": change("g:{w}-door", may_grow="the requests to join, which go with the group"),
    "members": Case("'{w}-me', '{w}', '', 10"),
    # jobs
    "broadcast_add": Case("'me', '192.0.2.1', 100, 'system', 'text', '{{}}', array['{w}-me', '{w}-peer']"),
    "broadcast_page": Case("1, '{w}', 10", setup=JOB % (1, "running")),
    "job_list": Case("'', 10", setup=JOB % (1, "queued")),
    "job_read": Case("1", setup=JOB % (1, "queued")),
    "job_claim": Case("'broadcast', 'me', 5000", setup=JOB % (1, "queued")),
    "job_renew": Case("1, 1, 5000", setup=JOB % (1, "running")),
    "job_progress": Case("1, 1, 5000, 'x', 5, 0, true", setup=JOB % (1, "running")),
    "job_leave": Case("1, 1, false", setup=JOB % (1, "running"), has_rows=False),
    "job_cancel": Case("'{w}-me', '192.0.2.1', 1", setup=JOB % (1, "queued")),
    "job_forget": Case("1000, 10"),
    "deletion_add": Case("'me', '192.0.2.1', 100, '\\x00', 'user_deleted', '{w}-me'", may_grow="the user's index entries: its row changes"),
    "deletion_step": Case("1, 1, 5000, 20, 0, '\\x00', 'user_deleted', '{w}-me', 0", setup="insert into job (no, kind, created_by, params, state, epoch,"
                          " cursor, created_at) overriding system value select 1, 'deletion', 'me', array['{w}-me'], 'running', 1, 'groups', 1",
                          may_grow="the user's groups and the members of one, from whom the successor is chosen"),
    "job_output": Case("1, '', 10, 1000000", setup="with j as (insert into job (no, kind, created_by, params, state) overriding system value values"
                       " (1, 'export', 'me', '{{}}', 'done')) insert into job_output values (1, 1, '{{}}')"),
    "export_add": Case("'me', '192.0.2.1', 100, '{w}-me'"),
    "export_step": Case("1, 1, 5000, 20", setup="insert into job (no, kind, created_by, params, state, epoch) overriding system value values"
                        " (1, 'export', 'me', array['{w}-me'], 'running', 1)", may_grow="a page of the user's lists, of 20 rows"),
    # leases and takeover
    "lease_take": Case("'me', 5000"),
    "lease_renew": Case(f"{LEASE}, 5, 5000"),
    "lease_raise": Case(f"{LEASE}, 'test', 5, 5000, false"),
    "lease_give_back": Case(f"{LEASE}, 5, true", has_rows=False),
    "lease_take_over": Case("'me', 7, 5000", may_grow=CHANGES_OF_WORLD, is_bounded=False),
    "unpublished": Case(f"1023, 0, {2 ** 62}, 20, 1000000", may_grow=CHANGES_OF_WORLD, is_bounded=False),
    # push
    "push_progress": Case(f"'g:{{w}}', {{h}} - 2, {2 ** 60}"),
    "push_stored_messages": Case("'g:{w}', {h} - 20, {h}, 20"),
    "push_members": Case("'g:{w}', {h}, '', 10"),
    "ping": Case(),
    "push_ping": Case(),
}
