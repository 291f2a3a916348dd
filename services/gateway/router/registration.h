#ifndef SKEIN_GATEWAY_ROUTER_REGISTRATION_H
#define SKEIN_GATEWAY_ROUTER_REGISTRATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "base/backoff.h"
#include "base/error.h"

/*
 * This gateway in router's list of nodes: registered at the start, as often as
 * it takes; renewed every 3 s with fresh figures; removed at the end. The epoch
 * of the registration stands in every route. Thread: the main worker's.
 */

struct app;
struct Skein__V1__Renewed; /* proto/router.proto */

struct registration {
	struct app *app;
	uv_timer_t timer; /* the next try, or the next renewal; an idle process need not turn its wheel for it */
	struct backoff backoff;
	uint64_t asked_ms; /* when the call under way, or the last one, was begun */
	uint64_t alive_ms; /* the same of the last one that succeeded: the node's key has lived NODE_LIFE_S from then on */
	bool is_registered;
	bool is_calling; /* no answer yet */
	bool is_draining;
	bool was_asked_draining; /* by the call under way, or the last one */
	bool is_over; /* no calls any more */
	atomic_uint_fast64_t lag_ms; /* as it was told last */
	void (*registered)(struct app *app); /* once */
	void (*lost)(struct app *app); /* another process took the name */
	void (*told)(struct app *app, const struct Skein__V1__Renewed *renewed);
	void (*removed)(struct app *app);
};

void registration_begin(struct registration *registration, struct app *app, void (*registered)(struct app *app),
                        void (*lost)(struct app *app));

/* From now on the node is shown as draining; `told` with each answer to that: where its clients may go. */
void registration_drain(struct registration *registration,
                        void (*told)(struct app *app, const struct Skein__V1__Renewed *renewed));

/* Takes the node out of the list; `removed` in any case, after three seconds at most. */
void registration_end(struct registration *registration, void (*removed)(struct app *app));

#endif
