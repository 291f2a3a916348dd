#include "gateway/wire/message_name.h"

#include <string.h>

#include "base/mem.h"
#include "base/text/ident.h"

/* The user in a one-to-one conversation who is not the sender; empty: there is none. */
static struct str message_name_other_side(const char *conversation_id, const char *sender)
{
	struct str uid = str_from(sender);
	struct conversation conversation;

	if (!conversation_parse(str_from(conversation_id), &conversation) || conversation.kind != CONVERSATION_DIRECT ||
	    str_equal(conversation.first, conversation.second))
		return (struct str){ 0 };
	if (str_equal(conversation.first, uid))
		return conversation.second;
	return str_equal(conversation.second, uid) ? conversation.first : (struct str){ 0 };
}

struct message_name *message_name_new(const char *conversation_id, uint64_t seq, const char *sender)
{
	struct str recipient = message_name_other_side(conversation_id, sender);
	size_t conversation_size = strlen(conversation_id) + 1;

	if (!recipient.len)
		return NULL;
	struct message_name *name = mem_zalloc(sizeof(*name) + recipient.len + 1 + conversation_size);
	atomic_init(&name->refs, 1);
	name->seq = seq;
	memcpy(name->texts, recipient.ptr, recipient.len);
	name->conversation_id = memcpy(name->texts + recipient.len + 1, conversation_id, conversation_size);
	return name;
}

struct message_name *message_name_ref(struct message_name *name)
{
	atomic_fetch_add_explicit(&name->refs, 1, memory_order_relaxed);
	return name;
}

void message_name_unref(struct message_name *name)
{
	if (atomic_fetch_sub_explicit(&name->refs, 1, memory_order_acq_rel) == 1)
		mem_free(name);
}
