#ifndef SKEIN_STORE_KAFKA_KAFKA_PRODUCER_H
#define SKEIN_STORE_KAFKA_KAFKA_PRODUCER_H

#include "store/kafka/kafka.h"

/* For tests: the idempotence breaks, as it does when the brokers forget a producer. */
void kafka_producer_break(struct kafka_producer *producer);

#endif
