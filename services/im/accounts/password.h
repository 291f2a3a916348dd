#ifndef SKEIN_IM_ACCOUNTS_PASSWORD_H
#define SKEIN_IM_ACCOUNTS_PASSWORD_H

#include <stdbool.h>

#include "base/text/str.h"

/*
 * Passwords as they are stored: scrypt (N = 2^14, r = 8, p = 1: about 50 ms and
 * 16 MiB) of a random salt, as text that says how it was made:
 *
 *   scrypt$14$8$1$<salt>$<key>      salt and key in base64url
 *
 * Slow on purpose: never on the loop. Thread: any.
 */

#define PASSWORD_MIN_BYTES 6
#define PASSWORD_MAX_BYTES 128
#define PASSWORD_TEXT_SIZE 128 /* with the terminator */

void password_hash(char out[PASSWORD_TEXT_SIZE], struct str password);

/* Whether `text` was made of this password; false, after the same time, for a text that password_hash() did not make. */
bool password_matches(struct str text, struct str password);

#endif
