/*
 * A node number: the im that holds it stores and produces, is paused or dies;
* another im that finds the lease expired takes it over and publishes the missing
 * messages. It may be paused or die at that too.
 *
 * One number, one conversation. Message ids are 1 .. N in the order in which they
 * are drawn. A process that is not scheduled is paused; a lease runs out in
 * front of any step. A batch is one message: sent, at work (it holds the lock
 * shared and has checked the lease), committed, answered. The connection may be
 * lost at each of them; then the outcome is unknown, the statement may still be
 * at work, or begin later.
 *
 * A batch stands for any statement that stores entries: a batch of sends, or one
 * change with its entry. Both look for an entry with their id under the lock of the
 * conversation first. What the statement decides otherwise (not a member, nothing
 * to change) is left out. A_DECISION_AFTER_DOUBT_IS_FINAL adds it, see README.md.
 *
 * Bounds: N messages, DEATHS of processes, PAUSES that outlast a lease.
 */

#ifndef N
#define N 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef PAUSES
#define PAUSES 1
#endif

#define BIT(id) (1 << (id))
#define UP_TO(id) (BIT((id) + 1) - 2)

/* ---- PostgreSQL ---- */

byte epoch = 1;
bool is_expired, is_free; /* free: given back, no takeover is needed */
byte watermark; /* as stored */
byte stored; /* bits of ids */
byte last_seq, seq_of[N + 1];
byte at_work; /* the id whose statement holds the lock shared */
byte late; /* a statement in the socket of a lost connection */

/* ---- Kafka ---- */

byte in_kafka; /* bits of ids */
byte highest_seq; /* of the first copies */

/* ---- processes ---- */

byte sent; /* im's statement that has not begun */
bool is_refused; /* its answer: the lease */
bool is_denied; /* its answer: the decision; nothing is stored */
byte deaths;
bool is_taking; /* an im has seen that it expired */
bool is_alive[5]; /* the holder of epoch e is is_alive[e - 1] */

/* [L4] the watermark never passes a stored message that is not in Kafka */
inline store_watermark(value)
{
	watermark = value;
	assert((stored & UP_TO(value) & ~in_kafka) == 0)
}

/* [L5] first copies of one node's messages come in the order of seq */
inline publish(id)
{
	if
	:: !(in_kafka & BIT(id)) ->
		assert(seq_of[id] > highest_seq);
		highest_seq = seq_of[id];
		in_kafka = in_kafka | BIT(id)
	:: else
	fi
}

/* ---- fn.im_send() ---- */

/* [L1] the lock first, then a look at epoch and time */
#ifdef NO_FENCE
#define MAY_STORE true
#else
#define MAY_STORE (epoch == 1 && !is_expired)
#endif

inline commit()
{
	if
	:: !(stored & BIT(at_work)) ->
		/* [L2] nothing is stored under an epoch that was bumped */
		assert(epoch == 1);
		last_seq++;
		seq_of[at_work] = last_seq;
		stored = stored | BIT(at_work)
	:: else /* the first try stored it */
	fi;
	at_work = 0
}

proctype backends()
{
	do
	:: d_step { sent != 0 && at_work == 0 ->
		if
		:: MAY_STORE -> at_work = sent
		:: else -> is_refused = true
		fi;
		sent = 0 }
#ifdef A_DECISION_AFTER_DOUBT_IS_FINAL
	:: d_step { sent != 0 && at_work == 0 && MAY_STORE && !(stored & BIT(sent)) -> is_denied = true; sent = 0 }
#endif
	:: d_step { late != 0 && at_work == 0 ->
		if
		:: MAY_STORE -> at_work = late
		:: else
		fi;
		late = 0 }
	:: d_step { at_work != 0 -> commit() }
	:: d_step { at_work != 0 -> at_work = 0 } /* rolled back */
	od
}

/* ---- im, the holder of epoch 1 ---- */

proctype im()
{
	byte id, next_id = 1, open, settled, waiting; /* waiting: bits of ids that Kafka has not acknowledged */
	byte i;
	bool is_lost, in_doubt; /* the connection; the outcome of a try */

	do
	/* [L3] the next batch only when the outcome of this one is known */
	:: d_step { id == 0 && next_id <= N -> id = next_id; next_id++; open = open | BIT(id); sent = id }
	/* the answer */
	:: d_step { id != 0 && !is_lost && !is_refused && sent == 0 && at_work == 0 && (stored & BIT(id)) ->
		waiting = waiting | BIT(id);
#ifdef WATERMARK_EARLY
		open = open & ~BIT(id);
#endif
		id = 0; in_doubt = false }
	:: d_step { is_refused && !is_lost ->
		is_refused = false;
		/* [L3] a refusal now says nothing about an earlier try */
		if
#ifndef REFUSED_IS_NOT_STORED
		:: in_doubt -> is_lost = true
		:: !in_doubt
#else
		:: true
#endif
			-> open = open & ~BIT(id); id = 0; in_doubt = false
		fi }
	/* the decision refused it: the id is settled, also after a try whose outcome is unknown */
	:: d_step { is_denied && !is_lost -> is_denied = false; open = open & ~BIT(id); id = 0; in_doubt = false }
	/* the connection is lost */
	:: d_step { id != 0 && !is_lost && !is_refused -> is_lost = true; in_doubt = true; is_denied = false;
		if
		:: sent != 0 -> late = sent; sent = 0
		:: else
		fi }
#ifdef NO_UNKNOWN_OUTCOME_LOOKUP
	:: d_step { is_lost -> is_lost = false; in_doubt = false; open = open & ~BIT(id); id = 0 }
#else
#ifdef LOOKUP_WITHOUT_LOCK
	:: d_step { is_lost && !(stored & BIT(id)) -> is_lost = false; in_doubt = false; open = open & ~BIT(id); id = 0 }
	:: d_step { is_lost && (stored & BIT(id)) -> is_lost = false; in_doubt = false; waiting = waiting | BIT(id); id = 0 }
#else
	/* [L3] the same statement again, with the same id: it waits for the first try, and finds the entry that it stored */
	:: d_step { is_lost && sent == 0 && at_work == 0 && epoch == 1 -> is_lost = false; sent = id }
#endif
#endif
	/* Kafka acknowledges in order */
	:: d_step { waiting != 0 ->
		i = 1;
		do
		:: waiting & BIT(i) -> break
		:: else -> i++
		od;
		publish(i);
		waiting = waiting & ~BIT(i);
		open = open & ~BIT(i);
		i = 0 }
	:: d_step { settled + 1 < next_id && !(open & BIT(settled + 1)) -> settled++ }
	/* [L4] a renewal: only under its own epoch */
	:: d_step { epoch == 1 && !is_free && (settled > watermark || is_expired) -> store_watermark(settled); is_expired = false }
	/* [L6] gives the number back when all is settled; otherwise the lease expires and is taken over */
	:: d_step { epoch == 1 && !is_free && id == 0 && sent == 0 && next_id > N ->
		if
#ifdef GIVE_BACK_UNSETTLED
		:: true -> is_free = true
#else
		:: open == 0 && settled + 1 == next_id -> is_free = true
		:: else -> is_expired = true
#endif
		fi };
		break
	:: atomic { deaths < DEATHS -> deaths++; if :: sent != 0 -> late = sent; sent = 0 :: else fi }; break
	od;
	is_alive[0] = false
}

/* ---- the takeover ---- */

#ifdef NO_SHARED_LOCK
#define HAS_LOCK true
#else
#define HAS_LOCK (at_work == 0)
#endif

proctype caretaker()
{
	byte mine, at, found;

#ifdef READ_BEFORE_BUMP
	found = stored;
#endif
	/* [L2] the lock exclusively: statements at work end first */
	if
	:: d_step { HAS_LOCK && is_expired && !is_free -> epoch++; mine = epoch; is_expired = false; is_taking = false }
	:: atomic { is_free || !is_expired -> is_taking = false; goto over }
	fi;
#ifndef READ_BEFORE_BUMP
	found = stored;
#endif
#ifdef WATERMARK_EARLY
	d_step { epoch == mine -> store_watermark(N) };
#endif
	/* [L6] from the stored watermark, in the order of ids; the number is free when everything is published */
	at = watermark;
#ifndef NO_REPUBLISH
	do
#ifdef REPUBLISH_BACKWARDS
	:: d_step { at == 0 && (found & BIT(2) & ~in_kafka) -> publish(2) }
#endif
	:: d_step { at < N && (found & BIT(at + 1)) -> at++; publish(at) }
	:: d_step { at < N && !(found & BIT(at + 1)) -> at++ }
	:: d_step { at > watermark && epoch == mine -> store_watermark(at) }
	:: at == N -> break
	:: atomic { deaths < DEATHS -> deaths++; goto over }
	od;
#endif
	if
	:: atomic { epoch == mine -> is_free = true }
	:: epoch != mine
	fi;
over:
	if
	:: mine != 0 -> is_alive[mine - 1] = false
	:: else
	fi
}

/* ---- time ---- */

init
{
	byte pauses;

	is_alive[0] = true; is_alive[1] = true; is_alive[2] = true; is_alive[3] = true; is_alive[4] = true;
	run backends();
	run im();
	do
	/* [L6] the lease of a dead im expires, and another im takes it over, until it is free */
	:: d_step { !is_alive[epoch - 1] && !is_expired && !is_free -> is_expired = true }
	:: d_step { pauses < PAUSES && !is_expired && !is_free -> pauses++; is_expired = true }
	:: atomic { is_expired && !is_free && !is_taking -> is_taking = true; run caretaker() }
	od
}

active proctype judge()
{
	timeout ->
	/* [L6] every committed message is in Kafka in the end, whichever process died */
	assert((stored & ~in_kafka) == 0)
}
