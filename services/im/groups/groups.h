#ifndef SKEIN_IM_GROUPS_GROUPS_H
#define SKEIN_IM_GROUPS_GROUPS_H

#include "im/config.h"

struct call;

/* Groups and their members: what the calls of this folder work with. Thread: the worker's. */
struct groups {
	const struct im_config *config;
};

void groups_create(struct call *call); /* POST /v1/groups */

#endif
