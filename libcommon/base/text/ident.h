#ifndef SKEIN_BASE_TEXT_IDENT_H
#define SKEIN_BASE_TEXT_IDENT_H

#include <stdbool.h>

#include "base/text/str.h"
#include "base/text/utf8.h"

/* The forms of contract section 1. */

/* uid, group id, room id, device id: 1-64 of A-Z a-z 0-9 _ . - */
bool ident_is_valid(struct str s);

/* 1-64 printable ASCII characters, no space. */
bool client_msg_id_is_valid(struct str s);

/* ios android web desktop mini bot */
bool platform_is_valid(struct str s);

/* A name for people: valid UTF-8, 1-128 characters, no control characters. */
bool display_name_is_valid(struct str s);

/* `u:<a>:<b>` with a <= b bytewise, `g:<gid>`, `r:<room>` */
enum conversation_kind { CONVERSATION_DIRECT = 1, CONVERSATION_GROUP = 2, CONVERSATION_ROOM = 3 };

#define CONVERSATION_ID_MAX 131

struct conversation {
	enum conversation_kind kind;
	struct str first; /* user a, or the group's or room's id */
	struct str second; /* user b, or empty */
};

/* False if `id` is not a conversation id; `out` points into `id`. */
bool conversation_parse(struct str id, struct conversation *out);

/* Writes `u:<a>:<b>` in order, with a terminator; returns the length. Both uids are valid. */
size_t conversation_direct(char out[CONVERSATION_ID_MAX + 1], struct str uid, struct str other);
size_t conversation_group(char out[CONVERSATION_ID_MAX + 1], struct str gid);

/* The other user of a one-to-one conversation that `uid` is in; `uid` itself in a conversation with oneself. */
struct str conversation_peer(const struct conversation *conversation, struct str uid);

#endif
