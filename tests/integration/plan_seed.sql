-- One world of tests/integration/plans_test.py: everything that belongs to the user :w-me. Its conversations have :h entries, and its
-- lists (conversations, members, friends, blocks, requests) have :l items. A world :w of another length has the same names in it.
-- Variables: w, h, l, and first, the number from which this world's friend requests count.

\set ON_ERROR_STOP on
\set me :w '-me'
\set peer :w '-peer'

insert into account (uid, name, has_blocks)
select :'w' || '-' || n, n, false from unnest(array['peer', 'stranger', 'asker']) n
union all select :'me', 'me', true
union all select :'w' || '-' || lpad(n::text, 4, '0'), 'other', true from generate_series(1, :l) n;
create temporary table other as select uid, substr(uid, length(:'w') + 2)::bigint as n from account where uid ~ (:'w' || '-\d+$');

-- Conversations: the long one-to-one, the long group, one that waits for requests, one that is open, a short one with each other user, and
-- as many groups of which the user is a member.
insert into conversation (kind, id, last_seq, counted, moved_seq, moved_id, first_read, second_read)
select 1, 'u:' || o.uid || ':' || :'me', 1, 1, 1, fn.id_at(fn.now_ms() - 86400000 + o.n), 1, 0 from other o
union all
select 1, 'u:' || :'me' || ':' || :'peer', :h, 0, :h, fn.id_at(fn.now_ms()), :h - 40, :h
union all
select 2, 'g:' || :'w' || n, :h, 0, :h, fn.id_at(fn.now_ms()), 0, 0 from unnest(array['', '-door', '-open']) n
union all
select 2, 'g:' || :'w' || '-club-' || o.n, 0, 0, 0, fn.id_at(fn.now_ms() - 86400000), 0, 0 from other o;
insert into direct_member (uid, no)
select u.uid, c.no from conversation c cross join lateral (values (fn.first_of(c.id)), (fn.second_of(c.id))) u (uid)
where c.kind = 1 and :'me' = any (string_to_array(c.id, ':'));
-- All but every fifth of the short ones are at rest for the user, and the long one is for both.
insert into direct_rest (uid, no, moved_seq, moved_id)
select u.uid, c.no, c.moved_seq, c.moved_id from conversation c join direct_member u on u.no = c.no
where c.kind = 1 and :'me' = any (string_to_array(c.id, ':')) and (u.uid = :'me' or c.last_seq > 1) and (c.no % 5 > 0 or c.last_seq > 1);
update conversation c set is_at_rest = true from direct_rest r where r.no = c.no and not c.is_at_rest;
insert into chat_group (no, name, owner, join_mode, history_mode, member_count)
select no, 'Team', :'me', case when id like '%-door' then 'approval' when id like '%-open' then 'open' else 'invite' end, 'since_join', :l + 2
from conversation where id in ('g:' || :'w', 'g:' || :'w' || '-door', 'g:' || :'w' || '-open');
insert into group_member (no, uid, role, read_seq)
select g.no, u.uid, case u.uid when :'me' then 2 else 0 end, case u.uid when :'me' then :h - 40 else :h end
from chat_group g join conversation c on c.no = g.no, (select :'me' union all select :'peer' union all select uid from other) u (uid)
where g.owner = :'me' and (c.id = 'g:' || :'w' or u.uid !~ '\d$');
insert into chat_group (no, name, owner, join_mode, history_mode, member_count)
select no, 'Club', :'w' || '-0001', 'invite', 'all', 1 from conversation where id like 'g:' || :'w' || '-club-%';
insert into group_member (no, uid) select no, :'me' from conversation where id like 'g:' || :'w' || '-club-%';
insert into group_request (no, uid, note)
select c.no, o.uid, 'let me in' from conversation c, other o where c.id = 'g:' || :'w' || '-door';

-- Of twenty entries one is an edit, one a recall, one a change of the members, one a mention of the user.
insert into message (no, seq, msg_id, time, counted, key_hash, target_seq, type, sender, client_msg_id, body, mentions)
select no, seq, fn.id_at(time) | (1023 << 12) | (no & 4095), time, sum((type < 30)::integer) over (partition by no order by seq),
	fn.entry_key(no, case when type < 30 then sender || ' k' || seq else (fn.id_at(time) | (1023 << 12) | (no & 4095))::text end), target, type,
	sender, case when type < 30 then 'k' || seq end, case type when 30 then null else '{"text":"lorem ipsum"}' end, mentions
from (
	select c.no, s.seq, fn.now_ms() - (c.last_seq - s.seq) * 10 - 1000 as time, case s.seq % 20 when 10 then s.seq - 5 when 19 then s.seq - 4 end as target,
		case when c.last_seq = 1 then 1 else case s.seq % 20 when 10 then 31 when 19 then 30 when 11 then 40 else 1 end end as type,
		case when s.seq % 2 = 0 or c.last_seq = 1 then :'me' else :'peer' end as sender,
		case when c.kind = 2 and s.seq % 20 = 3 then array[:'me'] end as mentions
	from conversation c cross join lateral generate_series(1, c.last_seq) s (seq)
	where c.id = 'g:' || :'w' or c.kind = 1 and :'me' = any (string_to_array(c.id, ':'))
) e;

-- One of twenty expires in an hour, one in five of these has expired.
create temporary table expiring as
select m.no, m.seq, fn.now_ms() + case when m.seq % 100 = 7 then -1000 else 3600000 end as expires_at, m.body
from message m join conversation c using (no)
where m.seq % 20 = 7 and (c.id = 'g:' || :'w' or c.id = 'u:' || :'me' || ':' || :'peer');
insert into expiring_message (no, seq, expires_at) select no, seq, expires_at from expiring;
insert into expiring_body (no, seq, expires_at, body) select no, seq, expires_at, body from expiring;
update message m set expires_at = e.expires_at, body = null from expiring e where m.no = e.no and m.seq = e.seq;

insert into message_change (no, target_seq, seq, kind)
select no, target_seq, seq, type - 29 from message m join conversation c using (no)
where m.type in (30, 31) and (c.id = 'g:' || :'w' or c.id = 'u:' || :'me' || ':' || :'peer');
insert into mention (no, seq, uid)
select no, seq, u.uid from message m join conversation c using (no) cross join lateral unnest(m.mentions) u (uid) where c.id = 'g:' || :'w';
insert into member_change (no, seq, uid, is_join)
select no, seq, :'w' || '-guest', seq % 40 = 11 from message m join conversation c using (no) where c.id = 'g:' || :'w' and m.type = 40;
update chat_group g set member_version = (select max(seq) from member_change mc where mc.no = g.no)
where g.no = (select no from conversation where id = 'g:' || :'w');
update conversation c set counted = coalesce((select max(m.counted) from message m where m.no = c.no), 0)
where c.id like 'g:' || :'w' || '%' or c.id = 'u:' || :'me' || ':' || :'peer';
update conversation c set first_counted = m.counted, second_counted = c.counted
from message m where m.no = c.no and m.seq = c.first_read and c.id = 'u:' || :'me' || ':' || :'peer';
update group_member gm set read_counted = m.counted from message m where m.no = gm.no and m.seq = gm.read_seq and m.no =
	(select no from conversation where id = 'g:' || :'w');
insert into pin (no, target_seq, seq)
select c.no, s.seq, s.seq + 20 from conversation c, generate_series(1, 4) s (seq)
where c.id = 'g:' || :'w' or c.id = 'u:' || :'me' || ':' || :'peer';
-- Everybody reacts to two messages with `up`, the user first; the peer to each message with `ok`; and 300 to the first message, so that the
-- indexes have as many levels in the small world as in the others.
insert into reaction (no, target_seq, seq, emoji, uid)
select c.no, t.seq, t.seq + r.n, 'up', r.uid
from conversation c, unnest(array[:h - 2, :h - 32]) t (seq), (select :'me', 1 union all select uid, n + 1 from other) r (uid, n)
where c.id = 'g:' || :'w'
union all
select no, seq, seq + 1, 'ok', :'peer' from message m join conversation c using (no) where m.type < 30 and c.id = 'g:' || :'w'
union all
select no, 1, n, 'up', 'fan-' || n from conversation, generate_series(2, 301) n where id = 'g:' || :'w';
insert into reaction_count (no, target_seq, first_seq, count, emoji)
select no, target_seq, min(seq), count(*), emoji from reaction
where no = (select no from conversation where id = 'g:' || :'w') group by no, target_seq, emoji;

-- Contacts.
insert into friendship (uid, friend) select :'me', uid from other union all select uid, :'me' from other;
insert into block (uid, blocked) select :'me', uid from other union all select uid, :'me' from other;
insert into friend_request (no, sender, recipient, note) overriding system value
select :first + n, uid, :'me', 'hello' from other union all select :first + 500 + n, :'me', uid, 'hello' from other
union all select :first, :'w' || '-asker', :'me', 'hello';

insert into login_address (uid, address, logged_in_at) select :'me', '10.0.0.' || n, fn.now_ms() - n from generate_series(1, 10) n;
insert into change_feed (id, uid, expires_at) select sha256((:'w' || n)::bytea), :'me', fn.now_ms() + 3600000 + n from generate_series(1, :h) n;
insert into audit (actor, action) select :'me', 'user.change' from generate_series(1, :h) n;
insert into node_lease values (7, 3, 'test', now() + interval '1 hour', 0), (9, 1, 'gone', now() - interval '1 second', fn.id_at(fn.now_ms()))
on conflict do nothing;
drop table other, expiring;
