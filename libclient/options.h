#ifndef SKEIN_LIBCLIENT_OPTIONS_H
#define SKEIN_LIBCLIENT_OPTIONS_H

#include "libclient/skein_client.h"

/* The options of a client: checked, completed and copied. */

bool options_are_valid(const struct skein_options *options);
bool options_token_is_valid(const char *token);

/* A copy with texts of its own and defaults in place of zeros; without `token` and `state`, which change. Release it. */
void options_copy(struct skein_options *to, const struct skein_options *from);
void options_release(struct skein_options *options);

#endif
