-- Who holds which node number. `owner` is null after a clean end, when all messages of the number are in Kafka.

create table node_lease (
	node integer primary key check (node between 0 and 1023),
	epoch bigint not null,
	owner text,
	expires_at timestamptz not null,
	watermark bigint not null -- every message of this node up to this id is in Kafka
) with (fillfactor = 50);
