#include "gateway/im_call.h"

#include "base/mem.h"
#include "gateway/app.h"
#include "gateway/session.h"

static void on_done(void *arg, err_t err, struct str response, const char *detail)
{
	struct im_call *call = arg;

	call->done(call, conn_table_find(&call->home->table, call->conn), err, response, detail);
	mem_free(call);
}

void im_call_start(struct im_call *call, struct session *session, const char *path, struct str request,
                   void (*done)(struct im_call *call, struct session *session, err_t err, struct str response,
                                const char *detail))
{
	struct ws_worker *home = session->home;

	call->home = home;
	call->conn = session->id;
	call->done = done;
	rpc_call(home->app->im, &home->worker, path, request, call->timeout_ms ? call->timeout_ms : IM_CALL_TIMEOUT_MS, true,
	         STR(""), on_done, call);
}
