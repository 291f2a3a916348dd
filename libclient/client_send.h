#ifndef SKEIN_LIBCLIENT_CLIENT_SEND_H
#define SKEIN_LIBCLIENT_CLIENT_SEND_H

#include "libclient/client_state.h"

/* POST /v1/messages for each send of the application, until it is answered. Thread: the loop's. */

/* Starts the sends that may go now. */
void client_send_start(struct skein_client *client);

/* Tells on_sent "closed" for each send without an answer, and forgets them. */
void client_send_abandon(struct skein_client *client);

#endif
