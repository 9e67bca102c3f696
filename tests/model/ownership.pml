/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who may answer: two nodes, a shared volume, a fence, ctdb, and everything
 * that decides which of the nodes owns the volume (R1, R2, R11, R12, R13).
 * What becomes of records inside one regime (R5, R8) is in records.pml.
 *
 * One process, one guarded step at a time: what is not one step here can be
 * interrupted by any step of the other node, by a crash, a hang, a cut link.
 * A line "file.c: function" names the code that a step stands for; "lease:"
 * what R12 adds to it. A line that a trail prints begins with the node.
 *
 * Time is a tick that ages every running clock by one, so that only "before"
 * and "after" count. The clocks of both nodes run equally fast; a margin for
 * those that do not belongs into the partner's note (granted).
 *
 * Changes overwrite one another: change k writes the value k into the one
 * file there is, and waits for change k-1 of the same node (R3).
 */

#ifndef FAULTS
#define FAULTS 2	/* crashes, hangs, cuts, restarts of mirrord, moves */
#endif
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef LEASE
#define LEASE 1		/* its length, in ticks */
#endif

/* What the code has to do and what a switch leaves out; see README.md. */
#ifdef MUTANT_OLD_STORE_REPLAYED
#define STORE_MATTERS(n) (N[n].sgen != 0)
#else
#define STORE_MATTERS(n) STORE_MATCHES(n)
#endif
#ifdef MUTANT_OLD_GENERATION_ACCEPTED
#define SAME_STORE(n, o) (N[o].sgen != 0)
#else
#define SAME_STORE(n, o) (N[o].sgen == N[n].wgen && N[o].sinc == N[n].winc)
#endif
#ifdef MUTANT_NOT_SEALED
#define TAKES_RECORDS(n) (N[n].svc != OWNER)
#else
#define TAKES_RECORDS(n) (!N[n].sealed && N[n].svc <= CHECKING)
#endif
#ifdef MUTANT_TAKEOVER_DOES_NOT_WAIT
#define WAITED(n) true
#else
#define WAITED(n) (N[n].granted == 0 && (!N[n].whole || N[n].fencewait == 0))
#endif
#ifdef MUTANT_GRANTS_DURING_TAKEOVER
#define MAY_GRANT(n) (N[n].svc != OWNER)
#define NOTES_GRANT(n) (N[n].svc == ABSENT)
#else
#define NOTES_GRANT(n) true
#define MAY_GRANT(n) (N[n].svc == ABSENT && !N[n].sealed)
#endif
#ifdef MUTANT_LEASE_FROM_ANSWER
#define GRANTED_FROM(n) (N[n].answer == 1 -> LEASE : N[n].asked)
#else
#define GRANTED_FROM(n) N[n].asked
#endif
#ifdef MUTANT_CHECK_BEFORE_READ
#define MAY_READ(n) ANSWERS(n)
#define MAY_ANSWER_READ(n) true
#else
#define MAY_READ(n) (N[n].mode >= MIRRORED)
#define MAY_ANSWER_READ(n) ANSWERS(n)
#endif

/* What the lease protocol has to mind (README.md). */
#ifdef MUTANT_HEARTBEAT_LEASE_KEPT
#define END_HEARTBEAT_LEASE(n) skip
#else
#define END_HEARTBEAT_LEASE(n) N[n].lease = 0
#endif
#ifdef MUTANT_LATE_HEARTBEAT
#define HEARTBEAT_COUNTS(n) true
#else
#define HEARTBEAT_COUNTS(n) (N[n].mode == DEGRADED)
#endif
#ifdef MUTANT_RESTART_FORGETS_GRANT
#define GRANTED_AFTER_RESTART 0
#else
#define GRANTED_AFTER_RESTART LEASE
#endif

/* What the code did until the model told. */
#ifdef MUTANT_RELEASED_NODE_TRUSTS_ITS_KNOWLEDGE
#define MAY_OWN_AFTER_RELEASE(n) skip
#else
#define MAY_OWN_AFTER_RELEASE(n) N[n].mayown = 1
#endif
#ifdef MUTANT_FENCED_NODE_TRUSTS_ITS_KNOWLEDGE
#define KNOWS_NOTHING(n) skip
#else
#define KNOWS_NOTHING(n) N[n].mayown = 1; N[n].knows = 0
#endif
#ifdef MUTANT_CUT_OFF_OWNER_STAYS
#define DISK_REFUSED(n) false
#else
#define DISK_REFUSED(n) (N[n].fenced)
#endif
#ifdef MUTANT_FENCE_KNOWLEDGE_OUTLIVES_RETURN
#define FORGET_FENCE(n) skip
#else
#define FORGET_FENCE(n) N[n].knows = 0
#endif

/* ------------------------------------------------------------------ state */

/* node */
#define DOWN 0
#define UP 1
#define HUNG 2
/* service.h: enum service_state; REPLAYING in its steps */
#define ABSENT 0
#define CHECKING 1
#define MOUNTING 2
#define REPLAYING 3	/* mounted, the label is to be read */
#define CLAIMED 4	/* the label says REPLAYING */
#define REPLAYED 5
#define SYNCED 6
#define COMPLETE 7	/* the label says DEGRADED, by this node */
#define OWNER 8
#define RELEASING 9
#define UNMOUNT_CLEAN 10
#define UNMOUNT 11
/* state_page.h: enum page_mode; RELEASING counts as absent */
#define NONE 0
#define WAITING 1
#define MIRRORED 2
#define DEGRADED 3
/* label.h: enum label_protection (with MIRRORED, DEGRADED from above) */
#define CLEAN 0
#define REPLAY 1
/* owner_plan.c */
#define BEGIN_SENT 1
#define BEGIN_ANSWERED 2
#define BEGIN_HELD 3
#define BEGIN_LABELLED 4
#define DEGRADE_HELD 5
#define DEGRADE_SYNCED 6
#define DEGRADE_LABELLED 7
/* operation.h: enum operation_state */
#define LOCKED 1
#define SENT 2
#define APPLIED 3	/* may be answered */
#define SOFT 4		/* applied, not on the disk: degraded */
/* ctdb_view.c */
#define OUT 0
#define BOTH 1
#define ALONE 2

typedef node {
	unsigned alive : 2;
	unsigned svc : 4;
	unsigned mode : 2;	/* of the state page */
	unsigned torn : 1;	/* the page's generation is above the label's */
	unsigned plan : 3;
	unsigned view : 2;	/* of ctdb, when it was last asked */
	unsigned want : 1;	/* as it knows, ctdb gave it the address */
	unsigned link : 1;	/* its control link to the other is up */
	unsigned mayown : 1;	/* the other may have the volume (service.h) */
	unsigned knows : 1;	/* that the other is fenced (fence.c) */
	unsigned told : 1;	/* the answer "I do not have it" is here */
	unsigned fenced : 1;	/* cut off the disk */
	unsigned mounted : 1;
	unsigned ogen : 3;	/* the label as this owner knows it */
	unsigned oprot : 2;
	unsigned oinc : 2;
	unsigned sgen : 3;	/* its mirror store; 0: none */
	unsigned sinc : 2;
	unsigned sclaim : 3;
	unsigned slast : 2;	/* what replaying it writes; 0: nothing */
	unsigned sealed : 1;
	unsigned cache : 2;	/* the file, as seen here */
	unsigned op : 2;	/* the change under way; 0: none */
	unsigned phase : 3;
	unsigned wop : 2;	/* the last record sent, still under way */
	unsigned wgen : 3;
	unsigned winc : 2;
	unsigned lease : 2;	/* clocks: ticks left */
	unsigned answer : 2;	/* on its way: 1 a grant, 2 a heartbeat */
	unsigned asked : 2;	/* ... counted from when it was asked for */
	unsigned granted : 2;	/* noted by the partner */
	unsigned fencewait : 2;
	unsigned whole : 1;	/* the wait is a whole lease from the fence */
#ifdef MUTANT_LATE_MESSAGES
	unsigned late : 2;	/* on a connection given up: 1 BEGIN, 2 END */
	unsigned lategen : 3;
#endif
};

/*
 * Steps that may be repeated for ever without anything being wrong: leases,
 * reads, time, faults. Of all others none may (-DLIVELOCK, pan -l).
 */
#ifdef LIVELOCK
#define EVERMORE(name, n) ; progress_##name##_##n: skip
#else
#define EVERMORE(name, n)
#endif

node N[2];
/* the disk */
unsigned disk : 2;
unsigned lgen : 3;
unsigned lprot : 2;
unsigned lpart : 1;
unsigned lsgen : 3;
unsigned linc : 2;
/* ctdb: who are the members (2: both), who has the address */
unsigned members : 2;
unsigned host : 1;
unsigned cut : 1;
unsigned faults : 3;
/* the clients */
unsigned number : 3;
unsigned acked : 2;	/* highest change that was answered */
unsigned read : 2;	/* a read was done: 1 what it saw is good, 2 stale */
unsigned reader : 1;	/* by this node */
unsigned crashed : 2;	/* memories lost since the disk had all */
unsigned excused : 1;	/* both were */

#define REACHES(n, o) (N[n].link && N[o].alive == UP && !cut)
#define ANSWERS(n) (N[n].mode >= MIRRORED && N[n].lease > 0)
#define MATCHES(n) (N[n].sgen == lsgen && N[n].sinc == linc)
#define STORE_MATCHES(n) ((lprot == MIRRORED || \
	(lprot == REPLAY && N[n].sclaim == lgen)) && lpart == n && MATCHES(n))
/* With both memories lost the contents are no longer of interest: what then
 * happens is covered without changes, CHANGES=0. */
#define PRESENT(n) (N[n].alive == UP && !excused)
#define OWNS(n) (N[n].alive == UP && N[n].svc == OWNER && !excused)

/* Only what is near the label's generation matters; smaller numbers, fewer
 * states. */
#define OLDER(generation) \
	if :: generation > 2 -> generation-- :: else fi
#define OLDER_NODE(n) \
	OLDER(N[n].ogen); OLDER(N[n].sgen); OLDER(N[n].sclaim); \
	OLDER(N[n].wgen); OLDER_LATE(n)
#ifdef MUTANT_LATE_MESSAGES
#define OLDER_LATE(n) OLDER(N[n].lategen)
#else
#define OLDER_LATE(n) skip
#endif
#define LABELLED \
	if :: lgen > 4 -> OLDER(lgen); OLDER(lsgen); \
		OLDER_NODE(0); OLDER_NODE(1) \
	   :: else fi

/* ------------------------------------------------------------- properties */

/* R12: of two nodes at most one may answer. A node that hangs would answer as
 * soon as it goes on. */
#define ONE_ANSWERS \
	assert(!(N[0].alive != DOWN && ANSWERS(0) && \
		 N[1].alive != DOWN && ANSWERS(1)))	/* two owners answer */

/* What was answered is there. */
#define NOTHING_LOST(n) \
	/* acknowledged and lost */ \
	assert(excused || N[n].fenced || N[n].cache >= acked)

/* ------------------------------------------- changes, of clients of a node */

#define G_START(n) (OWNS(n) && N[n].mode >= MIRRORED && N[n].op == 0 && \
	number <= CHANGES)
#define G_SEND(n) (OWNS(n) && N[n].mode == MIRRORED && N[n].op != 0 && \
	(N[n].phase == LOCKED || \
	 (N[n].phase == SENT && N[n].wop != N[n].op)))
#define G_RECEIVE(n, o) (N[n].wop != 0 && N[o].alive == UP && !cut && \
	SAME_STORE(n, o) && TAKES_RECORDS(o))
#define G_APPLY(n, o) (OWNS(n) && N[n].mode == MIRRORED && \
	N[n].phase == SENT && !cut && N[o].alive == UP && \
	N[o].sgen == N[n].ogen && \
	N[o].sinc == N[n].oinc && N[o].slast >= N[n].op)
#define G_APPLY_DEGRADED(n) (OWNS(n) && N[n].mode == DEGRADED && \
	N[n].phase == LOCKED)
#define G_HARDEN(n) (OWNS(n) && N[n].phase == SOFT && !N[n].fenced)
#define G_REPLY(n) (OWNS(n) && N[n].phase == APPLIED && ANSWERS(n))
/* Only reads that can be answered wrongly. */
#define G_READ(n) (OWNS(n) && read == 0 && MAY_READ(n) && \
	(acked < CHANGES || N[n].cache < acked))
#define G_ANSWER(n) (OWNS(n) && read != 0 && reader == n && \
	MAY_ANSWER_READ(n))

#define CLIENT(n, o) \
	/* operation.c: operation_take_locks */ \
	:: d_step { G_START(n) -> \
		N[n].op = number; N[n].phase = LOCKED; number++; \
		printf("%c: a client's change %d begins\n", 'A' + n, \
		       N[n].op) } \
	/* operation.c: step_send; sender.c: link_welcome sends again (R5) */ \
	:: d_step { G_SEND(n) -> \
		N[n].wop = N[n].op; N[n].wgen = N[n].ogen; \
		N[n].winc = N[n].oinc; N[n].phase = SENT; \
		printf("%c: sends record %d\n", 'A' + n, N[n].op) } \
	EVERMORE(send, n) \
	/* partner_record.c: partner_record_frame; store.c: store_add */ \
	:: d_step { G_RECEIVE(n, o) -> \
		if :: N[n].wop > N[o].slast || \
		      N[n].wgen != N[o].sgen -> N[o].slast = N[n].wop \
		   :: else fi; \
		printf("%c: stores record %d\n", 'A' + o, N[n].wop); \
		N[n].wop = 0; N[n].wgen = 0; N[n].winc = 0 } \
	/* sender.c: mark_acknowledged; operation.c: step_sent */ \
	:: d_step { G_APPLY(n, o) -> \
		N[n].cache = N[n].op; N[n].phase = APPLIED; \
		printf("%c: has the acknowledgement, applies change %d\n", \
		       'A' + n, N[n].op) } \
	/* operation.c: step_degraded, its two halves */ \
	:: d_step { G_APPLY_DEGRADED(n) -> \
		N[n].cache = N[n].op; N[n].phase = SOFT; \
		printf("%c: applies change %d, degraded\n", 'A' + n, N[n].op) }\
	:: d_step { G_HARDEN(n) -> \
		disk = N[n].cache; N[n].phase = APPLIED; \
		printf("%c: change %d is on the disk\n", 'A' + n, N[n].op) } \
	/* lease: the check, after the change was applied; then the reply */ \
	:: d_step { G_REPLY(n) -> \
		printf("%c: answers change %d\n", 'A' + n, N[n].op); \
		if :: N[n].op > acked -> acked = N[n].op :: else fi; \
		N[n].op = 0; N[n].phase = 0; \
		if :: read == 1 && reader == o -> read = 2 :: else fi } \
	/* lease: a read, and after it the check; then the reply */ \
	:: d_step { G_READ(n) -> \
		read = (N[n].cache >= acked || excused -> 1 : 2); \
		reader = n; \
		printf("%c: reads for a client\n", 'A' + n) } \
	EVERMORE(read, n) \
	:: d_step { G_ANSWER(n) -> \
		printf("%c: answers the read\n", 'A' + n); \
		assert(read == 1 || excused);	/* stale answer */ \
		read = 0; reader = 0 } \
	EVERMORE(answer, n)

/* ------------------------------------------------------------------ leases */

/* A grant is asked for and given in one step: were it given later, the lease,
 * which counts from the asking, would only be shorter. So for a heartbeat. */
#define G_GRANT(n, o) (OWNS(n) && N[n].mode == MIRRORED && N[n].answer == 0 && \
	N[n].lease < LEASE && REACHES(n, o) && MAY_GRANT(o) && \
	N[o].sgen == N[n].ogen)
#define G_BEAT(n) (OWNS(n) && N[n].mode == DEGRADED && N[n].answer == 0 && \
	N[n].lease < LEASE && !N[n].fenced)
#define G_LEASE(n) (OWNS(n) && N[n].answer != 0)
#define COUNTS(n) (N[n].answer == 1 || HEARTBEAT_COUNTS(n))

#define LEASES(n, o) \
	:: d_step { G_GRANT(n, o) -> \
		N[n].answer = 1; N[n].asked = LEASE; \
		if :: NOTES_GRANT(o) -> N[o].granted = LEASE :: else fi; \
		printf("%c: asks for a lease, the other grants it\n", \
		       'A' + n) } \
	EVERMORE(grant, n) \
	:: d_step { G_BEAT(n) -> \
		N[n].answer = 2; N[n].asked = LEASE; \
		printf("%c: writes a heartbeat\n", 'A' + n) } \
	EVERMORE(beat, n) \
	:: d_step { G_LEASE(n) -> \
		if :: COUNTS(n) && N[n].lease < GRANTED_FROM(n) -> \
			N[n].lease = GRANTED_FROM(n) \
		   :: else fi; \
		N[n].answer = 0; N[n].asked = 0; \
		printf("%c: has the answer, lease %d\n", 'A' + n, \
		       N[n].lease); \
		ONE_ANSWERS } \
	EVERMORE(lease, n)

/* ---------------------------------------------------------- owner's mirrord */

#define FREE(n) (OWNS(n) && N[n].plan == 0 && N[n].want)
#define LOST(n) (!N[n].link || N[n].view == ALONE)
#define NOT_SAME(n, o) (REACHES(n, o) && N[o].svc == ABSENT && \
	!(N[o].sgen == N[n].ogen && N[o].sinc == N[n].oinc))

/* owner.c: look_mirrored; owner_plan.c: resume_state_done for the check */
#define G_LOST(n, o) (FREE(n) && N[n].mode == MIRRORED && \
	(LOST(n) || NOT_SAME(n, o)))
/* owner.c: look_waiting; a store that is sealed is of no use to the owner */
#define G_RESUME(n, o) (FREE(n) && N[n].mode == WAITING && !N[n].torn && \
	N[n].oprot == MIRRORED && N[n].view != ALONE && REACHES(n, o) && \
	N[o].svc == ABSENT && !NOT_SAME(n, o))
#define G_DEGRADE(n, o) (FREE(n) && N[n].mode == WAITING && \
	(N[n].torn || N[n].oprot != MIRRORED || N[n].view == ALONE || \
	 NOT_SAME(n, o) || (!N[n].link && N[n].view != OUT)))
#define G_DEGRADE_SYNC(n) (OWNS(n) && N[n].plan == DEGRADE_HELD && \
	!N[n].fenced)
#define G_DEGRADE_LABEL(n) (OWNS(n) && N[n].plan == DEGRADE_SYNCED && \
	!N[n].fenced)
#define G_DEGRADED(n) (OWNS(n) && N[n].plan == DEGRADE_LABELLED)
#define G_BEGIN(n, o) (FREE(n) && N[n].mode == DEGRADED && \
	N[n].view == BOTH && REACHES(n, o) && N[o].svc == ABSENT)
#define G_BEGUN(n, o) (OWNS(n) && N[n].plan == BEGIN_SENT && REACHES(n, o))
#define G_HOLD(n) (OWNS(n) && N[n].plan == BEGIN_ANSWERED && \
	N[n].phase != SOFT && N[n].want)
#define G_BEGIN_LABEL(n) (OWNS(n) && N[n].plan == BEGIN_HELD && \
	!N[n].fenced && N[n].want)
#define G_MIRRORED(n) (OWNS(n) && N[n].plan == BEGIN_LABELLED)

#ifdef MUTANT_DEGRADED_BEFORE_LABEL
#define G_EARLY(n) (OWNS(n) && N[n].plan == DEGRADE_HELD && \
	N[n].mode == WAITING)
#define EARLY(n, o) \
	:: d_step { G_EARLY(n) -> SET_DEGRADED(n); \
		printf("%c: degraded, before the label\n", 'A' + n) }
#else
#define EARLY(n, o)
#endif

#define SET_DEGRADED(n) \
	N[n].mode = DEGRADED; N[n].torn = 0; \
	if :: N[n].phase == SENT -> \
		N[n].phase = LOCKED	/* operation.c: step_new_regime */ \
	   :: else fi; \
	ONE_ANSWERS

/* What is under way for a store that is gone will be refused. */
#ifdef MUTANT_OLD_GENERATION_ACCEPTED
#define REFUSE_RECORDS(n) skip
#else
#define REFUSE_RECORDS(n) N[n].wop = 0; N[n].wgen = 0; N[n].winc = 0
#endif

#define NO_STORE(n) \
	N[n].sgen = 0; N[n].sinc = 0; N[n].slast = 0; N[n].sclaim = 0; \
	REFUSE_RECORDS(1 - n)

#define BEGIN_STORE(o, generation) \
	REFUSE_RECORDS(1 - o); \
	N[o].sgen = generation; \
	if :: linc != 1 && N[1 - o].oinc != 1 && N[1 - o].winc != 1 && \
	      N[o].sinc != 1 -> N[o].sinc = 1 \
	   :: else -> \
		if :: linc != 2 && N[1 - o].oinc != 2 && \
		      N[1 - o].winc != 2 && N[o].sinc != 2 -> N[o].sinc = 2 \
		   :: else -> N[o].sinc = 3 fi \
	fi; \
	N[o].slast = 0; N[o].sclaim = 0; N[o].sealed = 0

#define MIRRORD_OWNER(n, o) \
	:: d_step { G_LOST(n, o) -> N[n].mode = WAITING; \
		printf("%c: its partner is lost\n", 'A' + n) } \
	:: d_step { G_RESUME(n, o) -> N[n].mode = MIRRORED; \
		printf("%c: mirrors again, same store\n", 'A' + n); \
		ONE_ANSWERS } \
	/* owner_plan.c: degrade_steps */ \
	:: d_step { G_DEGRADE(n, o) -> N[n].torn = 1; N[n].plan = DEGRADE_HELD;\
		printf("%c: wants to go on alone\n", 'A' + n) } \
	EARLY(n, o) \
	:: d_step { G_DEGRADE_SYNC(n) -> disk = N[n].cache; \
		N[n].plan = DEGRADE_SYNCED; \
		if :: ALL_DURABLE -> crashed = 0 :: else fi; \
		printf("%c: syncs\n", 'A' + n) } \
	:: d_step { G_DEGRADE_LABEL(n) -> N[n].plan = DEGRADE_LABELLED; \
		if :: N[n].oprot != DEGRADED -> \
			lgen = N[n].ogen + 1; lprot = DEGRADED; \
			lsgen = 0; linc = 0; \
			N[n].ogen = lgen; N[n].oprot = DEGRADED; \
			N[n].oinc = 0; LABELLED \
		   :: else fi; \
		printf("%c: the label says degraded\n", 'A' + n) } \
	:: d_step { G_DEGRADED(n) -> N[n].plan = 0; SET_DEGRADED(n); \
		printf("%c: goes on alone\n", 'A' + n) } \
	/* owner_plan.c: begin_steps; partner_control.c: on_state, on_begin; \
	 * service.c: service_asked */ \
	:: d_step { G_BEGIN(n, o) -> N[n].plan = BEGIN_SENT; \
		N[o].mayown = 1; FORGET_FENCE(o); \
		printf("%c: sends BEGIN\n", 'A' + n) } \
	:: d_step { G_BEGUN(n, o) -> \
		if :: N[o].svc == ABSENT -> BEGIN_STORE(o, N[n].ogen + 1); \
			N[n].oinc = N[o].sinc; N[n].plan = BEGIN_ANSWERED; \
			printf("%c: begins a store\n", 'A' + o) \
		   :: else -> N[n].plan = 0; \
			printf("%c: refuses BEGIN\n", 'A' + o) fi } \
	:: d_step { G_HOLD(n) -> N[n].mode = WAITING; N[n].torn = 1; \
		N[n].plan = BEGIN_HELD; END_HEARTBEAT_LEASE(n); \
		printf("%c: holds its clients\n", 'A' + n) } \
	:: d_step { G_BEGIN_LABEL(n) -> disk = N[n].cache; \
		lgen = N[n].ogen + 1; lprot = MIRRORED; lpart = o; \
		lsgen = lgen; linc = N[n].oinc; \
		N[n].ogen = lgen; N[n].oprot = MIRRORED; \
		N[n].torn = 0; N[n].plan = BEGIN_LABELLED; LABELLED; \
		printf("%c: the label says mirrored\n", 'A' + n) } \
	:: d_step { G_MIRRORED(n) -> N[n].plan = 0; N[n].mode = MIRRORED; \
		printf("%c: mirrors, new store\n", 'A' + n); \
		ONE_ANSWERS }

/* --------------------------------------------------------------- takeover */

#define BUSY(n, o) (N[n].mayown && REACHES(n, o) && N[o].svc != ABSENT && \
	N[n].view != ALONE)
#define G_TAKEOVER(n, o) (PRESENT(n) && N[n].want && N[n].svc == ABSENT && \
	!N[n].mounted && !N[n].fenced && !BUSY(n, o))
#define G_ABORT(n, o) (PRESENT(n) && N[n].svc == CHECKING && \
	(!N[n].want || BUSY(n, o)))
#define G_ASK(n, o) (PRESENT(n) && N[n].svc == CHECKING && N[n].mayown && \
	!N[n].told && REACHES(n, o) && N[o].svc == ABSENT)
#define G_CHECKED(n) (PRESENT(n) && N[n].svc == CHECKING && \
	(!N[n].mayown || N[n].told))
#define NO_ANSWER(n, o) (PRESENT(n) && N[n].svc == CHECKING && N[n].mayown && \
	!N[n].told && (N[o].alive != UP || cut || \
		       (N[n].view == ALONE && N[o].svc != ABSENT)))
#define FENCE_HOLDS(n) (N[n].knows && !N[n].link)
#define G_HELD(n, o) (NO_ANSWER(n, o) && FENCE_HOLDS(n))
#define G_FENCE(n, o) (NO_ANSWER(n, o) && !FENCE_HOLDS(n))
#define G_MOUNT(n) (PRESENT(n) && N[n].svc == MOUNTING)
#define G_LABEL(n) (PRESENT(n) && N[n].svc == REPLAYING && !N[n].fenced)
#define G_REPLAY(n) (PRESENT(n) && N[n].svc == CLAIMED)
#define G_SYNC(n) (PRESENT(n) && N[n].svc == REPLAYED && !N[n].fenced)
#define G_COMPLETE(n) (PRESENT(n) && N[n].svc == SYNCED && !N[n].fenced)
#define G_SERVE(n) (PRESENT(n) && N[n].svc == COMPLETE && WAITED(n))
#define G_FAIL(n) (PRESENT(n) && N[n].svc >= REPLAYING && \
	N[n].svc <= SYNCED && N[n].fenced)

/* What a crash or a fence leaves of the memory of a node. */
#define ALL_DURABLE \
	(disk >= acked && N[0].op == 0 && N[1].op == 0)
#define FORGET_CACHE(m, written) \
	if :: written && N[m].mounted && !N[m].fenced -> disk = N[m].cache \
	   :: else fi; \
	if :: CHANGES == 0 || ALL_DURABLE -> crashed = 0 \
	   :: else -> crashed = crashed | (1 << m) fi; \
	if :: crashed == 3 -> excused = 1 :: else fi

#ifdef MUTANT_NO_FENCE
#define CUT_OFF(n, o, written) skip
#else
#define CUT_OFF(n, o, written) \
	FORGET_CACHE(o, written); N[o].fenced = 1
#endif

#define TAKEOVER(n, o) \
	/* service.c: table; takeover.c: takeover_check */ \
	:: d_step { G_TAKEOVER(n, o) -> N[n].svc = CHECKING; \
		printf("%c: begins a takeover\n", 'A' + n) } \
	:: d_step { G_ABORT(n, o) -> N[n].svc = ABSENT; N[n].told = 0; \
		printf("%c: gives the takeover up\n", 'A' + n) } \
	/* takeover.c: check_next; partner_control.c: on_state */ \
	:: d_step { G_ASK(n, o) -> N[n].told = 1; \
		N[o].mayown = 1; FORGET_FENCE(o); \
		printf("%c: is told that the other has it not\n", 'A' + n) } \
	/* takeover.c: has_not */ \
	:: d_step { G_CHECKED(n) -> \
		N[n].mayown = 0; N[n].told = 0; N[n].svc = MOUNTING; \
		N[n].whole = 0; \
		printf("%c: nobody else has it\n", 'A' + n) } \
	/* takeover.c: no_answer, fence; fence.c: fence_holds, fence_done */ \
	:: d_step { G_HELD(n, o) -> \
		N[n].mayown = 0; N[n].svc = MOUNTING; \
		printf("%c: the other is fenced still\n", 'A' + n) } \
	:: d_step { G_FENCE(n, o) -> FENCED(n, o, 0) } \
	:: d_step { G_FENCE(n, o) && N[o].cache != disk && N[o].mounted -> \
		FENCED(n, o, 1) } \
	/* takeover.c: takeover_mount */ \
	:: d_step { G_MOUNT(n) -> \
		if :: N[n].fenced -> N[n].svc = ABSENT; \
			printf("%c: cannot mount\n", 'A' + n) \
		   :: else -> \
			printf("%c: mounts\n", 'A' + n); \
			assert(!(N[o].mounted && N[o].alive != DOWN && \
				 !N[o].fenced));	/* mounted twice */ \
			N[n].sealed = 1; N[n].mounted = 1; \
			N[n].cache = disk; N[n].svc = REPLAYING \
		   fi } \
	/* takeover_replay.c: takeover_replay, replay_own_store, ask_holder */ \
	:: d_step { G_LABEL(n) && !NEEDS(n, o) -> \
		N[n].sealed = 1; READ_LABEL(n, o) } \
	/* Its answer to ctdb, which asks again and again. */ \
	:: d_step { G_LABEL(n) && NEEDS(n, o) -> \
		N[n].sealed = 1; N[n].svc = UNMOUNT; \
		printf("%c: refuses, the records are out of reach\n", \
		       'A' + n) } \
	EVERMORE(refuse, n) \
	:: d_step { G_REPLAY(n) -> N[n].svc = REPLAYED; \
		if :: N[n].slast != 0 -> N[n].cache = N[n].slast :: else fi; \
		printf("%c: replays\n", 'A' + n) } \
	/* replay.c: replay_run syncs */ \
	:: d_step { G_SYNC(n) -> disk = N[n].cache; N[n].svc = SYNCED; \
		if :: ALL_DURABLE -> crashed = 0 :: else fi; \
		printf("%c: syncs what it replayed\n", 'A' + n) } \
	/* takeover_replay.c: label_complete, complete_labelled */ \
	:: d_step { G_COMPLETE(n) -> \
		N[n].ogen = lgen + 1; N[n].oprot = DEGRADED; N[n].oinc = 0; \
		lgen = N[n].ogen; lprot = DEGRADED; lsgen = 0; linc = 0; \
		NO_STORE(n); \
		N[n].svc = COMPLETE; LABELLED; \
		printf("%c: the label says degraded, complete\n", 'A' + n) } \
	/* takeover_replay.c: serve; lease: after the wait */ \
	:: d_step { G_SERVE(n) -> \
		N[n].svc = OWNER; N[n].mode = DEGRADED; N[n].torn = 0; \
		N[n].lease = 0; N[n].mayown = 0; N[n].whole = 0; \
		printf("%c: serves\n", 'A' + n); \
		NOTHING_LOST(n); ONE_ANSWERS } \
	:: d_step { G_FAIL(n) -> N[n].svc = UNMOUNT; \
		printf("%c: the disk refuses\n", 'A' + n) }

#define FENCED(n, o, written) \
	printf("%c: fences the other\n", 'A' + n); \
	CUT_OFF(n, o, written); \
	N[n].knows = 1; N[n].mayown = 0; \
	N[n].fencewait = LEASE; N[n].whole = 1; N[n].svc = MOUNTING

#define READ_LABEL(n, o) \
	printf("%c: reads the label\n", 'A' + n); \
	if :: lprot != CLEAN && lpart == n && STORE_MATTERS(n) -> \
		if :: lprot == MIRRORED -> \
			N[n].whole = 0;	/* only this node granted leases */ \
			N[n].sclaim = lgen + 1; \
			lgen = lgen + 1; lprot = REPLAY; LABELLED \
		   :: else fi; \
		N[n].svc = CLAIMED \
	   :: (lprot == MIRRORED || lprot == REPLAY) && lpart == o && \
	      REACHES(n, o) -> \
		/* read-back; else the holder has lost its store */ \
		if :: MATCHES(o) -> N[o].sealed = 1; \
			if :: N[o].slast != 0 -> N[n].cache = N[o].slast \
			   :: else fi \
		   :: else fi; \
		N[n].svc = REPLAYED \
	   :: else -> N[n].svc = REPLAYED \
	fi

/* ---------------------------------------------------------------- release */

#define G_STOP(n) (OWNS(n) && (N[n].plan != DEGRADE_SYNCED || N[n].fenced) && \
	(!N[n].want || (DISK_REFUSED(n) && N[n].mode != MIRRORED)))
#define G_CLEAN(n) (PRESENT(n) && N[n].svc == RELEASING)
#define G_UNMOUNT(n) (PRESENT(n) && (N[n].svc == UNMOUNT_CLEAN || \
	N[n].svc == UNMOUNT))

#define NO_READ(n) \
	if :: reader == n -> read = 0; reader = 0 :: else fi

#define RELEASE(n, o) \
	/* owner_plan.c: release_steps; operation.c: volume_gone */ \
	:: d_step { G_STOP(n) -> \
		N[n].mode = NONE; N[n].plan = 0; N[n].torn = 0; \
		N[n].op = 0; N[n].phase = 0; N[n].svc = RELEASING; \
		N[n].answer = 0; N[n].asked = 0; \
		printf("%c: stops answering\n", 'A' + n) } \
	:: d_step { G_CLEAN(n) -> \
		if :: N[n].fenced -> N[n].svc = UNMOUNT \
		   :: else -> disk = N[n].cache; \
			lgen = N[n].ogen + 1; lprot = CLEAN; \
			lsgen = 0; linc = 0; N[n].svc = UNMOUNT_CLEAN; \
			LABELLED \
		fi; \
		printf("%c: syncs, the label says clean\n", 'A' + n) } \
	/* release.c: release_done, tell_others; partner_control.c: on_end; \
	 * processes that keep it busy are ended, also those that hang */ \
	:: d_step { G_UNMOUNT(n) -> \
		FORGET_CACHE(n, 0); \
		N[n].mounted = 0; N[n].cache = 0; N[n].lease = 0; \
		NO_READ(n); N[n].whole = 0; \
		/* END lets the other mount, fenced before or not. */ \
		MAY_OWN_AFTER_RELEASE(n); FORGET_FENCE(n); \
		N[n].ogen = 0; N[n].oprot = 0; N[n].oinc = 0; \
		if :: N[n].svc == UNMOUNT_CLEAN && REACHES(n, o) -> \
			N[o].mayown = 0; \
			if :: N[o].svc == ABSENT && N[o].sgen <= lgen -> \
				NO_STORE(o); N[o].sealed = 0 \
			   :: else fi \
		   :: else fi; \
		N[n].svc = ABSENT; \
		printf("%c: unmounts\n", 'A' + n) } \
	/* The administrator lets a node that was cut off back to the disk: \
	 * only one that has not got the volume mounted; and its mirrord has \
	 * to forget what it knew of the others. */ \
	:: d_step { PRESENT(n) && N[n].fenced && !N[n].mounted && \
		N[n].svc == ABSENT -> N[n].fenced = 0; \
		KNOWS_NOTHING(n); \
		printf("%c: is let back to the disk\n", 'A' + n) } \
	EVERMORE(back, n)
#define G_UNFENCE(n) (PRESENT(n) && N[n].fenced && !N[n].mounted && \
	N[n].svc == ABSENT)

/* ------------------------------------------------------- links, ctdb, time */

#define SEES(n) (members == 2 -> BOTH : (members == n -> ALONE : OUT))
#define HOSTS(n) (host == n && (members == 2 || members == n))
#define G_LINK_UP(n, o) (PRESENT(n) && !N[n].link && N[o].alive == UP && !cut)
#define G_LINK_DOWN(n, o) (PRESENT(n) && N[n].link && \
	(N[o].alive != UP || cut))
#define G_EXCLUDE(n, o) (PRESENT(n) && members != n && \
	(N[o].alive != UP || cut) && !(members == o && PRESENT(o)))
#define G_INCLUDE (members != 2 && PRESENT(0) && PRESENT(1) && !cut)
#define G_POLL(n) (PRESENT(n) && (N[n].view != SEES(n) || \
	N[n].want != HOSTS(n)))

#ifdef MUTANT_LATE_MESSAGES
/* A connection that is given up may still deliver what was sent over it. */
#define KEEP_LATE(n, what, generation) \
	N[n].late = what; N[n].lategen = generation
#define LATE(n, o) \
	:: d_step { N[n].late == 1 && N[o].alive == UP && !cut -> \
		N[n].late = 0; \
		if :: N[o].svc == ABSENT -> BEGIN_STORE(o, N[n].lategen) \
		   :: else fi; \
		N[n].lategen = 0; \
		printf("%c: takes a BEGIN of an old connection\n", 'A' + o) }
#else
#define KEEP_LATE(n, what, generation) skip
#define LATE(n, o)
#endif

#define AROUND(n, o) \
	/* peer.c: on_welcome, peer_lost */ \
	:: d_step { G_LINK_UP(n, o) -> N[n].link = 1; N[n].knows = 0; \
		BOTH_LINKS_UP(o); \
		printf("%c: has a link to the other\n", 'A' + n) } \
	:: d_step { G_LINK_DOWN(n, o) -> LINK_LOST(n); \
		printf("%c: the link is down\n", 'A' + n) } \
	/* R13: the cluster lock elects one side; it finishes a recovery */ \
	:: d_step { G_EXCLUDE(n, o) -> members = n; host = n; \
		N[n].view = ALONE; N[n].want = 1; \
		printf("%c: ctdb excludes the other\n", 'A' + n) } \
	/* ctdb_view.c; takeip, releaseip; service.c: look_elsewhere */ \
	:: d_step { G_POLL(n) -> N[n].view = SEES(n); N[n].want = HOSTS(n); \
		printf("%c: asks ctdb (view %d, address %d)\n", 'A' + n, \
		       N[n].view, N[n].want) } \
	LATE(n, o)

/* Each node opens one; that one is there and the other not matters to a mutant only. */
#if defined(MUTANT_FENCE_KNOWLEDGE_OUTLIVES_RETURN) || defined(EVERY_LINK)
#define BOTH_LINKS_UP(o) skip
#else
#define BOTH_LINKS_UP(o) N[o].link = 1; N[o].knows = 0
#endif

#define LINK_LOST(n) \
	N[n].link = 0; \
	if :: N[n].answer == 1 -> N[n].answer = 0; N[n].asked = 0 \
	   :: else fi; \
	if :: N[n].plan == BEGIN_SENT -> \
		KEEP_LATE(n, 1, N[n].ogen + 1); N[n].plan = 0 \
	   :: N[n].plan == BEGIN_ANSWERED -> N[n].plan = 0 \
	   :: else fi

#define AGE(clock) if :: clock > 0 -> clock-- :: else fi
#define AGE_NODE(n) AGE(N[n].lease); AGE(N[n].asked); AGE(N[n].granted); \
	AGE(N[n].fencewait)
/* A lease that lapses earlier can only be answered under less. */
#ifdef EVERY_TICK
#define TIME_MATTERS true
#else
#define TIME_MATTERS (N[0].svc == COMPLETE || N[1].svc == COMPLETE)
#endif
#define RUNS(n) (N[n].lease > 0 || N[n].asked > 0 || N[n].granted > 0 || \
	N[n].fencewait > 0)

/* ----------------------------------------------------------------- faults */

#define WIPED(n) \
	N[n].svc = ABSENT; N[n].plan = 0; N[n].knows = 0; N[n].told = 0; \
	N[n].answer = 0; N[n].asked = 0; \
	N[n].whole = 0; N[n].sealed = 0; N[n].link = 0

#define CRASH(n, written) \
	faults++; FORGET_CACHE(n, written); \
	N[n].alive = DOWN; WIPED(n); LINK_LOST(1 - n); \
	N[n].mode = NONE; N[n].torn = 0; N[n].lease = 0; \
	N[n].view = OUT; N[n].want = 0; N[n].mounted = 0; N[n].cache = 0; \
	N[n].fenced = 0; N[n].mayown = 1; \
	N[n].ogen = 0; N[n].oprot = 0; N[n].oinc = 0; \
	NO_STORE(n); \
	N[n].op = 0; N[n].phase = 0; NO_READ(n); \
	N[n].granted = 0; N[n].fencewait = 0; \
	printf("%c: CRASHES\n", 'A' + n)

/* A mirrord that is killed and started again: services_adopt. What it knew
 * of leases it granted is gone: it has to assume the worst. */
#define RESTART(n) \
	N[n].granted = GRANTED_AFTER_RESTART

#define FAULT(n, o) \
	:: d_step { faults < FAULTS && N[n].alive != DOWN -> CRASH(n, 0) } \
	EVERMORE(crash, n) \
	:: d_step { faults < FAULTS && N[n].alive != DOWN && N[n].mounted && \
		!N[n].fenced && N[n].cache != disk -> CRASH(n, 1) } \
	EVERMORE(loss, n) \
	:: d_step { N[n].alive == DOWN -> N[n].alive = UP; RESTART(n); \
		printf("%c: starts again\n", 'A' + n) } \
	EVERMORE(start, n) \
	:: d_step { faults < FAULTS && PRESENT(n) -> \
		faults++; N[n].alive = HUNG; \
		printf("%c: HANGS\n", 'A' + n) } \
	EVERMORE(hang, n) \
	:: d_step { N[n].alive == HUNG -> N[n].alive = UP; \
		printf("%c: goes on\n", 'A' + n) } \
	EVERMORE(wake, n) \
	:: d_step { faults < FAULTS && PRESENT(n) -> faults++; \
		printf("%c: mirrord is KILLED and starts again\n", 'A' + n); \
		MIRRORD_STARTS(n) } \
	EVERMORE(kill, n)

#define MIRRORD_STARTS(n) \
	WAS_OWNER = N[n].mounted && N[n].mode != NONE; \
	WIPED(n); RESTART(n); \
	if :: WAS_OWNER -> N[n].svc = OWNER; N[n].mayown = 0 \
	   :: !WAS_OWNER && N[n].mounted -> N[n].svc = REPLAYING; \
		N[n].mayown = 1; N[n].whole = 1; N[n].fencewait = LEASE \
	   :: else -> N[n].mayown = 1 \
	fi; \
	WAS_OWNER = 0

bit WAS_OWNER;

/* ------------------------------------------------------- nothing to do left */

#define WORK_CLIENT(n, o) (G_SEND(n) || G_RECEIVE(n, o) || \
	G_APPLY(n, o) || G_APPLY_DEGRADED(n) || G_HARDEN(n) || G_REPLY(n))
#define WORK_OWNER(n, o) (G_LOST(n, o) || G_RESUME(n, o) || \
	G_DEGRADE(n, o) || G_DEGRADE_SYNC(n) || G_DEGRADE_LABEL(n) || \
	G_DEGRADED(n) || G_BEGIN(n, o) || G_BEGUN(n, o) || G_HOLD(n) || \
	G_BEGIN_LABEL(n) || G_MIRRORED(n))
#define WORK_TAKEOVER(n, o) (G_TAKEOVER(n, o) || G_ABORT(n, o) || \
	G_ASK(n, o) || G_CHECKED(n) || G_HELD(n, o) || G_FENCE(n, o) || \
	G_MOUNT(n) || G_LABEL(n) || G_REPLAY(n) || G_SYNC(n) || \
	G_COMPLETE(n) || G_SERVE(n) || G_FAIL(n))
#define WORK_REST(n, o) (G_STOP(n) || G_CLEAN(n) || G_UNMOUNT(n) || \
	G_UNFENCE(n) || G_LINK_UP(n, o) || G_LINK_DOWN(n, o) || \
	G_EXCLUDE(n, o) || G_POLL(n))
#define WORK_LEASE(n, o) (N[n].lease < LEASE && \
	(G_GRANT(n, o) || G_BEAT(n) || G_LEASE(n)))
#define WORK(n, o) (WORK_CLIENT(n, o) || WORK_OWNER(n, o) || \
	WORK_TAKEOVER(n, o) || WORK_REST(n, o) || WORK_LEASE(n, o))

/* Everything is done that can be done, and nobody waits for time to pass. */
#define QUIET (!WORK(0, 1) && !WORK(1, 0) && !G_INCLUDE && \
	!((RUNS(0) || RUNS(1)) && \
	  (N[0].svc == COMPLETE || N[1].svc == COMPLETE)))
/* The only excuse: the records that are needed are on a node that is away. */
#define NEEDS(n, o) ((lprot == MIRRORED || lprot == REPLAY) && lpart == o && \
	!REACHES(n, o))
#define SERVED(n, o) (OWNS(n) && ANSWERS(n) && N[n].want && N[n].op == 0 && \
	(N[n].mode == DEGRADED -> !N[n].fenced : TAKES_RECORDS(o)))

init {
	d_step {
		N[0].alive = UP; N[0].svc = OWNER; N[0].mounted = 1;
		N[0].view = BOTH; N[0].want = 1; N[0].link = 1;
		N[1].alive = UP; N[1].view = BOTH; N[1].link = 1;
		N[1].mayown = 1; N[0].ogen = 4; lgen = 4;
#ifdef BEGIN_DEGRADED
		N[0].mode = DEGRADED; N[0].oprot = DEGRADED; lprot = DEGRADED;
#else
		N[0].mode = MIRRORED; N[0].oprot = MIRRORED; N[0].oinc = 1;
		N[1].sgen = 4; N[1].sinc = 1;
		lprot = MIRRORED; lpart = 1; lsgen = 4; linc = 1;
#endif
		members = 2; number = 1
	}
	do
	CLIENT(0, 1)
	CLIENT(1, 0)
	LEASES(0, 1)
	LEASES(1, 0)
	MIRRORD_OWNER(0, 1)
	MIRRORD_OWNER(1, 0)
	TAKEOVER(0, 1)
	TAKEOVER(1, 0)
	RELEASE(0, 1)
	RELEASE(1, 0)
	AROUND(0, 1)
	AROUND(1, 0)
	:: d_step { G_INCLUDE -> members = 2;
		N[0].view = BOTH; N[0].want = HOSTS(0);
		N[1].view = BOTH; N[1].want = HOSTS(1);
		printf("-: ctdb includes both\n") }
	:: d_step { (RUNS(0) || RUNS(1)) && TIME_MATTERS ->
		AGE_NODE(0); AGE_NODE(1);
		printf("-: time passes\n") }
	EVERMORE(time, 0)
	FAULT(0, 1)
	FAULT(1, 0)
	:: d_step { faults < FAULTS && !cut -> faults++; cut = 1;
		LINK_LOST(0); LINK_LOST(1);
		printf("-: the link is CUT\n") }
	EVERMORE(cut, 0)
	:: d_step { cut -> cut = 0; printf("-: the link is whole again\n") }
	EVERMORE(heal, 0)
	/* ctdb moveip */
	:: d_step { faults < FAULTS && members == 2 -> faults++;
		host = 1 - host; printf("-: the address MOVES\n") }
	EVERMORE(move, 0)
	:: d_step { QUIET && (PRESENT(0) || PRESENT(1)) ->
		assert(SERVED(0, 1) || SERVED(1, 0) ||
		       NEEDS(0, 1) || NEEDS(1, 0));	/* nobody serves */
		printf("-: quiet\n") }
	EVERMORE(quiet, 0)
	od
}
