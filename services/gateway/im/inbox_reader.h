#ifndef SKEIN_GATEWAY_IM_INBOX_READER_H
#define SKEIN_GATEWAY_IM_INBOX_READER_H

#include <stdbool.h>

#include "gateway/im/im_call.h"

/*
 * Reads inboxes through im for the connections of one worker, a page at a time.
 * Thousands of clients may reconnect at once: at most INBOX_READS_MAX calls are
 * under way, the other reads wait in line, first come, first served.
 *
 * Thread, of everything here: the worker's.
 */

#define INBOX_READS_MAX 64
#define INBOX_READ_PATIENCE_MS 10000 /* the longest that a read waits in line */

enum read_purpose {
	READ_CATCH_UP, /* the messages after the position that the client named */
	READ_HOLE, /* missing numbers */
	READ_AGAIN, /* the messages in flight, to send them again */
};

/* A read of the numbers after + 1 .. to under this epoch of the inbox. On the heap; its connection owns it. */
struct inbox_read {
	struct list waiting; /* in line */
	struct session *session;
	uint64_t conn;
	const char *uid; /* the session's */
	enum read_purpose purpose;
	unsigned failures;
	uint64_t epoch, after, to;
	uint64_t deadline_ms; /* 0: the call is under way; else the next try, or the end of waiting in line */
};

struct inbox_reader {
	struct im_caller *caller;
	uint64_t timeout_ms; /* of a call */
	struct list waiting;
	unsigned under_way;
	/* How many entries to ask for. Called when the call of this read starts. */
	uint32_t (*page_size)(const struct inbox_read *read);
	/* im has answered the read of this session. */
	void (*answered)(struct session *session, err_t err, struct str response);
};

void inbox_reader_init(struct inbox_reader *reader, struct im_caller *caller, uint64_t timeout_ms);

/* Puts the read in line; its call starts at once if there is room. */
void inbox_reader_queue(struct inbox_reader *reader, struct inbox_read *read);

static inline bool inbox_read_is_waiting(const struct inbox_read *read)
{
	return !list_is_empty(&read->waiting);
}

/* Takes it out of line and frees it. An answer that comes later is dropped if its session is gone by then. */
void inbox_read_free(struct inbox_read *read);

#endif
