#ifndef SKEIN_IM_API_H
#define SKEIN_IM_API_H

#include "net/http/http_server.h"

/* The handlers of contract section 3, a file per resource: users_api.c and so on. `arg` is the struct app. */

void users_api_register(struct http_request *request, void *arg);
void users_api_login(struct http_request *request, void *arg);
void users_api_refresh(struct http_request *request, void *arg);
void logout_api_log_out(struct http_request *request, void *arg);
void groups_api_create(struct http_request *request, void *arg);
void messages_api_send(struct http_request *request, void *arg);
void messages_api_send_batch(struct http_request *request, void *arg);
void history_api_read(struct http_request *request, void *arg);
void sync_api_read(struct http_request *request, void *arg);
void endpoints_api_list(struct http_request *request, void *arg);
void admin_api_nodes(struct http_request *request, void *arg);

#endif
