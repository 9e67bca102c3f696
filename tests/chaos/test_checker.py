#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker itself: histories that it must accept, and that it must reject.

A history is written as lines "CLIENT FROM TO KIND ARGUMENTS = RESULT"; TO "?"
is in doubt. Ends with "N passed, N failed".

Seen to fail with: answers that are never looked at (steps that ignore
op.result), operations in doubt that never happen, and invocations that come
after answers of the same time.
"""

import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from history import Journal, check  # noqa: E402
from linear import INFINITY, Operation, search  # noqa: E402
from models import Names, Register  # noqa: E402

CASES = []


def case(good, name, text):
    CASES.append((good, name, text))


def journals(text, nodes=None):
    """The journals that such clients would have written."""
    lines = {}
    for line in text.strip().split('\n'):
        line = line.strip()
        left, _, result = line.partition(' = ')
        word = left.split()
        client = word[0]
        mine = lines.setdefault(client, [(-1, 'H 1 alpha 1 %s 0\n' % client)])
        if word[1] == 'C':
            mine.append((float(word[2]), 'C %s %s %s\n' % (
                len(mine), word[2], word[3])))
            continue
        seq = len(mine)
        conn = max([int(text.split()[1]) for _, text in mine
                    if text[0] == 'C'] or [0])
        mine.append((float(word[1]), 'I %d %s %d %s\n' % (
            seq, word[1], conn, ' '.join(word[3:]))))
        if result == 'failed':
            mine.append((float(word[2]), 'F %d %s %s\n' % (
                seq, word[2], 28 if word[-1] != 'gone' else 2)))
        elif word[2] == '?':
            mine.append((float(word[1]) + 0.1, 'D %d %.1f 104\n' % (
                seq, float(word[1]) + 0.1)))
        else:
            mine.append((float(word[2]), 'A %d %s %d %s\n' % (
                seq, word[2], conn, result)))
    return [Journal(client, [text for _, text in mine])
            for client, mine in lines.items()]


# ------------------------------------------------------------------- bytes
case(True, 'a write is read', '''
    a 1 2 write f 0 1 11 = ok
    b 3 4 read f 0 1 = 11''')
case(True, 'nothing written, zeros read', 'a 1 2 read f 0 2 = 0 0')
case(False, 'lost write', '''
    a 1 2 write f 0 1 11 = ok
    b 3 4 read f 0 1 = 0''')
case(False, 'lost write, older value', '''
    a 1 2 write f 0 1 11 = ok
    a 3 4 write f 0 1 12 = ok
    b 5 6 read f 0 1 = 11''')
case(False, 'a value that nobody wrote', '''
    a 1 2 write f 0 1 11 = ok
    b 3 4 read f 0 1 = 99''')
case(False, 'a value of another block', '''
    a 1 2 write f 0 1 11 = ok
    b 3 4 read f 1 1 = 11''')
case(True, 'a read beside a write sees the old', '''
    a 1 4 write f 0 1 11 = ok
    b 2 3 read f 0 1 = 0''')
case(True, 'a read beside a write sees the new', '''
    a 1 4 write f 0 1 11 = ok
    b 2 3 read f 0 1 = 11''')
case(False, 'reads that go back in time', '''
    a 1 9 write f 0 1 11 = ok
    b 2 3 read f 0 1 = 11
    c 4 5 read f 0 1 = 0''')
case(False, 'stale read after a newer read', '''
    a 1 2 write f 0 1 11 = ok
    a 3 ? write f 0 1 12
    b 5 6 read f 0 1 = 12
    c 7 8 read f 0 1 = 11''')
case(True, 'in doubt, never happened', '''
    a 1 2 write f 0 1 11 = ok
    a 3 ? write f 0 1 12
    b 5 6 read f 0 1 = 11
    b 7 8 read f 0 1 = 11''')
case(True, 'in doubt, happened late', '''
    a 1 ? write f 0 1 12
    b 5 6 read f 0 1 = 0
    b 7 8 read f 0 1 = 12''')
case(False, 'in doubt, read before it was issued', '''
    b 1 2 read f 0 1 = 12
    a 3 ? write f 0 1 12''')
case(False, 'in doubt, happened twice', '''
    a 1 ? write f 0 1 12
    b 2 3 read f 0 1 = 12
    c 4 5 write f 0 1 13 = ok
    b 6 7 read f 0 1 = 12''')
case(True, 'two writers at once, either may be last', '''
    a 1 5 write f 0 1 11 = ok
    b 1 5 write f 0 1 12 = ok
    c 6 7 read f 0 1 = 11''')
case(False, 'two writers at once, both last', '''
    a 1 5 write f 0 1 11 = ok
    b 1 5 write f 0 1 12 = ok
    c 6 7 read f 0 1 = 11
    c 8 9 read f 0 1 = 12''')
case(True, 'a part of a write is seen beside it', '''
    a 1 5 write f 0 1 11 = ok
    b 2 3 read f 0 1 = 11*100,0*156
    b 6 7 read f 0 1 = 11''')
case(False, 'a part of a write is lost', '''
    a 1 5 write f 0 1 11 = ok
    b 6 7 read f 0 1 = 11*100,0*156''')
case(False, 'one block of a range is lost', '''
    a 1 2 write f 0 3 11 = ok
    b 3 4 read f 0 3 = 11 0 11''')
case(True, 'failed, did nothing', '''
    a 1 2 write f 0 1 11 = failed
    b 3 4 read f 0 1 = 0''')
case(True, 'failed, happened', '''
    a 1 2 write f 0 1 11 = failed
    b 3 4 read f 0 1 = 11''')
case(False, 'failed, happened later', '''
    a 1 2 write f 0 1 11 = failed
    b 3 4 read f 0 1 = 0
    b 5 6 read f 0 1 = 11''')
case(False, 'a file that was there is gone', '''
    a 1 2 read f 0 1 gone = failed''')
case(True, 'an answer of the moment of the invocation', '''
    a 1 2 write f 0 1 11 = ok
    b 2 3 read f 0 1 = 0''')

# ------------------------------------------------------------------- names
case(True, 'life of a name', '''
    a 1 2 create g/x 7 = ok
    b 3 4 create g/x 8 = exists
    b 5 6 who g/x = 7
    c 7 8 unlink g/x = ok
    b 9 10 who g/x = none
    b 11 12 create g/x 9 = ok
    a 13 14 who g/x = 9''')
case(False, 'lost create', '''
    a 1 2 create g/x 7 = ok
    b 3 4 who g/x = none''')
case(False, 'lost content', '''
    a 1 2 create g/x 7 = ok
    b 3 4 who g/x = empty''')
case(True, 'no content yet', '''
    a 1 5 create g/x 7 = ok
    b 2 3 who g/x = empty''')
case(False, 'resurrected name', '''
    a 1 2 create g/x 7 = ok
    a 3 4 unlink g/x = ok
    b 5 6 who g/x = 7''')
case(False, 'resurrected name in the way', '''
    a 1 2 create g/x 7 = ok
    a 3 4 unlink g/x = ok
    b 5 6 create g/x 8 = exists''')
case(False, 'two creators of one name', '''
    a 1 3 create g/x 7 = ok
    b 2 4 create g/x 8 = ok''')
case(True, 'a creator that is told "busy"', '''
    a 1 4 create g/x 7 = busy
    b 2 3 rename g/x g/y = ok
    b 5 6 who g/y = empty''')
case(False, 'a creator that was told "busy" creates later', '''
    a 1 4 create g/x 7 = busy
    b 5 6 who g/x = none
    b 7 8 who g/x = empty''')
case(True, 'failed half-way', '''
    a 1 2 create g/x 7 = failed
    a 3 4 mkdir g/z = failed
    b 5 6 who g/x = empty
    b 7 8 rename g/x g/y = ok
    b 9 10 list g = y''')
case(False, 'failed, and replayed later', '''
    a 1 2 mkdir g/x = failed
    b 3 4 stat g/x = none
    b 5 6 stat g/x = ok''')
case(True, 'create in doubt came late', '''
    a 1 ? create g/x 7
    b 2 3 who g/x = none
    b 4 5 create g/x 8 = exists
    b 6 7 who g/x = 7''')
case(False, 'create in doubt came twice', '''
    a 1 ? create g/x 7
    b 2 3 unlink g/x = ok
    b 4 5 who g/x = 7''')
case(True, 'delete in doubt', '''
    a 1 2 create g/x 7 = ok
    a 3 ? unlink g/x
    b 5 6 who g/x = 7
    b 7 8 who g/x = none''')
case(True, 'renamed', '''
    a 1 2 create g/x 7 = ok
    b 3 4 rename g/x g/y = ok
    b 5 6 who g/y = 7
    b 7 8 who g/x = none
    b 9 10 rename g/x g/z = none''')
case(False, 'lost rename', '''
    a 1 2 create g/x 7 = ok
    b 3 4 rename g/x g/y = ok
    b 5 6 who g/x = 7''')
case(False, 'rename that left both names', '''
    a 1 2 create g/x 7 = ok
    b 3 ? rename g/x g/y
    b 5 6 who g/x = 7
    b 5 6 who g/y = 7
    b 7 8 who g/x = 7''')
case(True, 'rename replaces in steps', '''
    a 1 2 create g/x 7 = ok
    a 3 4 create g/y 8 = ok
    b 5 9 rename g/x g/y = ok
    c 6 7 who g/y = none
    a 10 11 who g/y = 7''')
case(False, 'a replaced file is back', '''
    a 1 2 create g/x 7 = ok
    a 3 4 create g/y 8 = ok
    b 5 9 rename g/x g/y = ok
    a 10 11 who g/y = 8''')
case(True, 'rename collided after it had deleted', '''
    a 1 2 create g/x 7 = ok
    a 3 4 create g/y 8 = ok
    b 5 9 rename g/x g/y = exists
    c 6 7 create g/y 9 = ok
    a 10 11 who g/y = 9
    a 12 13 who g/x = 7''')
case(True, 'rename of a folder replaces, too', '''
    a 1 2 mkdir d/x = ok
    a 3 4 mkdir d/y = ok
    b 5 6 rename d/x d/y = ok
    a 7 8 stat d/x = none''')
case(True, 'a rename replaces what was made after it had looked', '''
    a 1 2 create g/x 7 = ok
    b 3 6 rename g/x g/y = ok
    a 4 5 create g/y 8 = ok
    a 7 8 who g/y = 7''')
case(False, 'a rename does not replace what was there before', '''
    a 1 2 create g/x 7 = ok
    a 3 4 create g/y 8 = ok
    b 5 6 rename g/x g/y = none''')
case(True, 'the handle that made a folder deletes it', '''
    a 1 4 mkdir g/x = ok
    b 2 3 rmdir g/x = ok
    b 5 6 stat g/x = none''')
case(True, 'a folder that is going is seen', '''
    a 1 8 mkdir g/x = ok
    b 2 3 rmdir g/x = ok
    c 4 5 stat g/x = ok
    b 9 10 stat g/x = none''')
case(False, 'a folder is deleted by nobody', '''
    b 1 2 rmdir g/x = none
    a 1 4 mkdir g/x = ok
    b 5 6 stat g/x = none''')
case(True, 'two that delete at once', '''
    a 1 2 create g/x 7 = ok
    b 3 6 unlink g/x = ok
    c 4 7 unlink g/x = ok
    a 8 9 who g/x = none''')
case(False, 'two that delete one after the other', '''
    a 1 2 create g/x 7 = ok
    b 3 4 unlink g/x = ok
    c 5 6 unlink g/x = ok''')
case(True, 'the last handle died before it deleted', '''
    a 1 2 create g/x 7 = ok
    b 3 ? unlink g/x
    c 4 7 unlink g/x = ok
    a 8 9 who g/x = 7''')
case(True, 'the end', '''
    a 1 2 create g/x 7 = ok
    a 3 4 mkdir d/q = ok
    z 8 9 list g = x
    z 10 11 list d = q''')
case(False, 'a name that was never made', '''
    a 1 2 create g/x 7 = ok
    z 8 9 list g = .hidden,x''')

# ------------------------------------------------------------------ owners
case(True, 'a takeover', '''
    a C 1 n0
    a 2 3 read f 0 1 = 0
    a C 5 n1
    a 6 7 read f 0 1 = 0''')
case(True, 'there and back', '''
    a C 1 n0
    a 2 3 read f 0 1 = 0
    b C 5 n1
    b 6 7 read f 0 1 = 0
    a C 8 n0
    a 9 10 read f 0 1 = 0''')
case(False, 'two owners', '''
    a C 1 n0
    a 2 3 read f 0 1 = 0
    b C 5 n1
    b 6 7 read f 0 1 = 0
    a 9 10 read f 0 1 = 0''')
case(True, 'an answer that was on its way', '''
    a C 1 n0
    b C 5 n1
    a 6 10 read f 0 1 = 0
    b 6 7 read f 0 1 = 0''')


# ------------------------------------- histories that are right by their making

def play(model, kinds, rng, clients=3, count=50):
    """A random run of the model itself, some answers withheld."""
    state, time, active, history = model.initial(), 0, {}, []
    while len(history) < count or active:
        time += 1
        client = rng.randrange(clients)
        if client not in active:
            if len(history) >= count:
                continue
            kind, args = kinds(rng, time)
            op = Operation(kind, args, time, client=client, seq=time)
            history.append(op)
            active[client] = (op, model.start(op))
            continue
        op, at = active[client]
        others = [place for who, (_, place) in active.items()
                  if who != client]
        moves = []
        # All answers are possible; each is tried as the one expected.
        for result in RESULTS.get(op.kind) or all_values(history, state):
            probe = Operation(op.kind, op.args, op.invoked, time, result,
                              op.client, op.seq)
            moves += [(result, new) for new in
                      model.steps(state, probe, at, others)]
        if not moves:
            assert at == model.start(op)
            del active[client]      # it would be told "busy"
            history.remove(op)
            continue
        result, (state, at) = rng.choice(moves)
        if at is not None:
            active[client] = (op, at)
            continue
        del active[client]
        if op.kind in ('read', 'who', 'stat') or rng.random() > 0.05:
            op.answered, op.result = time + 0.5, result
    return history


RESULTS = {'write': ['ok'], 'create': ['ok', 'exists'],
           'unlink': ['ok', 'none'], 'rename': ['ok', 'none', 'exists'],
           'mkdir': ['ok', 'exists'], 'stat': ['ok', 'none']}


def all_values(history, state):
    return ['0', 'none', 'empty'] + [
        op.args[-1] for op in history if op.kind in ('write', 'create')]


def register_kinds(rng, number):
    return rng.choice([('read', ()), ('write', (str(100 + number),))])


def name_kinds(rng, number):
    one, two = rng.sample('xyz', 2)
    return rng.choice([('create', (one, str(100 + number))), ('who', (one,)),
                       ('unlink', (one,)), ('rename', (one, two))])


def replay(model, kinds, seeds):
    """Accepts all of them, and rejects what a changed answer makes wrong."""
    rejected = 0
    for seed in range(seeds):
        rng = random.Random(seed)
        history = play(model, kinds, rng)
        verdict = search(model, history)
        assert verdict.good is True, 'seed %d: %s' % (seed, verdict.operation)
        reads = [op for op in history if op.kind in ('read', 'who') and
                 op.answered < INFINITY]
        if reads and seed % 5 == 0:     # refuting takes longer
            op = rng.choice(reads)
            op.result = rng.choice(
                [v for v in all_values(history, None) if v != op.result])
            rejected += search(model, history).good is False
    assert rejected > seeds // 10, rejected


def main():
    passed = failed = 0
    tests = [(name, lambda g=good, t=text: verdict_is(g, t))
             for good, name, text in CASES]
    tests += [('300 random histories of a register',
               lambda: replay(Register(), register_kinds, 300)),
              ('300 random histories of names',
               lambda: replay(Names(), name_kinds, 300))]
    for name, test in tests:
        try:
            test()
            passed += 1
        except AssertionError as error:
            failed += 1
            print('FAILED  %s: %s' % (name, error))
    print('%d passed, %d failed' % (passed, failed))
    return 0 if failed == 0 else 1


def verdict_is(good, text):
    result = check(journals(text))
    assert not result.undecided
    assert good == (not result.anomalies), (
        result.anomalies or 'accepted, which is wrong')


sys.exit(main())
