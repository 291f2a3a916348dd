#include "gateway/im/inbox_head.h"

#ifdef SKEIN_SABOTAGE

#include "base/mem.h"
#include "proto/im.pb-c.h"

struct inbox_head {
	struct im_call call;
	void (*answered)(struct session *session, uint64_t epoch, uint64_t head);
};

static void inbox_head_on_answer(struct im_call *call, struct session *session, err_t err, struct str response,
                                 const char *detail)
{
	Skein__V1__SyncResponse *page = NULL;
	(void)detail;

	if (!err)
		page = skein__v1__sync_response__unpack(NULL, response.len, (const uint8_t *)response.ptr);
	if (session)
		container_of(call, struct inbox_head, call)->answered(session, page ? page->epoch : 0, page ? page->head : 0);
	if (page)
		skein__v1__sync_response__free_unpacked(page, NULL);
}

void inbox_head_ask(struct im_caller *caller, uint64_t conn, const char *uid,
                    void (*answered)(struct session *session, uint64_t epoch, uint64_t head))
{
	Skein__V1__SyncRequest request = SKEIN__V1__SYNC_REQUEST__INIT;
	struct inbox_head *head = MEM_NEW(struct inbox_head);
	uint8_t bytes[128];

	request.uid = (char *)uid;
	request.limit = 1;
	size_t len = skein__v1__sync_request__pack(&request, bytes);
	head->answered = answered;
	im_call_start(&head->call, caller, conn, "/skein.v1.Im/Sync", str_of(bytes, len), inbox_head_on_answer);
}

#endif
