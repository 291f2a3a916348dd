#include "gateway/wire/message_name.h"

#include <string.h>

#include "base/mem.h"
#include "base/text/str.h"

struct message_name *message_name_new(const char *conversation_id, uint64_t seq, const char *sender)
{
	size_t sender_size = strlen(sender) + 1, conversation_size = strlen(conversation_id) + 1;

	if (!str_starts_with(str_from(conversation_id), STR("u:")))
		return NULL;
	struct message_name *name = mem_alloc(sizeof(*name) + sender_size + conversation_size);
	atomic_init(&name->refs, 1);
	name->seq = seq;
	memcpy(name->texts, sender, sender_size);
	name->conversation_id = memcpy(name->texts + sender_size, conversation_id, conversation_size);
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
