#ifndef SKEIN_GATEWAY_WIRE_MESSAGE_NAME_H
#define SKEIN_GATEWAY_WIRE_MESSAGE_NAME_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Which one-to-one message a frame is: conversation and seq, and who sent it.
 * Connections keep it for a message in flight, so that an ack can be told to the
 * sender; the message's bytes need not stay for that. References are counted
 * atomically: the frame's thread makes it, workers keep it.
 */
struct message_name {
	atomic_uint refs;
	uint64_t seq;
	const char *conversation_id; /* into `texts` */
	char texts[]; /* the sender's uid, then the conversation id, each with its terminator */
};

static inline const char *message_name_sender(const struct message_name *name)
{
	return name->texts;
}

/* One reference. NULL: the conversation is not one-to-one. */
struct message_name *message_name_new(const char *conversation_id, uint64_t seq, const char *sender);

struct message_name *message_name_ref(struct message_name *name);
void message_name_unref(struct message_name *name);

#endif
