#include "libclient/client_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SYNC_PAGE 100
#define HISTORY_PAGE 100 /* messages of at most 64 KiB, so a page fits in HTTP_MAX_ANSWER */

/* ---- reading ---- */

static void client_read_on_read(struct http_call *call, const struct http_answer *answer);

static void client_read_ask(struct skein_client *client)
{
	struct buf url = { 0 };
	struct http_request request = client_request(client, &url, buf_text(&client->read_path));

	client->read.retry_ms = 0;
	client->read.token_number = client->token_number;
	http_start(&client->read.http, client->net, &request, client_read_on_read);
	buf_release(&url);
}

void client_read_again(struct skein_client *client)
{
	client->read.retry_ms = 0;
	if (client->read_path.len && !client->read.http.easy)
		client_read_ask(client);
}

void client_read_stop(struct skein_client *client)
{
	http_cancel(&client->read.http);
	client->read.retry_ms = 0;
	buf_clear(&client->read_path);
}

void client_read_sync(struct skein_client *client, const struct inbox_position *from)
{
	*client->read_conversation = '\0';
	buf_clear(&client->read_path);
	buf_printf(&client->read_path, "/sync?limit=%d", SYNC_PAGE);
	if (*from->epoch)
		buf_printf(&client->read_path, "&epoch=%s&offset=%llu", from->epoch, (unsigned long long)from->offset);
	client_read_ask(client);
}

void client_read_history(struct skein_client *client, struct str conversation, uint64_t after_seq)
{
	(void)str_copy(client->read_conversation, sizeof(client->read_conversation), conversation);
	buf_clear(&client->read_path);
	buf_printf(&client->read_path, "/conversations/%s/messages?limit=%d&after_seq=%llu", client->read_conversation,
	           HISTORY_PAGE, (unsigned long long)after_seq);
	client_read_ask(client);
}

/* False: the answer is malformed. */
static bool client_read_take_page(struct skein_client *client, const json_t *root)
{
	struct inbox_page page;
	struct inbox_mark *marks;

	if (!answer_page(root, &page, &marks))
		return false;
	inbox_synced(&client->inbox, &page);
	mem_free(marks);
	return true;
}

static bool client_read_take_history(struct skein_client *client, const json_t *root)
{
	struct list items;
	bool is_last;

	if (!answer_history(root, str_from(client->read_conversation), &items, &is_last))
		return false;
	inbox_pulled(&client->inbox, &items, is_last);
	return true;
}

/* An invalid position, or a conversation that this user may not read (any more): asking again gives the same answer. */
static bool client_read_is_final(unsigned status, bool is_sync)
{
	return status == 400 || (!is_sync && (status == 403 || status == 404));
}

static void client_read_on_read(struct http_call *call, const struct http_answer *answer)
{
	struct skein_client *client = container_of(call, struct skein_client, read.http);
	json_t *root = answer->status == 200 ? answer_read(answer->body) : NULL;
	bool is_sync = !*client->read_conversation;

	if (root && (is_sync ? client_read_take_page(client, root) : client_read_take_history(client, root))) {
		backoff_reset(&client->read.backoff);
		buf_clear(&client->read_path);
	} else if (client_read_is_final(answer->status, is_sync)) {
		buf_clear(&client->read_path);
		if (!inbox_refused(&client->inbox))
			life_refused(&client->life);
	} else {
		client->read.retry_ms = client_retry_at(client, &client->read.backoff, answer);
		if (answer->status == 401)
			client_token_refused(client, client->read.token_number);
	}
	json_decref(root);
	client->changed(client);
}

/* ---- handing over ---- */

void client_read_hand_over(struct skein_client *client, const struct inbox_effect *effect)
{
	struct delivery *delivery = delivery_of(effect->item);

	delivery->message.delivery = effect->delivery;
	if (client->options.on_message)
		client->options.on_message(client, &delivery->message, client->options.arg);
	if (!client->options.takes_explicitly)
		inbox_taken(&client->inbox, effect->delivery);
	delivery_free(delivery);
}
