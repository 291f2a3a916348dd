#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "libclient/answers.h"
#include "tests/fuzz/fuzz.h"

/*
 * Any JSON as each of the answers that the client library reads, and what is taken for one goes through the inbox: all that was
 * given out comes back, and what may be stored is read as it was.
 */

static const struct inbox_rules rules = {
	.max_held = 4, .max_held_bytes = 1000, .max_untaken = 1000, .max_conversations = 4, .settle_every = 2, .settle_after_ms = 1,
	.let_go = delivery_let_go,
};

/* Takes all its actions except questions, which nobody answers. */
static void obey(struct inbox *inbox, uint64_t now_ms)
{
	struct inbox_effect effect;
	enum inbox_action action;

	while ((action = inbox_take(inbox, now_ms, &effect)) != INBOX_NOTHING) {
		if (action != INBOX_HAND_OVER)
			continue;
		delivery_free(delivery_of(effect.item));
		inbox_taken(inbox, effect.delivery);
	}
}

static void check_state(const struct inbox *inbox)
{
	char *text = state_write(inbox), *again;
	struct inbox other;

	inbox_init(&other, &rules);
	CHECK(state_read(&other, text));
	again = state_write(&other);
	CHECK(strcmp(text, again) == 0);
	inbox_release(&other);
	free(again);
	free(text);
}

/* The document as the answer to SYNC, then to a PULL if there is one. */
static void answer_with(struct inbox *inbox, const json_t *root)
{
	struct inbox_effect effect;
	struct inbox_page page;
	struct inbox_mark *marks;

	inbox_connected(inbox, STR("e"), 3);
	inbox_sync_more(inbox);
	if (inbox_take(inbox, 1, &effect) != INBOX_SYNC || !answer_page(root, &page, &marks))
		return;
	inbox_synced(inbox, &page);
	mem_free(marks);
	obey(inbox, 2);
	if (inbox->is_asking)
		CHECK(inbox_refused(inbox) || !inbox->is_pulling);
	obey(inbox, 4);
	check_state(inbox);
}

static void read_as_everything(json_t *root)
{
	struct answer_endpoints endpoints;
	struct skein_sent sent = { 0 };
	struct list items;
	bool is_last;

	if (answer_endpoints(root, &endpoints))
		CHECK(endpoints.count <= ARRAY_LEN(endpoints.urls));
	if (answer_sent(root, &sent))
		CHECK(sent.msg_id && *sent.conversation_id);
	if (answer_history(root, STR("g:1"), &items, &is_last))
		for (struct list *link; (link = list_pop_front(&items));)
			delivery_let_go(container_of(link, struct inbox_item, link));
	struct delivery *delivery = delivery_new(root, 1, 1);
	if (delivery)
		delivery_free(delivery);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	json_t *root = answer_read(str_of(bytes, len));
	char *text = str_dup(str_of(bytes, len));
	struct inbox inbox;

	if (root)
		read_as_everything(root);
	inbox_init(&inbox, &rules);
	if (root)
		answer_with(&inbox, root);
	inbox_release(&inbox);
	inbox_init(&inbox, &rules);
	if (state_read(&inbox, text))
		check_state(&inbox);
	inbox_release(&inbox);
	json_decref(root);
	free(text);
	return 0;
}
