#include "push/inboxes/outgoing.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "cluster/routes.h"
#include "deliver/audience_wire.h"
#include "message/message_expiry.h"
#include "push/inboxes/inboxes.h"

/* The part of a message that goes to one gateway. */
struct outgoing_part {
	struct delivery delivery;
	struct outgoing *outgoing;
	size_t first, count; /* its targets */
};

struct outgoing *outgoing_new(Skein__V1__MessageRecord *record)
{
	struct outgoing *outgoing = MEM_NEW(struct outgoing);

	outgoing->record = record;
	outgoing->seq = record->message->seq;
	outgoing->taken_us = clock_mono_us();
	outgoing->time = record->message->time;
	outgoing->member_version = record->member_version;
	outgoing->bytes = sizeof(*outgoing) + skein__v1__message_record__get_packed_size(record);
	outgoing->awaited = 1;
	list_init(&outgoing->link);
	return outgoing;
}

static void outgoing_release_content(struct outgoing *outgoing)
{
	target_list_release(&outgoing->targets);
	buf_release(&outgoing->devices);
	recipients_unref(outgoing->recipients);
	if (outgoing->record)
		skein__v1__message_record__free_unpacked(outgoing->record, NULL);
	outgoing->recipients = NULL;
	outgoing->record = NULL;
}

void outgoing_slim(struct outgoing *outgoing)
{
	outgoing->is_slim = true;
	outgoing_release_content(outgoing);
}

void outgoing_take_content(struct outgoing *outgoing, struct outgoing *same)
{
	outgoing->record = same->record;
	outgoing->record->member_version = outgoing->member_version;
	outgoing->bytes = same->bytes;
	outgoing->is_slim = false;
	same->record = NULL;
	same->is_slim = true;
}

void outgoing_free(struct outgoing *outgoing)
{
	outgoing_release_content(outgoing);
	mem_free(outgoing);
}

/* ---- collecting ---- */

/* Nothing waits for the removal: a route that stays is found again with the next message, which reads the routes. */
static void outgoing_on_route_removed(void *arg, err_t err, bool removed)
{
	(void)arg;
	if (err || !removed)
		log_debug("route not removed", LOG_ERR(err));
}

static void outgoing_remove_route(struct outgoing *outgoing, uint32_t recipient, struct str device, const struct gateway *gateway,
                                  uint64_t conn)
{
	struct str uid = outgoing->recipients->uids[recipient];

	route_cache_forget(&outgoing->inboxes->routes, uid);
	route_unbind(outgoing->inboxes->redis, uid, device, gateway_name(gateway), gateway_epoch(gateway), conn,
	             outgoing_on_route_removed, NULL);
}

size_t outgoing_add_routes(struct outgoing *outgoing, struct inboxes *inboxes, uint32_t recipient,
                           const struct user_routes *routes, const struct inbox_place *place)
{
	size_t before = outgoing->bytes;
	bool is_own = str_equal(routes->uid, str_from(outgoing->record->message->from));

	outgoing->inboxes = inboxes;
	for (size_t i = 0; i < routes->count; i++) {
		const struct device_route *item = &routes->items[i];
		uint32_t gateway = target_list_gateway(&outgoing->targets, inboxes->gateways, &item->route);

		if (gateway_is_dead(outgoing->targets.gateways[gateway])) {
			outgoing_remove_route(outgoing, recipient, item->device, outgoing->targets.gateways[gateway],
			                      item->route.conn);
			continue;
		}
		*target_list_add(&outgoing->targets) = (struct fanout_target){
			.gateway = gateway,
			.recipient = recipient,
			.device_at = (uint32_t)outgoing->devices.len,
			.is_own = is_own,
			.conn = item->route.conn,
			.offset = place->offset,
			.epoch = place->epoch,
		};
		buf_append_str(&outgoing->devices, item->device);
		buf_append_char(&outgoing->devices, '\0');
		outgoing->bytes += sizeof(struct fanout_target) + item->device.len + 1;
	}
	return outgoing->bytes - before;
}

/* ---- delivering ---- */

static void outgoing_release_part(struct outgoing *outgoing)
{
	if (--outgoing->awaited == 0) {
		outgoing->handlers->delivered(outgoing, outgoing->arg);
	} else if (outgoing->awaited == outgoing->noted && !outgoing->is_slim) {
		outgoing_slim(outgoing);
		outgoing->handlers->slimmed(outgoing, outgoing->arg);
	}
}

static void outgoing_on_gone(struct delivery *delivery, uint64_t conn)
{
	struct outgoing_part *part = container_of(delivery, struct outgoing_part, delivery);
	struct outgoing *outgoing = part->outgoing;

	for (size_t i = part->first; i < part->first + part->count; i++) {
		struct fanout_target *target = &outgoing->targets.items[i];

		if (target->conn != conn || target->is_gone)
			continue;
		target->is_gone = true; /* the gateway may say so again */
		outgoing_remove_route(outgoing, target->recipient, str_from(outgoing->devices.ptr + target->device_at),
		                      delivery->gateway, conn);
	}
}

static void outgoing_on_done(struct delivery *delivery)
{
	struct outgoing_part *part = container_of(delivery, struct outgoing_part, delivery);
	struct outgoing *outgoing = part->outgoing;

	outgoing->noted -= delivery->is_noted;
	mem_free(part);
	outgoing_release_part(outgoing);
}

static void outgoing_send_part(struct outgoing *outgoing, const struct fanout_plan *plan, const struct fanout_batch *batch,
                               struct str message)
{
	Skein__V1__Delivery content;
	struct audience_wire to;
	struct outgoing_part *part = MEM_NEW(struct outgoing_part);

	part->outgoing = outgoing;
	part->first = outgoing->sent + batch->first;
	part->count = batch->count;
	part->delivery.gone = outgoing_on_gone;
	part->delivery.done = outgoing_on_done;
	audience_wire_init(&to, plan, batch);
	skein__v1__delivery__init(&content);
	content.audience = &to.audience;
	content.content_case = SKEIN__V1__DELIVERY__CONTENT_MESSAGE;
	content.message = (ProtobufCBinaryData){ .data = (uint8_t *)message.ptr, .len = message.len };
	if (batch->own_count)
		content.client_msg_id = outgoing->record->message->client_msg_id;
	outgoing->awaited++;
	gateway_deliver(outgoing->targets.gateways[batch->gateway], &part->delivery, &content);
	outgoing->noted += part->delivery.is_noted;
	audience_wire_release(&to);
}

void outgoing_send(struct outgoing *outgoing)
{
	struct audience audience;
	struct buf packed = { 0 };

	if (outgoing->sent == outgoing->targets.count)
		return;
	struct fanout_plan plan = target_list_plan(&outgoing->targets, outgoing->sent, &audience);
	Skein__V1__Message shown = *outgoing->record->message;
	shown.client_msg_id = (char *)protobuf_c_empty_string; /* only the sender's connections get it */
	(void)message_expire(&shown, clock_wall_ms());
	size_t len = skein__v1__message__get_packed_size(&shown);
	packed.len = skein__v1__message__pack(&shown, (uint8_t *)buf_reserve(&packed, len));
	for (size_t i = 0; i < plan.batch_count; i++)
		outgoing_send_part(outgoing, &plan, &plan.batches[i], buf_str(&packed));
	outgoing->sent = outgoing->targets.count;
	fanout_plan_release(&plan);
	buf_release(&packed);
}

void outgoing_deliver(struct outgoing *outgoing, const struct outgoing_handlers *handlers, void *arg)
{
	outgoing->handlers = handlers;
	outgoing->arg = arg;
	outgoing_send(outgoing);
	outgoing_release_part(outgoing);
}
