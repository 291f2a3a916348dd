#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "life_play.h"

#define PLAY_LENGTH 5

/* From wherever it is, it comes up again, unless it ended. */
static void recover(struct play *p)
{
	for (int i = 0; i < 4 && p->life.state != LIFE_UP && p->life.state != LIFE_ENDED; i++) {
		p->step++;
		if (p->life.state == LIFE_TOKENLESS)
			happen(p, 'o');
		if (p->life.state == LIFE_WAITING)
			happen(p, 't');
		if (p->life.state == LIFE_FINDING)
			happen(p, 'f');
		if (p->life.state == LIFE_OPENING)
			happen(p, 'h');
	}
	expect(p->life.state == LIFE_UP || p->life.state == LIFE_ENDED, "up in the end");
}

static void every_sequence_of_events_leaves_one_connection_or_a_way_to_it(void **state)
{
	const unsigned letters = sizeof(LETTERS) - 1;
	char events[PLAY_LENGTH + 1] = { 0 };
	unsigned long count = 1;
	struct play p;

	(void)state;
	for (int i = 0; i < PLAY_LENGTH; i++)
		count *= letters;
	for (unsigned long n = 0; n < 2 * count; n++) {
		unsigned long rest = n / 2;

		for (int i = 0; i < PLAY_LENGTH; i++, rest /= letters)
			events[i] = LETTERS[rest % letters];
		begin(&p, &usual_rules, "");
		if (n % 2)
			play(&p, "fh"); /* from being up, too */
		play(&p, events);
		recover(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sequence_of_events_leaves_one_connection_or_a_way_to_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
