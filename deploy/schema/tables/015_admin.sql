-- compatible from 006
-- What every im has to know within 2 seconds: the change feed (services/im/changes/change_feed.h). It grows out of the revoked
-- tokens, which are one kind of change; older services go on with the view of the old name.

alter table revoked_token rename to change_feed;
alter table change_feed rename column token_id to id;
alter table change_feed rename column revoked_at to changed_at;
alter table change_feed
	-- 'revoked': `id` is a token's (libcommon/net/jwt.h). The other kinds are of a user, and `id` is drawn by who makes the change.
	add column kind text collate "C" not null default 'revoked',
	add column issued_until bigint; -- 'user_logged_out': the tokens that were issued up to then
alter index revoked_token_pkey rename to change_feed_pkey;
alter index revoked_token_by_tx rename to change_feed_by_tx;
alter index revoked_token_by_expiry rename to change_feed_by_expiry;

create view revoked_token as
	select id as token_id, uid, expires_at, changed_at as revoked_at, tx from change_feed where kind = 'revoked';

-- Tokens of the user that were issued up to then (milliseconds since 1970), and those that do not say when, are not valid.
alter table account add column logged_out_at bigint;

-- What admins have done, newest last; kept for audit.keep of im.
create table audit (
	id bigint generated always as identity primary key,
	at bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
	actor text collate "C" not null, -- a uid
	action text collate "C" not null, -- 'user.create'
	target text collate "C", -- a uid, mostly
	address text, -- of the actor, as of libcommon/base/users/address.h
	details text -- a JSON object
);
create index audit_by_actor on audit (actor, id);
