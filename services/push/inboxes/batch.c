#include "push/inboxes/batch.h"

#include <assert.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/telemetry/log.h"
#include "push/recipients/member_cache.h"

static struct outgoing *batch_first(const struct batch *batch)
{
	return container_of(batch->messages.next, struct outgoing, link);
}

void batch_init(struct batch *batch)
{
	*batch = (struct batch){ 0 };
	list_init(&batch->messages);
}

void batch_release(struct batch *batch)
{
	assert(list_is_empty(&batch->messages));
	inbox_writer_abort(&batch->writer);
	recipients_unref(batch->recipients);
}

bool batch_fits(const struct batch *batch, const struct outgoing *next)
{
	return list_is_empty(&batch->messages) || batch_first(batch)->member_version == next->member_version;
}

static void batch_end(struct batch *batch, enum batch_end end)
{
	recipients_unref(batch->recipients);
	batch->recipients = NULL;
	batch->ended(batch->arg, end);
}

static void batch_on_written(struct inbox_writer *writer, void *arg)
{
	struct batch *batch = arg;

	(void)writer;
	histogram_observe(batch->context->append_time, clock_mono_us() - batch->started_us);
	batch_end(batch, BATCH_WRITTEN);
}

/* Takes the reference over. */
static void batch_write(struct batch *batch, struct recipients *recipients)
{
	batch->recipients = recipients;
	list_for_each(link, &batch->messages) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);

		recipients_unref(outgoing->recipients);
		outgoing->recipients = recipients_ref(recipients);
	}
	batch->writer.inboxes = &batch->context->inboxes;
	inbox_writer_start(&batch->writer, &batch->messages, batch_on_written, batch);
}

static void batch_on_members(void *arg, err_t err, struct recipients *members)
{
	struct batch *batch = arg;
	const char *id = batch_first(batch)->record->message->conversation_id;

	if (err) {
		log_warn("cannot look up the members of a group, trying again", LOG_TEXT("conversation", id), LOG_ERR(err));
		batch_end(batch, BATCH_UNRESOLVED);
	} else if (!members->count) {
		log_warn("a message was sent to a group without members", LOG_TEXT("conversation", id),
		         LOG_U64("seq", batch_first(batch)->seq));
		recipients_unref(members);
		batch_end(batch, BATCH_FOR_NOBODY);
	} else {
		batch_write(batch, members);
	}
}

void batch_start(struct batch *batch, struct batch_context *context, const struct conversation *conversation,
                 void (*ended)(void *arg, enum batch_end end), void *arg)
{
	const struct outgoing *first = batch_first(batch);

	batch->context = context;
	batch->ended = ended;
	batch->arg = arg;
	batch->started_us = clock_mono_us();
	list_for_each(link, &batch->messages)
		histogram_observe(context->order_time, batch->started_us - container_of(link, struct outgoing, link)->taken_us);
	if (conversation->kind == CONVERSATION_DIRECT) {
		batch_write(batch, recipients_of_direct(conversation));
		return;
	}
	const struct member_question question = {
		.conversation_id = str_from(first->record->message->conversation_id),
		.version = first->member_version,
		.first_seq = first->seq,
		.last_seq = container_of(batch->messages.prev, struct outgoing, link)->seq,
		.delta = first->record->membership,
	};
	member_cache_find(context->members, &question, batch_on_members, batch);
}
