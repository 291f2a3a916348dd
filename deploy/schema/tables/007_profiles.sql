-- compatible from 006
-- A user's public profile, and the settings that say who may write and who sees presence.

alter table account
	add column attributes text, -- the JSON object as it goes out
	add column messages_from text check (messages_from in ('everyone', 'friends')), -- null: contacts.messages_from of im
	add column presence text check (presence in ('everyone', 'friends', 'nobody')), -- who sees it; null: everyone
	add column is_bot boolean not null default false,
	add column has_blocks boolean not null default false; -- false: no row of `block` has this uid, and a send looks for none
