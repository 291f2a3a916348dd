#include "libclient/client_link.h"

#include <stdlib.h>
#include <string.h>

#include "base/text/json.h"
#include "base/mem.h"
#include "libclient/client_read.h"

/* ---- finding a gateway ---- */

void client_link_forget_gateways(struct skein_client *client)
{
	for (unsigned i = 0; i < CLIENT_MAX_GATEWAYS; i++) {
		free(client->gateways[i]);
		client->gateways[i] = NULL;
	}
}

static void client_link_on_found(struct http_call *call, const struct http_answer *answer)
{
	struct skein_client *client = container_of(call, struct skein_client, find);
	json_t *root = answer->status == 200 ? answer_read(answer->body) : NULL;
	struct answer_endpoints endpoints;

	if (root && answer_endpoints(root, &endpoints)) {
		client_link_forget_gateways(client);
		for (unsigned i = 0; i < endpoints.count; i++)
			client->gateways[i] = str_dup(str_from(endpoints.urls[i]));
		client->base = client->life.base;
		life_found(&client->life, endpoints.count, endpoints.retry_min_ms, endpoints.retry_max_ms,
		           client_now(client));
	} else if (answer->status == 401) {
		life_unauthenticated(&client->life);
	} else if (answer->status == 400) {
		life_refused(&client->life);
	} else {
		life_not_found(&client->life, answer->retry_after_ms, client_now(client));
	}
	json_decref(root);
	client->changed(client);
}

void client_link_find(struct skein_client *client)
{
	struct buf url = { 0 };

	http_cancel(&client->find); /* a new token may start a round while the last one is still asking */
	client->base = client->life.base;
	struct http_request request = client_request(client, &url, "/endpoints");
	http_start(&client->find, client->net, &request, client_link_on_found);
	buf_release(&url);
}

/* ---- letting go ---- */

static void client_link_drop_up(struct skein_client *client)
{
	if (!client->up)
		return;
	link_close(client->up->link);
	client->up = NULL;
	client_read_stop(client);
	inbox_disconnected(&client->inbox);
}

void client_link_drop_opening(struct skein_client *client)
{
	if (!client->opening)
		return;
	link_close(client->opening->link);
	client->opening = NULL;
}

/* ---- frames ---- */

static void client_link_pass_on(struct skein_client *client, const json_t *frame)
{
	if (client->options.on_frame)
		client->options.on_frame(client, frame, client->options.arg);
}

static void client_link_take_hello(struct skein_client *client, const struct client_link *from, const json_t *frame)
{
	struct str epoch = answer_epoch(frame);
	uint64_t head;

	if (from != client->opening || !epoch.len || !answer_offset(frame, "head", false, &head)) {
		life_distrust(&client->life, client_now(client));
		return;
	}
	/* Messages that the connection before did not hand over come again on this one. */
	client_link_drop_up(client);
	client->up = client->opening;
	client->opening = NULL;
	inbox_connected(&client->inbox, epoch, head);
	inbox_moved(&client->inbox, from->named_offset);
	life_hello(&client->life, client_now(client));
	client_link_pass_on(client, frame);
}

static void client_link_take_message(struct skein_client *client, const json_t *frame, size_t len)
{
	uint64_t offset;
	bool is_good = answer_offset(frame, "offset", true, &offset);
	struct delivery *delivery = is_good ? delivery_new(json_object_get(frame, "message"), offset, (uint32_t)len) : NULL;

	if (delivery)
		inbox_live(&client->inbox, &delivery->item);
	else
		life_distrust(&client->life, client_now(client));
}

static void client_link_take_resync(struct skein_client *client, const json_t *frame)
{
	struct str epoch = answer_epoch(frame);

	if (epoch.len)
		inbox_resync(&client->inbox, epoch);
	else
		life_distrust(&client->life, client_now(client));
}

/* An encrypted connection never moves to an unencrypted one, because the token is sent there. */
static bool client_link_may_move_to(const struct skein_client *client, const char *url)
{
	const char *current = client->options.gateway ? client->options.gateway : client->gateways[0];

	return url && (strncmp(url, "wss://", 6) == 0 ||
	               (strncmp(url, "ws://", 5) == 0 && current && strncmp(current, "ws://", 5) == 0));
}

static void client_link_take_reconnect(struct skein_client *client, const json_t *frame)
{
	const char *url = json_string_value(json_object_get(frame, "url"));
	json_int_t after_ms = json_integer_value(json_object_get(frame, "after_ms"));
	bool has_target = client_link_may_move_to(client, url);

	if (has_target) {
		free(client->target);
		client->target = str_dup(str_from(url));
	}
	life_move(&client->life, after_ms > 0 ? (uint64_t)after_ms : 0, has_target, client_now(client));
}

static void client_link_take_frame(struct skein_client *client, const struct client_link *from, const json_t *frame, size_t len)
{
	const char *type = json_string_value(json_object_get(frame, "type"));

	if (!type || (from != client->up && strcmp(type, "hello") != 0 && strcmp(type, "error") != 0))
		life_distrust(&client->life, client_now(client));
	else if (strcmp(type, "message") == 0)
		client_link_take_message(client, frame, len);
	else if (strcmp(type, "hello") == 0)
		client_link_take_hello(client, from, frame);
	else if (strcmp(type, "sync_more") == 0)
		inbox_sync_more(&client->inbox);
	else if (strcmp(type, "resync") == 0)
		client_link_take_resync(client, frame);
	else if (strcmp(type, "reconnect") == 0)
		client_link_take_reconnect(client, frame);
	else if (strcmp(type, "pong") != 0)
		client_link_pass_on(client, frame);
}

static void client_link_on_text(void *arg, struct str text)
{
	struct client_link *from = arg;
	struct skein_client *client = from->client;
	json_t *frame = answer_read(text);

	life_heard(&client->life, client_now(client));
	if (frame)
		client_link_take_frame(client, from, frame, text.len);
	else
		life_distrust(&client->life, client_now(client));
	json_decref(frame);
	client->changed(client);
}

/* ---- the connection ---- */

static void client_link_on_over(void *arg, unsigned close_code, unsigned status, uint64_t retry_after_ms)
{
	struct client_link *from = arg;
	struct skein_client *client = from->client;
	bool was_kept = from == client->up && client->life.keeps;

	if (from == client->up)
		client_link_drop_up(client);
	else
		client_link_drop_opening(client);
	if (was_kept)
		life_lost_kept(&client->life, close_code);
	else if (status == 401)
		life_unauthenticated(&client->life);
	else if (status == 400)
		life_refused(&client->life);
	else
		life_lost(&client->life, close_code, retry_after_ms, client_now(client));
	client->changed(client);
}

static void client_link_on_gone(void *arg)
{
	struct client_link *gone = arg;
	struct skein_client *client = gone->client;

	mem_free(gone);
	client->handle_closed(client);
}

void client_link_open(struct skein_client *client)
{
	struct client_link *opening = MEM_NEW(struct client_link);
	const struct skein_options *options = &client->options;
	const struct inbox_position *at = &client->inbox.at;
	const char *gateway = client->life.is_moving ? client->target :
	                      options->gateway       ? options->gateway :
	                                               client->gateways[client->life.gateway];
	struct buf url = { 0 };

	buf_printf(&url, "%s%cdevice=%s&platform=%s", gateway, strchr(gateway, '?') ? '&' : '?', options->device,
	           options->platform);
	if (*at->epoch)
		buf_printf(&url, "&epoch=%s&offset=%llu", at->epoch, (unsigned long long)at->offset);
	if (options->never_acks)
		buf_append_text(&url, "&ack=0");
	opening->client = client;
	opening->named_offset = at->offset;
	client->opening = opening;
	client->open_handles++;
	opening->link = link_open(client->net, buf_text(&url), client->token, options->uses_proxy,
	                          &(struct link_events){ client_link_on_text, client_link_on_over, client_link_on_gone, opening });
	buf_release(&url);
}

void client_link_drop(struct skein_client *client)
{
	client_link_drop_opening(client);
	client_link_drop_up(client);
}

bool client_link_send(struct skein_client *client, struct str text)
{
	return client->up && link_send(client->up->link, text);
}

bool skein_client_frame(struct skein_client *client, const json_t *frame)
{
	char *text = json_dumps(frame, JSON_COMPACT);
	bool is_sent = text && strlen(text) <= CLIENT_MAX_FRAME && client_link_send(client, str_from(text));

	free(text);
	return is_sent;
}
