#ifndef SKEIN_STORE_REDIS_REDIS_SCRIPT_H
#define SKEIN_STORE_REDIS_REDIS_SCRIPT_H

#include <stdatomic.h>

#include "base/text/str.h"

/*
 * A Lua script. It is called by its SHA-1 and loaded when the server does not
 * know it (NOSCRIPT). Declare one static variable for each script, with its
 * name and source.
 */
struct redis_script {
	const char *name; /* for logs */
	const char *source;
	atomic_bool has_sha; /* set after `sha` was written */
	char sha[41];
};

/* The beginning of an argument that is replaced by the run_id of the server to which the command is sent. */
#define REDIS_GENERATION ((struct str){ "\0generation", 11 })

/* Computes `sha` at the first call. Thread: any. */
void redis_script_prepare(struct redis_script *script);

#endif
