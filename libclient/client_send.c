#include "libclient/client_send.h"

#include <stdlib.h>
#include <string.h>

#include "base/text/ident.h"
#include "base/mem.h"
#include "base/random.h"

struct send {
	struct outbox_item item;
	struct http_call http;
	struct skein_client *client;
	unsigned token_number;
	char client_msg_id[65];
	char *body;
};

static void client_send_free_send(struct send *send)
{
	http_cancel(&send->http);
	free(send->body);
	mem_free(send);
}

static void client_send_tell(struct skein_client *client, const struct skein_sent *sent)
{
	if (client->options.on_sent)
		client->options.on_sent(client, sent, client->options.arg);
}

/* ---- answers ---- */

static const char *client_send_text_in(const json_t *object, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : otherwise;
}

static void client_send_finish(struct send *send, struct skein_sent *sent)
{
	struct skein_client *client = send->client;

	sent->client_msg_id = send->client_msg_id;
	backoff_reset(&client->send_backoff);
	outbox_answered(&client->outbox, &send->item);
	client_send_tell(client, sent);
	client_send_free_send(send);
}

/* The server judged the send and refused it: asking again gives the same answer. */
static bool client_send_is_refusal(unsigned status)
{
	return status >= 400 && status < 500 && status != 401 && status != 408 && status != 429;
}

static void client_send_on_answered(struct http_call *call, const struct http_answer *answer)
{
	struct send *send = container_of(call, struct send, http);
	struct skein_client *client = send->client;
	json_t *root = answer_read(answer->body);
	struct skein_sent sent = { 0 };

	if (answer->status == 200 && answer_sent(root, &sent)) {
		client_send_finish(send, &sent);
	} else if (!client_send_is_refusal(answer->status)) {
		uint64_t retry_ms = client_retry_at(client, &client->send_backoff, answer);

		outbox_failed(&client->outbox, &send->item);
		client->send_retry_ms = MAX(client->send_retry_ms, retry_ms);
		if (answer->status == 401)
			client_token_refused(client, send->token_number);
	} else {
		sent.code = client_send_text_in(root, "code", "refused");
		sent.detail = client_send_text_in(root, "detail", "");
		client_send_finish(send, &sent);
	}
	json_decref(root);
	client->changed(client);
}

/* ---- sending ---- */

void client_send_start(struct skein_client *client)
{
	struct outbox_item *item;

	if (client->life.state == LIFE_TOKENLESS || client->life.state == LIFE_ENDED)
		return;
	while ((item = outbox_take(&client->outbox))) {
		struct send *send = container_of(item, struct send, item);
		struct buf url = { 0 };
		struct http_request request = client_request(client, &url, "/messages");

		request.body = str_from(send->body);
		send->token_number = client->token_number;
		http_start(&send->http, client->net, &request, client_send_on_answered);
		buf_release(&url);
	}
}

void client_send_abandon(struct skein_client *client)
{
	for (struct outbox_item *item; (item = outbox_remove_any(&client->outbox));) {
		struct send *send = container_of(item, struct send, item);

		client_send_tell(client, &(struct skein_sent){ .client_msg_id = send->client_msg_id,
		                                               .code = "closed",
		                                               .detail = "the client was closed before there was an answer" });
		client_send_free_send(send);
	}
}

/* Writes "user:bob" or "group:g1": sends to one destination keep their order. False: the message has none, or two. */
static bool client_send_put_destination(struct buf *destination, const json_t *message)
{
	const json_t *to = json_object_get(message, "to");
	const char *user = client_send_text_in(to, "user", NULL), *group = client_send_text_in(to, "group", NULL);

	if (!user == !group || strlen(user ? user : group) > 64)
		return false;
	buf_printf(destination, "%s:%s", user ? "user" : "group", user ? user : group);
	return true;
}

/* Adds a client_msg_id if there is none. NULL: the given one is not valid, or the message is too large. */
static struct send *client_send_new_send(struct skein_client *client, const json_t *message)
{
	json_t *body = json_copy((json_t *)message);
	const json_t *given = json_object_get(body, "client_msg_id");
	struct send *send = MEM_NEW(struct send);
	bool is_good = !given || (json_is_string(given) && client_msg_id_is_valid(str_from(json_string_value(given))));

	send->client = client;
	if (given)
		is_good = is_good && str_copy(send->client_msg_id, sizeof(send->client_msg_id), str_from(json_string_value(given)));
	else
		random_hex(send->client_msg_id, 24);
	if (is_good && !given)
		json_object_set_new(body, "client_msg_id", json_string(send->client_msg_id));
	send->body = is_good ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (send->body && strlen(send->body) <= CLIENT_MAX_SEND)
		return send;
	client_send_free_send(send);
	return NULL;
}

bool skein_client_send(struct skein_client *client, const json_t *message)
{
	struct buf destination = { 0 };
	struct send *send = NULL;

	if (!client->is_closing && client->life.state != LIFE_ENDED && client_send_put_destination(&destination, message))
		send = client_send_new_send(client, message);
	bool is_added = send && outbox_add(&client->outbox, &send->item, buf_str(&destination));
	if (send && !is_added)
		client_send_free_send(send);
	buf_release(&destination);
	if (is_added)
		client->changed(client);
	return is_added;
}
