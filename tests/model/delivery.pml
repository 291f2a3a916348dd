/*
 * From PostgreSQL to a client: records of one conversation in Kafka, two push
 * processes, the inboxes of a group of two in Redis, and one member's
 * connection with its client. The other member is away all the time and reads
 * its inbox at the end.
 *
 * A pause needs no step of its own: a process that is not scheduled is paused.
 * A push that lost its partition goes on (it was paused and woke up) or stops
 * (it died), wherever it is. FIFO between one push and the gateway, nothing
 * between the two. One step here is one transaction, script or record there.
 *
 * Bounds: N messages, TAKEOVERS of the partition, DROPS of the connection, the
 * ack window W, and at most one accident of Redis: REDIS 1 FLUSHALL, 2 a restart
 * with an old dump.
 */

#ifndef N
#define N 2
#endif
#ifndef DROPS
#define DROPS 1
#endif
#ifndef TAKEOVERS
#define TAKEOVERS 1
#endif
#ifndef REDIS
#define REDIS 0
#endif
#ifndef W
#define W 1
#endif

#define BIT(s) (1 << (s))
#define ALL (BIT(N + 1) - 2)
#define BELOW(s) (BIT(s) - 2)
#define OFFSETS (2 * N + 2)

/* ---- PostgreSQL and Kafka ---- */

byte stored; /* seqs 1 .. stored are committed */
byte record[N + 1], records; /* the partition */
byte produced; /* bits of seqs: their record came, or never will */
byte owner; /* of the partition */
byte committed; /* records before it are answered */

/* ---- Redis ---- */

typedef inbox {
	byte epoch, n; /* 0: there is none */
	byte entry[OFFSETS];
};
inbox inboxes[2];
byte last_epoch, seq_key, route;
byte version; /* of the route, under the epoch of inboxes[0]; both stand in one key */

#if REDIS == 2
inbox dumped[2];
byte dumped_seq_key, dumped_route, dumped_version;
bool is_dumped, is_stale[2];
#endif

/* ---- gateway and client ---- */

mtype = { AWAY, BOUND, RESETTING, PULLING, LIVE };
mtype state = AWAY;
byte conn; /* the newest connection */
byte epoch, next, reach, old_epoch; /* the connection's sequencer */
byte held[OFFSETS];
byte in_flight;
bool is_paused; /* the ack window is full */
byte client_epoch, client_offset, seen;
byte other_epoch;

byte answered[2]; /* per push, bits of seqs: dispatched, and the gateway answered */
bool is_over; /* no more accidents */

chan net[2] = [2] of { byte, byte, byte, byte }; /* connection, epoch, offset, seq */

/* ---- scripts over an inbox ---- */

/* [I6] Redis may lose its data: an inbox that is created gets an epoch that was never used. */
inline touch(m)
{
#if REDIS == 2
	if
	:: is_stale[m] ->
#ifndef NO_GENERATION
		inboxes[m].epoch = 0;
#endif
		is_stale[m] = false
	:: else
	fi;
#endif
	if
	:: inboxes[m].epoch == 0 ->
#ifdef SAME_EPOCH
		inboxes[m].epoch = 1;
#else
		last_epoch++;
		inboxes[m].epoch = last_epoch;
#endif
		inboxes[m].n = 0;
		if :: m == 0 -> version = 0 :: else fi
	:: else
	fi
}

/* [I13] every change of the route changes its version */
inline set_route(to_conn)
{
	if
	:: route != to_conn -> route = to_conn; version++
	:: else
	fi
}

/* [I1] dense offsets: the script that appends keeps the counter. */
inline append(m, seq)
{
	touch(m);
	inboxes[m].n++;
	inboxes[m].entry[inboxes[m].n] = seq
}

/* ---- im: stores in order, produces in any ---- */

inline produce(seq)
{
	record[records] = seq;
	records++;
	produced = produced | BIT(seq)
}

proctype im()
{
	do
	:: stored < N -> stored++
	:: d_step { stored >= 1 && !(produced & BIT(1)) -> produce(1) }
	:: d_step { stored >= 2 && !(produced & BIT(2)) -> produce(2) }
#if N >= 3
	:: d_step { stored >= 3 && !(produced & BIT(3)) -> produce(3) }
#endif
	/* its im died and the takeover is late: the record does not come while the model runs */
	:: d_step { stored >= 2 && !(produced & BIT(1)) && records == 0 -> produced = produced | BIT(1) }
	:: stored == N && produced == ALL -> break
	od
}

/* ---- push ---- */

#ifdef ROUTES_NOT_COMPARED
#define IS_KNOWN (known_epoch == at_epoch)
#else
#ifdef VERSION_WITHOUT_EPOCH
#define IS_KNOWN (known_epoch != 0 && known_version == version)
#else
#define IS_KNOWN (known_epoch == at_epoch && known_version == version)
#endif
#endif

/* [I13] push remembers the route, as of the epoch and version that the script of the append compares */
inline look_up()
{
	if
	:: IS_KNOWN -> to = known_route
	:: else -> to = route; known_route = route; known_epoch = at_epoch; known_version = version
	fi
}

/* [I2] append, then look up. [I8] only one step after the other: a crash or a pause may fall in between. */
inline dispatch(seq)
{
#ifdef SET_SEQ_BEFORE_APPEND
	d_step { if :: seq > seq_key -> seq_key = seq :: else fi };
#endif
#ifdef LOOKUP_BEFORE_APPEND
	to = route;
#endif
#ifdef APPEND_PAST_FAILURE
	if
	:: !has_failed && seq == 1 -> has_failed = true /* the next one goes first */
	:: else ->
#endif
	d_step {
		append(0, seq);
		at_epoch = inboxes[0].epoch;
		at = inboxes[0].n;
#ifndef LOOKUP_BEFORE_APPEND
		look_up()
#endif
	};
#ifdef APPEND_PAST_FAILURE
	fi;
#endif
	d_step { append(1, seq) };
#ifndef SET_SEQ_BEFORE_APPEND
	d_step { if :: seq > base -> seq_key = seq :: else fi };
#endif
	if
	:: d_step { to == 0 -> answered[me] = answered[me] | BIT(seq); at_epoch = 0; at = 0; s = 0 }
	:: atomic { to != 0 -> net[me]!to, at_epoch, at, seq; to = 0; at_epoch = 0; at = 0; s = 0 }
	fi
}

inline take_record()
{
	s = record[position];
	position++;
#ifdef COMMIT_EARLY
	committed = position;
#endif
	if
	:: s > dispatched -> pending = pending | BIT(s); s = 0
	:: s <= dispatched && s > base -> s = 0 /* this process has it under way or answered */
	:: s <= dispatched && s <= base
#ifdef DROP_BELOW_BASE
		-> answered[me] = answered[me] | BIT(s); s = 0
#endif
	fi
}

inline load()
{
	position = committed;
	dispatched = seq_key;
	/* [I5] Redis does not know: messages that may be undispatched are dispatched again from PostgreSQL, the lowest first. */
#ifdef GUESS_FROM_FIRST
	if
	:: seq_key == 0 && position < records -> dispatched = record[position] - 1
	:: else
	fi;
#endif
	base = dispatched
}

proctype push(byte me)
{
	byte position, dispatched, base, pending, s, to, at_epoch, at;
	byte known_epoch, known_version, known_route;
#ifdef APPEND_PAST_FAILURE
	bool has_failed;
#endif

#ifdef GUESS_FROM_FIRST
	committed < records;
#endif
	d_step { load() };
	do
	:: atomic { owner == me && position < records -> take_record() };
		if
		:: s != 0 -> dispatch(s) /* another process dispatched it, perhaps in part */
		:: else
		fi
#ifdef NO_REORDER
	:: atomic { pending != 0 ->
		s = 1;
		do
		:: pending & BIT(s) -> break
		:: else -> s++
		od;
		pending = pending & ~BIT(s);
		if :: s > dispatched -> dispatched = s :: else fi };
		dispatch(s)
#else
	/* [I4] in seq order, whatever the order of the records */
	:: d_step { pending & BIT(dispatched + 1) -> dispatched++; pending = pending & ~BIT(dispatched); s = dispatched };
		dispatch(s)
#ifndef NO_HOLE_FILL
	/* [I4] a record that does not come is read from PostgreSQL */
	:: d_step { pending != 0 && !(pending & BIT(dispatched + 1)) -> dispatched++; s = dispatched };
		dispatch(s)
#endif
#endif
	/* [I7] only the answered prefix is committed, and only by the owner */
#ifndef COMMIT_EARLY
	:: d_step { owner == me && committed < position && (answered[me] & BIT(record[committed])) -> committed++ }
#endif
	/* dead, and everything that it had sent is lost */
	:: owner != me ->
		if
		:: do
		   :: net[me]?_, _, _, _
		   :: empty(net[me]) -> break
		   od
		:: skip
		fi;
		break
	od
}

/* ---- the client ---- */

/* [I4] first copies in seq order; and [I1] no message is skipped before one that is handed on */
inline app(seq)
{
	if
	:: !(seen & BIT(seq)) ->
		assert((seen & BELOW(seq)) == BELOW(seq));
		seen = seen | BIT(seq)
	:: else
	fi
}

/* ---- the sequencer ---- */

inline forget_held()
{
	i = 0;
	do
	:: i < OFFSETS -> held[i] = 0; i++
	:: else -> break
	od
}

inline restart(new_epoch, new_next)
{
	forget_held();
	old_epoch = epoch;
	epoch = new_epoch;
	next = new_next;
	reach = new_next - 1;
	state = RESETTING
}

/* [I11] an ack is true: everything in the inbox up to its offset was handed to the application */
inline check_ack()
{
	if
	:: inboxes[0].epoch == client_epoch ->
		i = 1;
		do
		:: i <= client_offset && i <= inboxes[0].n -> assert(seen & BIT(inboxes[0].entry[i])); i++
		:: else -> break
		od;
		i = 0
	:: else
	fi
}

/* [I9] over a full window only the highest offset of the inbox is kept */
inline send(seq)
{
	app(seq);
	client_offset = next;
	check_ack();
	next++;
	if :: reach < next - 1 -> reach = next - 1 :: else fi;
	in_flight++;
	if
	:: in_flight >= W -> is_paused = true; forget_held()
	:: else
	fi
}

inline release()
{
	do
	:: !is_paused && held[next] != 0 -> s = held[next]; held[next] = 0; send(s)
	:: else -> break
	od
}

inline take_current()
{
	if
	:: o < next -> skip
#ifdef NO_HOLD
	:: o >= next && !is_paused -> next = o; send(s)
#else
	:: o == next && !is_paused -> send(s); release()
	:: o > next && !is_paused -> held[o] = s; if :: reach < o -> reach = o :: else fi
#endif
	:: o >= next && is_paused ->
#ifndef FORGET_REACH
		if :: reach < o -> reach = o :: else fi
#else
		skip
#endif
	fi
}

/* [I10] push is told that a connection is gone, and removes its route if the route still names it */
inline take(p)
{
	net[p]?c, e, o, s;
	answered[p] = answered[p] | BIT(s);
	if
	:: c != conn || state == AWAY ->
		if :: route == c -> set_route(0) :: else fi
	:: c == conn && state == LIVE && e == epoch -> take_current()
	:: c == conn && state == LIVE && e != epoch && e == old_epoch
	:: c == conn && state == LIVE && e != epoch && e != old_epoch -> restart(e, o); held[o] = s; reach = o
	fi;
	c = 0; e = 0; o = 0; s = 0; i = 0
}

#define CAN_TAKE(p) (nempty(net[p]) && (state == AWAY || state == LIVE))
#define HAS_HOLE (next <= reach && held[next] == 0)

inline bind()
{
	touch(0);
	set_route(conn)
}

inline learn()
{
	if
	:: inboxes[0].epoch == epoch ->
		if :: reach < inboxes[0].n -> reach = inboxes[0].n :: else fi
	:: else -> restart(inboxes[0].epoch, inboxes[0].n + 1)
	fi
}

inline go_live()
{
	if
	:: client_epoch == epoch -> next = client_offset + 1; state = LIVE
	:: else -> next = reach + 1; state = RESETTING
	fi
}

/* [I3] missing messages are read from the inbox, through the sequencer */
inline fill()
{
	touch(0);
	if
	:: inboxes[0].epoch == epoch ->
		do
		:: !is_paused && next <= inboxes[0].n -> held[next] = 0; send(inboxes[0].entry[next])
		:: else -> break
		od;
		release()
	:: else -> learn()
	fi;
	i = 0; s = 0
}

inline take_head()
{
	touch(0);
	client_epoch = inboxes[0].epoch;
	client_offset = inboxes[0].n
}

inline pull()
{
	i = 1;
	do
	:: i <= stored -> app(i); i++
	:: else -> break
	od;
	i = 0
}

inline end_reset()
{
	in_flight = 0;
	is_paused = false;
	release();
	state = LIVE;
	i = 0; s = 0
}


proctype phone()
{
	byte c, e, o, s, i;

	do
#ifdef SYNC_BEFORE_BIND
	:: d_step { state == AWAY -> conn++; touch(0); epoch = inboxes[0].epoch; reach = inboxes[0].n; state = BOUND }
	:: d_step { state == BOUND -> go_live(); fill(); bind() }
#else
	/* [I2] bind, then read the inbox; live messages wait meanwhile */
	:: d_step { state == AWAY -> conn++; bind(); epoch = inboxes[0].epoch; reach = inboxes[0].n; state = BOUND }
	:: d_step { state == BOUND -> go_live() }
#endif
#ifndef NO_FILL
	:: d_step { state == LIVE && !is_paused && HAS_HOLE -> fill() }
#endif
	/* [I10] a renewal that finds its route gone binds again, and reads again */
	:: d_step { state == LIVE && route != conn -> bind();
#ifndef REBIND_WITHOUT_READ
		learn();
#endif
		i = 0 }
	:: d_step { state == LIVE && is_paused -> in_flight = 0; is_paused = false /* an ack */ }
	:: d_step { CAN_TAKE(0) -> take(0) }
	:: d_step { CAN_TAKE(1) -> take(1) }
	/* [I6] a reset: the head first, the conversations second */
#ifdef LIST_BEFORE_HEAD
	:: d_step { state == RESETTING -> pull(); state = PULLING }
	:: d_step { state == PULLING -> take_head(); end_reset() }
#else
	:: d_step { state == RESETTING -> take_head(); state = PULLING }
	:: d_step { state == PULLING -> pull(); end_reset() }
#endif
	od
}

/* ---- accidents ---- */

inline lose_connection()
{
#ifndef POSITION_BEFORE_LIST
	/* a client has a new position when it has read everything before it */
	if
	:: state == PULLING -> client_epoch = 0; client_offset = 0
	:: else
	fi;
#endif
	state = AWAY;
	in_flight = 0;
	is_paused = false;
	next = 0;
	reach = 0;
	epoch = 0;
	old_epoch = 0;
	i = 0;
	do
	:: i < OFFSETS -> held[i] = 0; i++
	:: else -> break
	od;
	i = 0
}

inline flush_all()
{
	inboxes[0].epoch = 0; inboxes[0].n = 0;
	inboxes[1].epoch = 0; inboxes[1].n = 0;
	i = 0;
	do
	:: i < OFFSETS -> inboxes[0].entry[i] = 0; inboxes[1].entry[i] = 0; i++
	:: else -> break
	od;
	i = 0;
	seq_key = 0;
	route = 0
}

#if REDIS == 2
inline copy_inbox(from, into)
{
	into.epoch = from.epoch;
	into.n = from.n;
	i = 0;
	do
	:: i < OFFSETS -> into.entry[i] = from.entry[i]; i++
	:: else -> break
	od;
	i = 0
}
#endif

init
{
	byte takeovers, drops, accidents, i;

	/* both have an inbox, and know all up to its head */
	atomic {
		touch(0);
		touch(1);
		client_epoch = inboxes[0].epoch;
		other_epoch = inboxes[1].epoch;
		run im();
		run push(0);
		run phone()
	};
	do
	:: atomic { takeovers < TAKEOVERS -> takeovers++; owner = 1; run push(1) }
	:: atomic { drops < DROPS && state != AWAY ->
		drops++;
		if
		:: route == conn -> set_route(0)
		:: skip
		fi;
		lose_connection() }
#if REDIS == 1
	:: d_step { accidents < 1 -> accidents++; flush_all() }
#endif
#if REDIS == 2
	:: d_step { !is_dumped && accidents < 1 ->
		is_dumped = true;
		copy_inbox(inboxes[0], dumped[0]);
		copy_inbox(inboxes[1], dumped[1]);
		dumped_seq_key = seq_key;
		dumped_route = route;
		dumped_version = version }
	:: d_step { is_dumped ->
		is_dumped = false;
		accidents++;
		copy_inbox(dumped[0], inboxes[0]);
		copy_inbox(dumped[1], inboxes[1]);
		is_stale[0] = true;
		is_stale[1] = true;
		seq_key = dumped_seq_key;
		route = dumped_route;
		version = dumped_version }
#endif
	:: break
	od;
	is_over = true
}

/* ---- the end ---- */

/* The member who was away reads from its offset on, or everything by seq if its epoch is gone. */
inline check_other()
{
	seen = 0;
	touch(1);
	i = 1;
	if
	:: inboxes[1].epoch == other_epoch ->
		do
		:: i <= inboxes[1].n -> app(inboxes[1].entry[i]); i++
		:: else -> break
		od
	:: else -> seen = ALL
	fi
}

active proctype judge()
{
	byte i;

	timeout ->
	/* [I12] no loss: live on the connection that stayed, without any further event; by sync for the member who was away */
	assert(is_over && state == LIVE && seen == ALL);
	/* [I7] nothing blocks the partition */
	assert(committed == records);
	d_step { check_other() };
	assert(seen == ALL)
}
