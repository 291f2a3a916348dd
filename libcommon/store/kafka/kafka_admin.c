#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/text/buf.h"
#include "store/kafka/kafka_client.h"

#define RETRY_MS 200

static uint64_t admin_left_ms(uint64_t deadline_ms)
{
	uint64_t now = clock_mono_ms();

	return now < deadline_ms ? deadline_ms - now : 0;
}

static rd_kafka_t *admin_new(const char *brokers)
{
	rd_kafka_conf_t *conf = kafka_conf_new(brokers, "skein-admin", NULL, 0);

	return conf ? kafka_handle_new(RD_KAFKA_PRODUCER, conf) : NULL;
}

/* ---- probe ---- */

/* Uses a separate handle, to prove that a connection can be made. */
struct probe {
	uv_work_t work;
	char *brokers, *topic;
	uint64_t timeout_ms;
	void (*done)(void *arg, err_t err);
	void *arg;
	err_t err;
};

static bool admin_has_leaders(const struct rd_kafka_metadata *metadata)
{
	const struct rd_kafka_metadata_topic *topic = metadata->topics;

	if (metadata->topic_cnt != 1 || topic->err || topic->partition_cnt == 0)
		return false;
	for (int i = 0; i < topic->partition_cnt; i++) {
		if (topic->partitions[i].leader < 0)
			return false;
	}
	return true;
}

static err_t admin_ask_for_topic(rd_kafka_t *rk, const char *name, uint64_t timeout_ms)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	const struct rd_kafka_metadata *metadata = NULL;

	if (!topic)
		return ERR_INVALID_ARGUMENT;
	rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, topic, &metadata, (int)timeout_ms);
	bool is_good = !err && admin_has_leaders(metadata);
	if (!err)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(topic);
	return is_good ? OK : ERR_UNAVAILABLE;
}

static void admin_run_probe(uv_work_t *work)
{
	struct probe *probe = container_of(work, struct probe, work);
	rd_kafka_t *rk = admin_new(probe->brokers);

	probe->err = rk ? admin_ask_for_topic(rk, probe->topic, probe->timeout_ms) : ERR_BAD_CONFIG;
	if (rk)
		rd_kafka_destroy(rk);
}

static void admin_on_probed(uv_work_t *work, int status)
{
	struct probe *probe = container_of(work, struct probe, work);
	(void)status;

	probe->done(probe->arg, probe->err);
	mem_free(probe->brokers);
	mem_free(probe->topic);
	mem_free(probe);
}

void kafka_probe_topic(struct worker *worker, const char *brokers, const char *topic, uint64_t timeout_ms,
                       void (*done)(void *arg, err_t err), void *arg)
{
	struct probe *probe = MEM_NEW(struct probe);

	*probe = (struct probe){
		.brokers = str_dup(str_from(brokers)),
		.topic = str_dup(str_from(topic)),
		.timeout_ms = timeout_ms,
		.done = done,
		.arg = arg,
	};
	uv_queue_work(&worker->loop, &probe->work, admin_run_probe, admin_on_probed);
}

/* ---- topics ---- */

static bool admin_set_config(rd_kafka_NewTopic_t *topic, const char *config)
{
	struct str rest = str_from(config);

	while (rest.len > 0) {
		struct str value = str_cut(&rest, ',');
		struct str name = str_cut(&value, '=');
		char *name_text = str_dup(name), *value_text = str_dup(value);
		rd_kafka_resp_err_t err = rd_kafka_NewTopic_set_config(topic, name_text, value_text);
		mem_free(name_text);
		mem_free(value_text);
		if (err)
			return false;
	}
	return true;
}

/*
 * Fills `out` with descriptions of the topics. `*made` of them need rd_kafka_NewTopic_destroy_array(). False, logged, if one is
 * invalid.
 */
static bool admin_describe(rd_kafka_NewTopic_t **out, const struct kafka_topic *topics, size_t count, size_t *made)
{
	char reason[256] = "bad configuration";

	for (*made = 0; *made < count; ++*made) {
		const struct kafka_topic *topic = &topics[*made];
		out[*made] = rd_kafka_NewTopic_new(topic->name, topic->partitions, topic->replication, reason, sizeof(reason));
		if (out[*made] && admin_set_config(out[*made], topic->config))
			continue;
		log_error("invalid kafka topic", LOG_TEXT("topic", topic->name), LOG_TEXT("reason", reason));
		*made += out[*made] != NULL;
		return false;
	}
	return true;
}

/* Temporary errors: the brokers are starting. */
static bool admin_may_pass(rd_kafka_resp_err_t err)
{
	return err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__TIMED_OUT ||
	       err == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT || err == RD_KAFKA_RESP_ERR_NOT_CONTROLLER ||
	       err == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR || err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

/* The first error other than "exists already", with its text in `reason`. */
static rd_kafka_resp_err_t admin_first_error(rd_kafka_event_t *event, struct buf *reason)
{
	const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
	size_t count = 0;

	if (rd_kafka_event_error(event)) {
		buf_append_text(reason, rd_kafka_event_error_string(event));
		return rd_kafka_event_error(event);
	}
	const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &count);
	for (size_t i = 0; i < count; i++) {
		rd_kafka_resp_err_t err = rd_kafka_topic_result_error(topics[i]);
		if (!err || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			continue;
		const char *text = rd_kafka_topic_result_error_string(topics[i]);
		buf_printf(reason, "%s: %s", rd_kafka_topic_result_name(topics[i]), text ? text : rd_kafka_err2str(err));
		return err;
	}
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t admin_create(rd_kafka_t *rk, rd_kafka_NewTopic_t **topics, size_t count, uint64_t timeout_ms,
                                        struct buf *reason)
{
	rd_kafka_queue_t *answers = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;

	(void)rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, NULL, 0);
	rd_kafka_CreateTopics(rk, topics, count, options, answers);
	rd_kafka_event_t *event = rd_kafka_queue_poll(answers, (int)timeout_ms + RETRY_MS);
	if (event) {
		err = admin_first_error(event, reason);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(answers);
	return err;
}

static void admin_wait_a_little(void)
{
	const struct timespec wait = { .tv_nsec = RETRY_MS * 1000000l };

	nanosleep(&wait, NULL);
}

static err_t admin_create_all(rd_kafka_t *rk, rd_kafka_NewTopic_t **topics, size_t count, uint64_t deadline_ms)
{
	rd_kafka_resp_err_t err;
	struct buf reason = { 0 };

	while ((err = admin_create(rk, topics, count, MAX(admin_left_ms(deadline_ms), 1), &reason)) && admin_may_pass(err) &&
	       admin_left_ms(deadline_ms)) {
		buf_clear(&reason);
		admin_wait_a_little();
	}
	if (err)
		log_error("kafka topics cannot be created", LOG_STR("reason", buf_str(&reason)));
	buf_release(&reason);
	return err ? (admin_may_pass(err) ? ERR_UNAVAILABLE : ERR_BAD_CONFIG) : OK;
}

/* A new topic has no leaders at first. */
static err_t admin_wait_for_leaders(rd_kafka_t *rk, const struct kafka_topic *topics, size_t count, uint64_t deadline_ms)
{
	for (size_t i = 0; i < count; i++) {
		while (admin_ask_for_topic(rk, topics[i].name, MAX(admin_left_ms(deadline_ms), 1)) != OK) {
			if (!admin_left_ms(deadline_ms)) {
				log_error("kafka topic has no leader", LOG_TEXT("topic", topics[i].name));
				return ERR_UNAVAILABLE;
			}
			admin_wait_a_little();
		}
	}
	return OK;
}

err_t kafka_ensure_topics(const char *brokers, const struct kafka_topic *topics, size_t count, uint64_t timeout_ms)
{
	uint64_t deadline_ms = clock_mono_ms() + timeout_ms;
	rd_kafka_t *rk = admin_new(brokers);
	rd_kafka_NewTopic_t **described = mem_zalloc(count * sizeof(*described));
	size_t made = 0;
	err_t err = rk && admin_describe(described, topics, count, &made) ? OK : ERR_BAD_CONFIG;

	if (!err)
		err = admin_create_all(rk, described, count, deadline_ms);
	if (!err)
		err = admin_wait_for_leaders(rk, topics, count, deadline_ms);
	rd_kafka_NewTopic_destroy_array(described, made);
	mem_free(described);
	if (rk)
		rd_kafka_destroy(rk);
	return err;
}
