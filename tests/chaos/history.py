# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients wrote down, and what is wrong with it.

Journal of a client, one line per event, times are CLOCK_MONOTONIC seconds of
the one machine that all clients run on:
    H 1 SHARE SEED CLIENT TIME
    C CONN TIME NODE                  connected; who answers ARP there, or -
    I SEQ TIME CONN KIND ARGUMENT..   issued
    A SEQ TIME CONN RESULT..          answered, maybe over a newer connection
    N SEQ TIME ERRNO                  refused: it did nothing, and says nothing
    F SEQ TIME ERRNO                  failed: answered with an error
    D SEQ TIME ERRNO                  in doubt: no answer to rely on
What is in doubt may happen at any time after it was issued, or never. What
failed may have got as far as it likes, but not after its answer.

Operations on bytes, in blocks of UNITS units:
    write FILE FIRST COUNT VALUE      -> ok
    read FILE FIRST COUNT             -> per block VALUE, or VALUE*UNITS,.. if
                                         it has more than one
A read beside a write may see a part of it, as on any file system: so every
unit is a register of its own. Those with the same history are checked once.
Operations on names: see models.Names.
"""

import errno

from linear import FAILED, INFINITY, Operation, search
from models import Names, Register, ZERO

UNITS = 256


class JournalError(Exception):
    """The journal is not one."""


class Journal:
    """One client's."""

    def __init__(self, path=None, lines=None):
        self.operations = []
        self.connections = {}       # number -> (time, node)
        self.errors = {}            # errno of those in doubt -> count
        self.refused = 0
        self.share = self.client = None
        if lines is None:
            with open(path) as file:
                lines = file.readlines()
        by_seq = {}
        try:
            for line in lines:
                if not line.endswith('\n'):
                    break           # its client was killed
                self.event(line.split(), by_seq)
        except (ValueError, IndexError, KeyError) as error:
            raise JournalError('%s: %r: %r' % (path, line, error))
        if self.share is None:
            raise JournalError('%s: no journal' % path)

    def event(self, word, by_seq):
        kind, number, time = word[0], int(word[1]), None
        if kind == 'H':
            self.share, self.client = word[2], word[4]
            return
        time = float(word[2])
        if kind == 'C':
            self.connections[number] = (time, word[3])
        elif kind == 'I':
            op = Operation(word[4], tuple(word[5:]), time, client=self.client,
                           seq=number, conn=int(word[3]))
            by_seq[number] = op
            self.operations.append(op)
        elif kind == 'A':
            by_seq[number].answered = time
            by_seq[number].conn = int(word[3])
            by_seq[number].result = ' '.join(word[4:])
        elif kind == 'N':
            self.operations.remove(by_seq[number])
            self.refused += 1
        elif kind == 'F':
            by_seq[number].answered = time
            by_seq[number].result = FAILED
            by_seq[number].error = int(word[3])
            self.errors[word[3]] = self.errors.get(word[3], 0) + 1
        elif kind == 'D':
            self.errors[word[3]] = self.errors.get(word[3], 0) + 1
        else:
            raise ValueError(kind)


def runs(token):
    """[(value, first unit, end)] of what a read saw of a block."""
    result, at = [], 0
    for part in token.split(','):
        value, _, count = part.partition('*')
        end = at + int(count or UNITS)
        result.append((value, at, end))
        at = end
    if at != UNITS:
        raise JournalError('not a block: ' + token)
    return result


def registers(operations):
    """{(file, block, unit): operations}; of equal histories only the first."""
    blocks = {}     # (file, block) -> [(op, None or runs)]
    for op in operations:
        if op.kind not in ('read', 'write'):
            continue
        first, count = int(op.args[1]), int(op.args[2])
        seen = op.result.split() if (
            op.kind == 'read' and op.expected is not None) else None
        for i in range(count):
            blocks.setdefault((op.args[0], first + i), []).append(
                (op, runs(seen[i]) if seen else None))
    result = {}
    for (file, block), history in blocks.items():
        edges = sorted({0} | {run[1] for _, seen in history if seen
                              for run in seen})
        for unit in edges:
            result[(file, block, unit)] = [
                register_operation(op, seen, unit) for op, seen in history
                if op.kind == 'write' or seen]
    return result


def register_operation(op, seen, unit):
    if op.kind == 'write':
        return Operation('write', (op.args[3],), op.invoked, op.answered,
                         op.result, op.client, op.seq, op.conn)
    value = next(run[0] for run in seen if run[1] <= unit < run[2])
    return Operation('read', (), op.invoked, op.answered, value, op.client,
                     op.seq, op.conn)


def names(operations):
    """{folder: operations on its names}"""
    result = {}
    for op in operations:
        if op.kind in ('read', 'write'):
            continue
        paths = op.args[:2] if op.kind == 'rename' else op.args[:1]
        if op.kind == 'list':
            folder, args = paths[0], ()
        else:
            folder = paths[0].rpartition('/')[0]
            args = tuple(p.rpartition('/')[2] for p in paths)
            args += op.args[len(paths):]
        if op.expected is None and op.kind in ('who', 'stat', 'list'):
            continue
        result.setdefault(folder, []).append(Operation(
            op.kind, args, op.invoked, op.answered, op.result, op.client,
            op.seq, op.conn))
    return result


def neighbours(history, op, count=14):
    """What was under way or answered shortly before the answer of op."""
    before = sorted((o for o in history if o.invoked <= op.answered and
                     o is not op), key=lambda o: min(o.answered, 1e12))
    doubts = [o for o in before if o.answered == INFINITY]
    return [o for o in before if o.answered < INFINITY][-count:] + doubts[
        -count:]


class Result:
    def __init__(self):
        self.anomalies = []
        self.undecided = []
        self.objects = 0
        self.configurations = 0

    def add(self, share, what, model, history):
        verdict = search(model, history)
        self.objects += 1
        self.configurations += verdict.configurations
        if verdict.good:
            return
        text = '%s: %s\n    answer: %s\n    state before it: %s\n%s' % (
            share, what, verdict.operation, verdict.state,
            '\n'.join('    %s' % op
                      for op in neighbours(history, verdict.operation)))
        if verdict.good is None:
            self.undecided.append('not decided: ' + text)
        else:
            self.anomalies.append('nothing explains: ' + text)


def check_bytes(result, share, operations):
    for op in operations:
        # They were made before all began, and nobody deletes them.
        if op.kind in ('read', 'write') and op.error == errno.ENOENT:
            result.anomalies.append('%s: a file is gone: %s' % (share, op))
            break
    issued = {op.args[3] for op in operations if op.kind == 'write'} | {ZERO}
    for (file, block, unit), history in registers(operations).items():
        seen = {op.result for op in history if op.kind == 'read'}
        where = '%s block %d unit %d' % (file, block, unit)
        for value in seen - issued:
            reader = next(op for op in history if op.result == value)
            result.anomalies.append('%s: %s was never written: %s' % (
                share, where, reader))
        if seen - issued:
            continue
        # A write in doubt that nobody saw might as well never have happened.
        result.add(share, where, Register(), [
            op for op in history if op.expected is not None or
            op.args[0] in seen])


def check_owners(result, share, journals):
    """R12, R13: no answer of an old owner after one of its successor.

    A connection to a node that was made before another node answered must
    not answer what was asked after that.
    """
    answers = []        # (invoked, answered, node, connected, op)
    for journal in journals:
        for op in journal.operations:
            made, node = journal.connections.get(op.conn, (0, '-'))
            if op.answered < INFINITY and node != '-':
                answers.append((op.invoked, op.answered, node, made, op))
    answers.sort(key=lambda a: a[0])
    # For each answer: was there another node's, asked after this connection
    # was made and told before this one was asked?
    by_end = sorted(answers, key=lambda a: a[1])
    latest, at = {}, 0  # node -> the told answer that was asked last
    for invoked, _, node, made, op in answers:
        while at < len(by_end) and by_end[at][1] < invoked:
            other = by_end[at]
            if other[2] not in latest or latest[other[2]][0] < other[0]:
                latest[other[2]] = other
            at += 1
        for other, answer in latest.items():
            if other != node and answer[0] > made:
                result.anomalies.append(
                    '%s: two owners: %s answered\n    %s\n    after %s had '
                    'answered\n    %s' % (share, node, op, other, answer[4]))
                return


def check(journals):
    """Result of all journals of a run."""
    result = Result()
    for share in sorted({journal.share for journal in journals}):
        mine = [j for j in journals if j.share == share]
        operations = [op for j in mine for op in j.operations]
        check_bytes(result, share, operations)
        for folder, history in sorted(names(operations).items()):
            result.add(share, folder, Names(), history)
        check_owners(result, share, mine)
    return result


def longest_pause(journals):
    """Between two answers of one share, in seconds."""
    longest = 0
    for share in {journal.share for journal in journals}:
        times = sorted(op.answered for j in journals if j.share == share
                       for op in j.operations if op.answered < INFINITY)
        for before, after in zip(times, times[1:]):
            longest = max(longest, after - before)
    return longest
