#include "deliver/audience_wire.h"

#include <string.h>

#include "base/mem.h"

/* Writes the lists of `count` targets to `at` and returns their end. Targets without an offset have no lists of offsets. */
static uint64_t *wire_fill_connections(Skein__V1__Connections *list, uint64_t *at, const struct fanout_target *targets,
                                       size_t count)
{
	bool is_numbered = count && targets[0].offset;

	list->n_conns = count;
	list->conns = at;
	list->n_offsets = list->n_epochs = is_numbered ? count : 0;
	list->offsets = at + count;
	list->epochs = at + 2 * count;
	for (size_t i = 0; i < count; i++) {
		list->conns[i] = targets[i].conn;
		if (is_numbered) {
			list->offsets[i] = targets[i].offset;
			list->epochs[i] = targets[i].epoch;
		}
	}
	return at + 3 * count;
}

static void wire_fill_targets(struct audience_wire *wire, const struct fanout_plan *plan, const struct fanout_batch *batch)
{
	const struct fanout_target *targets = &plan->targets[batch->first];
	uint64_t *at = wire->lists = mem_alloc(3 * batch->count * sizeof(*at));

	skein__v1__targets__init(&wire->targets);
	if (batch->own_count) {
		skein__v1__connections__init(&wire->own);
		wire->targets.own = &wire->own;
		at = wire_fill_connections(&wire->own, at, targets, batch->own_count);
	}
	if (batch->count > batch->own_count) {
		skein__v1__connections__init(&wire->others);
		wire->targets.others = &wire->others;
		wire_fill_connections(&wire->others, at, targets + batch->own_count, batch->count - batch->own_count);
	}
	wire->audience.who_case = SKEIN__V1__AUDIENCE__WHO_TARGETS;
	wire->audience.targets = &wire->targets;
}

/* The uids' texts need not be terminated, so they are copied behind the pointers to them. */
static void wire_fill_users(struct audience_wire *wire, const struct fanout_plan *plan, const struct fanout_batch *batch)
{
	const struct str *uids = &plan->uids[batch->first];
	size_t text = 0;

	for (size_t i = 0; i < batch->count; i++)
		text += uids[i].len + 1;
	char **pointers = wire->lists = mem_alloc(batch->count * sizeof(*pointers) + text);
	char *at = (char *)(pointers + batch->count);
	for (size_t i = 0; i < batch->count; i++) {
		pointers[i] = at;
		(void)str_copy(at, uids[i].len + 1, uids[i]);
		at += uids[i].len + 1;
	}
	skein__v1__users__init(&wire->users);
	wire->users.n_uids = batch->count;
	wire->users.uids = pointers;
	wire->audience.who_case = SKEIN__V1__AUDIENCE__WHO_USERS;
	wire->audience.users = &wire->users;
}

static char *wire_copy_text(struct audience_wire *wire, struct str text)
{
	char *copy = wire->lists = mem_alloc(text.len + 1);

	(void)str_copy(copy, text.len + 1, text);
	return copy;
}

void audience_wire_init(struct audience_wire *wire, const struct fanout_plan *plan, const struct fanout_batch *batch)
{
	skein__v1__audience__init(&wire->audience);
	switch (plan->audience->kind) {
	case AUDIENCE_OF_TARGETS:
		wire_fill_targets(wire, plan, batch);
		break;
	case AUDIENCE_OF_USERS:
		wire_fill_users(wire, plan, batch);
		break;
	case AUDIENCE_OF_GROUP:
		skein__v1__group_members__init(&wire->group);
		wire->group.group_id = wire_copy_text(wire, plan->audience->group.gid);
		wire->group.seq = plan->audience->group.seq;
		wire->audience.who_case = SKEIN__V1__AUDIENCE__WHO_GROUP;
		wire->audience.group = &wire->group;
		break;
	case AUDIENCE_OF_ROOM:
		wire->audience.who_case = SKEIN__V1__AUDIENCE__WHO_ROOM;
		wire->audience.room = wire_copy_text(wire, plan->audience->room);
		break;
	}
}

void audience_wire_release(struct audience_wire *wire)
{
	mem_free(wire->lists);
	wire->lists = NULL;
}
