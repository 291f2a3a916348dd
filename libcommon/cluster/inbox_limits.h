#ifndef SKEIN_CLUSTER_INBOX_LIMITS_H
#define SKEIN_CLUSTER_INBOX_LIMITS_H

#include <stdint.h>

#include "base/config/config.h"

/* The limits of an inbox (cluster/inbox.h), and their options. Every service that touches inboxes needs equal values. */

struct inbox_limits {
	unsigned max_entries; /* a list that is 10 % longer is trimmed to this */
	uint64_t max_age_s;
	uint64_t expire_s; /* an inbox that nobody binds or reads is kept for this long, at most 1.5 times as long */
};

/* The options as they stand in a service's configuration: embed it as `inbox`. */
struct inbox_config {
	int64_t max_entries;
	int64_t max_age_ms;
	int64_t expire_ms;
};

#define INBOX_CONFIG_OPTIONS(type) \
	{ "inbox.max_entries", CONFIG_INT, offsetof(type, inbox.max_entries), "1000", 10, 1000000, NULL, 0, \
	  "Entries an inbox keeps; the same value in im, push and router." }, \
	{ "inbox.max_age", CONFIG_DURATION, offsetof(type, inbox.max_age_ms), "7d", 1000, 31536000000, NULL, 0, \
	  "How long an inbox keeps an entry at least; twice that at most. The same value in im, push and router." }, \
	{ "inbox.expire", CONFIG_DURATION, offsetof(type, inbox.expire_ms), "7d", 60000, 31536000000, NULL, 0, \
	  "An inbox that nobody reads or connects for is forgotten after this, or up to half as long again; the same value in " \
	  "im, push and router." }

static inline struct inbox_limits inbox_limits_of(const struct inbox_config *config)
{
	return (struct inbox_limits){
		.max_entries = (unsigned)config->max_entries,
		.max_age_s = (uint64_t)config->max_age_ms / 1000,
		.expire_s = (uint64_t)config->expire_ms / 1000,
	};
}

#endif
