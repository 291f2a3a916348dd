/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/macros.h"
#include "im/presence/transition.h"

#define WORDS_MAX 6
#define NOW 5000u

/* A user as Redis has it, at NOW, after a connection ended at `ended_ms`. */
struct read {
	const char *key; /* NULL: there is none */
	const char *words[WORDS_MAX]; /* device, route, device ... */
	uint64_t ended_ms;
};

static redisReply text_reply(const char *text)
{
	return text ? (redisReply){ .type = REDIS_REPLY_STRING, .str = (char *)text, .len = strlen(text) } :
	              (redisReply){ .type = REDIS_REPLY_NIL };
}

static void take(struct transition *transition, const struct read *read)
{
	const struct presence_claim claim = { STR("alice"), read->ended_ms, 7, 9000 };
	redisReply key = text_reply(read->key), words[WORDS_MAX], *list[WORDS_MAX];
	size_t count = 0;

	for (; count < WORDS_MAX && read->words[count]; count++) {
		words[count] = text_reply(read->words[count]);
		list[count] = &words[count];
	}
	const redisReply routes = { .type = REDIS_REPLY_ARRAY, .elements = count, .element = list };
	transition_init(transition, &claim);
	transition_take_key(transition, &key);
	transition_take_routes(transition, &routes);
}

/* The gateway "dead" does not, and "gw" only under the epoch 1. */
static bool lives(const void *arg, struct str node, uint64_t epoch)
{
	(void)arg;
	return !str_equal(node, STR("dead")) && (!str_equal(node, STR("gw")) || epoch == 1);
}

static const struct transition_gateways some = { lives, NULL }, all = { NULL, NULL };

static void assert_decided(const struct read *read, const struct transition_gateways *gateways, const char *home, bool is_news,
                           const char *left)
{
	struct transition transition;

	take(&transition, read);
	transition_decide(&transition, gateways, NOW);
	assert_true(str_equal(transition.home, str_from(home)));
	assert_int_equal(transition_is_online(&transition), *home != '\0');
	assert_int_equal(transition_seems_news(&transition), is_news);
	assert_true(str_equal(transition_left_home(&transition), str_from(left)));
	transition_release(&transition);
}

#define GW "gw|1|7|ios|1000"
#define OTHER "other|1|8|web|2000"
#define DEAD "dead|1|9|ios|1000"

static void a_user_is_online_while_a_route_lives_and_what_the_key_does_not_say_is_news(void **state)
{
	static const struct {
		struct read read;
		const char *home, *left;
		bool is_news;
	} rows[] = {
		{ { NULL, { "phone", GW }, 0 }, "gw|1", "", true },
		{ { "3000", { "phone", GW }, 0 }, "gw|1", "", true },
		{ { "+gw|1", { "phone", GW }, 0 }, "gw|1", "", false },
		{ { "+gw|1?", { "phone", GW }, 0 }, "gw|1", "", true },
		{ { "+gw|1", { NULL }, 4000 }, "", "gw|1", true },
		{ { "4000", { NULL }, 4000 }, "", "", false },
		{ { "4000?", { NULL }, 4000 }, "", "", true },
		{ { NULL, { NULL }, 4000 }, "", "", false },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_decided(&rows[i].read, &some, rows[i].home, rows[i].is_news, rows[i].left);
}

static void the_home_stays_where_it_is_as_long_as_a_route_lives_there(void **state)
{
	(void)state;

	assert_decided(&(struct read){ "+gw|1", { "phone", GW, "tablet", OTHER }, 0 }, &some, "gw|1", false, "");
	assert_decided(&(struct read){ "+other|1", { "phone", GW, "tablet", OTHER }, 0 }, &some, "other|1", false, "");
	assert_decided(&(struct read){ "+gw|1", { "tablet", OTHER }, 0 }, &some, "other|1", false, "gw|1");
	assert_decided(&(struct read){ "+dead|1", { "phone", DEAD, "tablet", OTHER }, 0 }, &some, "other|1", false, "dead|1");
}

static void a_route_at_a_dead_gateway_or_in_another_form_is_none(void **state)
{
	const struct read dead = { "+dead|1", { "phone", DEAD }, 4000 };
	(void)state;

	assert_decided(&dead, &some, "", true, "dead|1");
	assert_decided(&dead, &all, "dead|1", false, ""); /* while nobody knows which gateways live */
	assert_decided(&(struct read){ "+gw|2", { "phone", "gw|2|7|ios|1000" }, 4000 }, &some, "", true, "gw|2");
	assert_decided(&(struct read){ NULL, { "phone", "gw|1|x" }, 4000 }, &all, "", false, "");
}

static void only_routes_at_gateways_that_are_not_known_make_it_unsure(void **state)
{
	static const struct {
		struct read read;
		bool is_unsure;
	} rows[] = {
		{ { NULL, { "phone", DEAD }, 0 }, true },
		{ { NULL, { "phone", DEAD, "tablet", OTHER }, 0 }, false },
		{ { NULL, { NULL }, 0 }, false },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct transition transition;

		take(&transition, &rows[i].read);
		assert_int_equal(transition_is_unsure(&transition, &some), rows[i].is_unsure);
		transition_release(&transition);
	}
}

static void assert_body(const struct read *read, const char *expected)
{
	struct transition transition;
	struct buf body = { 0 };

	take(&transition, read);
	transition_decide(&transition, &some, NOW);
	transition_put_body(&body, &transition);
	assert_true(str_equal(buf_str(&body), str_from(expected)));
	buf_release(&body);
	transition_release(&transition);
}

static void a_user_was_last_seen_when_the_connection_ended_and_now_while_online(void **state)
{
	(void)state;

	assert_body(&(struct read){ "+gw|1", { NULL }, 4000 }, "{\"uid\":\"alice\",\"online\":false,\"last_seen\":4000}");
	assert_body(&(struct read){ "+gw|1", { NULL }, 0 }, "{\"uid\":\"alice\",\"online\":false,\"last_seen\":5000}");
	assert_body(&(struct read){ NULL, { "phone", GW }, 4000 }, "{\"uid\":\"alice\",\"online\":true,\"last_seen\":5000}");
}

static void without_an_answer_of_redis_nothing_is_read(void **state)
{
	const struct presence_claim claim = { STR("alice"), 0, 7, 9000 };
	const redisReply key = text_reply("+gw|1"), error = { .type = REDIS_REPLY_ERROR }, empty = { .type = REDIS_REPLY_ARRAY };
	const redisReply *const answers[][2] = { { NULL, &empty }, { &key, NULL }, { &key, &error } };
	struct transition transition;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		transition_init(&transition, &claim);
		transition_take_key(&transition, answers[i][0]);
		transition_take_routes(&transition, answers[i][1]);
		assert_false(transition_is_read(&transition));
		transition_decide(&transition, &some, NOW);
		assert_false(transition_seems_news(&transition));
		transition_release(&transition);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_is_online_while_a_route_lives_and_what_the_key_does_not_say_is_news),
		cmocka_unit_test(the_home_stays_where_it_is_as_long_as_a_route_lives_there),
		cmocka_unit_test(a_route_at_a_dead_gateway_or_in_another_form_is_none),
		cmocka_unit_test(only_routes_at_gateways_that_are_not_known_make_it_unsure),
		cmocka_unit_test(a_user_was_last_seen_when_the_connection_ended_and_now_while_online),
		cmocka_unit_test(without_an_answer_of_redis_nothing_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
