#ifndef SKEIN_IM_ENTRIES_FINISHER_H
#define SKEIN_IM_ENTRIES_FINISHER_H

#include "base/telemetry/metrics.h"
#include "im/entries/publisher.h"
#include "im/lease/lease_keeper.h"
#include "im/stored/message_cache.h"

/*
 * Ends entries, each once: publishes an entry that was stored, gives back the
 * reservation of one that was not, settles the id, tells the caller and frees the
 * entry. No other code does any of these. Thread: the worker's.
 *
 * An entry is in doubt when its statement was sent and the answer was lost. It has
 * to be resolved: the epoch of the lease is raised, so that the first statement
 * stores nothing any more, and the same statement is sent again with the same id, before
 * anything else of its conversation, until an answer tells whether it was stored.
 * This goes on after the caller was told 503, because a stored entry must be
 * published. It ends early when the lease is lost under which the id was drawn:
 * the takeover of the node number publishes the entries stored under it.
 */
struct finisher {
	struct lease_keeper *keeper;
	struct publisher *publisher;
	struct message_cache *messages; /* gets the stored messages: they are likely to be read soon */
	unsigned open; /* entries that have not ended */
	struct counter *stored, *duplicates, *nothing, *refused;
};

void finisher_init(struct finisher *finisher, struct lease_keeper *keeper, struct publisher *publisher,
                   struct message_cache *messages);

/* Whether the entry may have been stored, and only its statement can tell. */
bool finisher_must_resolve(const struct finisher *finisher, const struct entry *entry);

/* Ends the entry by its row of the answer. False: it has to be tried again, and lives on. */
bool finisher_take_row(struct finisher *finisher, struct entry *entry, const PGresult *rows, int row) MUST_CHECK;

/* Ends an entry that was certainly not stored. ERR_UNAVAILABLE; `detail` says why. */
void finisher_refuse(struct finisher *finisher, struct entry *entry, const char *detail);

#define FINISHER_NO_STORE "nothing can be stored at the moment"

#endif
