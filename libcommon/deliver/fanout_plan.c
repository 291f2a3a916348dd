#include "deliver/fanout_plan.h"

#include <stdlib.h>

#include "base/mem.h"

/* Gateways by index, the sender's connections first, the dead behind everything. */
static int compare(const void *left, const void *right, void *arg)
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

static size_t count_batches(const struct fanout_target *targets, size_t count)
{
	size_t batches = 0;

	for (size_t i = 0; i < count; i++)
		if (i == 0 || targets[i].gateway != targets[i - 1].gateway)
			batches++;
	return batches;
}

struct fanout_plan fanout_plan(struct fanout_target *targets, size_t target_count,
                               const struct fanout_gateway *gateways, enum fanout_mode mode)
{
	struct fanout_plan plan = { .targets = targets };
	size_t alive = 0;

	(void)mode; /* unicast is the only one so far */
	if (target_count > 1)
		qsort_r(targets, target_count, sizeof(*targets), compare, (void *)gateways);
	while (alive < target_count && gateways[targets[alive].gateway].is_alive)
		alive++;
	plan.dead_count = target_count - alive;
	size_t batches = count_batches(targets, alive);
	if (batches)
		plan.batches = mem_zalloc(batches * sizeof(*plan.batches));
	for (size_t i = 0; i < alive; i++) {
		if (i == 0 || targets[i].gateway != targets[i - 1].gateway)
			plan.batches[plan.batch_count++] =
				(struct fanout_batch){ .gateway = targets[i].gateway, .first = i };
		struct fanout_batch *batch = &plan.batches[plan.batch_count - 1];
		batch->count++;
		batch->own_count += targets[i].is_own;
	}
	return plan;
}

void fanout_plan_release(struct fanout_plan *plan)
{
	mem_free(plan->batches);
	*plan = (struct fanout_plan){ 0 };
}
