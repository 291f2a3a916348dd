/* What the inbox says is to be done: reading what is missing over HTTP, handing over, storing and acking. */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "libclient/client.h"

#define SYNC_PAGE 100
#define HISTORY_PAGE 100 /* of 64 KiB at most: HTTP_MAX_ANSWER is more */

/* ---- reading ---- */

static void on_read(struct http_call *call, const struct http_answer *answer);

static void ask(struct skein_client *client)
{
	struct buf url = { 0 };
	struct http_request request = client_request(client, &url, buf_text(&client->read_path));

	client->read.retry_ms = 0;
	client->read.token_number = client->token_number;
	http_start(&client->read.http, client->net, &request, on_read);
	buf_release(&url);
}

void client_read_again(struct skein_client *client)
{
	client->read.retry_ms = 0;
	if (client->read_path.len && !client->read.http.easy)
		ask(client);
}

void client_stop_reading(struct skein_client *client)
{
	http_cancel(&client->read.http);
	client->read.retry_ms = 0;
	buf_clear(&client->read_path);
}

static void ask_sync(struct skein_client *client, const struct inbox_position *from)
{
	*client->read_conversation = '\0';
	buf_clear(&client->read_path);
	buf_printf(&client->read_path, "/sync?limit=%d", SYNC_PAGE);
	if (*from->epoch)
		buf_printf(&client->read_path, "&epoch=%s&offset=%llu", from->epoch, (unsigned long long)from->offset);
	ask(client);
}

static void ask_history(struct skein_client *client, struct str conversation, uint64_t after_seq)
{
	(void)str_copy(client->read_conversation, sizeof(client->read_conversation), conversation);
	buf_clear(&client->read_path);
	buf_printf(&client->read_path, "/conversations/%s/messages?limit=%d&after_seq=%llu", client->read_conversation,
	           HISTORY_PAGE, (unsigned long long)after_seq);
	ask(client);
}

/* False: the answer is not what it should be. */
static bool take_page(struct skein_client *client, const json_t *root)
{
	struct inbox_page page;
	struct inbox_mark *marks;

	if (!answer_page(root, &page, &marks))
		return false;
	inbox_synced(&client->inbox, &page);
	mem_free(marks);
	return true;
}

static bool take_history(struct skein_client *client, const json_t *root)
{
	struct list items;
	bool is_last;

	if (!answer_history(root, str_from(client->read_conversation), &items, &is_last))
		return false;
	inbox_pulled(&client->inbox, &items, is_last);
	return true;
}

/* A position that makes no sense, or a conversation that this user may not read (any more): asking again changes nothing. */
static bool is_final(unsigned status, bool is_sync)
{
	return status == 400 || (!is_sync && (status == 403 || status == 404));
}

static void on_read(struct http_call *call, const struct http_answer *answer)
{
	struct skein_client *client = container_of(call, struct skein_client, read.http);
	json_t *root = answer->status == 200 ? answer_read(answer->body) : NULL;
	bool is_sync = !*client->read_conversation;

	if (root && (is_sync ? take_page(client, root) : take_history(client, root))) {
		backoff_reset(&client->read.backoff);
		buf_clear(&client->read_path);
	} else if (is_final(answer->status, is_sync)) {
		buf_clear(&client->read_path);
		if (!inbox_refused(&client->inbox))
			life_refused(&client->life);
	} else {
		client->read.retry_ms = client_retry_at(client, &client->read.backoff, answer);
		if (answer->status == 401)
			client_token_refused(client, client->read.token_number);
	}
	json_decref(root);
	client_turn(client);
}

/* ---- handing over ---- */

static void hand_over(struct skein_client *client, const struct inbox_effect *effect)
{
	struct delivery *delivery = delivery_of(effect->item);

	delivery->message.delivery = effect->delivery;
	if (client->options.on_message)
		client->options.on_message(client, &delivery->message, client->options.arg);
	if (!client->options.takes_explicitly)
		inbox_taken(&client->inbox, effect->delivery);
	delivery_free(delivery);
}

static void settle(struct skein_client *client, uint64_t offset)
{
	char frame[64];

	if (client->options.on_state)
		client->options.on_state(client, client->options.arg);
	if (client->is_closing || !offset || client->options.never_acks || !client->up)
		return;
	snprintf(frame, sizeof(frame), "{\"type\":\"ack\",\"offset\":\"%llu\"}", (unsigned long long)offset);
	(void)client_send_frame(client, str_from(frame)); /* the next one says more */
}

void client_obey_inbox(struct skein_client *client, enum inbox_action action, struct inbox_effect *effect)
{
	switch (action) {
	case INBOX_HAND_OVER:
		hand_over(client, effect);
		break;
	case INBOX_SYNC:
		ask_sync(client, &effect->from);
		break;
	case INBOX_PULL:
		ask_history(client, effect->conversation, effect->after_seq);
		break;
	case INBOX_SETTLE:
		settle(client, effect->offset);
		break;
	default:
		break;
	}
}
