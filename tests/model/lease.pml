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
 * at work, or begin later. The im raises its own epoch before it tries again.
 *
 * A batch stands for any statement that stores entries: a batch of sends, or of
 * changes with their entries. Both look for an entry with their id under the lock of
 * the conversation first. A statement that finds none may decide against the entry
 * (not a member, nothing to change). That ends the entry, and settles its id.
 *
 * Bounds: N messages, DEATHS of processes, PAUSES that outlast a lease, LOSSES of a
 * connection with a statement under way.
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
#ifndef LOSSES
#define LOSSES 2
#endif

#define BIT(id) (1 << (id))
#define UP_TO(id) (BIT((id) + 1) - 2)

/* ---- PostgreSQL ---- */

byte epoch = 1, owner; /* the owner is im (0) or the caretaker of this number */
bool is_expired, is_free; /* free: given back, no takeover is needed */
byte watermark; /* as stored */
byte stored; /* bits of ids */
byte last_seq, seq_of[N + 1];
byte at_work, at_work_epoch; /* the id whose statement holds the lock shared, and the epoch that the statement names */
byte late, late_epoch; /* a statement in the socket of a lost connection */
byte late_raise; /* a raise of this epoch in the socket of a lost connection */

/* ---- Kafka ---- */

byte in_kafka; /* bits of ids */
byte highest_seq; /* of the first copies */

/* ---- processes ---- */

byte sent, sent_epoch; /* im's statement that has not begun */
bool is_refused; /* its answer: the lease */
bool is_denied; /* its answer: the decision; nothing is stored */
byte deaths, takeovers;
bool is_taking; /* an im has seen that it expired */
bool is_alive[5]; /* by owner */

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
#define MAY_STORE(under) true
#else
#define MAY_STORE(under) (epoch == under && !is_expired)
#endif

inline commit()
{
	if
	:: !(stored & BIT(at_work)) ->
		/* [L2] nothing is stored under an epoch that was raised */
		assert(epoch == at_work_epoch);
		last_seq++;
		seq_of[at_work] = last_seq;
		stored = stored | BIT(at_work)
	:: else /* the first try stored it */
	fi;
	at_work = 0; at_work_epoch = 0
}

/* fn.im_lease_raise(): the same answer when it runs again */
#define MAY_RAISE(from) (owner == 0 && !is_free && (epoch == from || epoch == from + 1))

#ifdef RAISE_WITHOUT_LOCK
#define HAS_LOCK_FOR_RAISE true
#else
#define HAS_LOCK_FOR_RAISE (at_work == 0)
#endif

proctype backends()
{
	do
	:: d_step { sent != 0 && at_work == 0 ->
		if
		:: MAY_STORE(sent_epoch) -> at_work = sent; at_work_epoch = sent_epoch
		:: else -> is_refused = true
		fi;
		sent = 0; sent_epoch = 0 }
	/* decided against the entry */
	:: d_step { sent != 0 && at_work == 0 && MAY_STORE(sent_epoch) && !(stored & BIT(sent)) ->
		is_denied = true; sent = 0; sent_epoch = 0 }
	:: d_step { late != 0 && at_work == 0 ->
		if
		:: MAY_STORE(late_epoch) -> at_work = late; at_work_epoch = late_epoch
		:: else
		fi;
		late = 0; late_epoch = 0 }
	:: d_step { late_raise != 0 && HAS_LOCK_FOR_RAISE ->
		if
		:: MAY_RAISE(late_raise) -> epoch = late_raise + 1; is_expired = false
		:: else
		fi;
		late_raise = 0 }
	:: d_step { at_work != 0 -> commit() }
	:: d_step { at_work != 0 -> at_work = 0; at_work_epoch = 0 } /* rolled back */
	od
}

/* ---- im, the first owner ---- */

/* The connection is lost or the process dies. A statement that has not begun stays in the socket, or is gone. */
inline lose_statement()
{
	if
	:: sent != 0 -> late = sent; late_epoch = sent_epoch
	:: sent != 0 && late != 0
	:: sent == 0
	fi;
	sent = 0; sent_epoch = 0
}

proctype im()
{
	byte id, next_id = 1, open, settled, waiting; /* waiting: bits of ids that Kafka has not acknowledged */
	byte i, own = 1, losses; /* own: the epoch that this process knows */
	bool is_lost, in_doubt; /* the connection; the outcome of a try */
	bool is_fenced; /* the epoch was raised since the connection was lost */

	do
	/* [L3] the next batch only when the outcome of this one is known */
	:: d_step { id == 0 && next_id <= N -> id = next_id; next_id++; open = open | BIT(id); sent = id; sent_epoch = own }
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
	/* [L7] decided against it: the id is settled, also after a try whose outcome is unknown */
	:: d_step { is_denied && !is_lost -> is_denied = false; open = open & ~BIT(id); id = 0; in_doubt = false }
	/* the server refused the statement for another entry of its batch, and rolled it back: it is sent again, with the same id */
	:: d_step { id != 0 && !is_lost && !is_refused && !is_denied && sent == 0 && at_work == 0 && !(stored & BIT(id)) ->
		sent = id; sent_epoch = own }
	/* the connection is lost */
	:: d_step { losses < LOSSES && id != 0 && !is_lost && !is_refused ->
		losses++; is_lost = true; in_doubt = true; is_denied = false; is_fenced = false; lose_statement() }
#ifdef NO_UNKNOWN_OUTCOME_LOOKUP
	:: d_step { is_lost -> is_lost = false; in_doubt = false; open = open & ~BIT(id); id = 0 }
#else
#ifdef LOOKUP_WITHOUT_LOCK
	:: d_step { is_lost && !(stored & BIT(id)) -> is_lost = false; in_doubt = false; open = open & ~BIT(id); id = 0 }
	:: d_step { is_lost && (stored & BIT(id)) -> is_lost = false; in_doubt = false; waiting = waiting | BIT(id); id = 0 }
#else
	/* [L7] no try whose outcome is unknown stores anything after the next one began */
	:: d_step { is_lost && !is_fenced && HAS_LOCK_FOR_RAISE && MAY_RAISE(own) ->
		epoch = own + 1; is_expired = false;
		if
		:: own = epoch; is_fenced = true
		:: true /* the answer is lost: it is asked again */
		fi }
	:: d_step { is_lost && !is_fenced && late_raise == 0 && losses < LOSSES -> losses++; late_raise = own }
#ifdef RETRY_UNDER_THE_SAME_EPOCH
#define MAY_RETRY true
#else
#define MAY_RETRY is_fenced
#endif
	/* [L3] the same statement again, with the same id: it finds the entry that the first try stored */
	:: d_step { is_lost && MAY_RETRY && sent == 0 && at_work == 0 && epoch == own ->
		is_lost = false; sent = id; sent_epoch = own }
#ifdef ANOTHER_ID_AFTER_DOUBT
	/* under the lease of another number the entry is not found by its id: it is stored once more */
	:: d_step { is_lost && owner != 0 -> assert(!(stored & BIT(id))); is_lost = false; in_doubt = false; id = 0 }
#endif
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
	:: d_step { epoch == own && owner == 0 && !is_free && (settled > watermark || is_expired) -> store_watermark(settled); is_expired = false }
	/* [L6] gives the number back when all is settled; otherwise the lease expires and is taken over */
	:: d_step { epoch == own && owner == 0 && !is_free && id == 0 && sent == 0 && next_id > N ->
		if
#ifdef GIVE_BACK_UNSETTLED
		:: true -> is_free = true
#else
		:: open == 0 && settled + 1 == next_id -> is_free = true
		:: else -> is_expired = true
#endif
		fi };
		break
	:: atomic { deaths < DEATHS -> deaths++; lose_statement() }; break
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
	byte mine, me, at, found; /* mine: the epoch */

#ifdef READ_BEFORE_BUMP
	found = stored;
#endif
	/* [L2] the lock exclusively: statements at work end first */
	if
	:: d_step { HAS_LOCK && is_expired && !is_free ->
		epoch++; mine = epoch; takeovers++; me = takeovers; owner = me; is_expired = false; is_taking = false }
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
	:: mine != 0 -> is_alive[me] = false
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
	:: d_step { !is_alive[owner] && !is_expired && !is_free -> is_expired = true }
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
