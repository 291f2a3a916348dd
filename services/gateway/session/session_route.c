#include "gateway/session/session_route.h"

#include "gateway/im/admission.h"
#include "gateway/session/session.h"
#include "gateway/session/session_order.h"

/* A logout kicks by the route. It found no route while that was lost, so im is asked again. */
static void route_on_admitted(struct session *session, err_t err)
{
	session->owes_admission = err != OK;
	if (err == ERR_UNAUTHENTICATED)
		session_close(session, 4002, "the user may not connect with this token");
}

void session_ask_admission(struct session *session)
{
	admission_ask(&session->home->im, session->id, session_uid(session),
	              str_of(session->token_id, sizeof(session->token_id)), session->issued_ms, route_on_admitted);
}

static void route_on_rebound(const struct route_answer *answer, void *home)
{
	struct session *session = session_find(home, answer->conn);

	if (!session)
		return;
	uint64_t now_ms = session_now_ms(session);
	bool is_bound = session_take_bind_answer(session, answer);
	if (answer->err == ERR_FAILED_PRECONDITION)
		session_close(session, 4001, "a newer connection took its place");
	else if (answer->err == ERR_REJECTED)
		session_close(session, 1008, "too many devices are connected");
	if (!is_bound)
		return;
	session_ask_admission(session);
	sequencer_learn(&session->sequencer, answer->inbox_epoch, answer->inbox_head, now_ms);
	session_send_due(session, now_ms);
}

static void route_on_renewed(const struct route_answer *answer, void *arg)
{
	struct session_home *home = arg;
	struct session *session = session_find(home, answer->conn);

	if (!session)
		return;
	if (answer->err) {
		conn_route_not_renewed(&session->route);
		return;
	}
	if (answer->kept)
		home->routes_kept++;
	else
		home->routes_lost++;
	session_ask_router(session, conn_route_renewed(&session->route, answer->kept), route_on_rebound);
}

void session_renew(struct session *session)
{
	if (session->state != SESSION_LIVE)
		return;
	enum route_op op = conn_route_renewal(&session->route);
	if (op != ROUTE_NOTHING && session->owes_admission)
		session_ask_admission(session);
	session_ask_router(session, op, op == ROUTE_RENEW ? route_on_renewed : route_on_rebound);
}

void session_doubt_route(struct session *session)
{
	conn_route_doubt(&session->route);
}
