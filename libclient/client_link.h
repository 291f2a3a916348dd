#ifndef SKEIN_LIBCLIENT_CLIENT_LINK_H
#define SKEIN_LIBCLIENT_CLIENT_LINK_H

#include "libclient/client_state.h"

/* Finding a gateway, connecting to it, and its frames. Thread: the loop's. */

/* LIFE_FIND: asks the current base for the gateways. */
void client_link_find(struct skein_client *client);

/* LIFE_OPEN: connects to the gateway that life chose. */
void client_link_open(struct skein_client *client);

/* Closes the connection that has not said hello, or every connection. */
void client_link_drop_opening(struct skein_client *client);
void client_link_drop(struct skein_client *client);

void client_link_forget_gateways(struct skein_client *client);

/* False: there is no connection, or too much is waiting. */
bool client_link_send(struct skein_client *client, struct str text);

#endif
