#ifndef SKEIN_NET_HTTP_HTTP_CONNECTION_H
#define SKEIN_NET_HTTP_HTTP_CONNECTION_H

#include <microhttpd.h>

/*
 * Callbacks of libmicrohttpd for a connection; http_server.c registers them. `cls` is the struct http_connections
 * of the server. Thread: the worker's, inside MHD_run().
 */

struct http_connections;

void http_connection_notify(void *cls, struct MHD_Connection *conn, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);
void *http_connection_first_line(void *cls, const char *target, struct MHD_Connection *conn);
enum MHD_Result http_connection_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
                                        const char *version, const char *bytes, size_t *len, void **context);
void http_connection_completed(void *cls, struct MHD_Connection *conn, void **context,
                               enum MHD_RequestTerminationCode code);

/* Drops the clients whose time is up. Call it about once a second. */
void http_connection_drop_overdue(struct http_connections *server);

#endif
