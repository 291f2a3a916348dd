-- Ids compare bytewise (collate "C") in every table, as the contract asks and as is cheapest. Times that clients see are
-- milliseconds since 1970.

create table account (
	uid text collate "C" primary key,
	name text not null,
	avatar text,
	password text, -- its scrypt hash; null: the user comes with the integrator's tokens only
	is_disabled boolean not null default false,
	created_at bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint
);

-- The addresses from which a user has logged in lately. Wrong passwords from elsewhere do not lock the user out there.
create table login_address (
	uid text collate "C",
	address text collate "C", -- as of libcommon/base/users/address.h
	logged_in_at bigint not null,
	primary key (uid, address)
);
