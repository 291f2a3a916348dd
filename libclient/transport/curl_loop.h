#ifndef SKEIN_LIBCLIENT_TRANSPORT_CURL_LOOP_H
#define SKEIN_LIBCLIENT_TRANSPORT_CURL_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

#include "base/list.h"

/*
 * libcurl's transfers on a libuv loop: one multi handle, a poll handle for each of its sockets and a timer. Closing has two
 * phases, as with every handle of a loop.
 */
struct curl_loop {
	CURLM *multi; /* NULL when it is closed */
	uv_loop_t *loop;
	uv_timer_t timer;
	struct list watches;
	unsigned open_handles;
	/* A transfer ended, well or not. It is out of the multi handle unless `keeps`; it may be started again or freed here. */
	void (*done)(struct curl_loop *loop, CURL *easy, CURLcode code);
	void (*closed)(struct curl_loop *loop);
	bool keeps; /* transfers stay in: their connections live as long as they do */
};

void curl_loop_init(struct curl_loop *loop, uv_loop_t *uv, void (*done)(struct curl_loop *loop, CURL *easy, CURLcode code));

/* Nothing is in the multi handle any more, unless it keeps. `closed` is called on a later turn. */
void curl_loop_close(struct curl_loop *loop, void (*closed)(struct curl_loop *loop));

#endif
