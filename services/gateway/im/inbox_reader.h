#ifndef SKEIN_GATEWAY_IM_INBOX_READER_H
#define SKEIN_GATEWAY_IM_INBOX_READER_H

#include <stdbool.h>

#include "gateway/im/im_call.h"

/*
 * Reads inboxes through im for the connections of one worker, a page at a time.
 * Thousands may reconnect at once: INBOX_READS_MAX calls are under way, the other
 * reads wait in line, each connection behind all that came before it.
 *
 * Thread, of everything here: the worker's.
 */

#define INBOX_READS_MAX 64
#define INBOX_READ_PATIENCE_MS 10000 /* the longest that a read waits for its turn */

enum read_purpose {
	READ_CATCH_UP, /* what the client says that it has not */
	READ_HOLE, /* numbers that are missing */
	READ_AGAIN, /* what is in flight, for a second copy */
};

/* The numbers after + 1 .. to are asked for, of this epoch of the inbox. Of the heap; its connection owns it. */
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
	/* Entries to ask for, when the turn of a read has come. */
	uint32_t (*page_size)(const struct inbox_read *read);
	/* An answer to the read of this session. */
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
