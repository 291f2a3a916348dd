#ifndef SKEIN_BASE_TEXT_BASE64_H
#define SKEIN_BASE_TEXT_BASE64_H

#include "base/text/buf.h"
#include "base/error.h"

/* base64url without padding (RFC 4648 section 5), as JWT writes it. */
void base64url_encode(struct buf *out, struct str bytes);

/* Strict: any character outside the alphabet, padding, or stray bits is ERR_INVALID_ARGUMENT. */
err_t base64url_decode(struct buf *out, struct str text) MUST_CHECK;

#endif
