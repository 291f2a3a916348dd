/* POST /v1/admin/broadcast, and its job: one message to many users, each in its conversation with the system user. */

#include "base/mem.h"
#include "base/telemetry/log.h"
#include "im/jobs/job_calls.h"
#include "im/jobs/kinds.h"
#include "im/messages/message_body.h"
#include "im/messages/send_entry.h"

/* job_put_actor(), the most jobs that wait, system user, type, body, uids or NULL -> as fn.broadcast_add() */
static const struct pg_statement broadcast_add = {
	"broadcast_add",
	"select verdict, no from fn.broadcast_add($1::text, $2::text, $3::integer, $4::text, $5::text, $6::text, $7::text[])",
};

/* number, uid behind which the page begins, limit -> as fn.broadcast_page() */
static const struct pg_statement broadcast_page = {
	"broadcast_page",
	"select uid, fate from fn.broadcast_page($1::bigint, $2::text, $3::integer)",
};

enum page_column { PAGE_UID, PAGE_FATE };
enum fate { FATE_SEND, FATE_SKIP, FATE_UNKNOWN };

/* The order of a job's params. */
enum broadcast_param { BROADCAST_FROM, BROADCAST_TYPE, BROADCAST_BODY };

/* One commit stands for the recipients of PAGE_MS, between these bounds, and for those of a second of the pace at most. */
#define PAGE_MS 300
#define PAGE_MIN 500
#define PAGE_MAX 4000

/*
 * Messages that wait to be stored at once: a batch under way and one behind it keep the lane busy. Half of the room is left to
 * users (send.max_waiting).
 */
#define IN_FLIGHT_MAX (2 * BATCH_MAX)

#define PAUSE_MS 20 /* while users' sends wait */
#define RETRY_MS 200 /* after a message could not be stored */

/* ---- the job ---- */

struct broadcast;

struct target {
	struct list link; /* among those that wait; of a message under way it points at itself */
	struct broadcast *broadcast;
	char uid[65];
};

/*
 * A page of recipients. Which messages of it are stored is known when all are; what happens before that is repeated by the next
 * owner, and a message that is stored already is found by its client_msg_id. So each recipient gets one.
 */
struct broadcast {
	struct job *job;
	struct timer timer; /* armed while messages wait for room, or for the store */
	struct list waiting; /* targets without a message */
	unsigned in_flight;
	int limit; /* of the page */
	uint64_t started_ms; /* when it was read */
	bool has_page, is_last_page;
	char cursor[65]; /* the last uid of the page */
	uint64_t done, failed; /* of the page */
	char key[32]; /* client_msg_id */
	struct target targets[PAGE_MAX];
};

static void broadcast_pump(struct broadcast *broadcast);

static void broadcast_on_timer(struct timer *timer)
{
	broadcast_pump(container_of(timer, struct broadcast, timer));
}

static void broadcast_wait(struct broadcast *broadcast, uint64_t ms)
{
	if (!timer_is_armed(&broadcast->timer))
		worker_arm_in(broadcast->job->jobs->worker, &broadcast->timer, ms);
}

static void broadcast_on_sent(void *arg, const struct entry_result *result)
{
	struct target *target = arg;
	struct broadcast *broadcast = target->broadcast;

	broadcast->in_flight--;
	if (!result->err) {
		broadcast->done++;
	} else if (result->err == ERR_UNAVAILABLE) {
		list_push_front(&broadcast->waiting, &target->link);
		broadcast_wait(broadcast, RETRY_MS);
	} else {
		broadcast->failed++; /* the user is gone, or has blocked the system user */
	}
	broadcast_pump(broadcast);
}

static err_t broadcast_send(struct broadcast *broadcast, struct target *target)
{
	const struct job *job = broadcast->job;
	struct str body = job->param[BROADCAST_BODY];
	const struct send_request request = {
		.client_msg_id = str_from(broadcast->key),
		.user = str_from(target->uid),
		.type = job->param[BROADCAST_TYPE],
		.body = { (char *)body.ptr, body.len, body.len },
	};
	const struct entry_caller caller = { job->param[BROADCAST_FROM], STR(""), broadcast_on_sent, target };

	bool is_for_friends = im_config_is_for_friends(job->jobs->config);

	struct entry *entry = send_entry_new(&request, &caller, is_for_friends);
	entry->is_of_job = true;
	return entry_writer_submit(job->jobs->entries, entry);
}

static void broadcast_send_waiting(struct broadcast *broadcast)
{
	struct jobs *jobs = broadcast->job->jobs;
	unsigned in_flight_max = (unsigned)MIN(IN_FLIGHT_MAX, jobs->config->send_max_waiting / 2);
	struct list *link;

	while (broadcast->in_flight < in_flight_max && !list_is_empty(&broadcast->waiting)) {
		uint64_t now_us = clock_mono_us();
		if (!overload_is_calm(jobs->overload) || !pace_has_room(&jobs->pace, now_us)) {
			broadcast_wait(broadcast, overload_is_calm(jobs->overload) ? WORKER_TICK_MS : PAUSE_MS);
			return;
		}
		link = list_pop_front(&broadcast->waiting);
		if (broadcast_send(broadcast, container_of(link, struct target, link))) {
			list_push_front(&broadcast->waiting, link);
			broadcast_wait(broadcast, RETRY_MS);
			return;
		}
		pace_use(&jobs->pace, (uint64_t)jobs->config->jobs_rate, 1, now_us);
		broadcast->in_flight++;
	}
}

/* Sends what may be sent, and ends the step when nothing is under way and nothing more will be. */
static void broadcast_pump(struct broadcast *broadcast)
{
	struct job *job = broadcast->job;

	if (job_is_held(job) && !timer_is_armed(&broadcast->timer))
		broadcast_send_waiting(broadcast);
	bool is_whole = list_is_empty(&broadcast->waiting);
	if (broadcast->in_flight > 0 || (!is_whole && job_is_held(job)))
		return;
	worker_cancel(job->jobs->worker, &broadcast->timer);
	uint64_t done = job->done + broadcast->done, failed = job->failed + broadcast->failed;
	if (is_whole) {
		job_commit_progress(job, str_from(broadcast->cursor), done, failed, broadcast->is_last_page);
	} else if (job->is_lost) {
		/* Cancelled in the middle of a page, or another im's: then nothing is stored by this. */
		job_commit_progress(job, buf_str(&job->cursor), done, failed, true);
	} else {
		job_rest(job);
	}
}

static void broadcast_on_page(void *arg, err_t err, const PGresult *result)
{
	struct broadcast *broadcast = arg;
	struct job *job = broadcast->job;

	if (err) {
		job_retry(job, err);
		return;
	}
	int rows = PQntuples(result);
	broadcast->started_ms = clock_mono_ms();
	broadcast->has_page = true;
	broadcast->is_last_page = rows < broadcast->limit;
	broadcast->done = broadcast->failed = 0;
	list_init(&broadcast->waiting);
	struct str last = rows ? pg_text(result, rows - 1, PAGE_UID) : buf_str(&job->cursor);
	(void)str_copy(broadcast->cursor, sizeof(broadcast->cursor), last);
	for (int row = 0; row < rows; row++) {
		struct target *target = &broadcast->targets[row];
		int64_t fate = pg_i64(result, row, PAGE_FATE);
		broadcast->failed += fate == FATE_UNKNOWN;
		if (fate != FATE_SEND)
			continue;
		target->broadcast = broadcast;
		(void)str_copy(target->uid, sizeof(target->uid), pg_text(result, row, PAGE_UID));
		list_push_back(&broadcast->waiting, &target->link);
	}
	broadcast_pump(broadcast);
}

static struct broadcast *broadcast_new(struct job *job)
{
	struct broadcast *broadcast = MEM_NEW(struct broadcast);

	broadcast->job = job;
	list_init(&broadcast->waiting);
	timer_init(&broadcast->timer, broadcast_on_timer);
	snprintf(broadcast->key, sizeof(broadcast->key), "broadcast.%lld", (long long)job->no);
	return broadcast;
}

static int broadcast_next_limit(const struct broadcast *broadcast)
{
	uint64_t took_ms = MAX(clock_mono_ms() - broadcast->started_ms, 1);
	uint64_t limit = (uint64_t)broadcast->limit * PAGE_MS / took_ms;

	limit = MIN(MAX(limit, PAGE_MIN), PAGE_MAX);
	return (int)MIN(limit, (uint64_t)broadcast->job->jobs->config->jobs_rate);
}

static void broadcast_step(struct job *job)
{
	struct broadcast *broadcast = job->work;
	struct pg_params params = { 0 };

	if (!broadcast)
		job->work = broadcast = broadcast_new(job);
	/* A page whose end was not committed, or committed without an answer. */
	if (broadcast->has_page && !str_equal(str_from(broadcast->cursor), buf_str(&job->cursor))) {
		broadcast_pump(broadcast);
		return;
	}
	pg_put_i64(&params, job->no);
	pg_put_text(&params, buf_str(&job->cursor));
	broadcast->limit = broadcast_next_limit(broadcast);
	pg_put_i32(&params, broadcast->limit);
	pg_query(job->jobs->pg, PG_ANY_LANE, &broadcast_page, &params, broadcast_on_page, broadcast);
}

static void broadcast_forget(struct job *job)
{
	struct broadcast *broadcast = job->work;

	worker_cancel(job->jobs->worker, &broadcast->timer);
	mem_free(broadcast);
}

static void broadcast_stop(struct job *job)
{
	struct broadcast *broadcast = job->work;

	if (!timer_is_armed(&broadcast->timer))
		return; /* an answer is to come, and ends the step */
	worker_cancel(job->jobs->worker, &broadcast->timer);
	broadcast_pump(broadcast);
}

const struct job_kind broadcast_kind = {
	.name = "broadcast",
	.step = broadcast_step,
	.forget = broadcast_forget,
	.stop = broadcast_stop,
};

/* ---- POST /v1/admin/broadcast ---- */

static struct str broadcast_read_type(struct call *call)
{
	struct str type = call_text(call, "type", JSON_REQUIRED, 0, SIZE_MAX);

	if (!call_error(call)->err && !message_type_is_known(type))
		call_reject(call, ERR_INVALID_ARGUMENT, "type",
		            "type must be one of text, image, audio, video, file, location, custom");
	return type;
}

static struct str broadcast_read_body(struct call *call, struct str type)
{
	const json_t *body = call_object(call, "body", JSON_REQUIRED);
	struct buf text = { 0 };

	if (call_error(call)->err)
		return STR("");
	message_body_check(body, type, call_error(call));
	json_dump_compact(&text, body);
	return call_keep(call, &text);
}

void jobs_broadcast(struct call *call)
{
	const struct jobs *jobs = call_context(call);
	const struct im_config *config = jobs->config;
	struct ident_list uids = call_ident_list(call, "uids", JSON_OPTIONAL, (size_t)config->limits_broadcast_uids);
	bool has_uids = call_has(call, "uids");
	struct str type = broadcast_read_type(call);
	struct str body = broadcast_read_body(call, type);
	struct pg_params params = { 0 };

	/* A program that failed to fill its list must not reach everyone. */
	if (call_is_null(call, "uids") || (has_uids && uids.count == 0))
		call_reject(call, ERR_INVALID_ARGUMENT, "uids", "uids must have at least one item; without uids everyone is meant");
	job_put_actor(call, &params);
	pg_put_i32(&params, (int32_t)config->limits_jobs);
	pg_put_text(&params, str_from(config->admin_system_user));
	pg_put_text(&params, type);
	pg_put_text(&params, body);
	if (has_uids)
		ident_list_put(&params, &uids);
	else
		pg_put_null(&params);
	job_call_add(call, JOB_BROADCAST, &broadcast_add, &params);
}
