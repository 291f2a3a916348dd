#include "gateway/session/session_shed.h"

#include "base/telemetry/log.h"
#include "gateway/gateway_metrics.h"
#include "gateway/session/session.h"
#include "gateway/session/session_order.h"

static bool shed_is_over_limit(const struct session_home *home)
{
	return atomic_load_explicit(&home->stalled_bytes->now, memory_order_relaxed) > home->stalled_bytes->max;
}

static void shed_session(struct session *session)
{
	struct session_home *home = session->home;

	log_debug("a stalled client lost its queue", LOG_U64("conn", session->id), LOG_TEXT("uid", session_uid(session)));
	if (!session_drop_messages(session)) {
		session_close(session, 4004, "too slow");
		return;
	}
	counter_add(home->metrics->shed, 1);
	list_remove(&session->dirty);
	list_push_back(&home->stalled, &session->dirty);
	sequencer_skip(&session->sequencer);
	session_send_due(session, session_now_ms(session));
}

void session_shed_over_limit(struct session_home *home)
{
	/* Each turn frees bytes or closes a session, so this ends. */
	while (!list_is_empty(&home->stalled) && shed_is_over_limit(home))
		shed_session(container_of(home->stalled.next, struct session, dirty));
}
