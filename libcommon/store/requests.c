#include "store/requests.h"

#include <assert.h>

#include "base/clock.h"

static void requests_end_refused(struct requests *requests)
{
	struct list refused;

	/* Requests refused from inside `end` wait for the next turn: a caller that retries at once must not block the loop. */
	list_init(&refused);
	list_splice_back(&refused, &requests->refused);
	for (struct list *link; (link = list_pop_front(&refused));) {
		struct request *request = container_of(link, struct request, link);
		requests_end(requests, request, ERR_UNAVAILABLE);
		requests->free(request);
	}
}

static void requests_on_refuse(uv_idle_t *refuse)
{
	struct requests *requests = refuse->data;

	requests_end_refused(requests);
	if (list_is_empty(&requests->refused))
		uv_idle_stop(refuse);
}

void requests_init(struct requests *requests, struct worker *worker, unsigned max_open, uint64_t timeout_ms,
                   struct gauge *open_gauge)
{
	*requests = (struct requests){
		.worker = worker,
		.max_open = max_open,
		.timeout_ms = timeout_ms,
		.open_gauge = open_gauge,
	};
	list_init(&requests->refused);
	uv_idle_init(&worker->loop, &requests->refuse); /* never fails */
	requests->refuse.data = requests;
}

void requests_close(struct requests *requests, uv_close_cb closed)
{
	/* The loop ends because callers know that the client is closing and give no more requests. */
	while (!list_is_empty(&requests->refused))
		requests_end_refused(requests);
	uv_close((uv_handle_t *)&requests->refuse, closed);
}

static void requests_change_open(struct requests *requests, int by)
{
	requests->open += (unsigned)by;
	gauge_add(requests->open_gauge, by);
}

bool requests_admit(struct requests *requests, struct request *request)
{
	request->is_ended = false;
	request->deadline_ms = clock_mono_ms() + requests->timeout_ms;
	list_init(&request->link);
	requests_change_open(requests, 1);
	if (requests->open <= requests->max_open)
		return true;
	requests_refuse(requests, request);
	return false;
}

void requests_refuse(struct requests *requests, struct request *request)
{
	assert(!uv_is_closing((uv_handle_t *)&requests->refuse)); /* given after the closing */
	list_push_back(&requests->refused, &request->link);
	uv_idle_start(&requests->refuse, requests_on_refuse);
}

void requests_end(struct requests *requests, struct request *request, err_t err)
{
	if (request->is_ended)
		return;
	request->is_ended = true;
	requests_change_open(requests, -1);
	requests->end(request, err);
}

static struct request *requests_first_of(const struct list *list)
{
	return list_is_empty(list) ? NULL : container_of(list->next, struct request, link);
}

static uint64_t pipeline_stall_ms(const struct pipeline *pipeline)
{
	return pipeline->progress_ms + pipeline->requests->timeout_ms;
}

static void pipeline_find_oldest_open(struct pipeline *pipeline, struct list *from)
{
	pipeline->oldest_open = NULL;
	for (struct list *link = from; link != &pipeline->sent && !pipeline->oldest_open; link = link->next) {
		struct request *request = container_of(link, struct request, link);
		if (!request->is_ended)
			pipeline->oldest_open = request;
	}
}

/*
 * The timer is armed for the first request of an empty pipeline. When it fires it is armed again for the next deadline, so
 * a request that is answered in time costs no timer operation.
 */
static void pipeline_arm(struct pipeline *pipeline)
{
	uint64_t next = UINT64_MAX;
	struct request *waiting = requests_first_of(&pipeline->waiting), *open = pipeline->oldest_open;

	if (waiting)
		next = MIN(next, waiting->deadline_ms);
	if (open)
		next = MIN(next, open->deadline_ms);
	if (!list_is_empty(&pipeline->sent) && pipeline->stalled)
		next = MIN(next, pipeline_stall_ms(pipeline));
	if (next != UINT64_MAX && (!timer_is_armed(&pipeline->timer) || next < pipeline->timer.deadline_ms))
		worker_arm(pipeline->requests->worker, &pipeline->timer, next);
}

static void pipeline_on_timer(struct timer *timer)
{
	struct pipeline *pipeline = container_of(timer, struct pipeline, timer);
	uint64_t now = clock_mono_ms();
	struct request *request;

	if (!list_is_empty(&pipeline->sent) && pipeline->stalled && pipeline_stall_ms(pipeline) <= now)
		pipeline->stalled(pipeline);
	while ((request = requests_first_of(&pipeline->waiting)) && request->deadline_ms <= now) {
		list_remove(&request->link);
		pipeline->len--;
		requests_end(pipeline->requests, request, ERR_UNAVAILABLE);
		pipeline->requests->free(request);
	}
	while ((request = pipeline->oldest_open) && request->deadline_ms <= now) {
		pipeline_find_oldest_open(pipeline, request->link.next);
		requests_end(pipeline->requests, request, ERR_OUTCOME_UNKNOWN);
	}
	pipeline_arm(pipeline);
}

void pipeline_init(struct pipeline *pipeline, struct requests *requests, void (*stalled)(struct pipeline *pipeline))
{
	*pipeline = (struct pipeline){ .requests = requests, .stalled = stalled };
	list_init(&pipeline->waiting);
	list_init(&pipeline->sent);
	timer_init(&pipeline->timer, pipeline_on_timer);
}

void pipeline_push(struct pipeline *pipeline, struct request *request)
{
	list_push_back(&pipeline->waiting, &request->link);
	pipeline->len++;
	if (!timer_is_armed(&pipeline->timer))
		worker_arm(pipeline->requests->worker, &pipeline->timer, request->deadline_ms);
}

struct request *pipeline_oldest(const struct pipeline *pipeline)
{
	return requests_first_of(&pipeline->sent);
}

struct request *pipeline_next(const struct pipeline *pipeline)
{
	return requests_first_of(&pipeline->waiting);
}

void pipeline_mark_sent(struct pipeline *pipeline, struct request *request)
{
	if (list_is_empty(&pipeline->sent))
		pipeline->progress_ms = clock_mono_ms();
	list_remove(&request->link);
	list_push_back(&pipeline->sent, &request->link);
	pipeline->sent_len++;
	if (!pipeline->oldest_open && !request->is_ended)
		pipeline->oldest_open = request;
}

struct request *pipeline_take_answered(struct pipeline *pipeline)
{
	struct request *request = requests_first_of(&pipeline->sent);

	if (request == pipeline->oldest_open)
		pipeline_find_oldest_open(pipeline, request->link.next);
	list_remove(&request->link);
	pipeline->len--;
	pipeline->sent_len--;
	pipeline->progress_ms = clock_mono_ms();
	return request;
}

void pipeline_put_back(struct pipeline *pipeline, struct list *answered)
{
	list_for_each(link, answered)
		pipeline->len++;
	list_splice_back(answered, &pipeline->waiting);
	list_splice_back(&pipeline->waiting, answered);
	pipeline_arm(pipeline);
}

void pipeline_move_waiting(struct pipeline *to, struct pipeline *from)
{
	list_for_each(link, &from->waiting) {
		from->len--;
		to->len++;
	}
	list_splice_back(&to->waiting, &from->waiting);
	pipeline_arm(to);
}

static void pipeline_end_all(struct pipeline *pipeline, struct list *list, err_t err)
{
	struct list ended;

	/* Requests given from inside `end` go to the original list. */
	list_init(&ended);
	list_splice_back(&ended, list);
	list_for_each(link, &ended)
		pipeline->len--;
	for (struct list *link; (link = list_pop_front(&ended));) {
		struct request *request = container_of(link, struct request, link);
		requests_end(pipeline->requests, request, err);
		pipeline->requests->free(request);
	}
}

void pipeline_lose(struct pipeline *pipeline)
{
	pipeline->oldest_open = NULL;
	pipeline->sent_len = 0;
	pipeline_end_all(pipeline, &pipeline->sent, ERR_OUTCOME_UNKNOWN);
}

void pipeline_close(struct pipeline *pipeline)
{
	pipeline_lose(pipeline);
	pipeline_end_all(pipeline, &pipeline->waiting, ERR_UNAVAILABLE);
	worker_cancel(pipeline->requests->worker, &pipeline->timer);
}
