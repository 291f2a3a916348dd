#include "push/inboxes/inbox_writer.h"

#include <assert.h>

#include "base/backoff.h"
#include "base/telemetry/log.h"
#include "base/mem.h"

static void inbox_writer_issue(struct inbox_writer *writer);

static void inbox_writer_free_writes(struct inbox_writer *writer)
{
	buf_release(&writer->text);
	mem_free(writer->entries);
	mem_free(writer->writes);
	writer->writes = NULL;
}

/* Every call that was issued has ended: all is written, or the failed calls are issued again after a pause. */
static void inbox_writer_settle(struct inbox_writer *writer)
{
	struct backoff backoff;
	size_t left = 0;

	if (!writer->has_failed && writer->next == writer->write_count) {
		inbox_writer_free_writes(writer);
		writer->done(writer, writer->arg);
		return;
	}
	for (size_t i = 0; i < writer->write_count; i++) {
		if (i < writer->next && !writer->writes[i].has_failed)
			continue;
		writer->writes[left] = writer->writes[i];
		writer->writes[left++].has_failed = false;
	}
	writer->write_count = left;
	writer->next = 0;
	writer->has_failed = false;
	backoff_init(&backoff, 20, 1000);
	backoff.tries = writer->tries++;
	worker_arm_in(writer->inboxes->worker, &writer->retry, backoff_next_ms(&backoff));
}

static struct outgoing *inbox_writer_first(const struct inbox_writer *writer)
{
	return container_of(writer->batch->next, struct outgoing, link);
}

static struct str inbox_writer_uid(const struct inbox_write *write)
{
	return inbox_writer_first(write->writer)->recipients->uids[write->recipient];
}

/* The messages of the batch have numbers that follow each other. */
static void inbox_writer_add_routes(struct inbox_writer *writer, uint32_t recipient, struct user_routes *routes,
                                    const struct inbox_appended *appended)
{
	struct inbox_place place = { .epoch = appended->epoch, .offset = appended->offset };

	routes->known.newest = MAX(routes->known.newest, appended->known.newest);
	user_routes_ref(routes); /* a route of a dead gateway makes the cache forget them */
	list_for_each(link, writer->batch) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);

		*writer->inboxes->bytes_in_flight += outgoing_add_routes(outgoing, writer->inboxes, recipient, routes, &place);
		place.offset++;
	}
	user_routes_unref(routes);
}

static void inbox_writer_send_slice(struct inbox_writer *writer)
{
	writer->unsent = 0;
	list_for_each(link, writer->batch)
		outgoing_send(container_of(link, struct outgoing, link));
}

static void inbox_writer_note_broken(struct inbox_writer *writer, struct str uid, const struct inbox_appended *appended)
{
	if (!appended->inbox_was_broken && !appended->routes_were_broken)
		return;
	log_error("keys in redis were of another type and have been removed", LOG_STR("uid", uid),
	          LOG_NUM("inbox", appended->inbox_was_broken), LOG_NUM("routes", appended->routes_were_broken));
	counter_add(writer->inboxes->broken_inboxes, appended->inbox_was_broken);
	counter_add(writer->inboxes->broken_routes, appended->routes_were_broken);
}

static void inbox_writer_on_appended(void *arg, err_t err, const struct inbox_appended *appended);

static void inbox_writer_append(struct inbox_writer *writer, struct inbox_write *write, struct user_routes *known)
{
	write->known = known ? user_routes_ref(known) : NULL;
	inbox_append(writer->inboxes->redis, &writer->inboxes->limits, inbox_writer_uid(write), known ? &known->known : NULL,
	             writer->entries, writer->entry_count, inbox_writer_on_appended, write);
}

static void inbox_writer_take_answer(struct inbox_writer *writer, struct inbox_write *write,
                                     const struct inbox_appended *appended)
{
	struct str uid = inbox_writer_uid(write);
	struct user_routes *routes = write->known;

	if (appended->routes)
		routes = route_cache_put(&writer->inboxes->routes, uid, appended);
	inbox_writer_note_broken(writer, uid, appended);
	inbox_writer_add_routes(writer, write->recipient, routes, appended);
	if (++writer->unsent == INBOX_WRITER_SLICE)
		inbox_writer_send_slice(writer);
}

static void inbox_writer_on_appended(void *arg, err_t err, const struct inbox_appended *appended)
{
	struct inbox_write *write = arg;
	struct inbox_writer *writer = write->writer;
	struct inboxes *inboxes = writer->inboxes;
	struct user_routes *known = write->known;

	if (err == ERR_FAILED_PRECONDITION) { /* the routes or the inbox are others now: nothing was appended */
		counter_add(inboxes->routes.changed, 1);
		user_routes_unref(known);
		inbox_writer_append(writer, write, NULL);
		return;
	}
	writer->under_way--;
	if (!err) {
		inbox_writer_take_answer(writer, write, appended);
	} else {
		log_warn("append to an inbox failed, trying again", LOG_ERR(err),
		         LOG_TEXT("conversation", inbox_writer_first(writer)->record->message->conversation_id),
		         LOG_U64("seq", inbox_writer_first(writer)->seq), LOG_U64("messages", writer->entry_count));
		write->has_failed = writer->has_failed = true;
		append_turn_leave(&writer->turn);
	}
	write->known = NULL;
	user_routes_unref(known);
	append_window_give_back(&inboxes->window);
	if (!writer->has_failed && writer->next < writer->write_count)
		inbox_writer_issue(writer);
	else if (!writer->under_way)
		inbox_writer_settle(writer);
}

static void inbox_writer_issue(struct inbox_writer *writer)
{
	struct route_cache *cache = &writer->inboxes->routes;

	while (writer->next < writer->write_count && writer->under_way < INBOX_WRITER_WINDOW) {
		if (!append_window_take(&writer->inboxes->window, &writer->turn))
			return;
		struct inbox_write *write = &writer->writes[writer->next++];
		struct user_routes *known = route_cache_find(cache, inbox_writer_uid(write));

		writer->under_way++;
		counter_add(known ? cache->hits : cache->misses, 1);
		inbox_writer_append(writer, write, known);
	}
}

static void inbox_writer_on_turn(struct append_turn *turn)
{
	inbox_writer_issue(container_of(turn, struct inbox_writer, turn));
}

static void inbox_writer_on_retry(struct timer *timer)
{
	inbox_writer_issue(container_of(timer, struct inbox_writer, retry));
}

/* The text may move while it grows, so the entries point into it at the end. */
static void inbox_writer_make_entries(struct inbox_writer *writer, const struct list *batch)
{
	size_t count = 0;

	writer->text = (struct buf){ 0 };
	writer->entries = mem_alloc(INBOX_WRITER_MAX * sizeof(*writer->entries));
	list_for_each(link, batch) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);
		size_t before = writer->text.len;

		assert(count < INBOX_WRITER_MAX && !outgoing->targets.count);
		inbox_entry_write(&writer->text, str_from(outgoing->record->message->conversation_id), outgoing->seq);
		writer->entries[count++].len = writer->text.len - before;
	}
	const char *at = writer->text.ptr;
	for (size_t i = 0; i < count; at += writer->entries[i++].len)
		writer->entries[i].ptr = at;
	writer->entry_count = count;
}

void inbox_writer_start(struct inbox_writer *writer, const struct list *batch,
                        void (*done)(struct inbox_writer *writer, void *arg), void *arg)
{
	writer->batch = batch;
	writer->done = done;
	writer->arg = arg;
	writer->write_count = inbox_writer_first(writer)->recipients->count;
	if (!writer->write_count) {
		done(writer, arg);
		return;
	}
	inbox_writer_make_entries(writer, batch);
	writer->writes = mem_alloc(writer->write_count * sizeof(*writer->writes));
	for (uint32_t i = 0; i < writer->write_count; i++)
		writer->writes[i] = (struct inbox_write){ .writer = writer, .recipient = i };
	writer->next = writer->under_way = writer->unsent = 0;
	writer->has_failed = false;
	writer->tries = 0;
	timer_init(&writer->retry, inbox_writer_on_retry);
	append_turn_init(&writer->turn, inbox_writer_on_turn);
	inbox_writer_issue(writer);
}

void inbox_writer_abort(struct inbox_writer *writer)
{
	if (!writer->writes)
		return;
	worker_cancel(writer->inboxes->worker, &writer->retry);
	append_turn_leave(&writer->turn);
	inbox_writer_free_writes(writer);
}
