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
	CURLM *multi; /* NULL after curl_loop_close() */
	uv_loop_t *loop;
	uv_timer_t timer;
	struct list watches;
	unsigned open_handles;
	/* A transfer ended, with `code`. It was removed from the multi handle unless `keeps`; it may be started again
	 * or freed here. */
	void (*done)(struct curl_loop *loop, CURL *easy, CURLcode code);
	void (*closed)(struct curl_loop *loop);
	bool keeps; /* transfers that ended stay in the multi handle, which keeps their connections open */
};

void curl_loop_init(struct curl_loop *loop, uv_loop_t *uv, void (*done)(struct curl_loop *loop, CURL *easy, CURLcode code));

/* The multi handle must be empty, unless `keeps`. `closed` is called on a later turn of the loop. */
void curl_loop_close(struct curl_loop *loop, void (*closed)(struct curl_loop *loop));

#endif
