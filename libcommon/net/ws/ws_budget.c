#include "net/ws/ws_budget.h"

#include "base/telemetry/metrics.h"

static void ws_budget_count(struct ws_budget *budget)
{
	if (budget->refused)
		counter_add(budget->refused, 1);
}

bool ws_budget_enter(struct ws_budget *budget)
{
	if (atomic_fetch_add_explicit(&budget->handshakes, 1, memory_order_relaxed) < budget->max_handshakes)
		return true;
	ws_budget_leave(budget);
	ws_budget_count(budget);
	return false;
}

void ws_budget_leave(struct ws_budget *budget)
{
	atomic_fetch_sub_explicit(&budget->handshakes, 1, memory_order_relaxed);
}

bool ws_budget_take(struct ws_budget *budget, size_t len)
{
	if (atomic_fetch_add_explicit(&budget->bytes, len, memory_order_relaxed) + len <= budget->max_bytes)
		return true;
	ws_budget_give(budget, len);
	ws_budget_count(budget);
	return false;
}

void ws_budget_give(struct ws_budget *budget, size_t len)
{
	atomic_fetch_sub_explicit(&budget->bytes, len, memory_order_relaxed);
}
