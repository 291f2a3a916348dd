#include "gateway/im/im_call.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "gateway/app.h"
#include "gateway/session/session.h"

#define PAUSE_MS 50 /* the first one, at most; each next one may be twice as long */

static void end(struct im_call *call, struct session *session, err_t err, struct str response, const char *detail)
{
	call->done(call, session, err, response, detail);
	buf_release(&call->request);
	mem_free(call);
}

static void ask(struct im_call *call, struct str request);

static void on_pause_over(struct timer *timer)
{
	struct im_call *call = container_of(timer, struct im_call, pause);

	list_remove(&call->pausing);
	if (conn_table_find(&call->home->table, call->conn))
		ask(call, buf_str(&call->request));
	else
		end(call, NULL, ERR_CLOSED, STR(""), "");
}

static bool may_ask_again(struct im_call *call, uint64_t now_ms)
{
	if (call->tries > call->retries || call->home->im_budget < 1 || now_ms >= call->deadline_ms)
		return false;
	call->home->im_budget -= 1;
	return true;
}

static void pause_before_next(struct im_call *call, uint64_t now_ms)
{
	uint64_t pause_ms = 1 + random_below((uint64_t)PAUSE_MS << (call->tries - 1));

	counter_add(call->home->app->metrics.im_retries, 1);
	list_push_back(&call->home->pausing_calls, &call->pausing);
	worker_arm(&call->home->worker, &call->pause, MIN(now_ms + pause_ms, call->deadline_ms - 1));
}

static void on_done(void *arg, err_t err, struct str response, const char *detail)
{
	struct im_call *call = arg;
	struct session *session = conn_table_find(&call->home->table, call->conn);
	uint64_t now_ms = clock_mono_ms();

	if (!err)
		call->home->im_budget = MIN(call->home->im_budget + 0.1, IM_CALL_BUDGET);
	if (session && err == ERR_UNAVAILABLE && may_ask_again(call, now_ms))
		pause_before_next(call, now_ms);
	else
		end(call, session, err, response, detail);
}

static void ask(struct im_call *call, struct str request)
{
	uint64_t now_ms = clock_mono_ms();

	call->tries++;
	rpc_call(call->home->app->im, &call->home->worker, call->path, request,
	         call->deadline_ms > now_ms ? call->deadline_ms - now_ms : 1, true, STR(""), on_done, call);
}

void im_call_start(struct im_call *call, struct session *session, const char *path, struct str request,
                   void (*done)(struct im_call *call, struct session *session, err_t err, struct str response,
                                const char *detail))
{
	call->home = session->home;
	call->conn = session->id;
	call->done = done;
	call->path = path;
	call->deadline_ms = clock_mono_ms() + (call->timeout_ms ? call->timeout_ms : IM_CALL_TIMEOUT_MS);
	timer_init(&call->pause, on_pause_over);
	list_init(&call->pausing);
	if (call->retries)
		buf_append_str(&call->request, request);
	ask(call, request);
}

void im_calls_drop(struct ws_worker *home)
{
	for (struct list *first; (first = list_pop_front(&home->pausing_calls));) {
		struct im_call *call = container_of(first, struct im_call, pausing);

		worker_cancel(&home->worker, &call->pause);
		end(call, NULL, ERR_CLOSED, STR(""), "");
	}
}
