#include "gateway/router/move_targets.h"

#include <stdlib.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/text/str.h"

void move_targets_add(struct move_targets *targets, const char *url, uint64_t connections)
{
	struct move_target target = { .connections = MIN(connections, UINT32_MAX) };

	if (targets->count == MOVE_TARGETS_MAX)
		return;
	if (!str_starts_with(str_from(url), STR("ws://")) && !str_starts_with(str_from(url), STR("wss://")))
		return;
	if (!str_copy(target.url, sizeof(target.url), str_from(url)))
		return;
	targets->items = mem_resize(targets->items, (targets->count + 1) * sizeof(target));
	targets->items[targets->count++] = target;
}

static int move_target_compare(const void *left, const void *right)
{
	const struct move_target *a = left, *b = right;

	return a->connections < b->connections ? -1 : a->connections > b->connections;
}

/* The number of connections that the emptiest gateways have afterwards, rounded up. The items are sorted. */
static uint64_t move_targets_level(const struct move_targets *targets, uint64_t moving)
{
	uint64_t level = 0, sum = moving;

	for (size_t i = 0; i < targets->count; i++) {
		sum += targets->items[i].connections;
		level = (sum + i) / (i + 1);
		if (i + 1 < targets->count && level <= targets->items[i + 1].connections)
			break;
	}
	return level;
}

void move_targets_divide(struct move_targets *targets, uint64_t moving)
{
	if (!targets->count)
		return;
	qsort(targets->items, targets->count, sizeof(*targets->items), move_target_compare);
	uint64_t level = move_targets_level(targets, MAX(moving, 1));
	targets->shares = 0;
	for (size_t i = 0; i < targets->count; i++) {
		struct move_target *target = &targets->items[i];

		target->share = level > target->connections ? level - target->connections : 0;
		targets->shares += target->share;
	}
}

const char *move_targets_pick(const struct move_targets *targets, uint64_t draw)
{
	for (size_t i = 0; i < targets->count; i++) {
		if (draw < targets->items[i].share)
			return targets->items[i].url;
		draw -= targets->items[i].share;
	}
	return NULL;
}

void move_targets_release(struct move_targets *targets)
{
	mem_free(targets->items);
	*targets = (struct move_targets){ 0 };
}
