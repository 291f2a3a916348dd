#include "deliver/missed_offsets.h"

#include "base/macros.h"
#include "base/mem.h"

struct note {
	struct map_node link;
	uint64_t conn, epoch, offset;
};

static struct str missed_offsets_key_of_conn(const uint64_t *conn)
{
	return str_of((const char *)conn, sizeof(*conn));
}

static struct str missed_offsets_key_of(const struct map_node *node)
{
	return missed_offsets_key_of_conn(&container_of(node, struct note, link)->conn);
}

void missed_offsets_init(struct missed_offsets *missed)
{
	map_init(&missed->by_conn, missed_offsets_key_of);
	missed->count = 0;
}

static void missed_offsets_forget(struct missed_offsets *missed, struct note *note)
{
	map_remove(&missed->by_conn, &note->link);
	missed->count--;
	mem_free(note);
}

void missed_offsets_release(struct missed_offsets *missed)
{
	for (struct map_node *node = map_first(&missed->by_conn), *next; node; node = next) {
		next = map_next(&missed->by_conn, node);
		missed_offsets_forget(missed, container_of(node, struct note, link));
	}
	map_release(&missed->by_conn);
}

/* NULL: there are too many connections. */
static struct note *missed_offsets_note_of(struct missed_offsets *missed, uint64_t conn)
{
	struct map_node *found = map_find(&missed->by_conn, missed_offsets_key_of_conn(&conn));

	if (found)
		return container_of(found, struct note, link);
	if (missed->count == MISSED_OFFSETS_MAX)
		return NULL;
	struct note *note = MEM_NEW(struct note);
	note->conn = conn;
	map_put(&missed->by_conn, &note->link);
	missed->count++;
	return note;
}

static void missed_offsets_add_connections(struct missed_offsets *missed, const Skein__V1__Connections *numbered)
{
	for (size_t i = 0; numbered && i < numbered->n_offsets; i++) {
		struct note *note = missed_offsets_note_of(missed, numbered->conns[i]);
		uint64_t offset = numbered->offsets[i], epoch = numbered->epochs[i];

		if (!note)
			continue;
		note->offset = note->epoch == epoch ? MAX(note->offset, offset) : offset;
		note->epoch = epoch;
	}
}

void missed_offsets_add(struct missed_offsets *missed, const Skein__V1__Audience *audience)
{
	if (!audience || audience->who_case != SKEIN__V1__AUDIENCE__WHO_TARGETS)
		return;
	missed_offsets_add_connections(missed, audience->targets->own);
	missed_offsets_add_connections(missed, audience->targets->others);
}

void missed_offsets_take(struct missed_offsets *missed, size_t max, Skein__V1__Connections *to)
{
	size_t count = MIN(max, missed->count);

	to->conns = mem_alloc(3 * count * sizeof(uint64_t));
	to->offsets = to->conns + count;
	to->epochs = to->offsets + count;
	to->n_conns = to->n_offsets = to->n_epochs = count;
	struct map_node *node = map_first(&missed->by_conn);
	for (size_t i = 0; i < count; i++) {
		struct note *note = container_of(node, struct note, link);

		node = map_next(&missed->by_conn, node);
		to->conns[i] = note->conn;
		to->offsets[i] = note->offset;
		to->epochs[i] = note->epoch;
		missed_offsets_forget(missed, note);
	}
}
