#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "push/inboxes/inbox_writer.h"

#define RECIPIENTS 600
#define CALLS_MAX 4096
#define KNOWN_HEAD "0000000000000000000000000000000000000000" "abcdef0123456ab" "5"

/* ---- a Redis whose answers the test decides ---- */

struct call {
	redis_done done;
	void *arg;
	unsigned keys; /* a call that compares the head of the inbox has two */
};

static struct call calls[CALLS_MAX];
static size_t call_count, answered;

void redis_eval(struct redis *redis, struct redis_script *script, const struct str *keys, unsigned key_count,
                const struct str *args, unsigned arg_count, redis_done done, void *arg)
{
	(void)redis;
	(void)script;
	(void)keys;
	(void)args;
	(void)arg_count;
	assert_true(call_count < CALLS_MAX);
	calls[call_count++] = (struct call){ done, arg, key_count };
}

void redis_command(struct redis *redis, const struct str *args, unsigned count, redis_done done, void *arg)
{
	(void)redis;
	(void)args;
	(void)count;
	(void)done;
	(void)arg;
	fail_msg("no command is needed");
}

static redisReply *number(redisReply *reply, long long value)
{
	*reply = (redisReply){ .type = REDIS_REPLY_INTEGER, .integer = value };
	return reply;
}

static redisReply *text(redisReply *reply, char *value)
{
	*reply = (redisReply){ .type = REDIS_REPLY_STRING, .str = value, .len = strlen(value) };
	return reply;
}

/* Answers the oldest call: it appended, and there are no routes. */
static void answer_routes(void)
{
	redisReply part[6], *parts[6], reply = { .type = REDIS_REPLY_ARRAY, .elements = 6, .element = parts };
	char now[24];

	snprintf(now, sizeof(now), "%llu", (unsigned long long)(clock_wall_ms() / 1000));
	parts[0] = text(&part[0], KNOWN_HEAD);
	parts[1] = number(&part[1], 1);
	part[2] = (redisReply){ .type = REDIS_REPLY_ARRAY };
	parts[2] = &part[2];
	parts[3] = number(&part[3], 1);
	parts[4] = text(&part[4], now);
	parts[5] = number(&part[5], 0);
	assert_int_equal(calls[answered].keys, 3);
	struct call call = calls[answered++];
	call.done(call.arg, OK, &reply);
}

/* The same for a call that compared the head: it was another one (0), or this is the number of the entry. */
static void answer_known(long long value)
{
	redisReply reply;

	assert_int_equal(calls[answered].keys, 2);
	struct call call = calls[answered++];
	call.done(call.arg, OK, number(&reply, value));
}

static void answer_failed(void)
{
	struct call call = calls[answered++];

	call.done(call.arg, ERR_UNAVAILABLE, NULL);
}

/* ---- writers ---- */

struct scene {
	struct worker worker;
	struct inboxes inboxes;
	size_t bytes;
	struct recipients *recipients;
	struct list batches[2];
	struct inbox_writer writers[2];
	unsigned done;
};

static void on_done(struct inbox_writer *writer, void *arg)
{
	(void)writer;
	((struct scene *)arg)->done++;
}

static struct recipients *make_recipients(void)
{
	static char names[RECIPIENTS][16];
	struct str uids[RECIPIENTS];

	for (size_t i = 0; i < RECIPIENTS; i++) {
		snprintf(names[i], sizeof(names[i]), "user-%zu", i);
		uids[i] = str_from(names[i]);
	}
	return recipients_new(uids, RECIPIENTS);
}

static void add_message(struct scene *scene, struct list *batch, uint64_t seq)
{
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	Skein__V1__MessageRecord record = SKEIN__V1__MESSAGE_RECORD__INIT;
	uint8_t packed[256];

	message.conversation_id = "g:crowd";
	message.from = "user-1";
	message.seq = seq;
	record.message = &message;
	size_t len = skein__v1__message_record__pack(&record, packed);
	struct outgoing *outgoing = outgoing_new(skein__v1__message_record__unpack(NULL, len, packed));
	outgoing->recipients = recipients_ref(scene->recipients);
	list_push_back(batch, &outgoing->link);
}

static int open_scene(void **state)
{
	struct scene *scene = MEM_NEW(struct scene);

	call_count = answered = 0;
	assert_int_equal(worker_init(&scene->worker, "test"), OK);
	scene->inboxes.worker = &scene->worker;
	scene->inboxes.limits = (struct inbox_limits){ .max_entries = 1000, .max_age_s = 1000, .expire_s = 1000 };
	scene->inboxes.bytes_in_flight = &scene->bytes;
	inboxes_init(&scene->inboxes, RECIPIENTS);
	scene->recipients = make_recipients();
	for (size_t i = 0; i < ARRAY_LEN(scene->writers); i++) {
		scene->writers[i].inboxes = &scene->inboxes;
		list_init(&scene->batches[i]);
		add_message(scene, &scene->batches[i], i + 1);
	}
	*state = scene;
	return 0;
}

static int close_scene(void **state)
{
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_LEN(scene->writers); i++) {
		inbox_writer_abort(&scene->writers[i]);
		for (struct list *link; (link = list_pop_front(&scene->batches[i]));)
			outgoing_free(container_of(link, struct outgoing, link));
	}
	recipients_unref(scene->recipients);
	inboxes_release(&scene->inboxes);
	worker_stop(&scene->worker);
	worker_run(&scene->worker);
	worker_join(&scene->worker);
	mem_free(scene);
	return 0;
}

static void start(struct scene *scene, size_t writer)
{
	inbox_writer_start(&scene->writers[writer], &scene->batches[writer], on_done, scene);
}

static void all_writers_together_have_one_window_and_each_a_small_one(void **state)
{
	struct scene *scene = *state;

	scene->inboxes.window.max = INBOX_WRITER_WINDOW + 10;
	start(scene, 0);
	assert_int_equal(call_count, INBOX_WRITER_WINDOW);
	start(scene, 1);
	while (scene->done < 2) {
		assert_true(call_count - answered <= INBOX_WRITER_WINDOW + 10);
		assert_true(scene->writers[0].under_way <= INBOX_WRITER_WINDOW &&
		            scene->writers[1].under_way <= INBOX_WRITER_WINDOW);
		answer_routes();
		if (answered == 2 * INBOX_WRITER_WINDOW) /* both have their turns */
			assert_true(scene->writers[1].next > INBOX_WRITER_WINDOW / 4);
	}
	assert_int_equal(answered, 2 * RECIPIENTS);
	assert_int_equal(scene->inboxes.window.under_way, 0);
}

static void a_call_with_known_routes_that_is_refused_is_made_again_without_them(void **state)
{
	struct scene *scene = *state;

	start(scene, 0);
	while (!scene->done)
		answer_routes();
	start(scene, 1);
	for (unsigned known = 0; scene->done < 2;) {
		if (calls[answered].keys == 3)
			answer_routes();
		else
			answer_known(known++ % 2 ? 2 : 0);
	}
	assert_int_equal(answered, 2 * RECIPIENTS + RECIPIENTS / 2);
	assert_int_equal(scene->inboxes.window.under_way, 0);
}

static void a_writer_whose_call_failed_leaves_its_room_to_others(void **state)
{
	struct scene *scene = *state;

	scene->inboxes.window.max = 10;
	start(scene, 0);
	start(scene, 1);
	for (int i = 0; i < 10; i++)
		answer_failed();
	assert_true(timer_is_armed(&scene->writers[0].retry));
	assert_int_equal(scene->writers[0].under_way, 0);
	assert_int_equal(scene->writers[1].under_way, 10);
	while (!scene->done)
		answer_routes();
	assert_int_equal(scene->inboxes.window.under_way, 0);
}

#define WRITER_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WRITER_TEST(all_writers_together_have_one_window_and_each_a_small_one),
		WRITER_TEST(a_call_with_known_routes_that_is_refused_is_made_again_without_them),
		WRITER_TEST(a_writer_whose_call_failed_leaves_its_room_to_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
