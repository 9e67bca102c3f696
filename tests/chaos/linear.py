# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a history linearizable? The search of Wing and Gong with Lowe's memory of
configurations seen, as in Knossos and Porcupine.

A model says what an operation does in steps; most have one. Every step happens
at one moment between the operation's invocation and its answer. An operation
without an answer (in doubt) may take its steps at any time after its
invocation, or stop at any of them for ever.

The search goes through invocations and answers in the order of time. At an
answer of an operation that has not come to its end, steps of the operations
that are under way are taken until it has, in every order that the model
allows. It is enough to take steps at such moments: every legal order of steps
can be moved there. A configuration that was seen before is not tried again.
The one that came furthest is tried first, less what it needed of operations
in doubt: histories rarely need many.

A model has
    initial()                       a state; hashable
    start(op)                       where an operation begins; hashable
    steps(state, op, at, others)    what it may do next: (state, at), where at
                                    None is the end, reached with op.expected
                                    if that is not None. `others' are the
                                    places of the other operations under way.
"""

import heapq

INFINITY = float('inf')
DOUBT = 4           # events that a step in doubt weighs
FAILED = 'failed'   # result of what was answered with an error


class Operation:
    """What a client asked and what it was told."""
    __slots__ = ('client', 'seq', 'conn', 'kind', 'args', 'invoked',
                 'answered', 'result', 'error')

    def __init__(self, kind, args, invoked, answered=INFINITY, result=None,
                 client=0, seq=0, conn=0):
        self.kind = kind
        self.args = args
        self.invoked = invoked
        self.answered = answered
        self.result = result        # None: in doubt
        self.client = client
        self.seq = seq
        self.conn = conn
        self.error = None           # errno of what failed

    @property
    def expected(self):
        """None: anything goes."""
        return None if self.result == FAILED else self.result

    def __str__(self):
        answer = 'in doubt' if self.answered == INFINITY else '%.6f' % (
            self.answered)
        return '%.6f .. %-14s client %s #%d: %s %s -> %s' % (
            self.invoked, answer, self.client, self.seq, self.kind,
            ' '.join(map(str, self.args)),
            self.result if self.answered < INFINITY else '?')


class Verdict:
    """good is None when the search was given up."""

    def __init__(self, good, operation=None, state=None, configurations=0):
        self.good = good
        self.operation = operation      # the answer that nothing explains
        self.state = state              # the last state before it
        self.configurations = configurations


def events_of(operations):
    """(time, is an answer, number of the operation), in order."""
    events = []
    for number, op in enumerate(operations):
        events.append((op.invoked, 0, number))
        if op.answered < INFINITY:
            events.append((op.answered, 1, number))
    return sorted(events)


def search(model, operations, limit=200000):
    """Verdict on the history of one object."""
    events = events_of(operations)
    seen = set()
    ticket = 0          # of equals, the last one that was found comes first
    heap = [(0, ticket, 0, 0, model.initial(), (), frozenset())]
    furthest, explain = -1, (None, None)

    def urgency(item):
        return operations[item[0]].answered
    while heap:
        _, _, doubts, position, state, active, done = heapq.heappop(heap)
        # Invocations, and answers that are explained already.
        while position < len(events):
            _, answer, number = events[position]
            if not answer:
                active += ((number, model.start(operations[number])),)
            elif number in done:
                done -= {number}
            else:
                break
            position += 1
        if position == len(events):
            return Verdict(True, configurations=len(seen))
        active = tuple(sorted(active))
        key = (position, state, active, done)
        if key in seen:
            continue
        seen.add(key)
        if len(seen) > limit:
            return Verdict(None, operations[events[position][2]], state,
                           len(seen))
        if position > furthest:
            furthest, explain = position, (operations[number], state)
        # The last pushed is tried first: the one that must be answered now.
        for item in sorted(active, key=urgency, reverse=True):
            mover, at = item
            rest = tuple(other for other in active if other is not item)
            places = [place for _, place in rest]
            in_doubt = operations[mover].answered == INFINITY
            for new_state, new_at in model.steps(
                    state, operations[mover], at, places):
                left = done
                new_active = rest
                if new_at is not None:
                    new_active += ((mover, new_at),)
                elif not in_doubt:
                    left = done | {mover}
                ticket -= 1
                heapq.heappush(heap, (
                    DOUBT * (doubts + in_doubt) - position, ticket,
                    doubts + in_doubt, position, new_state, new_active, left))
    return Verdict(False, explain[0], explain[1], len(seen))
