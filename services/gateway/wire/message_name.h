#ifndef SKEIN_GATEWAY_WIRE_MESSAGE_NAME_H
#define SKEIN_GATEWAY_WIRE_MESSAGE_NAME_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Identifies a one-to-one message: conversation, seq and recipient. Connections keep
 * the name of a message in flight, so that its sender can be told of the ack when
 * the frame is gone. References are counted atomically: the thread that encodes the
 * frame makes the name, workers keep it.
 */
struct message_name {
	atomic_uint refs;
	uint64_t seq;
	const char *conversation_id; /* into `texts` */
	char texts[]; /* the recipient's uid, then the conversation id, each with its terminator */
};

static inline const char *message_name_recipient(const struct message_name *name)
{
	return name->texts;
}

/* One reference. NULL: not a message from one user to another in a one-to-one conversation; its ack is not told. */
struct message_name *message_name_new(const char *conversation_id, uint64_t seq, const char *sender);

struct message_name *message_name_ref(struct message_name *name);
void message_name_unref(struct message_name *name);

#endif
