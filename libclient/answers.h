#ifndef SKEIN_LIBCLIENT_ANSWERS_H
#define SKEIN_LIBCLIENT_ANSWERS_H

#include <jansson.h>

#include "libclient/machines/inbox.h"
#include "libclient/skein_client.h"

/*
 * Reads a server's answers and messages from their JSON. Every field is checked; a function that finds an invalid one returns
 * false (or NULL) and leaves nothing allocated. Pure.
 */

/* The object, or NULL if the text is none. It may be nested deeper than a message's body: a page wraps messages. */
json_t *answer_read(struct str text);

/* ---- messages ---- */

struct delivery {
	struct inbox_item item;
	struct skein_message message; /* points into `json` */
	json_t *json;
};

/* A message in the shape of contract section 1, with that offset (0: none). NULL: it has another shape. */
struct delivery *delivery_new(json_t *message, uint64_t offset, uint32_t bytes);
void delivery_free(struct delivery *delivery);
void delivery_let_go(struct inbox_item *item);

static inline struct delivery *delivery_of(struct inbox_item *item)
{
	return container_of(item, struct delivery, item);
}

/* A decimal number as text in field `name`; 0 if it is absent and may be. */
bool answer_offset(const json_t *object, const char *name, bool may_be_absent, uint64_t *offset);

/* The text in field `epoch` if it has 1 to INBOX_EPOCH_MAX characters, else empty. */
struct str answer_epoch(const json_t *object);

/* ---- answers ---- */

/* GET /v1/sync. Marks live as long as `root`; mem_free() them. */
bool answer_page(const json_t *root, struct inbox_page *page, struct inbox_mark **marks);

/* GET /v1/conversations/{id}/messages: the messages of that conversation, linked; `is_last`: there is no further page. */
bool answer_history(const json_t *root, struct str conversation, struct list *items, bool *is_last);

struct answer_endpoints {
	const char *urls[16]; /* ws:// or wss:// */
	unsigned count;
	uint64_t retry_min_ms, retry_max_ms;
};

bool answer_endpoints(const json_t *root, struct answer_endpoints *endpoints);

/* 200 of POST /v1/messages. Sets the fields that the answer has; the others keep their values. */
bool answer_sent(const json_t *root, struct skein_sent *sent);

/* ---- the state that an application keeps ---- */

char *state_write(const struct inbox *inbox);

/* Into a new inbox. False: the text is not a state. */
bool state_read(struct inbox *inbox, const char *text);

#endif
