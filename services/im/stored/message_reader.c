#include "im/stored/message_reader.h"

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "im/stored/message_row.h"

/* conversations, seqs, bytes -> as fn.messages() */
static const struct pg_statement message_reader_messages = {
	"messages",
	"select ord, " MESSAGE_ROW_COLUMNS " from fn.messages($1::text[], $2::bigint[], $3::bigint)",
};

struct lookup {
	struct message_reader *reader;
	uint64_t number; /* grows in the order in which lookups begin */
	struct message_wanted *wanted;
	size_t count;
	struct message_viewer viewer;
	message_reader_done done;
	void *arg;
	struct list waiting; /* lookups that wait for what this one reads */
	struct list link; /* in the `waiting` of another one */
	struct reading *readings; /* the messages that its statement reads; NULL while there is none */
	size_t reading_count;
};

/* A message that a statement is reading. */
struct reading {
	struct map_node node;
	bool is_known; /* in the reader's map: no other lookup was reading it */
	struct lookup *lookup;
	struct message_wanted *wanted;
};

static void message_reader_resolve(struct lookup *lookup);

static struct str message_reader_key_of(const struct map_node *node)
{
	return container_of(node, struct reading, node)->wanted->key;
}

void message_reader_init(struct message_reader *reader, struct pg *pg, struct message_cache *cache)
{
	const char *name = "skein_im_message_lookups_total", *help = "Messages that syncs looked up, by where they were found.";

	*reader = (struct message_reader){ .pg = pg, .cache = cache };
	map_init(&reader->under_way, message_reader_key_of);
	reader->from_cache = metrics_counter(name, help, "from=\"cache\"");
	reader->from_pg = metrics_counter(name, help, "from=\"postgres\"");
}

void message_reader_release(struct message_reader *reader)
{
	map_release(&reader->under_way);
}

static void message_reader_end(void *arg, err_t err, size_t found)
{
	struct lookup *lookup = arg;

	lookup->done(lookup->arg, err, found);
	mem_free(lookup);
}

/* ---- the answer of a statement ---- */

enum column { COLUMN_ORD, COLUMN_MESSAGE };

static err_t message_reader_take_rows(struct lookup *lookup, const PGresult *rows)
{
	struct message_reader *reader = lookup->reader;
	err_t err = OK;

	for (int row = 0; row < PQntuples(rows); row++) {
		struct message_wanted *wanted = lookup->readings[pg_i64(rows, row, COLUMN_ORD) - 1].wanted;
		if (!message_row_is_there(rows, row, COLUMN_MESSAGE)) {
			log_error("an inbox names a message that does not exist", LOG_STR("conversation", wanted->conversation_id),
			          LOG_U64("seq", wanted->seq));
			err = ERR_INTERNAL;
			continue;
		}
		const struct stored_fields fields = message_row_read(rows, row, COLUMN_MESSAGE, wanted->conversation_id);
		wanted->message = stored_message_new(&fields);
		message_cache_put(reader->cache, wanted->message);
		counter_add(reader->from_pg, 1);
	}
	return err;
}

static void message_reader_on_rows(void *arg, err_t err, const PGresult *rows)
{
	struct lookup *lookup = arg;
	struct list waiting, *link;

	err_t own = err ? ERR_UNAVAILABLE : message_reader_take_rows(lookup, rows);
	for (size_t i = 0; i < lookup->reading_count; i++) {
		if (lookup->readings[i].is_known)
			map_remove(&lookup->reader->under_way, &lookup->readings[i].node);
	}
	mem_free(lookup->readings);
	lookup->readings = NULL;
	lookup->reading_count = 0;
	/* The lookups that waited look again: they find the messages in the cache, or read them themselves. */
	list_init(&waiting);
	list_splice_back(&waiting, &lookup->waiting);
	while ((link = list_pop_front(&waiting))) {
		struct lookup *waiter = container_of(link, struct lookup, link);
		if (err)
			message_reader_end(waiter, ERR_UNAVAILABLE, 0);
		else
			message_reader_resolve(waiter);
	}
	if (own)
		message_reader_end(lookup, own, 0);
	else
		message_reader_resolve(lookup);
}

/* ---- looking ---- */

static void message_reader_ask(struct lookup *lookup)
{
	struct pg_params params = { 0 };

	pg_array_begin(&params, PG_TEXT);
	for (size_t i = 0; i < lookup->reading_count; i++)
		pg_array_text(&params, lookup->readings[i].wanted->conversation_id);
	pg_array_end(&params);
	pg_array_begin(&params, PG_INT8);
	for (size_t i = 0; i < lookup->reading_count; i++)
		pg_array_i64(&params, (int64_t)lookup->readings[i].wanted->seq);
	pg_array_end(&params);
	pg_put_i64(&params, MESSAGE_PAGE_BYTES);
	pg_query(lookup->reader->pg, PG_ANY_LANE, &message_reader_messages, &params, message_reader_on_rows, lookup);
}

/*
 * Takes messages from the cache, reads the missing ones and waits for those that other lookups read, until the page is full or
 * complete.
 */
static void message_reader_resolve(struct lookup *lookup)
{
	struct message_reader *reader = lookup->reader;
	struct lookup *awaited = NULL;
	size_t bytes = 0, at = 0;

	for (; at < lookup->count && bytes < MESSAGE_PAGE_BYTES; at++) {
		struct message_wanted *wanted = &lookup->wanted[at];
		if (!wanted->message && (wanted->message = message_cache_find(reader->cache, wanted->key)))
			counter_add(reader->from_cache, 1);
		if (wanted->message) {
			bytes += wanted->message->size;
			continue;
		}
		/* A lookup waits only for earlier ones, so lookups never wait in a circle. */
		struct map_node *node = map_find(&reader->under_way, wanted->key);
		struct lookup *other = node ? container_of(node, struct reading, node)->lookup : NULL;
		if (other && other->number < lookup->number) {
			awaited = other;
			continue;
		}
		if (!lookup->readings)
			lookup->readings = mem_alloc(lookup->count * sizeof(*lookup->readings));
		struct reading *reading = &lookup->readings[lookup->reading_count++];
		*reading = (struct reading){ .is_known = !other, .lookup = lookup, .wanted = wanted };
		if (!other)
			map_put(&reader->under_way, &reading->node);
	}
	if (lookup->readings) {
		message_reader_ask(lookup);
	} else if (awaited) {
		list_push_back(&awaited->waiting, &lookup->link);
	} else {
		message_overlay_read(reader->pg, lookup->wanted, at, lookup->viewer, message_reader_end, lookup);
	}
}

void message_reader_find(struct message_reader *reader, struct message_wanted *wanted, size_t count, struct message_viewer viewer,
                         message_reader_done done, void *arg)
{
	struct lookup *lookup = MEM_NEW(struct lookup);

	*lookup = (struct lookup){
		.reader = reader,
		.number = reader->lookups++,
		.wanted = wanted,
		.count = count,
		.viewer = viewer,
		.done = done,
		.arg = arg,
	};
	list_init(&lookup->waiting);
	list_init(&lookup->link);
	message_reader_resolve(lookup);
}
