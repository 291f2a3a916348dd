/*
 * Who gets a message of a group whose members come and go: one conversation in
 * PostgreSQL, one user who joins and leaves, two push processes with a list of
 * members in memory each. What holds for one user holds for all: the
 * list says of each on its own whether it is a member.
 *
 * One step is one transaction, one record, or one page of members read. The owner of
 * the partition changes at any moment, and the new owner goes on from what was committed. A
 * push that lost the partition keeps its list, and may get the partition back.
 *
 * Bounds: N entries of the conversation, MOVES of the partition.
 */

#ifndef N
#define N 4
#endif
#ifndef MOVES
#define MOVES 2
#endif

mtype = { MESSAGE, JOIN, LEAVE, OTHER }; /* OTHER: somebody else joins or leaves */

/* ---- PostgreSQL ---- */

byte stored; /* entries 1 .. stored are committed */
mtype kind[N + 1];
byte version[N + 1]; /* the seq of the last change at or before the entry, as the record carries it */
bit member[N + 1]; /* as of the entry. Entry 0: the group is made without the user */
byte last_change; /* the group's member_version */

inline append(what, at_version)
{
	stored++;
	kind[stored] = what;
	version[stored] = at_version;
	member[stored] = (what == JOIN -> 1 : (what == LEAVE -> 0 : member[stored - 1]))
}

/*
 * [M1] a message has its seq and the version of the membership from one transaction, under the conversation's lock; a
 * change and its entry are one transaction.
 */
proctype im()
{
#ifdef VERSION_WITHOUT_LOCK
	byte at_version;
#endif
	do
#ifdef VERSION_WITHOUT_LOCK
	:: at_version = last_change
	:: d_step { stored < N -> append(MESSAGE, at_version) }
#else
	:: d_step { stored < N -> append(MESSAGE, last_change) }
#endif
	:: d_step { stored < N -> last_change = stored + 1; append(OTHER, last_change) }
	:: d_step { stored < N && member[stored] == 0 -> last_change = stored + 1; append(JOIN, last_change) }
	:: d_step { stored < N && member[stored] == 1 -> last_change = stored + 1; append(LEAVE, last_change) }
	:: stored == N -> break
	od
}

/*
 * [M3] fn.members_as_of(): the members of now whom no later change names, and those whose first later change took them
 * out. The snapshot may be of any later time.
 */
inline read_members(at_version, is_member)
{
	i = at_version + 1;
#ifdef NEWEST_MEMBERS
	i = stored + 1;
#endif
	do
	:: i <= stored && (kind[i] == MESSAGE || kind[i] == OTHER) -> i++
	:: else -> break
	od;
	if
	:: i > stored -> is_member = member[stored]
#ifdef LAST_CHANGE_COUNTS
	:: else -> is_member = member[stored]
#else
	:: else -> is_member = (kind[i] == LEAVE)
#endif
	fi;
	i = 0
}

/* ---- push ---- */

byte owner; /* of the partition */
byte committed; /* entries up to it are answered */

/* The memory of each push: the list, its version, and the entry up to which it holds. It survives a loss of the partition. */
bool has_list[2];
bit list[2];
byte list_version[2], through[2];

/* A list that is newer than the question is kept. */
inline put(is_member, at_version, last)
{
	if
	:: has_list[me] && list_version[me] > at_version
	:: has_list[me] && list_version[me] == at_version && through[me] >= last
	:: has_list[me] && list_version[me] == at_version && through[me] < last -> through[me] = last
	:: else ->
		has_list[me] = true;
		list[me] = is_member;
		list_version[me] = at_version;
		through[me] = last
	fi
}

#ifdef NEWER_LIST_COUNTS
#define LIST_FITS (list_version[me] >= version[first])
#else
#define LIST_FITS (list_version[me] == version[first])
#endif

#ifdef DELTA_ON_ANY_LIST
#define FOLLOWS true
#else
#define FOLLOWS (through[me] + 1 == first)
#endif

/* Records come in the order of their seq (delivery.pml); a batch holds entries of one version. */
inline take_batch()
{
	first = dispatched + 1;
	last = first;
	if
#ifdef BATCH_OVER_VERSIONS
	:: first < stored -> last = first + 1
#else
	:: first < stored && version[first + 1] == version[first] -> last = first + 1
#endif
	:: true
	fi
}

/* [M4] the list in memory answers for its own version, and for the next one if the entry carries the change and is the next. */
inline look_up()
{
	if
	:: has_list[me] && LIST_FITS -> is_member = list[me]; put(is_member, version[first], last); is_known = true
	:: has_list[me] && !LIST_FITS && list_version[me] < version[first] && version[first] == first && FOLLOWS ->
#ifdef DELTA_LOST
		is_member = list[me];
#else
		is_member = (kind[first] == JOIN || (kind[first] == OTHER && list[me]));
#endif
		put(is_member, version[first], last);
		is_known = true
	:: true -> is_known = false /* no list, a record without its change, a gap, an older message */
	fi
}

/* [M2] exactly the members as of the message get it. */
inline dispatch()
{
	assert(is_member == member[first]);
	assert(is_member == member[last]);
	dispatched = last;
	first = 0; last = 0; is_member = 0; is_known = false
}

proctype push(byte me)
{
	byte dispatched, first, last, i;
	bit is_member;
	bool is_known;

	dispatched = committed;
	do
	:: atomic { owner == me && dispatched < stored && first == 0 ->
		take_batch();
		look_up();
		if
		:: is_known -> dispatch()
		:: else
		fi }
	:: d_step { first != 0 -> read_members(version[first], is_member); put(is_member, version[first], last); dispatch() }
	:: d_step { owner == me && committed < dispatched -> committed = dispatched }
	:: owner != me -> break /* dead, or finished with the records that it had taken */
	:: owner == me && committed == N -> break
	od
}

init
{
	byte moves;

	atomic { run im(); run push(0) };
	do
	:: moves < MOVES -> atomic { moves++; owner = 1 - owner; run push(owner) }
	:: break
	od
}

/* Every entry went to all its members. */
active proctype judge()
{
	timeout -> assert(committed == N)
}
