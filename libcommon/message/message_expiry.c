#include "message/message_expiry.h"

#include <string.h>

bool message_expire(Skein__V1__Message *message, uint64_t now_ms)
{
	if (!message->expires_at || now_ms < message->expires_at)
		return false;
	message->body = (char *)protobuf_c_empty_string;
	message->n_reactions = 0;
	message->expired = strcmp(message->type, "edit") != 0;
	return true;
}
