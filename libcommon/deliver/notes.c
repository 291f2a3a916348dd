#include "deliver/notes.h"

#include "base/macros.h"
#include "base/mem.h"

struct note {
	struct map_node link;
	uint64_t conn, epoch, offset;
};

static struct str key_of_conn(const uint64_t *conn)
{
	return str_of((const char *)conn, sizeof(*conn));
}

static struct str key_of(const struct map_node *node)
{
	return key_of_conn(&container_of(node, struct note, link)->conn);
}

void notes_init(struct notes *notes)
{
	map_init(&notes->by_conn, key_of);
	notes->count = 0;
}

static void forget(struct notes *notes, struct note *note)
{
	map_remove(&notes->by_conn, &note->link);
	notes->count--;
	mem_free(note);
}

void notes_release(struct notes *notes)
{
	for (struct map_node *node = map_first(&notes->by_conn), *next; node; node = next) {
		next = map_next(&notes->by_conn, node);
		forget(notes, container_of(node, struct note, link));
	}
	map_release(&notes->by_conn);
}

/* NULL: there are too many. */
static struct note *note_of(struct notes *notes, uint64_t conn)
{
	struct map_node *found = map_find(&notes->by_conn, key_of_conn(&conn));

	if (found)
		return container_of(found, struct note, link);
	if (notes->count == NOTES_MAX)
		return NULL;
	struct note *note = MEM_NEW(struct note);
	note->conn = conn;
	map_put(&notes->by_conn, &note->link);
	notes->count++;
	return note;
}

static void add_connections(struct notes *notes, const Skein__V1__Connections *numbered)
{
	for (size_t i = 0; numbered && i < numbered->n_offsets; i++) {
		struct note *note = note_of(notes, numbered->conns[i]);
		uint64_t offset = numbered->offsets[i], epoch = numbered->epochs[i];

		if (!note)
			continue;
		note->offset = note->epoch == epoch ? MAX(note->offset, offset) : offset;
		note->epoch = epoch;
	}
}

void notes_add(struct notes *notes, const Skein__V1__Audience *audience)
{
	if (!audience || audience->who_case != SKEIN__V1__AUDIENCE__WHO_TARGETS)
		return;
	add_connections(notes, audience->targets->own);
	add_connections(notes, audience->targets->others);
}

void notes_take(struct notes *notes, size_t max, Skein__V1__Connections *to)
{
	size_t count = MIN(max, notes->count);

	to->conns = mem_alloc(3 * count * sizeof(uint64_t));
	to->offsets = to->conns + count;
	to->epochs = to->offsets + count;
	to->n_conns = to->n_offsets = to->n_epochs = count;
	struct map_node *node = map_first(&notes->by_conn);
	for (size_t i = 0; i < count; i++) {
		struct note *note = container_of(node, struct note, link);

		node = map_next(&notes->by_conn, node);
		to->conns[i] = note->conn;
		to->offsets[i] = note->offset;
		to->epochs[i] = note->epoch;
		forget(notes, note);
	}
}
