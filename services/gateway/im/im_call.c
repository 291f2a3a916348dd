#include "gateway/im/im_call.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/telemetry/metrics.h"
#include "gateway/queues/conn_table.h"
#include "rpc/client/rpc_client.h"

#define IM_CALL_PAUSE_MS 50 /* longest pause before the first repeat; doubled with each repeat */

void im_caller_init(struct im_caller *caller, struct worker *worker, struct rpc_channel *channel,
                    const struct conn_table *table, struct counter *repeats)
{
	*caller = (struct im_caller){
		.worker = worker, .channel = channel, .table = table, .repeats = repeats, .budget = IM_CALL_BUDGET
	};
	list_init(&caller->pausing);
}

static void im_call_begin(struct im_call *call, struct str request);
static void im_call_ask(struct im_call *call, struct str request);

/* Frees a call that has ended. Returns the one that waited for it. */
static struct im_call *im_call_finish(struct im_call *call, struct session *session, err_t err, struct str response,
                                      const char *detail)
{
	call->done(call, session, err, response, detail);
	struct im_call *next = call->next; /* read after `done`: the call is freed here */
	buf_release(&call->request);
	mem_free(call);
	return next;
}

/*
 * When im has not served a call, or its outcome is not known, the calls that waited for it are not begun: they would overtake
 * its repeat.
 */
static void im_call_end(struct im_call *call, struct session *session, err_t err, struct str response, const char *detail)
{
	struct im_caller *caller = call->caller;
	bool is_served = !err || err_http_status(err) < 500;
	struct im_call *next = im_call_finish(call, session, err, response, detail);

	while (next && (caller->is_stopped || !is_served))
		next = im_call_finish(next, conn_table_find(caller->table, next->conn),
		                      caller->is_stopped ? ERR_CLOSED : ERR_UNAVAILABLE, STR(""), "");
	if (next)
		im_call_begin(next, buf_str(&next->request));
}

static void im_call_on_pause_over(struct timer *timer)
{
	struct im_call *call = container_of(timer, struct im_call, pause);

	list_remove(&call->pausing);
	if (conn_table_find(call->caller->table, call->conn))
		im_call_ask(call, buf_str(&call->request));
	else
		im_call_end(call, NULL, ERR_CLOSED, STR(""), "");
}

/* Takes one repeat from the budget. */
static bool im_call_may_repeat(struct im_call *call, uint64_t now_ms)
{
	if (call->tries > call->retries || call->caller->budget < 1 || now_ms >= call->deadline_ms)
		return false;
	call->caller->budget -= 1;
	return true;
}

static void im_call_on_done(void *arg, err_t err, struct str response, const char *detail)
{
	struct im_call *call = arg;
	struct im_caller *caller = call->caller;
	struct session *session = conn_table_find(caller->table, call->conn);
	uint64_t now_ms = worker_now_ms(caller->worker);

	if (!err)
		caller->budget = MIN(caller->budget + 0.1, IM_CALL_BUDGET);
	/* A timeout before the deadline: this worker stood still, and gRPC's clock did not. */
	bool is_passing = err == ERR_UNAVAILABLE || err == ERR_TIMEOUT;
	if (!session || !is_passing || !im_call_may_repeat(call, now_ms)) {
		im_call_end(call, session, err, response, detail);
		return;
	}
	uint64_t pause_ms = 1 + random_below((uint64_t)IM_CALL_PAUSE_MS << (call->tries - 1));
	counter_add(caller->repeats, 1);
	list_push_back(&caller->pausing, &call->pausing);
	worker_arm(caller->worker, &call->pause, MIN(now_ms + pause_ms, call->deadline_ms - 1));
}

static void im_call_ask(struct im_call *call, struct str request)
{
	uint64_t now_ms = worker_now_ms(call->caller->worker);

	call->tries++;
	rpc_call(call->caller->channel, call->caller->worker, call->path, request,
	         call->deadline_ms > now_ms ? call->deadline_ms - now_ms : 1, true, STR(""), im_call_on_done, call);
}

static void im_call_begin(struct im_call *call, struct str request)
{
	call->deadline_ms = worker_now_ms(call->caller->worker) + (call->timeout_ms ? call->timeout_ms : IM_CALL_TIMEOUT_MS);
	im_call_ask(call, request);
}

void im_call_start(struct im_call *call, struct im_caller *caller, uint64_t conn, const char *path, struct str request,
                   im_call_done done)
{
	call->caller = caller;
	call->conn = conn;
	call->done = done;
	call->path = path;
	timer_init(&call->pause, im_call_on_pause_over);
	list_init(&call->pausing);
	if (call->retries || call->after)
		buf_append_str(&call->request, request);
	if (call->after)
		call->after->next = call;
	else
		im_call_begin(call, request);
}

void im_caller_stop(struct im_caller *caller)
{
	caller->is_stopped = true;
}

void im_caller_drop(struct im_caller *caller)
{
	for (struct list *first; (first = list_pop_front(&caller->pausing));) {
		struct im_call *call = container_of(first, struct im_call, pausing);

		worker_cancel(caller->worker, &call->pause);
		im_call_end(call, NULL, ERR_CLOSED, STR(""), "");
	}
}
