-- Tokens that were logged out, until they expire by themselves. Every im keeps them in memory and asks for new ones by
-- the transaction that stored them (services/im/changes/change_feed.h).

create table revoked_token (
	token_id bytea primary key, -- as of libcommon/net/jwt.h
	uid text collate "C" not null,
	expires_at bigint not null, -- of the token
	revoked_at bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
	tx xid8 not null default pg_current_xact_id()
);
create index revoked_token_by_tx on revoked_token (tx, token_id);
create index revoked_token_by_expiry on revoked_token (expires_at);
