#include "gateway/queues/pulled.h"

#include "base/macros.h"

void pulled_add(struct pulled *pulled, uint64_t epoch, uint64_t after, uint64_t up_to)
{
	if (pulled->epoch != epoch)
		*pulled = (struct pulled){ .epoch = epoch };
	if (after >= up_to)
		return;
	if (pulled->after == pulled->up_to)
		*pulled = (struct pulled){ epoch, after, up_to };
	pulled->after = MIN(pulled->after, after);
	pulled->up_to = MAX(pulled->up_to, up_to);
}

bool pulled_take(struct pulled *pulled, uint64_t epoch, uint64_t offset, struct pulled *part)
{
	if (pulled->epoch != epoch)
		*pulled = (struct pulled){ 0 };
	*part = (struct pulled){ epoch, pulled->after, MIN(offset, pulled->up_to) };
	if (part->after >= part->up_to)
		return false;
	pulled->after = part->up_to;
	return true;
}
