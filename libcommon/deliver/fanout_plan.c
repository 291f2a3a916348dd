#include "deliver/fanout_plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"

static void plan_add(struct fanout_plan *plan, struct fanout_batch batch)
{
	plan->batches[plan->batch_count++] = batch;
}

static struct fanout_batch *plan_last(const struct fanout_plan *plan)
{
	return plan->batch_count ? &plan->batches[plan->batch_count - 1] : NULL;
}

/* ---- targets ---- */

/* Sorts by gateway, the sender's connections first; targets of dead gateways come last. */
static int plan_compare_targets(const void *left, const void *right, void *arg)
{
	const struct fanout_target *a = left, *b = right;
	const struct fanout_gateway *gateways = arg;
	bool a_is_alive = gateways[a->gateway].is_alive, b_is_alive = gateways[b->gateway].is_alive;

	if (a_is_alive != b_is_alive)
		return a_is_alive ? -1 : 1;
	if (a->gateway != b->gateway)
		return a->gateway < b->gateway ? -1 : 1;
	if (a->is_own != b->is_own)
		return a->is_own ? -1 : 1;
	return a->recipient < b->recipient ? -1 : a->recipient > b->recipient;
}

static void plan_targets(struct fanout_plan *plan, const struct fanout_gateway *gateways, size_t gateway_count)
{
	struct fanout_target *targets = plan->audience->targets.items;
	size_t count = plan->audience->targets.count, alive = 0;

	plan->targets = targets;
	if (count > 1)
		qsort_r(targets, count, sizeof(*targets), plan_compare_targets, (void *)gateways);
	while (alive < count && gateways[targets[alive].gateway].is_alive)
		alive++;
	plan->dead_count = count - alive;
	plan->batches = mem_alloc((alive / FANOUT_MAX_TARGETS + MIN(alive, gateway_count)) * sizeof(*plan->batches));
	for (size_t i = 0; i < alive; i++) {
		const struct fanout_batch *last = plan_last(plan);

		if (!last || last->gateway != targets[i].gateway || last->count == FANOUT_MAX_TARGETS)
			plan_add(plan, (struct fanout_batch){ .gateway = targets[i].gateway, .first = i });
		plan_last(plan)->count++;
		plan_last(plan)->own_count += targets[i].is_own;
	}
}

/* ---- users ---- */

/* An audience of everybody is one batch without a uid. */
static void plan_users_for_all_gateways(struct fanout_plan *plan)
{
	size_t count = plan->audience->users.count;

	plan->batches = mem_alloc((count / FANOUT_MAX_UIDS + 1) * sizeof(*plan->batches));
	plan->uids = mem_alloc(count * sizeof(*plan->uids));
	if (!count)
		plan_add(plan, (struct fanout_batch){ .gateway = FANOUT_EVERY_GATEWAY });
	for (size_t i = 0; i < count; i++) {
		plan->uids[i] = plan->audience->users.uids[i];
		if (i % FANOUT_MAX_UIDS == 0)
			plan_add(plan, (struct fanout_batch){ .gateway = FANOUT_EVERY_GATEWAY, .first = i });
		plan_last(plan)->count++;
	}
}

static int plan_compare_placed(const void *left, const void *right, void *arg)
{
	const size_t *a = left, *b = right;
	const uint32_t *placed = arg;

	if (placed[*a] != placed[*b])
		return placed[*a] < placed[*b] ? -1 : 1;
	return *a < *b ? -1 : 1;
}

static void plan_users_by_placement(struct fanout_plan *plan, const struct fanout_gateway *gateways, size_t gateway_count)
{
	size_t count = plan->audience->users.count, kept = 0;
	const uint32_t *placed = plan->audience->users.placed;
	size_t *order = mem_alloc(count * sizeof(*order));

	for (size_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), plan_compare_placed, (void *)placed);
	plan->batches = mem_alloc((count / FANOUT_MAX_UIDS + gateway_count) * sizeof(*plan->batches));
	plan->uids = mem_alloc(count * sizeof(*plan->uids));
	for (size_t i = 0; i < count; i++) {
		uint32_t gateway = placed[order[i]];
		const struct fanout_batch *last = plan_last(plan);

		if (!gateways[gateway].is_alive)
			continue;
		if (!last || last->gateway != gateway || last->count == FANOUT_MAX_UIDS)
			plan_add(plan, (struct fanout_batch){ .gateway = gateway, .first = kept });
		plan->uids[kept++] = plan->audience->users.uids[order[i]];
		plan_last(plan)->count++;
	}
	plan->dead_count = count - kept;
	mem_free(order);
}

/* ---- groups and rooms ---- */

static void plan_holders(struct fanout_plan *plan, const struct fanout_gateway *gateways, size_t gateway_count,
                         enum fanout_mode mode)
{
	plan->batches = mem_alloc((gateway_count + 1) * sizeof(*plan->batches));
	if (mode == FANOUT_BROADCAST) {
		plan_add(plan, (struct fanout_batch){ .gateway = FANOUT_EVERY_GATEWAY });
		return;
	}
	for (size_t i = 0; i < gateway_count; i++)
		if (gateways[i].is_alive && gateways[i].holds)
			plan_add(plan, (struct fanout_batch){ .gateway = (uint32_t)i });
}

/* ---- the plan ---- */

enum fanout_mode fanout_mode_for(const struct audience *audience, const struct fanout_gateway *gateways, size_t gateway_count,
                                 enum fanout_mode mode)
{
	if (mode != FANOUT_AUTO)
		return mode;
	if (audience->kind != AUDIENCE_OF_USERS)
		return FANOUT_UNICAST;
	if (!audience->users.count)
		return FANOUT_BROADCAST; /* everybody: there is no list to look up */
	size_t alive = 0, uids = audience->users.count;
	for (size_t i = 0; i < gateway_count; i++)
		alive += gateways[i].is_alive;
	return uids + MIN(uids, alive) <= alive ? FANOUT_UNICAST : FANOUT_BROADCAST;
}

struct fanout_plan fanout_plan(const struct audience *audience, const struct fanout_gateway *gateways, size_t gateway_count,
                               enum fanout_mode mode)
{
	struct fanout_plan plan = { .audience = audience };

	assert(mode != FANOUT_AUTO);
	switch (audience->kind) {
	case AUDIENCE_OF_TARGETS:
		plan_targets(&plan, gateways, gateway_count);
		break;
	case AUDIENCE_OF_USERS:
		assert(mode != FANOUT_UNICAST);
		if (mode == FANOUT_BROADCAST)
			plan_users_for_all_gateways(&plan);
		else
			plan_users_by_placement(&plan, gateways, gateway_count);
		break;
	case AUDIENCE_OF_GROUP:
	case AUDIENCE_OF_ROOM:
		plan_holders(&plan, gateways, gateway_count, mode);
		break;
	}
	return plan;
}

void fanout_plan_release(struct fanout_plan *plan)
{
	mem_free(plan->batches);
	mem_free(plan->uids);
	*plan = (struct fanout_plan){ 0 };
}
