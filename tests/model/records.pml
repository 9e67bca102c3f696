/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What becomes of records within one regime: partner first, reply last, one
 * after the other (R1, R2, R3), exactly once over connections that break (R5),
 * epochs and purge (R8), and after a crash of the owner the replay (R10).
 * Who may be owner is in ownership.pml.
 *
 * One process, one guarded step at a time, as in ownership.pml. Changes 1 and
 * 3 overwrite the same file, change 2 another; change 2 may fail on the disk
 * and is cancelled then. Record 4 is that cancellation.
 */

#ifndef BREAKS
#define BREAKS 2	/* connections that break, mirrords that are killed */
#endif
#ifndef EPOCHS
#define EPOCHS 3	/* the highest */
#endif
#define CHANGES 3
#define CANCEL 4
#define FILE(k) (k == 2 || k == CANCEL)

/* operation.h: enum operation_state */
#define NEW 0
#define SENT 1
#define APPLIED 2
#define CANCELLING 3
#define DONE 4		/* unlocked, not answered yet */
#define ANSWERED 5

#ifdef MUTANT_APPLY_FIRST
#define MAY_APPLY(k) (phase[k] == SENT)
#else
#define MAY_APPLY(k) (phase[k] == SENT && ACKNOWLEDGED(k))
#endif
#ifdef MUTANT_REPLY_FIRST
#define MAY_ANSWER(k) (phase[k] == SENT && !answered[k])
#else
#define MAY_ANSWER(k) (phase[k] == DONE)
#endif
#ifdef MUTANT_EPOCH_NOT_WAITED
#define EPOCH_BUSY(e) false
#else
#define EPOCH_BUSY(e) (HOLDS(1, e) || HOLDS(2, e) || HOLDS(3, e))
#endif
#ifdef MUTANT_SEQUENCES_IGNORED
#define KNOWN(m) false
#define FOLLOWS(m) true
#define FROM acknowledged
#else
#define KNOWN(m) (seq[m] <= last)
#define FOLLOWS(m) (last == 0 || seq[m] == last + 1)
#define FROM last
#endif
#ifdef MUTANT_CONFLICTS_NOT_ORDERED
#define LOCKS_FREE(k) true
#else
#define LOCKS_FREE(k) (k != 3 || phase[1] >= DONE)
#endif
#ifdef MUTANT_ERROR_BEFORE_CANCEL
#define CANCELLED true
#else
#define CANCELLED (acknowledged >= seq[CANCEL])
#endif
#define MAY_WIPE (!sealed)

/* The owner's smbd (one, with changes in flight). Index: change, record. */
byte phase[5];
byte epoch[5];
byte seq[5];
bit answered[5];
bit failed;		/* change 2 */
byte sequences;		/* given away */
byte acknowledged;	/* up to this sequence */
bit connected;
/* its links: the present one and those that were given up */
chan link = [4] of { byte };
chan old = [4] of { byte };
byte breaks;

/* The owner's mirrord and volume. Index: file. */
byte now;		/* epoch in the state page */
byte closed;
byte wiped;		/* as the owner knows */
byte closing;		/* what is being synced and wiped */
bit syncing;
byte snapshot[2];
byte cache[2];
byte disk[2];
bit dead;
byte wipe;		/* the request under way; 0: none */
bit wiping;		/* it waits for the answer */

/* The partner: records in the order in which they came. */
byte store[6];
byte held;
byte last;		/* sequence */
byte gone;		/* epochs up to this one are wiped */
bit sealed;
bit over;

/* What clients know. Index: file. */
byte known[2];
byte i;
byte value[2];

#define ACKNOWLEDGED(m) (seq[m] != 0 && seq[m] <= acknowledged)
#define ALIVE !dead
#define HOLDS(k, e) (phase[k] >= SENT && phase[k] < DONE && epoch[k] <= e)
#define KNOWS(f, v) if :: v > known[f] -> known[f] = v :: else fi

#define NUMBER(m) sequences++; seq[m] = sequences; \
	if :: connected -> link ! m :: else fi

#define CHANGE(k) \
	/* operation.c: operation_take_locks, step_send; state_page_tag */ \
	:: d_step { ALIVE && phase[k] == NEW && LOCKS_FREE(k) -> \
		phase[k] = SENT; epoch[k] = now; NUMBER(k); \
		printf("A: sends record %d in epoch %d\n", k, now) } \
	/* operation.c: step_sent */ \
	:: d_step { ALIVE && MAY_APPLY(k) -> \
		phase[k] = APPLIED; cache[FILE(k)] = k; \
		printf("A: applies change %d\n", k) } \
	:: d_step { ALIVE && phase[k] == APPLIED && ACKNOWLEDGED(k) -> \
		phase[k] = DONE; \
		printf("A: change %d is done\n", k) } \
	:: d_step { ALIVE && MAY_ANSWER(k) -> answered[k] = 1; \
		if :: phase[k] == DONE -> phase[k] = ANSWERED :: else fi; \
		if :: !(k == 2 && failed) -> KNOWS(FILE(k), k) :: else fi; \
		printf("A: answers change %d\n", k) }

#define TAKE(queue) \
	queue ? i; \
	if :: sealed -> printf("B: is sealed, refuses a record\n") \
	   :: else -> \
		if :: KNOWN(i) || epoch[i] <= gone || held == 6 -> \
			printf("B: ignores record %d\n", i) \
		   :: else -> \
			if :: FOLLOWS(i) -> \
				store[held] = i; held++; \
				if :: seq[i] > last -> last = seq[i] \
				   :: else fi; \
				printf("B: stores record %d\n", i) \
			   :: else -> printf("B: a gap\n") fi \
		fi \
	fi; \
	i = 0

/* The present connection becomes an old one, with what is still in it. An old
 * one that was there is forgotten. */
#define BREAK \
	connected = 0; FLUSH(old); \
	do :: nempty(link) -> link ? i; old ! i \
	   :: empty(link) -> break od; i = 0
#define FLUSH(queue) \
	do :: nempty(queue) -> queue ? i :: empty(queue) -> break od; i = 0

/* sender.c: link_welcome: what the partner has is acknowledged, the rest is
 * sent again in order. */
#define WELCOME \
	connected = 1; acknowledged = (last > acknowledged -> last : \
				       acknowledged); \
	j = FROM + 1; \
	do \
	:: j <= sequences -> \
		i = 1; \
		do :: i <= CANCEL && seq[i] != j -> i++ :: else -> break od; \
		if :: i <= CANCEL -> link ! i :: else fi; \
		j++ \
	:: else -> break \
	od; \
	i = 0; j = 0
byte j;

#define DIE(first, second) \
	dead = 1; connected = 0; \
	if :: first -> disk[0] = cache[0] :: else fi; \
	if :: second -> disk[1] = cache[1] :: else fi; \
	cache[0] = 0; cache[1] = 0; snapshot[0] = 0; snapshot[1] = 0; \
	syncing = 0; \
	printf("A: CRASHES, the disk has %d and %d\n", disk[0], disk[1])

/* store.c: store_visit; replay.c: replay_run */
#define REPLAY \
	value[0] = disk[0]; value[1] = disk[1]; i = 0; \
	do \
	:: i < held -> \
		if :: epoch[store[i]] > gone && store[i] != CANCEL && \
		      !(store[i] == 2 && CANCEL_HELD) -> \
			value[FILE(store[i])] = store[i] \
		   :: else fi; \
		i++ \
	:: else -> break \
	od
#define CANCEL_HELD (store[0] == CANCEL || store[1] == CANCEL || \
	store[2] == CANCEL || store[3] == CANCEL)

init {
	d_step {
		now = 1; connected = 1
	}
	do
	CHANGE(1)
	CHANGE(2)
	CHANGE(3)
	/* The disk refuses change 2. operation.c: step_cancel */
	:: d_step { ALIVE && phase[2] == SENT && ACKNOWLEDGED(2) && !failed ->
		failed = 1; phase[2] = CANCELLING; epoch[CANCEL] = epoch[2];
		NUMBER(CANCEL);
		printf("A: change 2 fails, is cancelled\n") }
	/* operation.c: step_cancelling */
	:: d_step { ALIVE && phase[2] == CANCELLING && CANCELLED ->
		phase[2] = DONE;
		printf("A: the cancellation is acknowledged\n") }
	/* A read is answered with what is applied. */
	:: d_step { ALIVE && (cache[0] > known[0] || cache[1] > known[1]) ->
		KNOWS(0, cache[0]); KNOWS(1, cache[1]);
		printf("A: a client reads %d and %d\n", cache[0], cache[1]) }

	/* partner_record.c: partner_record_frame; store.c: store_add */
	:: d_step { nempty(link) && (!sealed || dead) -> TAKE(link) }
	:: d_step { nempty(old) -> TAKE(old) }
	/* partner_record.c: partner_record_drained */
	:: d_step { ALIVE && connected && acknowledged < last ->
		acknowledged = last;
		printf("A: has the acknowledgements up to %d\n", last) }
	:: d_step { ALIVE && connected && breaks < BREAKS ->
		breaks++; BREAK;
		printf("-: the connection BREAKS\n") }
	:: d_step { ALIVE && !connected && !sealed -> WELCOME;
		printf("A: connects again, sends again\n") }

	/* owner_epoch.c: advance_epoch */
	:: d_step { ALIVE && now < EPOCHS && closed == now - 1 &&
		(epoch[1] == now || epoch[2] == now || epoch[3] == now) ->
		closed = now; now++;
#ifdef MUTANT_SYNC_BEGINS_EARLY
		snapshot[0] = cache[0]; snapshot[1] = cache[1];
#endif
		printf("A: epoch %d\n", now) }
	/* owner_epoch.c: close_epoch, epoch_synced, wipe_done */
	:: d_step { ALIVE && !syncing && !wiping && closed > wiped &&
		!EPOCH_BUSY(closed) ->
		syncing = 1; closing = closed;
#ifndef MUTANT_SYNC_BEGINS_EARLY
		snapshot[0] = cache[0]; snapshot[1] = cache[1];
#endif
#ifdef MUTANT_WIPE_BEFORE_SYNC
		wipe = closing;
#endif
		printf("A: syncs for epoch %d\n", closing) }
	:: d_step { ALIVE && syncing ->
		syncing = 0; wiping = 1;
		if :: snapshot[0] > disk[0] -> disk[0] = snapshot[0] :: else fi;
		if :: snapshot[1] > disk[1] -> disk[1] = snapshot[1] :: else fi;
		snapshot[0] = 0; snapshot[1] = 0; wipe = closing;
		printf("A: is synced, wipe %d\n", wipe) }
	/* partner_control.c: on_wipe; store.c: store_wipe */
	:: d_step { wipe != 0 ->
		if :: MAY_WIPE && wipe > gone -> gone = wipe;
			printf("B: wipes up to epoch %d\n", gone)
		   :: else -> printf("B: does not wipe\n") fi;
		wipe = 0 }
	:: d_step { ALIVE && wiping && wipe == 0 && gone >= closing ->
		wiping = 0; wiped = closing; closing = 0 }
	/* main.c: a mirrord that is killed forgets what it was closing */
	:: d_step { ALIVE && breaks < BREAKS && (syncing || wiping) ->
		breaks++; syncing = 0; wiping = 0; closing = 0;
		snapshot[0] = 0; snapshot[1] = 0;
		printf("A: mirrord is KILLED and starts again\n") }

	/* Of what is not synced any part may be on the disk (R10). */
	:: d_step { ALIVE -> DIE(0, 0) }
	:: d_step { ALIVE && cache[0] != disk[0] -> DIE(1, 0) }
	:: d_step { ALIVE && cache[1] != disk[1] -> DIE(0, 1) }
	:: d_step { ALIVE && cache[0] != disk[0] && cache[1] != disk[1] ->
		DIE(1, 1) }
	/* takeover.c: takeover_mount; partner.c: partner_seal */
	:: d_step { dead && !sealed -> sealed = 1; FLUSH(link); FLUSH(old);
		printf("B: seals its store\n") }
	:: d_step { dead && sealed && wipe == 0 && !over ->
		REPLAY;
		printf("B: replays: %d and %d\n", value[0], value[1]);
		assert(value[0] >= known[0] && value[1] >= known[1]);
						/* answered and lost */
		assert(!(failed && answered[2] && value[1] == 2));
						/* answered with an error, done */
		value[0] = 0; value[1] = 0; i = 0; over = 1 }

	/* R9, R5: nothing waits for ever. */
	:: d_step { ALIVE && connected && empty(link) && empty(old) &&
		acknowledged == last && !syncing && !wiping && wipe == 0 ->
		assert(acknowledged == sequences) }	/* a record is not sent */
	od
}
