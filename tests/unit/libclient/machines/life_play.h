#ifndef SKEIN_TESTS_LIBCLIENT_LIFE_PLAY_H
#define SKEIN_TESTS_LIBCLIENT_LIFE_PLAY_H

#include "libclient/machines/life.h"

/*
 * Plays events against the machine, does what a driver would have to do, and checks after each event what must be true. An
 * event is a letter:
 *   f n  the gateways were found; nobody answered
 *   h m  hello; another frame
 *   l    the connection is lost without a word
 *   g    it is closed with 1001    k  with 4001    e  with 4002    b  with 4003
 *   x y  the one that is kept while another is opened is closed with 1001; with 4001
 *   q r  told to move: to where it will be found; to a gateway that is named
 *   u o  the token is refused; there is another
 *   d    what came makes no sense
 *   t    time passes, up to the deadline
 */
#define LETTERS "fnhmlgkebxyqruodt"
#define MIN_MS 100
#define MAX_MS 1000
#define MOVE_MS 300
#define GATEWAYS 2

extern const struct life_rules usual_rules;

struct play {
	struct life life;
	const char *events;
	unsigned step;
	uint64_t now_ms;
	bool is_finding, is_up, is_opening, is_asked_for_token;
	unsigned opens, finds, pings;
};

/* Starts a life; `events` is what expect() says was played before. */
void begin(struct play *p, const struct life_rules *r, const char *events);
void play(struct play *p, const char *events);
void happen(struct play *p, char event);

/* The connection that is there ends with this close code; 0: without one. */
void lose(struct play *p, unsigned code);

/* Fails the test, with the events and the step. */
void expect(bool is_true, const char *what);

#endif
