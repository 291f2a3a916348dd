#include "gateway/queues/typing_pace.h"

bool typing_pace_take(struct typing_pace *pace, uint64_t conversation, uint64_t now_ms, uint64_t interval_ms)
{
	unsigned place = TYPING_PACE_CONVERSATIONS;

	for (unsigned i = 0; i < TYPING_PACE_CONVERSATIONS; i++) {
		if (now_ms >= pace->until_ms[i])
			place = i;
		else if (pace->conversations[i] == conversation)
			return false;
	}
	if (place == TYPING_PACE_CONVERSATIONS)
		return false;
	pace->conversations[place] = conversation;
	pace->until_ms[place] = now_ms + interval_ms;
	return true;
}
