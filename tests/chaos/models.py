# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operations of the clients mean: models for linear.py.

Register: bytes that are only written and read as a whole.

Names: the names of one folder, as SMB has them. Not the names of POSIX: a file
is deleted by opening it for deletion and closing it, and it goes with the last
handle. So of two clients that delete at once both may be told "done", and a
deletion that was answered may still have to wait for another client's handle;
if the server dies before that handle is closed, the file stays. What is going
can be opened by who began before it went: smbd opens a file before it looks at
the handles, and forgets the handle of a folder before it removes it (upstream,
too). libsmbclient's rename moves, and if the target exists deletes it and moves again. smbd looks
whether the target exists before it moves, and then replaces what was made
there in between (upstream; while records wait for a slow partner that is long
enough to be seen). Handles that
read or write exclude those that delete or move: such operations are told
"busy", did nothing and are left out of the history. But what creates does so
before it has its handle: told "busy", it may have made something nevertheless.
"""

from linear import FAILED

ZERO = '0'


class Register:
    """State: the value. write VALUE -> ok; read -> the value."""

    def initial(self):
        return ZERO

    def start(self, op):
        return 0

    def steps(self, state, op, at, others):
        if op.kind == 'write':
            yield op.args[0], None
            if op.result == FAILED:
                yield state, None
        elif op.expected is None or op.expected == state:
            yield state, None


class Names:
    """State: sorted (name, object, has content, going). An object is called
    after what made it. `going': deleted, but a handle keeps it.

    The place of an operation is (label, object that it has a handle of or
    None, name under which it opened it).

        create NAME VALUE -> ok, exists, busy   a new file with content VALUE
        who NAME -> VALUE, empty, none
        mkdir NAME -> ok, exists, busy
        stat NAME -> ok, none
        unlink, rmdir NAME -> ok, none
        rename NAME NAME -> ok, none, exists
        list -> the names, sorted, with commas between
    """

    START = ('start', None, None)

    def __init__(self):
        self.actions = {
            'create': self.create, 'mkdir': self.mkdir, 'who': self.who,
            'stat': self.stat, 'unlink': self.unlink, 'rmdir': self.unlink,
            'rename': self.rename, 'list': self.list}

    def initial(self):
        return ()

    def start(self, op):
        return self.START

    def steps(self, state, op, at, others):
        yield from self.actions[op.kind](state, op, at, others)
        # Without an answer its server may be dead, and the handle with it.
        if op.expected is None and at[1] is not None:
            for after in self.vanish(state, at, others):
                yield after, None
        elif op.result == FAILED:
            yield state, None

    # ------------------------------------------------------------- the state

    @staticmethod
    def find(state, name):
        for entry in state:
            if entry[0] == name:
                return entry
        return None

    @staticmethod
    def named(state, what):
        for entry in state:
            if entry[1] == what:
                return entry
        return None

    @staticmethod
    def replace(state, old, new):
        entries = [entry for entry in state if entry is not old]
        if new is not None:
            entries.append(new)
        return tuple(sorted(entries))

    @staticmethod
    def held(what, others):
        return any(place[1] == what for place in others)

    def release(self, state, at, others):
        """The handle is closed; the last one takes a going object along."""
        entry = self.named(state, at[1])
        if entry and entry[3] and not self.held(at[1], others):
            return self.replace(state, entry, None)
        return state

    def vanish(self, state, at, others):
        entry = self.named(state, at[1])
        yield self.release(state, at, others)
        if entry and entry[3] and not self.held(at[1], others):
            yield self.replace(state, entry, entry[:3] + (False,))

    @staticmethod
    def end(op, result):
        return op.expected is None or op.expected == result

    # -------------------------------------------------------- the operations

    def create(self, state, op, at, others):
        name, value = op.args[0], op.args[1]
        if op.expected == 'busy':
            yield from self.busy(state, name, value, False)
            return
        if at == self.START:
            if self.find(state, name):
                if self.end(op, 'exists'):
                    yield state, None
            elif op.expected in (None, 'ok'):
                yield (self.replace(state, None, (name, value, False, False)),
                       ('write', None, value))
            return
        # Nobody can delete or move it by this handle.
        entry = self.named(state, at[2])
        if not self.end(op, 'ok'):
            return
        if entry:       # else it was replaced meanwhile
            state = self.replace(state, entry,
                                 entry[:2] + (True,) + entry[3:])
        yield state, None

    def busy(self, state, name, made, content):
        yield state, None
        if not self.find(state, name):
            yield self.replace(state, None, (name, made, content, False)), None

    def mkdir(self, state, op, at, others):
        name = op.args[0]
        made = '%s-%d' % (op.client, op.seq)
        if at != self.START:
            if self.end(op, 'ok'):
                yield self.release(state, at, others), None
        elif op.expected == 'busy':
            yield from self.busy(state, name, made, True)
        elif self.find(state, name):
            if self.end(op, 'exists'):
                yield state, None
        elif op.expected in (None, 'ok'):
            yield (self.replace(state, None, (name, made, True, False)),
                   ('close', made, name))

    def who(self, state, op, at, others):
        entry = self.find(state, op.args[0])
        result = 'none' if not entry else entry[1] if entry[2] else 'empty'
        if self.end(op, result):
            yield state, None

    def stat(self, state, op, at, others):
        if at != self.START:
            if self.end(op, 'ok'):
                yield self.release(state, at, others), None
            return
        entry = self.find(state, op.args[0])
        if not entry:
            if self.end(op, 'none'):
                yield state, None
        elif op.expected in (None, 'ok'):
            yield state, ('close', entry[1], op.args[0])

    def list(self, state, op, at, others):
        if self.end(op, ','.join(entry[0] for entry in state)):
            yield state, None

    def unlink(self, state, op, at, others):
        if at != self.START:
            for state in self.deleted(state, at, others):
                if self.end(op, 'ok'):
                    yield state, None
            return
        entry = self.find(state, op.args[0])
        if not entry:
            if self.end(op, 'none'):
                yield state, None
        elif op.expected in (None, 'ok'):
            yield state, ('close', entry[1], op.args[0])

    def deleted(self, state, at, others):
        """A handle that was opened for deletion is closed."""
        entry = self.named(state, at[1])
        if not entry:
            yield state
            return
        going = entry[:3] + (True,)
        yield self.release(self.replace(state, entry, going), at, others)
        # smbd may have missed that it was moved, and then leaves it alone.
        if entry[0] != at[2]:
            yield state

    def rename(self, state, op, at, others):
        source, target = op.args[0], op.args[1]
        label = at[0]
        may_work = op.expected in (None, 'ok')
        may_fail = op.expected in (None, 'exists')
        if label in ('start', 'again'):
            entry = self.find(state, source)
            if label == 'again' and may_fail:
                yield state, None
            if not entry:
                if label == 'start' and self.end(op, 'none'):
                    yield state, None
            else:
                yield state, ('move' if label == 'start' else 'move again',
                              entry[1], source)
        elif label in ('move', 'move again'):
            entry = self.named(state, at[1])
            there = self.find(state, target)
            if entry and not there and may_work:
                yield state, ('moving',) + at[1:]
            if there:
                closed = self.release(state, at, others)
                if label == 'move again':
                    if may_fail:
                        yield closed, None
                else:
                    yield closed, ('collided', None, None)
            # Another client moved it, or moved upon it, under our handle.
            if (not entry or entry[0] != source) and self.end(op, 'none'):
                yield self.release(state, at, others), None
        elif label == 'moving':
            entry = self.named(state, at[1])
            there = self.find(state, target)
            if there and there is not entry:
                state = self.replace(state, there, None)
            if entry and entry[3]:      # too late to remove it by its name
                yield (self.replace(state, entry, (target,) + entry[1:3] +
                                    (False,)), ('moved',) + at[1:])
            if entry:
                state = self.replace(state, entry, (target,) + entry[1:])
            yield state, ('moved',) + at[1:]
        elif label == 'moved':
            if self.end(op, 'ok'):
                yield self.release(state, at, others), None
        elif label == 'collided':
            there = self.find(state, target)
            if may_fail:
                yield state, None
            if there:
                yield state, ('delete', there[1], target)
        elif label == 'delete':
            for state in self.deleted(state, at, others):
                yield state, ('again', None, None)
