/*
 * The route of one device: its connections, one after the other, on two gateways
* of which one crashes and comes back; routers, which may be late and out of
 * order; a push that looks routes up, sends, and removes the routes of dead connections.
 *
 * A connection's number is also its `since`: later ones have higher ones. The
 * inbox is a counter here: its offsets and epochs are delivery.pml's.
 *
 * Bounds: CONNS connections, MESSAGES, ACCIDENTS: a crash of gateway 1, a pause in
 * which its registration runs out, a FLUSHALL, a break of a stream to a router
 * (its changes may still be executed, and are sent again).
 */

#ifndef CONNS
#define CONNS 2
#endif
#ifndef MESSAGES
#define MESSAGES 1
#endif
#ifndef ACCIDENTS
#define ACCIDENTS 1
#endif

/* ---- Redis ---- */

byte route; /* the connection that it names */
byte head; /* of the inbox */
bool is_closed[CONNS + 1]; /* kept for a while */

/* ---- gateways: 1 and 2, and 3, which is 1 come back under a new epoch ---- */

bool is_up[4], is_registered[4];

mtype = { NONE, OPENING, OPEN, GONE };
mtype state[CONNS + 1];
byte home[CONNS + 1];
byte knows[CONNS + 1]; /* the offset up to which it was sent messages, or has read them */
byte early[CONNS + 1]; /* messages that came before hello */
bool is_kicked[CONNS + 1], is_asking[CONNS + 1];
byte opened;

/* ---- routers ---- */

mtype = { BIND, REBIND, UNBIND };
chan changes = [3] of { mtype, byte };
bool has_answer[CONNS + 1], is_late[CONNS + 1];
byte answered_head[CONNS + 1];

bool is_over, is_answered;

/* [R1] only its owner removes a route: any other connection finds a number that is not its own */
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

#ifdef LATE_BIND_COUNTS
#define CAN_REPLACE(c) (route != c && route != 0)
#else
#define CAN_REPLACE(c) (route != c && route != 0 && !is_closed[c])
#endif

/* [R6] a connection that its gateway has unbound is closed, and never bound again, however late a BIND comes */
inline close(c)
{
	is_closed[c] = true;
	remove(c)
}

/* [R2] a bind replaces a connection and names it; a connection that binds again yields to later ones */
inline bind(c, again)
{
	is_late[c] = false;
	if
#ifndef LATE_BIND_COUNTS
	:: is_closed[c]
	:: !is_closed[c] && (route == c || route == 0) -> route = c
#else
	:: route == c || route == 0 -> route = c
#endif
#ifndef NO_YIELD
	:: CAN_REPLACE(c) && again && route > c -> is_late[c] = true
	:: CAN_REPLACE(c) && !(again && route > c) ->
#else
	:: CAN_REPLACE(c) ->
#endif
		assert(!is_closed[c]);
		/* [R5] a connection that binds again never closes a newer one */
		assert(!again || route < c);
#ifdef NEWEST_IS_NEVER_KICKED
		assert(route < c);
#endif
		is_kicked[route] = state[route] != GONE;
		route = c
	fi;
	if
	:: state[c] != GONE -> answered_head[c] = head; has_answer[c] = true
	:: else -> is_late[c] = false
	fi
}

proctype routers()
{
	byte c;

	do
	:: atomic { changes??BIND, c -> bind(c, false); c = 0 }
	:: atomic { changes??REBIND, c -> bind(c, true); c = 0 }
	:: atomic { changes??UNBIND, c -> close(c); c = 0 }
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

inline end(c)
{
	state[c] = GONE;
	is_asking[c] = false;
	has_answer[c] = false;
	is_late[c] = false;
	is_kicked[c] = false;
	answered_head[c] = 0;
	knows[c] = 0;
	early[c] = 0
}

inline leave(c)
{
	end(c);
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
			early[c] = 0;
			learn(c);
			answered_head[c] = 0
		fi }
	/* [R3] bound again: messages that came in the meantime found no route, so the inbox is read again */
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
	:: atomic { (state[c] == OPENING || state[c] == OPEN) && !is_up[home[c]] -> end(c) }
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
	:: atomic { to != 0 && home[to] == 1 && is_up[3] -> assert(false) /* a connection of another user would get it */ }
#endif
#ifndef DEAD_COUNTS
	/* [R4] push does not wait for a gateway that is not registered any more, and routes that name it do not count */
	:: atomic { to != 0 && !is_registered[home[to]] -> remove(to); to = 0; at = 0 }
#endif
	:: sent == MESSAGES && to == 0 -> break
	od;
	is_answered = true
}

/* ---- accidents ---- */

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
	byte accidents, i;

	atomic {
		is_up[1] = true; is_up[2] = true; is_registered[1] = true; is_registered[2] = true;
		run routers();
		run push()
	};
	do
	:: atomic { opened < CONNS && is_up[1] && nfull(changes) -> open_at(1) }
	:: atomic { opened < CONNS && is_up[2] && nfull(changes) -> open_at(2) }
	:: d_step { accidents < ACCIDENTS && is_up[1] -> accidents++; is_up[1] = false }
	:: d_step { !is_up[1] && is_registered[1] -> is_registered[1] = false }
	:: d_step { !is_up[1] && !is_up[3] -> is_up[3] = true; is_registered[1] = false }
	:: d_step { accidents < ACCIDENTS && is_registered[1] -> accidents++; is_registered[1] = false }
	:: d_step { is_up[1] && !is_registered[1] -> is_registered[1] = true }
	:: d_step { accidents < ACCIDENTS && route != 0 -> accidents++;
		route = 0;
		i = 1;
		do
		:: i <= CONNS -> is_closed[i] = false; i++
		:: else -> break
		od;
		i = 0 }
	:: atomic { accidents < ACCIDENTS && opened > 0 && is_asking[opened] && nfull(changes) ->
		accidents++;
		changes!REBIND, opened }
	:: is_up[1] == is_registered[1] -> break
	od;
	is_over = true
}

active proctype judge()
{
	byte c = 1;

	timeout ->
	/* [R4] nobody waits for a dead gateway */
	assert(is_over && is_answered);
	do
	:: c <= CONNS ->
		/* [R3] an open connection has the route, and was given or has read every message */
		assert(state[c] != OPEN || (route == c && knows[c] == head));
		assert(state[c] != OPENING);
		c++
	:: else -> break
	od
}
