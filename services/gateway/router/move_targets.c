#include "gateway/router/move_targets.h"

#include <stdlib.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/text/str.h"

void elsewhere_add(struct elsewhere *elsewhere, const char *url, uint64_t connections)
{
	struct other_gateway other = { .connections = MIN(connections, UINT32_MAX) };

	if (elsewhere->count == ELSEWHERE_MAX)
		return;
	if (!str_starts_with(str_from(url), STR("ws://")) && !str_starts_with(str_from(url), STR("wss://")))
		return;
	if (!str_copy(other.url, sizeof(other.url), str_from(url)))
		return;
	elsewhere->others = mem_resize(elsewhere->others, (elsewhere->count + 1) * sizeof(other));
	elsewhere->others[elsewhere->count++] = other;
}

static int compare(const void *left, const void *right)
{
	const struct other_gateway *a = left, *b = right;

	return a->connections < b->connections ? -1 : a->connections > b->connections;
}

/* Up to which number of connections the emptiest ones are filled, rounded up; `others` are in order. */
static uint64_t level_of(const struct elsewhere *elsewhere, uint64_t moving)
{
	uint64_t level = 0, sum = moving;

	for (size_t i = 0; i < elsewhere->count; i++) {
		sum += elsewhere->others[i].connections;
		level = (sum + i) / (i + 1);
		if (i + 1 < elsewhere->count && level <= elsewhere->others[i + 1].connections)
			break;
	}
	return level;
}

void elsewhere_divide(struct elsewhere *elsewhere, uint64_t moving)
{
	if (!elsewhere->count)
		return;
	qsort(elsewhere->others, elsewhere->count, sizeof(*elsewhere->others), compare);
	uint64_t level = level_of(elsewhere, MAX(moving, 1));
	elsewhere->shares = 0;
	for (size_t i = 0; i < elsewhere->count; i++) {
		struct other_gateway *other = &elsewhere->others[i];

		other->share = level > other->connections ? level - other->connections : 0;
		elsewhere->shares += other->share;
	}
}

const char *elsewhere_pick(const struct elsewhere *elsewhere, uint64_t draw)
{
	for (size_t i = 0; i < elsewhere->count; i++) {
		if (draw < elsewhere->others[i].share)
			return elsewhere->others[i].url;
		draw -= elsewhere->others[i].share;
	}
	return NULL;
}

void elsewhere_release(struct elsewhere *elsewhere)
{
	mem_free(elsewhere->others);
	*elsewhere = (struct elsewhere){ 0 };
}
