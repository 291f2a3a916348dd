#ifndef SKEIN_STORE_KAFKA_KAFKA_PRODUCER_H
#define SKEIN_STORE_KAFKA_KAFKA_PRODUCER_H

#include "store/kafka/kafka.h"

/* For tests: breaks the idempotence, like a broker that has lost the producer's state. */
void kafka_producer_break(struct kafka_producer *producer);

#endif
