#include "gateway/grpc/kick.h"

#include "base/text/ident.h"
#include "base/mem.h"
#include "gateway/app.h"
#include "gateway/session/session.h"
#include "proto/delivery.pb-c.h"

#define REASON_MAX 123 /* what a close frame holds */

/* What one worker has to do of it. */
struct part {
	struct task task;
	struct run *run;
	struct ws_worker *w;
	bool is_concerned;
};

/* An order on its way through the workers. */
struct run {
	struct rpc_call *call;
	Skein__V1__KickConnections *message; /* the workers read it where it is */
	atomic_uint open_parts; /* and one for who makes it */
	struct part parts[];
};

/* ---- on the thread that is through last ---- */

static void leave(struct run *run)
{
	if (atomic_fetch_sub_explicit(&run->open_parts, 1, memory_order_acq_rel) > 1)
		return;
	rpc_reply(run->call, (struct str){ 0 }); /* KickedConnections has no fields */
	skein__v1__kick_connections__free_unpacked(run->message, NULL);
	mem_free(run);
}

/* ---- on each worker's thread ---- */

static void kick_part(struct task *task)
{
	struct part *part = container_of(task, struct part, task);
	const Skein__V1__KickConnections *message = part->run->message;
	struct str token_id = str_of(message->token_id.data, message->token_id.len);

	for (size_t i = 0; i < message->n_conns; i++) {
		struct session *session = conn_table_find(&part->w->table, message->conns[i]);

		if (session && session_is_of(session, message->uid, token_id))
			session_close(session, (uint16_t)message->code, message->reason);
	}
	leave(part->run);
}

/* ---- on the queue's thread ---- */

static const char *first_fault(const Skein__V1__KickConnections *message)
{
	struct str reason = str_from(message->reason);

	if (!ident_is_valid(str_from(message->uid)))
		return "uid: not a valid id";
	if (message->token_id.len && message->token_id.len != JWT_TOKEN_ID_BYTES)
		return "token_id: not 16 bytes";
	if (message->code < 4000 || message->code > 4999)
		return "code: not from 4000 to 4999";
	if (reason.len > REASON_MAX || !utf8_is_valid(reason))
		return "reason: not UTF-8 of at most 123 bytes";
	return NULL;
}

static void post_parts(struct app *app, struct run *run)
{
	for (unsigned i = 0; i < app->worker_count; i++) {
		struct part *part = &run->parts[i];

		if (!part->is_concerned)
			continue;
		part->run = run;
		part->w = &app->workers[i];
		part->task.run = kick_part;
		atomic_fetch_add_explicit(&run->open_parts, 1, memory_order_relaxed);
		worker_post(&part->w->worker, &part->task);
	}
	leave(run);
}

void kick_api_kick(struct rpc_call *call, struct str request, void *arg)
{
	struct app *app = arg;
	Skein__V1__KickConnections *message =
		skein__v1__kick_connections__unpack(NULL, request.len, (const uint8_t *)request.ptr);
	const char *fault = message ? first_fault(message) : "not a KickConnections";

	if (fault) {
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, fault);
		if (message)
			skein__v1__kick_connections__free_unpacked(message, NULL);
		return;
	}
	struct run *run = mem_zalloc(sizeof(*run) + app->worker_count * sizeof(run->parts[0]));
	run->call = call;
	run->message = message;
	atomic_init(&run->open_parts, 1);
	/* Of another registration: an id may have been another connection's. */
	size_t count = message->node_epoch == atomic_load(&app->node_epoch) ? message->n_conns : 0;
	for (size_t i = 0; i < count; i++)
		if (conn_worker(message->conns[i]) < app->worker_count)
			run->parts[conn_worker(message->conns[i])].is_concerned = true;
	post_parts(app, run);
}
