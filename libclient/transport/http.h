#ifndef SKEIN_LIBCLIENT_TRANSPORT_HTTP_H
#define SKEIN_LIBCLIENT_TRANSPORT_HTTP_H

#include "base/text/buf.h"
#include "libclient/transport/curl_loop.h"
#include "libclient/skein_client.h"

/* HTTP calls over the connections of a skein_net. */

#define HTTP_MAX_ANSWER (16 * 1024 * 1024)

struct skein_net {
	struct curl_loop curl;
	char *ca_file;
	void (*closed)(void *arg);
	void *arg;
};

/* Options of every transfer, also of a WebSocket's connection. */
void http_configure(CURL *easy, const struct skein_net *net, bool uses_proxy);

struct http_answer {
	unsigned status; /* 0: no answer, or one over HTTP_MAX_ANSWER */
	uint64_t retry_after_ms;
	struct str body;
};

struct http_call {
	CURL *easy; /* NULL: no call is under way */
	struct skein_net *net;
	struct curl_slist *headers;
	struct buf received;
	/* Called once per http_start(), unless cancelled. The call may be started again or freed inside. */
	void (*answered)(struct http_call *call, const struct http_answer *answer);
};

struct http_request {
	const char *url, *token;
	struct str body; /* of a POST; GET if ptr is NULL. Its memory must live until the answer. */
	unsigned timeout_ms;
	bool uses_proxy;
};

void http_start(struct http_call *call, struct skein_net *net, const struct http_request *request,
                void (*answered)(struct http_call *call, const struct http_answer *answer));

/* No effect when no call is under way. */
void http_cancel(struct http_call *call);

#endif
