#ifndef SKEIN_TOOLS_LINK_H
#define SKEIN_TOOLS_LINK_H

#include <jansson.h>
#include <stdint.h>

/*
 * A WebSocket connection to a gateway, for a program that waits for one thing
 * at a time. Frames are JSON objects, kept in order until they are asked for.
 * A message is acknowledged when the program comes back for the next frame.
 */
struct link;

/* Connects as that user and device; `more` is "" or further parameters ("&epoch=..."). Ends the program if refused. */
struct link *link_open(const char *ws_url, const char *token, const char *device, const char *more);
void link_close(struct link *link);

/*
 * The next frame; NULL when timeout_ms is over (0: never). json_decref() it.
 * Ends the program when the connection is closed. `at_us`, unless NULL: when it came, on the monotonic clock.
 */
json_t *link_next(struct link *link, uint64_t timeout_ms, uint64_t *at_us);

/* Frees what all links share. */
void link_end(void);

#endif
