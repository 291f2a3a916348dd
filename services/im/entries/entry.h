#ifndef SKEIN_IM_ENTRIES_ENTRY_H
#define SKEIN_IM_ENTRIES_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "base/text/str.h"
#include "im/messages/send_request.h"
#include "im/lease/watermark.h"

/* What became of a send. */
struct send_result {
	err_t err;
	const char *field; /* of an err; may be NULL */
	const char *detail;
	struct str conversation_id;
	uint64_t msg_id;
	int64_t seq;
	int64_t time;
	bool is_duplicate;
};

/* `result` is valid during the call. */
typedef void (*send_done)(void *arg, const struct send_result *result);

/*
 * A validated send on its way into the database: one allocation, every text in
 * it terminated. It belongs to the batcher from batcher_send() on.
 */
struct send {
	struct list link; /* in its lane */
	struct list by_deadline;
	uint64_t deadline_ms;
	uint64_t conversation_hash;
	send_done done; /* NULL once it was answered, though its outcome may still be looked for */
	void *arg;
	uint64_t id; /* drawn when it is first put into a batch */
	struct watermark_place place; /* of the id */
	bool is_in_doubt; /* a batch with it may have been committed */
	int64_t reply_to; /* 0: none */
	struct str conversation, sender, client_msg_id, type, body;
	struct str user, group; /* one of the two has a ptr */
	struct str mentions; /* joined by commas; ptr NULL: none */
	struct str traceparent; /* may be empty */
	size_t size; /* of all of it */
};

/* `request` is copied. */
struct send *send_new(struct str sender, const struct send_request *request, struct str traceparent,
                      send_done done, void *arg);
void send_free(struct send *send);

/* Tells the caller, if it was not told yet. */
void send_answer(struct send *send, const struct send_result *result);

#endif
