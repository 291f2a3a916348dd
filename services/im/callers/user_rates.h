#ifndef SKEIN_IM_CALLERS_USER_RATES_H
#define SKEIN_IM_CALLERS_USER_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "im/callers/user_lru.h"

/*
 * Token buckets of one kind of action (sends, logins), one for each recent user or address. One without a bucket
 * begins with a full one. Thread: the worker's.
 */

#define USER_RATES_MAX 100000

void user_rates_init(struct user_lru *rates);

/* False when the user is over the rate; `wait_ms` is then the time until the next one is allowed. */
bool user_rates_take(struct user_lru *rates, struct str uid, double per_second, double burst, uint64_t now_ms,
                     uint64_t *wait_ms) MUST_CHECK;

/* Puts one back that was taken. */
void user_rates_give_back(struct user_lru *rates, struct str uid);

#endif
