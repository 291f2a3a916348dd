#ifndef SKEIN_MESSAGE_TOPICS_H
#define SKEIN_MESSAGE_TOPICS_H

/* The Kafka topics. `im --migrate` makes them. */

#define TOPIC_MESSAGE "im.message" /* stored messages: MessageRecord, key = conversation id */
#define TOPIC_DEAD "im.message.dead" /* records of im.message that push cannot use */
#define TOPIC_EVENT "im.event" /* events, which are delivered and not stored: EventRecord */
#define TOPIC_PROBE "im.probe" /* the records of /readyz */

#endif
