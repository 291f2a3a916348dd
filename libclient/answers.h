#ifndef SKEIN_LIBCLIENT_ANSWERS_H
#define SKEIN_LIBCLIENT_ANSWERS_H

#include <jansson.h>

#include "libclient/machines/inbox.h"
#include "libclient/skein_client.h"

/*
 * What a server says, out of its JSON. Nothing in it is believed before it is looked at; a function that finds something
 * that cannot be returns false and leaves nothing behind. Pure.
 */

/* The object, or NULL. Deeper than a message's body may be: a page wraps it. */
json_t *answer_read(struct str text);

/* ---- messages ---- */

struct delivery {
	struct inbox_item item;
	struct skein_message message; /* points into `json` */
	json_t *json;
};

/* `message` in the shape of contract section 1, under that offset (0: none); NULL: it is not. */
struct delivery *delivery_new(json_t *message, uint64_t offset, uint32_t bytes);
void delivery_free(struct delivery *delivery);
void delivery_let_go(struct inbox_item *item);

static inline struct delivery *delivery_of(struct inbox_item *item)
{
	return container_of(item, struct delivery, item);
}

/* A decimal text in field `name`; absent gives 0 if `may_be_absent`. */
bool answer_offset(const json_t *object, const char *name, bool may_be_absent, uint64_t *offset);

/* The text in field `name`, if it is one of 1 to INBOX_EPOCH_MAX characters; else empty. */
struct str answer_epoch(const json_t *object);

/* ---- answers ---- */

/* GET /v1/sync. Marks live as long as `root`; mem_free() them. */
bool answer_page(const json_t *root, struct inbox_page *page, struct inbox_mark **marks);

/* GET /v1/conversations/{id}/messages: the messages of that conversation, linked; whether they are the last. */
bool answer_history(const json_t *root, struct str conversation, struct list *items, bool *is_last);

struct answer_endpoints {
	const char *urls[16]; /* ws:// or wss:// */
	unsigned count;
	uint64_t retry_min_ms, retry_max_ms;
};

bool answer_endpoints(const json_t *root, struct answer_endpoints *endpoints);

/* 200 of POST /v1/messages; what is not about the answer stays as it was. */
bool answer_sent(const json_t *root, struct skein_sent *sent);

/* ---- the state that an application keeps ---- */

char *state_write(const struct inbox *inbox);

/* False: it is none. The inbox is a new one. */
bool state_read(struct inbox *inbox, const char *text);

#endif
