#include "base/mem.h"
#include "gateway/im/im_call.h"
#include "gateway/session/session.h"
#include "proto/im.pb-c.h"

/*
 * Who may be connected, and stay so. im is asked before the route is bound, so that a token that was revoked replaces
 * nobody's connection; a logout that comes in between kicks by the route, and once more a little later (im's kicks.c).
 * A kick finds nothing while Redis has forgotten the routes: who binds again is asked about again.
 */

static void on_admitted(struct im_call *call, struct session *session, err_t err, struct str response, const char *detail)
{
	(void)call;
	(void)response;
	(void)detail;
	if (session)
		session_admitted(session, err);
}

void session_ask_admission(struct session *session)
{
	Skein__V1__AdmitRequest request = SKEIN__V1__ADMIT_REQUEST__INIT;
	struct im_call *call = MEM_NEW(struct im_call);
	uint8_t bytes[128];

	request.uid = (char *)session_uid(session);
	request.token_id = (ProtobufCBinaryData){ sizeof(session->token_id), session->token_id };
	size_t len = skein__v1__admit_request__pack(&request, bytes);
	call->retries = IM_CALL_RETRIES;
	im_call_start(call, session, "/skein.v1.Im/Admit", str_of(bytes, len), on_admitted);
}

bool session_is_of(const struct session *session, const char *uid, struct str token_id)
{
	return strcmp(session_uid(session), uid) == 0 &&
	       (!token_id.len || str_equal(token_id, str_of(session->token_id, sizeof(session->token_id))));
}
