#include "gateway/im/admission.h"

#include "base/mem.h"
#include "proto/im.pb-c.h"

struct admission {
	struct im_call call;
	admission_answered answered;
};

static void admission_on_answer(struct im_call *call, struct session *session, err_t err, struct str response,
                                const char *detail)
{
	(void)response;
	(void)detail;
	if (session)
		container_of(call, struct admission, call)->answered(session, err);
}

void admission_ask(struct im_caller *caller, uint64_t conn, const char *uid, struct str token_id, uint64_t issued_ms,
                   admission_answered answered)
{
	Skein__V1__AdmitRequest request = SKEIN__V1__ADMIT_REQUEST__INIT;
	struct admission *admission = MEM_NEW(struct admission);
	uint8_t bytes[128];

	request.uid = (char *)uid;
	request.token_id = (ProtobufCBinaryData){ token_id.len, (uint8_t *)token_id.ptr };
	request.issued_ms = issued_ms;
	size_t len = skein__v1__admit_request__pack(&request, bytes);
	admission->answered = answered;
	admission->call.retries = IM_CALL_RETRIES;
	im_call_start(&admission->call, caller, conn, "/skein.v1.Im/Admit", str_of(bytes, len), admission_on_answer);
}
