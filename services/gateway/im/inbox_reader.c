#include "gateway/im/inbox_reader.h"

#include "base/mem.h"
#include "loop/worker.h"
#include "proto/im.pb-c.h"

struct inbox_reader_call {
	struct im_call call;
	struct inbox_reader *reader;
};

void inbox_reader_init(struct inbox_reader *reader, struct im_caller *caller, uint64_t timeout_ms)
{
	*reader = (struct inbox_reader){ .caller = caller, .timeout_ms = timeout_ms };
	list_init(&reader->waiting);
}

static void inbox_reader_give_turns(struct inbox_reader *reader);

static void inbox_reader_on_answer(struct im_call *call, struct session *session, err_t err, struct str response,
                                   const char *detail)
{
	struct inbox_reader *reader = container_of(call, struct inbox_reader_call, call)->reader;
	(void)detail;

	reader->under_way--;
	if (session)
		reader->answered(session, err, response);
	inbox_reader_give_turns(reader);
}

static void inbox_reader_give_turns(struct inbox_reader *reader)
{
	struct list *first;

	while (reader->under_way < INBOX_READS_MAX && (first = list_pop_front(&reader->waiting))) {
		struct inbox_read *read = container_of(first, struct inbox_read, waiting);
		struct inbox_reader_call *call = MEM_NEW(struct inbox_reader_call);
		Skein__V1__SyncRequest request = SKEIN__V1__SYNC_REQUEST__INIT;
		uint8_t bytes[128];

		request.uid = (char *)read->uid;
		request.epoch = read->epoch;
		request.offset = read->after;
		request.limit = reader->page_size(read);
		size_t len = skein__v1__sync_request__pack(&request, bytes);
		read->deadline_ms = 0;
		reader->under_way++;
		call->reader = reader;
		call->call.timeout_ms = reader->timeout_ms;
		im_call_start(&call->call, reader->caller, read->conn, "/skein.v1.Im/Sync", str_of(bytes, len),
		              inbox_reader_on_answer);
	}
}

void inbox_reader_queue(struct inbox_reader *reader, struct inbox_read *read)
{
	read->deadline_ms = worker_now_ms(reader->caller->worker) + INBOX_READ_PATIENCE_MS;
	list_push_back(&reader->waiting, &read->waiting);
	inbox_reader_give_turns(reader);
}

void inbox_read_free(struct inbox_read *read)
{
	list_remove(&read->waiting);
	mem_free(read);
}
