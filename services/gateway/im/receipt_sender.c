#include "gateway/im/receipt_sender.h"

#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"
#include "rpc/client/rpc_client.h"

static void receipt_sender_on_pause_over(struct timer *timer);

void receipt_sender_init(struct receipt_sender *sender, struct worker *worker, struct rpc_channel *channel,
                         const struct receipt_counters *counters)
{
	*sender = (struct receipt_sender){ .worker = worker, .channel = channel, .counters = *counters };
	receipts_init(&sender->waiting);
	timer_init(&sender->pause, receipt_sender_on_pause_over);
}

static void receipt_sender_on_answer(void *arg, err_t err, struct str response, const char *detail);

static void receipt_sender_call(struct receipt_sender *sender)
{
	struct buf request = { 0 };

	worker_cancel(sender->worker, &sender->pause);
	sender->in_call = receipts_take(&sender->waiting, &request);
	rpc_call(sender->channel, sender->worker, "/skein.v1.Im/Delivered", buf_str(&request), RECEIPT_TIMEOUT_MS, false,
	         STR(""), receipt_sender_on_answer, sender);
	buf_release(&request);
}

/* Starts the next call, or the pause before it. */
static void receipt_sender_go_on(struct receipt_sender *sender)
{
	size_t count = receipts_count(&sender->waiting);

	if (sender->is_stopped || sender->in_call || !count)
		return;
	if (count >= RECEIPTS_BATCH)
		receipt_sender_call(sender);
	else if (!timer_is_armed(&sender->pause))
		worker_arm_in(sender->worker, &sender->pause, RECEIPT_PAUSE_MS);
}

static void receipt_sender_on_answer(void *arg, err_t err, struct str response, const char *detail)
{
	struct receipt_sender *sender = arg;
	(void)response;

	counter_add(err ? sender->counters.dropped_im : sender->counters.told, sender->in_call);
	if (err)
		log_debug("im took no delivered receipts", LOG_NUM("receipts", sender->in_call), LOG_ERR(err),
		          LOG_TEXT("why", detail));
	sender->in_call = 0;
	receipt_sender_go_on(sender);
}

static void receipt_sender_on_pause_over(struct timer *timer)
{
	receipt_sender_call(container_of(timer, struct receipt_sender, pause));
}

static void receipt_sender_on_added(struct receipt_sender *sender, bool is_added)
{
	if (!is_added)
		counter_add(sender->counters.dropped_full, 1);
	receipt_sender_go_on(sender);
}

void receipt_sender_add(struct receipt_sender *sender, const char *uid, const char *conversation_id, uint64_t seq)
{
	if (!sender->is_stopped)
		receipt_sender_on_added(sender, receipts_add(&sender->waiting, uid, conversation_id, seq));
}

void receipt_sender_add_range(struct receipt_sender *sender, const char *uid, const struct pulled *range)
{
	if (!sender->is_stopped)
		receipt_sender_on_added(sender, receipts_add_range(&sender->waiting, uid, range));
}

void receipt_sender_stop(struct receipt_sender *sender)
{
	sender->is_stopped = true;
	worker_cancel(sender->worker, &sender->pause);
}

void receipt_sender_release(struct receipt_sender *sender)
{
	receipts_release(&sender->waiting);
}
