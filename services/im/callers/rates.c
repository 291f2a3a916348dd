#include "im/callers/rates.h"

#include <math.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/rate_limit.h"

#define RATES_BUCKETS_MAX 100000 /* of a class */
#define RATES_REPORTS_MAX 1000 /* at once: other commands for Redis need room in its queue */

/* How long an answer that a bucket is empty is believed where tokens may come back (rates_give_back()), not by time alone. */
#define RATES_ASK_AGAIN_MS 1000

/* One bucket of this process. */
struct rate {
	struct user_lru_entry entry;
	struct rate_limit own;
	uint64_t empty_until_ms; /* as Redis said last of the shared bucket; monotonic */
	uint64_t believed_until_ms; /* until then nothing is taken; not after empty_until_ms */
	double owed; /* was taken here, and Redis does not know it */
	double portion; /* of `owed` to be reported; 0: the largest */
	bool is_reporting;
};

/* A question on its way. */
struct rates_question {
	struct rates *rates;
	struct rate_key *key;
	rates_answered done;
	void *arg;
};

/* A report on its way: what was taken here. */
struct rates_report {
	struct rates *rates;
	enum rate_class class;
	double count;
	struct rate_bucket_limit limit;
	size_t key_len;
	char key[];
};

void rates_init(struct rates *rates, const struct im_config *config, struct redis *redis)
{
	static const char help[] =
		"Rates of users, addresses and conversations that Redis was asked about; `away`: it did not answer, "
		"and the limits held for this process alone.";
	struct buf label = { 0 };

	*rates = (struct rates){ .config = config, .redis = redis, .now_ms = clock_mono_ms };
	rates->redis_asked = metrics_counter("skein_im_rate_redis_total", help, "outcome=\"asked\"");
	rates->redis_away = metrics_counter("skein_im_rate_redis_total", help, "outcome=\"away\"");
	rates->reports = metrics_gauge("skein_im_rate_reports_waiting", "Reports of rates that Redis has not answered.", NULL);
	for (int class = RATE_NONE + 1; class < RATE_CLASSES; class ++) {
		user_lru_init(&rates->buckets[class], RATES_BUCKETS_MAX, sizeof(struct rate));
		buf_clear(&label);
		buf_printf(&label, "class=\"%.*s\"", STR_ARG(rate_class_label((enum rate_class) class)));
		rates->refused[class] = metrics_counter("skein_im_rate_limited_total",
		                                        "Actions over the rate of a user, an address or a conversation.",
		                                        buf_text(&label));
	}
	buf_release(&label);
}

void rates_release(struct rates *rates)
{
	for (int class = RATE_NONE + 1; class < RATE_CLASSES; class ++)
		user_lru_release(&rates->buckets[class]);
}

static bool rates_are_limited(const struct rates *rates, enum rate_class class)
{
	return class != RATE_NONE && rates->config->limits_enabled;
}

static struct rate *rates_find(struct rates *rates, enum rate_class class, struct str key)
{
	struct user_lru_entry *entry = user_lru_find(&rates->buckets[class], key);

	return entry ? container_of(entry, struct rate, entry) : NULL;
}

/* True when Redis can be asked now. */
static bool rates_reach_redis(struct rates *rates)
{
	if (!rates->redis)
		return false;
	if (redis_is_connected(rates->redis))
		return true;
	counter_add(rates->redis_away, 1);
	return false;
}

/* ---- the bucket of this process ---- */

static bool rates_refuse(struct rates *rates, enum rate_class class, uint64_t missing_ms, uint64_t *wait_ms)
{
	counter_add(rates->refused[class], 1);
	*wait_ms = MAX(missing_ms, 1);
	return false;
}

/* Nothing is taken here for `wait_ms`; for `believed_ms`, if that is less. */
static void rates_note_empty(struct rate *rate, uint64_t now, uint64_t wait_ms, uint64_t believed_ms)
{
	rate->empty_until_ms = now + wait_ms;
	rate->believed_until_ms = now + MIN(wait_ms, believed_ms);
}

static bool rates_take_own(struct rates *rates, enum rate_class class, struct rate *rate, const struct rate_bucket_limit *limit,
                           uint64_t *wait_ms)
{
	uint64_t now = rates->now_ms();

	if (now < rate->believed_until_ms)
		return rates_refuse(rates, class, rate->empty_until_ms - now, wait_ms);
	if (rate_limit_take(&rate->own, limit->per_second, limit->burst, now))
		return true;
	return rates_refuse(rates, class, rate_limit_wait_ms(&rate->own, limit->per_second, limit->burst, now), wait_ms);
}

/* ---- what was taken, reported to Redis ---- */

static double rates_portion(const struct rate_bucket_limit *limit, double left)
{
	double whole = floor(limit->burst / RATES_PORTIONS);

	return MAX(1, MIN(whole, floor(left / RATES_PORTIONS)));
}

static void rates_on_reported(void *arg, err_t err, const struct rate_bucket_state *state)
{
	struct rates_report *report = arg;
	struct rate *rate = rates_find(report->rates, report->class, str_of(report->key, report->key_len));

	gauge_add(report->rates->reports, -1);
	if (err)
		counter_add(report->rates->redis_away, 1);
	if (rate) {
		rate->is_reporting = false;
		rate->owed += err ? report->count : 0;
		rate->portion = err ? rate->portion : rates_portion(&report->limit, (double)state->left);
		if (!err && state->left < 1)
			rates_note_empty(rate, report->rates->now_ms(), state->wait_ms, UINT64_MAX);
	}
	mem_free(report);
}

static void rates_report(struct rates *rates, enum rate_class class, struct rate *rate, const struct rate_bucket_limit *limit)
{
	struct str key = rate->entry.uid;
	struct rates_report *report = mem_alloc(sizeof(*report) + key.len);

	*report = (struct rates_report){ rates, class, floor(rate->owed), *limit, key.len };
	memcpy(report->key, key.ptr, key.len);
	rate->owed -= report->count;
	rate->is_reporting = true;
	gauge_add(rates->reports, 1);
	counter_add(rates->redis_asked, 1);
	rate_bucket_take(rates->redis, rate_class_label(class), key, limit, (int64_t)report->count, RATE_BUCKET_OWED,
	                 rates_on_reported, report);
}

bool rates_take(struct rates *rates, enum rate_class class, struct str key, uint64_t *wait_ms)
{
	if (!rates_are_limited(rates, class))
		return true;
	struct rate *rate = container_of(user_lru_make(&rates->buckets[class], key), struct rate, entry);
	const struct rate_bucket_limit limit = rate_class_limit(rates->config, class);

	if (!rates_take_own(rates, class, rate, &limit, wait_ms))
		return false;
	/* The shared bucket has got back at least what the own one has. */
	rate->owed = MIN(rate->owed + 1, ceil(rate->own.missing));
	if (rate->owed >= (rate->portion ? rate->portion : rates_portion(&limit, limit.burst)) && !rate->is_reporting
	    && gauge_value(rates->reports) < RATES_REPORTS_MAX && rates_reach_redis(rates))
		rates_report(rates, class, rate, &limit);
	return true;
}

/* ---- limits that are exact ---- */

static void rates_on_answer(void *arg, err_t err, const struct rate_bucket_state *state)
{
	struct rates_question *question = arg;
	struct rates *rates = question->rates;
	enum rate_class class = question->key->class;
	struct rate *rate = rates_find(rates, class, question->key->key);
	uint64_t wait_ms = 0;

	question->key->is_shared = !err;
	if (err) {
		counter_add(rates->redis_away, 1);
	} else if (!state->is_taken) {
		(void)rates_refuse(rates, class, state->wait_ms, &wait_ms);
		if (rate) {
			rate_limit_give_back(&rate->own);
			rates_note_empty(rate, rates->now_ms(), wait_ms, RATES_ASK_AGAIN_MS);
		}
	}
	question->done(question->arg, err || state->is_taken, wait_ms);
	mem_free(question);
}

void rates_ask(struct rates *rates, struct rate_key *key, rates_answered done, void *arg)
{
	uint64_t wait_ms = 0;

	key->is_shared = false;
	if (!rates_are_limited(rates, key->class)) {
		done(arg, true, 0);
		return;
	}
	struct rate *rate = container_of(user_lru_make(&rates->buckets[key->class], key->key), struct rate, entry);
	const struct rate_bucket_limit limit = rate_class_limit(rates->config, key->class);
	bool is_taken = rates_take_own(rates, key->class, rate, &limit, &wait_ms);

	if (!is_taken || !rates_reach_redis(rates)) {
		done(arg, is_taken, wait_ms);
		return;
	}
	struct rates_question *question = MEM_NEW(struct rates_question);
	*question = (struct rates_question){ rates, key, done, arg };
	counter_add(rates->redis_asked, 1);
	rate_bucket_take(rates->redis, rate_class_label(key->class), key->key, &limit, 1, RATE_BUCKET_IF_THERE, rates_on_answer,
	                 question);
}

void rates_give_back(struct rates *rates, const struct rate_key *key)
{
	struct rate *rate = rates_are_limited(rates, key->class) ? rates_find(rates, key->class, key->key) : NULL;

	if (rate) {
		rate_limit_give_back(&rate->own);
		rate->owed = MAX(rate->owed - 1, 0);
	}
	if (key->is_shared && rates_are_limited(rates, key->class)) {
		const struct rate_bucket_limit limit = rate_class_limit(rates->config, key->class);

		rate_bucket_take(rates->redis, rate_class_label(key->class), key->key, &limit, -1, RATE_BUCKET_OWED, NULL, NULL);
	}
}
