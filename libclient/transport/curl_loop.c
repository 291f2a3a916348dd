#include "libclient/transport/curl_loop.h"

#include <stdlib.h>

#include "base/macros.h"
#include "base/mem.h"

struct watch {
	uv_poll_t poll;
	struct list link;
	struct curl_loop *loop;
	curl_socket_t fd;
};

static void curl_loop_handle_closed(struct curl_loop *loop)
{
	if (--loop->open_handles == 0 && loop->closed)
		loop->closed(loop);
}

/* ---- events of the loop go to curl ---- */

/* Calls `done` for each transfer that the event ended. A `done` may close the loop. */
static void curl_loop_act(struct curl_loop *loop, curl_socket_t fd, int events)
{
	CURLMsg *message;
	int running, more;

	curl_multi_socket_action(loop->multi, fd, events, &running);
	while (loop->multi && (message = curl_multi_info_read(loop->multi, &more))) {
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		if (!loop->keeps)
			curl_multi_remove_handle(loop->multi, easy);
		loop->done(loop, easy, code);
	}
}

static void curl_loop_on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = container_of(poll, struct watch, poll);

	curl_loop_act(watch->loop, watch->fd,
	    status < 0 ? CURL_CSELECT_ERR : ((events & UV_READABLE) ? CURL_CSELECT_IN : 0) |
	                                            ((events & UV_WRITABLE) ? CURL_CSELECT_OUT : 0));
}

static void curl_loop_on_timer(uv_timer_t *timer)
{
	curl_loop_act(container_of(timer, struct curl_loop, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* ---- requests of curl go to the loop ---- */

static int curl_loop_set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_loop *loop = arg;

	(void)multi;
	if (timeout_ms < 0)
		uv_timer_stop(&loop->timer);
	else
		uv_timer_start(&loop->timer, curl_loop_on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static void curl_loop_on_watch_closed(uv_handle_t *handle)
{
	struct watch *watch = container_of((uv_poll_t *)handle, struct watch, poll);
	struct curl_loop *loop = watch->loop;

	mem_free(watch);
	curl_loop_handle_closed(loop);
}

static void curl_loop_stop_watching(struct watch *watch)
{
	list_remove(&watch->link);
	uv_close((uv_handle_t *)&watch->poll, curl_loop_on_watch_closed);
}

static struct watch *curl_loop_start_watching(struct curl_loop *loop, curl_socket_t fd)
{
	struct watch *watch = MEM_NEW(struct watch);

	if (uv_poll_init_socket(loop->loop, &watch->poll, fd)) {
		mem_free(watch);
		return NULL;
	}
	watch->loop = loop;
	watch->fd = fd;
	loop->open_handles++;
	list_push_back(&loop->watches, &watch->link);
	curl_multi_assign(loop->multi, fd, watch);
	return watch;
}

static int curl_loop_set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct curl_loop *loop = arg;
	struct watch *watch = socket_arg;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			curl_loop_stop_watching(watch);
		curl_multi_assign(loop->multi, fd, NULL);
		return 0;
	}
	watch = watch ? watch : curl_loop_start_watching(loop, fd);
	if (!watch)
		return -1;
	return uv_poll_start(&watch->poll, ((what & CURL_POLL_IN) ? UV_READABLE : 0) | ((what & CURL_POLL_OUT) ? UV_WRITABLE : 0),
	                     curl_loop_on_ready);
}

void curl_loop_init(struct curl_loop *loop, uv_loop_t *uv, void (*done)(struct curl_loop *loop, CURL *easy, CURLcode code))
{
	*loop = (struct curl_loop){ .loop = uv, .done = done, .open_handles = 1 };
	list_init(&loop->watches);
	uv_timer_init(uv, &loop->timer);
	loop->multi = curl_multi_init();
	if (!loop->multi)
		abort(); /* out of memory, as in base/mem.h */
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, curl_loop_set_socket);
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, curl_loop_set_timer);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
}

static void curl_loop_on_timer_closed(uv_handle_t *handle)
{
	curl_loop_handle_closed(container_of((uv_timer_t *)handle, struct curl_loop, timer));
}

void curl_loop_close(struct curl_loop *loop, void (*closed)(struct curl_loop *loop))
{
	loop->closed = closed;
	curl_multi_cleanup(loop->multi);
	loop->multi = NULL;
	list_for_each(link, &loop->watches)
		curl_loop_stop_watching(container_of(link, struct watch, link));
	uv_close((uv_handle_t *)&loop->timer, curl_loop_on_timer_closed);
}
