#include "gateway/grpc/kick.h"

#include "base/mem.h"
#include "base/text/ident.h"
#include "base/text/utf8.h"
#include "gateway/grpc/service.h"
#include "gateway/grpc/worker_run.h"
#include "gateway/session/session.h"
#include "gateway/worker/ws_worker.h"
#include "proto/delivery.pb-c.h"
#include "rpc/server/rpc_server.h"

#define KICK_REASON_MAX 123 /* bytes: a control frame holds 125, and the code takes 2 */

struct kick {
	struct rpc_call *call;
	Skein__V1__KickConnections *message; /* read by all workers */
	struct worker_run run;
};

/* On each worker's thread. */
static void kick_work(struct worker_run *run, struct ws_worker *w)
{
	const Skein__V1__KickConnections *message = container_of(run, struct kick, run)->message;
	const struct session_tokens tokens = { str_of(message->token_id.data, message->token_id.len), message->issued_until_ms };

	for (size_t i = 0; i < message->n_conns; i++) {
		struct session *session = session_find(&w->home, message->conns[i]);

		if (session && session_is_of(session, message->uid, &tokens))
			session_close(session, (uint16_t)message->code, message->reason);
	}
}

static void kick_end(struct worker_run *run)
{
	struct kick *kick = container_of(run, struct kick, run);

	rpc_reply(kick->call, (struct str){ 0 }); /* KickedConnections has no fields */
	skein__v1__kick_connections__free_unpacked(kick->message, NULL);
	mem_free(kick);
}

/* ---- on the queue's thread ---- */

static const char *kick_first_fault(const Skein__V1__KickConnections *message)
{
	struct str reason = str_from(message->reason);

	if (!ident_is_valid(str_from(message->uid)))
		return "uid: not a valid id";
	if (message->token_id.len && message->token_id.len != JWT_TOKEN_ID_BYTES)
		return "token_id: not 16 bytes";
	if (message->code < 4000 || message->code > 4999)
		return "code: not from 4000 to 4999";
	if (reason.len > KICK_REASON_MAX || !utf8_is_valid(reason))
		return "reason: not UTF-8 of at most 123 bytes";
	return NULL;
}

void kick_on_call(struct rpc_call *call, struct str request, void *arg)
{
	const struct gateway_service *service = arg;
	Skein__V1__KickConnections *message =
		skein__v1__kick_connections__unpack(NULL, request.len, (const uint8_t *)request.ptr);
	const char *fault = message ? kick_first_fault(message) : "not a KickConnections";

	if (fault) {
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, fault);
		if (message)
			skein__v1__kick_connections__free_unpacked(message, NULL);
		return;
	}
	struct kick *kick = mem_zalloc(sizeof(*kick) + worker_run_size(service->worker_count));
	kick->call = call;
	kick->message = message;
	worker_run_init(&kick->run, service, kick_work, kick_end);
	/* An id of another registration may name another connection here. */
	size_t count = message->node_epoch == atomic_load(service->node_epoch) ? message->n_conns : 0;
	for (size_t i = 0; i < count; i++)
		(void)worker_run_add(&kick->run, message->conns[i]);
	worker_run_start(&kick->run);
}
