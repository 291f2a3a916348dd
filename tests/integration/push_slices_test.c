/* A message to a large group leaves in slices, while its inboxes are still being written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/text/buf.h"
#include "cluster/node_list.h"
#include "cluster/node_registry.h"
#include "push/inboxes/inbox_writer.h"
#include "push_fixture.h"
#include "store_fixture.h"

#define MEMBERS (2 * INBOX_WRITER_SLICE + 44)
#define MESSAGES 2

/* Every member is connected to a gateway that is registered and cannot be reached: nothing is answered until the end. */
struct slices {
	struct push *push;
	struct node node;
	struct inboxes inboxes;
	size_t bytes;
	struct recipients *members;
	struct list batch;
	struct outgoing *messages[MESSAGES];
	struct inbox_writer writer;
	bool is_registered, is_written;
	unsigned bound, delivered;
};

static void on_registered(void *arg, err_t err, uint64_t epoch)
{
	struct slices *slices = arg;

	assert_int_equal(err, OK);
	slices->node.epoch = epoch;
	slices->is_registered = true;
}

static void on_bound(void *arg, err_t err, const struct route_bound *bound)
{
	(void)bound;
	assert_int_equal(err, OK);
	((struct slices *)arg)->bound++;
}

static void bind_members(struct slices *slices)
{
	for (uint32_t i = 0; i < MEMBERS; i++) {
		const struct route_binding binding = {
			.uid = slices->members->uids[i],
			.device = STR("web"),
			.route = { .node = str_from(slices->node.name),
			           .node_epoch = slices->node.epoch,
			           .conn = i + 1,
			           .platform = STR("web") },
		};

		route_bind(slices->push->redis, &slices->inboxes.limits, 3600, &binding, on_bound, slices);
	}
	turn_until_count(&slices->push->worker, &slices->bound, MEMBERS);
}

static struct recipients *make_members(void)
{
	static char texts[MEMBERS][24];
	struct str uids[MEMBERS];
	char name[9];

	random_hex(name, 8);
	for (int i = 0; i < MEMBERS; i++) {
		snprintf(texts[i], sizeof(texts[i]), "m%03d-%s", i, name);
		uids[i] = str_from(texts[i]);
	}
	return recipients_new(uids, MEMBERS);
}

static struct outgoing *make_message(struct slices *slices, uint64_t seq)
{
	Skein__V1__MessageRecord made = SKEIN__V1__MESSAGE_RECORD__INIT;
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	uint8_t packed[256];

	message.conversation_id = "g:large";
	message.from = "somebody";
	message.seq = seq;
	message.type = "text";
	message.body = "{\"text\":\"hi\"}";
	made.version = 1;
	made.message = &message;
	size_t len = skein__v1__message_record__pack(&made, packed);
	struct outgoing *outgoing = outgoing_new(skein__v1__message_record__unpack(NULL, len, packed));
	outgoing->recipients = recipients_ref(slices->members);
	list_push_back(&slices->batch, &outgoing->link);
	return outgoing;
}

static void open_slices(struct slices *slices, struct push *push)
{
	*slices = (struct slices){ .push = push };
	slices->node = (struct node){
		.name = "gateway-1", .ws_url = "ws://127.0.0.1:1/ws", .cell = "a", .grpc_address = "127.0.0.1:1"
	};
	node_register(push->redis, &slices->node, on_registered, slices);
	turn_until_true(&push->worker, &slices->is_registered);
	slices->inboxes = (struct inboxes){
		.worker = &push->worker,
		.redis = push->redis,
		.gateways = push->gateways,
		.limits = { .max_entries = 1000, .max_age_s = 3600, .expire_s = 3600 },
		.bytes_in_flight = &slices->bytes,
	};
	inboxes_init(&slices->inboxes, 1000);
	slices->members = make_members();
	bind_members(slices);
	list_init(&slices->batch);
	for (uint64_t seq = 1; seq <= MESSAGES; seq++)
		slices->messages[seq - 1] = make_message(slices, seq);
}

static void on_written(struct inbox_writer *writer, void *arg)
{
	(void)writer;
	((struct slices *)arg)->is_written = true;
}

static void on_delivered(struct outgoing *outgoing, void *arg)
{
	(void)outgoing;
	((struct slices *)arg)->delivered++;
}

static void on_slimmed(struct outgoing *outgoing, void *arg)
{
	(void)outgoing;
	(void)arg;
	fail();
}

static const struct outgoing_handlers handlers = { .delivered = on_delivered, .slimmed = on_slimmed };

static void write_inboxes(struct slices *slices)
{
	slices->writer.inboxes = &slices->inboxes;
	inbox_writer_start(&slices->writer, &slices->batch, on_written, slices);
	turn_until_true(&slices->push->worker, &slices->is_written);
}

static void close_slices(struct slices *slices)
{
	for (int i = 0; i < MESSAGES; i++)
		outgoing_free(slices->messages[i]);
	recipients_unref(slices->members);
	inboxes_release(&slices->inboxes);
}

static void on_removed(void *arg, err_t err, bool was_out)
{
	(void)arg;
	(void)was_out;
	assert_int_equal(err, OK);
}

static bool nothing_is_in_flight(void *arg)
{
	return gateways_in_flight(((struct slices *)arg)->push->gateways) == 0;
}

/* The gateway leaves, which ends the deliveries to it. */
static void end_deliveries(struct slices *slices)
{
	node_remove(slices->push->redis, str_from(slices->node.name), slices->node.epoch, on_removed, NULL);
	turn_until(&slices->push->worker, nothing_is_in_flight, slices);
}

static void two_full_slices_leave_before_the_last_inbox_is_written(void **state)
{
	struct slices slices;

	open_slices(&slices, *state);
	write_inboxes(&slices);
	for (int i = 0; i < MESSAGES; i++) {
		assert_int_equal(slices.messages[i]->targets.count, MEMBERS);
		assert_int_equal(slices.messages[i]->sent, 2 * INBOX_WRITER_SLICE);
		assert_int_equal(slices.messages[i]->awaited, 1 + 2);
	}
	for (int i = 0; i < MESSAGES; i++)
		outgoing_deliver(slices.messages[i], &handlers, &slices);
	for (int i = 0; i < MESSAGES; i++) {
		assert_int_equal(slices.messages[i]->sent, MEMBERS);
		assert_int_equal(slices.messages[i]->awaited, 3);
	}
	assert_int_equal(slices.delivered, 0);
	end_deliveries(&slices);
	assert_int_equal(slices.delivered, MESSAGES);
	close_slices(&slices);
}

/* Gateways may answer every slice before the last inbox is written; the message is delivered when the last one is answered. */
static void answered_slices_do_not_end_the_delivery(void **state)
{
	struct slices slices;

	open_slices(&slices, *state);
	write_inboxes(&slices);
	end_deliveries(&slices);
	for (int i = 0; i < MESSAGES; i++)
		assert_int_equal(slices.messages[i]->awaited, 1);
	assert_int_equal(slices.delivered, 0);
	for (int i = 0; i < MESSAGES; i++)
		outgoing_deliver(slices.messages[i], &handlers, &slices);
	assert_int_equal(slices.delivered, MESSAGES); /* the rest was for a gateway that has gone */
	close_slices(&slices);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH_TEST(two_full_slices_leave_before_the_last_inbox_is_written),
		PUSH_TEST(answered_slices_do_not_end_the_delivery),
	};
	return cmocka_run_group_tests(tests, make_servers, remove_servers);
}
