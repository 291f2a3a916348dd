#include "gateway/session/session.h"

#ifdef SKEIN_SABOTAGE

#include "base/mem.h"
#include "gateway/im/im_call.h"
#include "proto/im.pb-c.h"

static void on_head(struct im_call *call, struct session *session, err_t err, struct str response, const char *detail)
{
	Skein__V1__SyncResponse *page = NULL;
	(void)call;
	(void)detail;

	if (!err)
		page = skein__v1__sync_response__unpack(NULL, response.len, (const uint8_t *)response.ptr);
	if (page && session && session->opening) {
		session->opening->epoch = page->epoch;
		session->opening->head = page->head;
		session->opening->knows_head = true;
	}
	if (page)
		skein__v1__sync_response__free_unpacked(page, NULL);
	if (session)
		session_admitted(session, err);
}

void session_read_head(struct session *session)
{
	Skein__V1__SyncRequest request = SKEIN__V1__SYNC_REQUEST__INIT;
	uint8_t bytes[128];

	request.uid = (char *)session_uid(session);
	request.limit = 1;
	size_t len = skein__v1__sync_request__pack(&request, bytes);
	im_call_start(mem_zalloc(sizeof(struct im_call)), session, "/skein.v1.Im/Sync", str_of(bytes, len), on_head);
}

#endif
