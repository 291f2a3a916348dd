/*
 * The route of one device: its connections, one after the other, on two gateways
 * of which one crashes and comes back; routers, which may be late and out of
 * order; a push that looks up, sends, and removes what is gone.
 *
 * A connection's number is also its `since`: later ones have higher ones. The
 * inbox is a counter here: its offsets and epochs are delivery.pml's.
 *
 * Bounds: CONNS connections, MESSAGES, one crash, one FLUSHALL, one break of a
 * stream to a router (its changes may still be executed, and are sent again).
 */

#ifndef CONNS
#define CONNS 2
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif

/* ---- Redis ---- */

byte route; /* the connection that it names */
byte head; /* of the inbox */

/* ---- gateways: 1 and 2, and 3, which is 1 come back under a new epoch ---- */

bool is_up[4], is_registered[4];

mtype = { NONE, OPENING, OPEN, GONE };
mtype state[CONNS + 1];
byte home[CONNS + 1];
byte knows[CONNS + 1]; /* up to where it was sent, or has read */
byte early[CONNS + 1]; /* came before hello */
bool is_kicked[CONNS + 1], is_asking[CONNS + 1];
byte opened;

/* ---- routers ---- */

mtype = { BIND, REBIND, UNBIND };
chan changes = [4] of { mtype, byte };
mtype asked[CONNS + 1]; /* what a gateway waits for, NONE: nothing */
bool has_answer[CONNS + 1], is_late[CONNS + 1];
byte answered_head[CONNS + 1];

bool is_over;

/* [R1] only its owner removes a route: whoever else asks finds another connection's number there */
inline remove(c)
{
#ifdef NO_COMPARE
	if
	:: route != 0 -> assert(route == c); route = 0
	:: else
	fi
#else
	if
	:: route == c -> route = 0
	:: else
	fi
#endif
}

/* [R2] a bind replaces, and says whom; one that comes again yields to later ones */
inline bind(c, again)
{
	is_late[c] = false;
	if
	:: route == c || route == 0 -> route = c
#ifndef NO_YIELD
	:: route != c && route != 0 && again && route > c -> is_late[c] = true
	:: route != c && route != 0 && !(again && route > c) ->
#else
	:: route != c && route != 0 ->
#endif
		/* [R5] what comes again never closes a newer connection */
		assert(!again || route < c);
#ifdef LATE_BIND_KICKS
		assert(route < c);
#endif
		is_kicked[route] = true;
		route = c
	fi;
	answered_head[c] = head;
	has_answer[c] = true
}

proctype routers()
{
	byte c;

	do
	:: atomic { changes??BIND, c -> bind(c, false); c = 0 }
	:: atomic { changes??REBIND, c -> bind(c, true); c = 0 }
	:: atomic { changes??UNBIND, c -> remove(c); c = 0 }
	od
}

/* ---- a connection at its gateway ---- */

inline learn(c)
{
	if
	:: knows[c] < answered_head[c] -> knows[c] = answered_head[c]
	:: else
	fi
}

inline leave(c)
{
	state[c] = GONE;
	is_asking[c] = false;
	changes!UNBIND, c
}

proctype connection(byte c)
{
	do
	:: atomic { state[c] == OPENING && has_answer[c] ->
		has_answer[c] = false;
		if
		:: is_late[c] -> leave(c)
		:: else ->
			is_asking[c] = false;
			state[c] = OPEN;
			knows[c] = early[c];
			learn(c)
		fi }
	/* [R3] bound again: what came in the meantime found nobody, so the inbox is read again */
	:: atomic { state[c] == OPEN && has_answer[c] ->
		has_answer[c] = false;
		is_asking[c] = false;
		if
		:: is_late[c] -> leave(c)
#ifdef REBIND_WITHOUT_READ
		:: else
#else
		:: else -> learn(c)
#endif
		fi }
#ifndef NO_RENEWAL
	/* [R3] a renewal that does not find its route binds again */
	:: atomic { state[c] == OPEN && route != c && !is_asking[c] && nfull(changes) -> is_asking[c] = true; changes!REBIND, c }
#endif
	:: atomic { (state[c] == OPENING || state[c] == OPEN) && is_kicked[c] && nfull(changes) -> leave(c) }
	/* the client goes, or the gateway waited long enough for router */
	:: atomic { (state[c] == OPENING || state[c] == OPEN) && !is_over && nfull(changes) -> leave(c) }
	:: atomic { (state[c] == OPENING || state[c] == OPEN) && !is_up[home[c]] -> state[c] = GONE }
	:: state[c] == GONE -> break
	od
}

/* ---- push ---- */

proctype push()
{
	byte sent, to, at;

	do
	:: atomic { sent < MESSAGES && to == 0 -> sent++; head++; at = head; to = route; if :: to == 0 -> at = 0 :: else fi }
	/* [R4] a record names the gateway's epoch: another process under its name does not take it */
	:: atomic { to != 0 && is_up[home[to]] ->
		if
		:: state[to] == OPENING -> early[to] = at
		:: state[to] == OPEN -> if :: knows[to] < at -> knows[to] = at :: else fi
		:: state[to] == GONE -> remove(to)
		fi;
		to = 0; at = 0 }
#ifdef NO_NODE_EPOCH
	:: atomic { to != 0 && home[to] == 1 && is_up[3] -> assert(false) /* somebody else's connection gets it */ }
#endif
#ifndef DEAD_COUNTS
	/* [R4] a gateway that is not registered any more is waited for no longer, and what names it does not count */
	:: atomic { to != 0 && !is_registered[home[to]] -> remove(to); to = 0; at = 0 }
#endif
	:: atomic { sent == MESSAGES && to == 0 -> break }
	od
}

/* ---- what happens ---- */

inline open_at(gateway)
{
	opened++;
	home[opened] = gateway;
	state[opened] = OPENING;
	is_asking[opened] = true;
	changes!BIND, opened;
	run connection(opened)
}

init
{
	bool has_crashed, has_forgotten, has_broken, is_back;

	atomic {
		is_up[1] = true; is_up[2] = true; is_registered[1] = true; is_registered[2] = true;
		run routers();
		run push()
	};
	do
	:: atomic { opened < CONNS && is_up[1] && nfull(changes) -> open_at(1) }
	:: atomic { opened < CONNS && is_up[2] && nfull(changes) -> open_at(2) }
	:: d_step { !has_crashed -> has_crashed = true; is_up[1] = false }
	/* its key runs out; or only that: it was paused, and comes back */
	:: d_step { has_crashed && is_registered[1] -> is_registered[1] = false }
	:: d_step { has_crashed && !is_back -> is_back = true; is_up[3] = true; is_registered[3] = true; is_registered[1] = false }
	:: d_step { !has_forgotten -> has_forgotten = true; route = 0 }
	/* the stream of the newest connection's gateway breaks: what it asked for is sent again, as `again` */
	:: atomic { !has_broken && opened > 0 && is_asking[opened] && nfull(changes) -> has_broken = true; changes!REBIND, opened }
	:: !has_crashed || !is_registered[1] -> break
	od;
	is_over = true
}

active proctype judge()
{
	byte c = 1;

	timeout ->
	/* [R4] nobody waits for a dead gateway */
	assert(is_over && head == MESSAGES && _nr_pr <= 3 + CONNS);
	do
	:: c <= CONNS ->
		/* [R3] a connection that is open has the route, and was given or has read all */
		assert(state[c] != OPEN || (route == c && knows[c] == head));
		assert(state[c] != OPENING);
		c++
	:: else -> break
	od
}
