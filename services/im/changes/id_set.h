#ifndef SKEIN_IM_CHANGES_ID_SET_H
#define SKEIN_IM_CHANGES_ID_SET_H

#include <stdbool.h>

#include "base/map.h"
#include "net/jwt.h"

/*
 * A set of ids, of revoked tokens or of changes, each kept until it expires. An id takes 64 bytes.
 * A lookup in an empty set costs nothing. Thread: one.
 */
struct id_set {
	struct map by_id;
};

void id_set_init(struct id_set *set);
void id_set_release(struct id_set *set);

/* False if it is there already. */
bool id_set_add(struct id_set *set, const unsigned char id[JWT_TOKEN_ID_BYTES], uint64_t expires_ms);

bool id_set_have(const struct id_set *set, struct str id);

/* Removes the ids that expired before `expired_ms`; walks over all of them. */
void id_set_forget(struct id_set *set, uint64_t expired_ms);

#endif
