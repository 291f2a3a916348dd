-- A database as after months of use, made inside PostgreSQL: :users, :groups of :members members each, :conversations (the groups among
-- them), and :rounds messages in each conversation. It keeps what im keeps: seqs without a hole, counts, read marks, direct_member,
-- keys of idempotency, message ids that rise with time. tests/bench/seed calls it.

\set ON_ERROR_STOP on
set synchronous_commit = off;

insert into account (uid, name)
select 'seed' || lpad(n::text, 8, '0'), 'Seed ' || n from generate_series(0, :users - 1) n on conflict do nothing;

\echo one-to-one conversations
-- The pair of number n: user n modulo :users and another one at a distance that grows with n, so that no pair comes twice.
create temporary table pair as
select least(a, b) as first, greatest(a, b) as second
from (
	select 'seed' || lpad((n % :users)::text, 8, '0') as a,
		'seed' || lpad(((n % :users + 1 + n / :users) % :users)::text, 8, '0') as b
	from generate_series(0::bigint, :conversations - :groups - 1) n
) p;
-- The two users of a conversation write by turns; each has read up to its own last message.
insert into conversation (kind, id, last_seq, counted, moved_seq, moved_id, first_read, first_counted, second_read, second_counted)
select 1, 'u:' || p.first || ':' || p.second, :rounds, :rounds, :rounds, fn.id_at(fn.now_ms() - 86400000), m.first, m.first, m.second, m.second
from pair p, (select coalesce(max(s) filter (where s % 2 = 1), 0) as first, coalesce(max(s) filter (where s % 2 = 0), 0) as second
	from generate_series(1, :rounds) s) m;
insert into direct_member (uid, no)
select fn.first_of(id), no from conversation where kind = 1 and id like 'u:seed%'
union
select fn.second_of(id), no from conversation where kind = 1 and id like 'u:seed%';

\echo groups
insert into conversation (kind, id, last_seq, counted, moved_seq, moved_id)
select 2, 'g:seed' || n, :rounds, :rounds, :rounds, fn.id_at(fn.now_ms() - 86400000) from generate_series(1, :groups) n;
create temporary table seed_group as
select c.no, substr(c.id, 7)::integer as n from conversation c where c.id like 'g:seed%';
insert into chat_group (no, name, owner, join_mode, history_mode, member_count)
select no, 'Group ' || n, 'seed' || lpad((n % :users)::text, 8, '0'), 'invite', 'all', :members from seed_group;
-- The members are neighbours, the owner is the first. Each has read up to its own last message.
insert into group_member (no, uid, role, read_seq, read_counted)
select g.no, 'seed' || lpad(((g.n + m) % :users)::text, 8, '0'), case m when 0 then 2 else 0 end, r.seq, r.seq
from seed_group g, generate_series(0, :members - 1) m,
	lateral (select coalesce(max(s), 0) as seq from generate_series(1, :rounds) s where s % :members = m) r;

\echo messages
-- Round by round over all conversations: as in production, adjacent rows are messages of different conversations.
create function pg_temp.seed_round(p_round integer, p_rounds integer, p_members integer, p_users integer) returns void language sql as $$
	insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, client_msg_id, body)
	select m.no, p_round, fn.id_at(m.time) | (1023 << 12) | (m.no & 4095), m.time, p_round,
		fn.entry_key(m.no, m.sender || ' ' || m.key), 1, m.sender, m.key,
		'{"text":"' || repeat('lorem ipsum ', (1 + (m.no * 7 + p_round) % 12)::integer) || '"}'
	from (
		select c.no, c.kind, fn.now_ms() - 86400000 + (p_round - p_rounds) * 86400000::bigint + c.no / 4096 as time,
			md5(c.no || ' ' || p_round)::uuid::text as key,
			case when g.no is not null then 'seed' || lpad(((g.n + p_round % p_members) % p_users)::text, 8, '0')
				when p_round % 2 = 1 then fn.first_of(c.id) else fn.second_of(c.id) end as sender
		from conversation c left join pg_temp.seed_group g on g.no = c.no
		where c.id like 'u:seed%' or c.id like 'g:seed%'
		order by c.no
	) m
$$;
select format('select pg_temp.seed_round(%s, %s, %s, %s)', s, :rounds, :members, :users) from generate_series(1, :rounds) s
\gexec

vacuum analyze account, conversation, direct_member, chat_group, group_member, message;
