#include "im/sync/sync.h"

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"

struct sync_call {
	struct sync *sync;
	struct message_viewer viewer;
	sync_done done;
	void *arg;
	struct sync_page page;
	struct message_wanted *wanted;
	struct buf keys; /* their texts */
};

static void sync_end(struct sync_call *call, err_t err)
{
	call->done(call->arg, err, err ? NULL : &call->page);
	for (size_t i = 0; i < call->page.count; i++)
		stored_message_unref(call->wanted[i].message);
	mem_free(call->wanted);
	buf_release(&call->keys);
	mem_free(call);
}

static void sync_on_found(void *arg, err_t err, size_t found)
{
	struct sync_call *call = arg;
	struct sync_page *page = &call->page;

	if (!err) {
		/* Messages that were found beyond a full page are released. */
		for (; page->count > found; page->count--)
			stored_message_unref(call->wanted[page->count - 1].message);
		page->next_offset = page->first_offset + found - 1;
		page->has_more = page->next_offset < page->head;
	}
	sync_end(call, err);
}

/* False if an entry of the inbox is malformed. */
static bool sync_copy_entries(struct sync_call *call, const struct inbox_page *inbox)
{
	size_t bytes = 0;

	for (size_t i = 0; i < inbox->count; i++)
		bytes += inbox_page_entry(inbox, i).len;
	buf_reserve(&call->keys, bytes); /* the texts stay where they are */
	call->wanted = mem_zalloc(inbox->count * sizeof(*call->wanted));
	call->page.entries = call->wanted;
	for (size_t i = 0; i < inbox->count; i++) {
		struct message_wanted *wanted = &call->wanted[call->page.count];
		struct str entry = inbox_page_entry(inbox, i);

		wanted->key = str_of(call->keys.ptr + call->keys.len, entry.len);
		buf_append_str(&call->keys, entry);
		if (!inbox_entry_parse(wanted->key, &wanted->conversation_id, &wanted->seq))
			return false;
		call->page.count++;
	}
	return true;
}

static void sync_on_inbox(void *arg, err_t err, const struct inbox_page *inbox)
{
	struct sync_call *call = arg;

	if (err) {
		sync_end(call, err == ERR_INTERNAL ? ERR_INTERNAL : ERR_UNAVAILABLE);
		return;
	}
	call->page.epoch = inbox->epoch;
	call->page.head = inbox->head;
	call->page.next_offset = inbox->after;
	switch (inbox->verdict) {
	case INBOX_PAST_HEAD:
		sync_end(call, ERR_FAILED_PRECONDITION);
		return;
	case INBOX_RESET:
		counter_add(call->sync->resets, 1);
		call->page.is_reset = true;
		sync_end(call, OK);
		return;
	case INBOX_ENTRIES:
		break;
	}
	call->page.first_offset = inbox->after + 1;
	if (inbox->count == 0) {
		sync_end(call, OK);
	} else if (!sync_copy_entries(call, inbox)) {
		log_error("an inbox holds something that is no entry", LOG_U64("offset", inbox->after + 1 + call->page.count));
		sync_end(call, ERR_INTERNAL);
	} else {
		message_reader_find(&call->sync->reader, call->wanted, call->page.count, call->viewer,
		                    sync_on_found, call);
	}
}

void sync_init(struct sync *sync, struct redis *redis, const struct inbox_limits *limits, struct pg *pg,
               struct message_cache *cache)
{
	*sync = (struct sync){ .redis = redis, .limits = *limits };
	message_reader_init(&sync->reader, pg, cache);
	sync->pages = metrics_counter("skein_im_syncs_total", "Pages of inboxes that were asked for.", NULL);
	sync->resets = metrics_counter("skein_im_sync_resets_total", "Those whose position was not known any more.", NULL);
}

void sync_release(struct sync *sync)
{
	message_reader_release(&sync->reader);
}

void sync_read(struct sync *sync, struct str uid, const struct inbox_position *position, unsigned limit,
               enum sync_detail detail, sync_done done, void *arg)
{
	struct sync_call *call = MEM_NEW(struct sync_call);

	*call = (struct sync_call){
		.sync = sync, .viewer = { uid, detail == SYNC_WITH_REACTIONS }, .done = done, .arg = arg,
	};
	counter_add(sync->pages, 1);
	inbox_read(sync->redis, &sync->limits, uid, position, limit, sync_on_inbox, call);
}
