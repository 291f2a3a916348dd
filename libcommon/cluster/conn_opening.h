#ifndef SKEIN_CLUSTER_CONN_OPENING_H
#define SKEIN_CLUSTER_CONN_OPENING_H

/*
 * A gateway closes a connection that has no route this long after its handshake. The time covers im's answer (5 s) and a router
 * that is found not to answer. Whoever closes a user's connections finds none that is still opening after this time.
 */
#define CONN_OPENING_MS 8000

#endif
