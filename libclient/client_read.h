#ifndef SKEIN_LIBCLIENT_CLIENT_READ_H
#define SKEIN_LIBCLIENT_CLIENT_READ_H

#include "libclient/client_state.h"

/* Reading missing messages over HTTP, and handing messages to the application. Thread: the loop's. */

/* INBOX_SYNC and INBOX_PULL: one request at a time, repeated until its answer is final. */
void client_read_sync(struct skein_client *client, const struct inbox_position *from);
void client_read_history(struct skein_client *client, struct str conversation, uint64_t after_seq);

/* Asks again, after the time of the retry. */
void client_read_again(struct skein_client *client);

/* Cancels the request. */
void client_read_stop(struct skein_client *client);

/* INBOX_HAND_OVER. */
void client_read_hand_over(struct skein_client *client, const struct inbox_effect *effect);

#endif
