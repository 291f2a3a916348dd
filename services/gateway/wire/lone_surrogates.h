#ifndef SKEIN_GATEWAY_WIRE_LONE_SURROGATES_H
#define SKEIN_GATEWAY_WIRE_LONE_SURROGATES_H

#include "base/text/buf.h"

/*
 * Writes \ufffd in place of each escape \ud800 to \udfff in JSON text that is not one half of a pair. JavaScript writes such
 * escapes when a text was cut inside an emoji; jansson takes them for a fault in the syntax. The length stays the same.
 */
void lone_surrogates_replace(struct buf *json);

#endif
